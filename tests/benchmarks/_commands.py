"""What tests of the command line share."""

SMALL = ["--rounds", "1", "--n-initial", "10", "--batch-size", "5", "--repeats", "2"]


def errors_only(text):
    """Return the lines that are not the progress bar."""
    return [line for line in text.splitlines() if line.startswith("skbadge: ")]
