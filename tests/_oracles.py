"""Reference code: slow, obvious, and independent of the library."""

from fractions import Fraction

# --- analysis of experiments, in exact fractions, one comparison at a time ----------


def exact_accuracies(records):
    """Return {setting: {strategy: {repeat: {n_labeled: Fraction}}}} from row dicts."""
    tree = {}
    for row in records:
        setting = (row["dataset"], row["model"], int(row["batch_size"]))
        curve = (
            tree.setdefault(setting, {})
            .setdefault(row["strategy"], {})
            .setdefault(int(row["repeat"]), {})
        )
        exact = Fraction(row["accuracy"]).limit_denominator(100_000)
        curve[int(row["n_labeled"])] = exact
    return tree


def exact_budgets(strategies, batch_size, rule):
    """Return the label budgets of one setting by trying every count, or ()."""
    repeats = list(strategies.get("rand", {}).values())
    if not repeats:
        return ()
    counts = sorted(n for n in repeats[0] if all(n in curve for curve in repeats))
    if not counts:
        return ()
    mean = {n: sum(curve[n] for curve in repeats) / len(repeats) for n in counts}
    n0 = min(n for n in counts if mean[n] >= Fraction(99, 100) * mean[counts[-1]])
    first = counts[0]
    if rule == "code":
        candidates = [first] + [first + 2**i * batch_size for i in range(40)]
        wanted = [n for n in candidates if n <= n0]
    else:
        candidates = [first + 2**i * batch_size for i in range(40)]
        wanted = [n for n in candidates if first + 2 * (n - first) <= n0]
    return tuple(n for n in wanted if n in mean)


def exact_penalty_matrix(records, *, threshold, rule="paper"):
    """Return {(winner, loser): penalty}; ``threshold`` maps n repeats to a Fraction."""
    tree = exact_accuracies(r for r in records if r["strategy"] != "badge-kdpp")
    penalty = {}
    for setting, strategies in tree.items():
        budgets = exact_budgets(strategies, setting[2], rule)
        for n_labeled in budgets:
            for i in strategies:
                for j in strategies:
                    if i != j and _exactly_beats(
                        strategies[i], strategies[j], n_labeled, threshold
                    ):
                        share = Fraction(1, len(budgets))
                        penalty[i, j] = penalty.get((i, j), 0) + share
    return penalty


def _exactly_beats(mine, theirs, n_labeled, threshold):
    """Say whether the first has the lower error, by the squared statistic."""
    common = [
        r
        for r in mine
        if r in theirs and n_labeled in mine[r] and n_labeled in theirs[r]
    ]
    n = len(common)
    if n < 2:
        return False
    # Error of theirs minus error of mine: positive where mine is better.
    gaps = [mine[r][n_labeled] - theirs[r][n_labeled] for r in common]
    mean = sum(gaps) / n
    variance = sum((gap - mean) ** 2 for gap in gaps) / (n - 1)
    return mean > 0 and n * mean**2 > threshold(n) ** 2 * variance


def exact_normalized_errors(records, *, rule="paper"):
    """Return {strategy: [(normalized error, weight), ...]}, all as fractions."""
    tree = exact_accuracies(r for r in records if r["strategy"] != "badge-kdpp")
    found = {}
    for setting, strategies in tree.items():
        budgets = exact_budgets(strategies, setting[2], rule)
        for n_labeled in budgets:
            rand = strategies["rand"]
            for name, repeats in strategies.items():
                pairs = [
                    (1 - repeats[r][n_labeled], 1 - rand[r][n_labeled])
                    for r in repeats
                    if r in rand and n_labeled in repeats[r] and n_labeled in rand[r]
                ]
                base = sum(b for _, b in pairs)
                if len(pairs) >= 2 and base > 0:
                    ratio = sum(a for a, _ in pairs) / base
                    share = Fraction(1, len(budgets))
                    found.setdefault(name, []).append((ratio, share))
    return found
