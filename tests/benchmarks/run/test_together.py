"""What several commands or folders say together."""

from skbadge.benchmarks.run._together import merged


def test_what_is_said_together():
    first = {"preset": "quick", "why": "a", "lists": ["x", "y"], "only": 1}
    second = {"preset": "quick", "why": "b", "lists": ["z", "x"]}
    together = merged([first, second])
    assert together == {
        "preset": "quick", "why": ["a", "b"], "lists": ["x", "y", "z"], "only": 1,
    }  # fmt: skip
    # Said again, nothing is added: no lists in lists.
    assert merged([together, second, first]) == together
    assert merged([{"n": 1}, {"n": [{"a": 1}]}]) == {"n": [1, {"a": 1}]}
