"""What papers published of the strategies of the field, beside what ours say of it."""

import pandas as pd
from field import FROZEN, HIGH, LOW, PARTS, cell, means_of, results_of, situations
from study import labels

from skbadge.benchmarks import win_shares

# Ranks among these eight and points above random sampling, means of ten image sets on
# frozen DINOv2 features, by third of twenty rounds, as BoSS published them.
BOSS = {
    "bait": ("2.0 / +6.7", "1.1 / +3.9", "1.3 / +2.2"),
    "badge": ("5.0 / +3.1", "2.9 / +3.0", "2.5 / +1.8"),
    "dropquery": ("2.0 / +6.3", "4.0 / +2.7", "5.1 / +1.1"),
    "marg": ("5.4 / +2.8", "4.1 / +2.7", "3.1 / +1.7"),
    "alphamix": ("4.0 / +4.2", "4.2 / +1.9", "3.9 / +1.4"),
    "typiclust": ("2.9 / +5.7", "5.0 / +2.2", "5.9 / +0.6"),
    "coreset": ("7.3 / -0.4", "7.6 / -1.1", "7.4 / -1.0"),
    "rand": ("7.4", "7.3", "7.0"),
}
# Share of (round, seed) pairs in which the first is ahead, as REFINE published it.
REFINE = (
    ("uherding", "badge", 0.81),
    ("uherding", "marg", 0.79),
    ("uherding", "typiclust", 0.78),
    ("uherding", "dropquery", 0.74),
    ("uherding", "maxherding", 0.75),
    ("uherding", "bait", 0.53),
    ("bait", "badge", 0.73),
    ("bait", "marg", 0.72),
    ("bait", "dropquery", 0.64),
    ("bait", "maxherding", 0.65),
    ("maxherding", "badge", 0.60),
    ("refine", "uherding", 0.74),
    ("refine", "bait", 0.74),
    ("refine", "badge", 0.89),
)
# Both camps of UHerding's paper.
REPRESENTATIVE, UNCERTAIN = ("typiclust", "maxherding"), ("marg", "badge")


def boss(folder):
    """Put the ranks that BoSS published beside ours among the same strategies."""
    results = results_of(folder)
    here = results[results["strategy"].isin(BOSS) & (results["kind"] == FROZEN)]
    ours = {budget: means_of(here[here["budget"] == budget]) for budget in (LOW, HIGH)}
    rows = []
    for name, label in zip(BOSS, labels(BOSS), strict=True):
        row = {"strategy": label}
        row |= {f"BoSS, {p}": v for p, v in zip(PARTS, BOSS[name], strict=True)}
        for budget, word in ((LOW, "low"), (HIGH, "high")):
            for i, part in enumerate(PARTS, start=1):
                row[f"here, {word}, {part}"] = cell(ours[budget].loc[name, i])
        rows.append(row)
    return pd.DataFrame(rows)


def refine(folder):
    """Put the shares of wins that REFINE published beside ours."""
    shares = [win_shares(results) for _, _, results in situations(folder)]
    names = [f"{kind}: {budget}" for kind, budget, _ in situations(folder)]
    rows = []
    for first, second, share in REFINE:
        ahead, behind = labels([first, second])
        row = {"pair": f"{ahead} over {behind}", "REFINE": f"{share:.2f}"}
        for name, found in zip(names, shares, strict=True):
            both = {first, second} <= set(found)
            row[name] = f"{found.loc[first, second]:.2f}" if both else "not run"
        rows.append(row)
    return pd.DataFrame(rows)


def claims(folder):
    """Put what the papers say beside what these tables say of it, and a verdict."""
    rows = [
        (
            "BoSS: BAIT is the best single strategy in every third.",
            *thirds(folder, "bait", lambda ranks: (ranks == 1).tolist()),
        ),
        (
            "BoSS: DropQuery is good early, and falls behind.",
            *thirds(folder, "dropquery", _falls_behind),
        ),
        (
            "BoSS: TypiClust is good early, and falls behind.",
            *thirds(folder, "typiclust", _falls_behind),
        ),
        (
            "BoSS: BADGE is in the middle early, and second late.",
            *thirds(folder, "badge", lambda r: [3 <= r[0] <= 6, r[-1] <= 2]),
        ),
        (
            "BoSS: core-set is no better than random sampling.",
            *gain_of(folder, "coreset"),
        ),
        (
            "REFINE: UHerding is ahead of every other single strategy.",
            *pairs(folder, "uherding"),
        ),
        (
            "REFINE: BAIT is ahead of BADGE, margin, DropQuery and MaxHerding.",
            *pairs(folder, "bait"),
        ),
        (
            "REFINE: Refine is ahead of UHerding, BAIT and BADGE.",
            *pairs(folder, "refine"),
        ),
        (
            "UHerding's paper: at or above the best of both camps, the representative "
            "and the uncertain, at every budget.",
            *camps(folder),
        ),
        ("No Free Lunch: BADGE is the most robust over tasks.", *places(folder)),
    ]
    return pd.DataFrame(rows, columns=["Claim", "Verdict", "In these tables"])


def verdict(holds):
    """Say how many of the comparisons that a claim makes come out as it says."""
    if not holds:
        return "not run"
    if all(holds):
        return "agrees"
    return f"in part: {sum(holds)} of {len(holds)}" if any(holds) else "does not agree"


def thirds(folder, name, judge):
    """Place a strategy among BoSS's eight, in each third, by mean rank."""
    results = results_of(folder)
    frozen = results[(results["kind"] == FROZEN) & results["strategy"].isin(BOSS)]
    texts, holds = [], []
    for budget, word in ((LOW, "low"), (HIGH, "high")):
        means = means_of(frozen[frozen["budget"] == budget])
        places = means["rank"].unstack().rank(method="min").loc[name].astype(int)
        holds += judge(places.to_numpy())
        texts.append(f"{word} budget: {', '.join(map(str, places))}")
    return verdict(holds), f"Place among BoSS's eight by third; {'; '.join(texts)}."


def _falls_behind(places):
    return [places[0] <= 4, places[-1] > places[0]]


def gain_of(folder, name):
    """Give the points above random sampling in all four situations."""
    gains = {
        (kind, budget): 100 * means_of(results, 1)["gain"].loc[name].item()
        for kind, budget, results in situations(folder)
    }
    texts = {where: f"{gain:+.1f}" for where, gain in gains.items()}
    holds = [gain <= 0 for (kind, _), gain in gains.items() if kind == FROZEN]
    return verdict(holds), f"Points above it: {_apart(texts)}."


def pairs(folder, name):
    """Count the pairs of a strategy on whose winner REFINE and a situation agree."""
    found = [(first, second) for first, second, _ in REFINE if first == name]
    texts, holds = {}, []
    for kind, budget, results in situations(folder):
        shares = win_shares(results)
        if name not in shares:
            continue
        same = [shares.loc[pair] > 0.5 for pair in found]
        # Its figures are of frozen features: there alone they can be borne out.
        holds += same if kind == FROZEN else []
        texts[kind, budget] = f"{sum(same)} of {len(found)}"
    where = _apart(texts) or "none: it was not run"
    return verdict(holds), f"Of these pairs it is more often ahead in {where}."


def _apart(texts):
    """Put what was found on frozen features before what the paper did not look at."""
    same, other = (
        [
            f"{text} ({kind}, {budget})"
            for (kind, budget), text in texts.items()
            if (kind == FROZEN) is is_frozen
        ]
        for is_frozen in (True, False)
    )
    beyond = f"not counted, since it had none such: {', '.join(other)}" if other else ""
    return "; ".join(filter(None, [", ".join(same), beyond]))


def camps(folder):
    """Compare UHerding with the better strategy of either camp."""
    texts, holds = [], []
    for kind, budget, results in situations(folder):
        gain = 100 * means_of(results, 1)["gain"].droplevel("part")
        best = [max(gain[list(camp)]) for camp in (REPRESENTATIVE, UNCERTAIN)]
        holds.append(gain["uherding"] >= max(best))
        texts.append(
            f"{gain['uherding']:+.1f}, the camps' best {best[0]:+.1f} and "
            f"{best[1]:+.1f} ({kind}, {budget})"
        )
    return verdict(holds), (
        "Points above random of UHerding, and of the better of "
        f"{_pair(REPRESENTATIVE)} and of {_pair(UNCERTAIN)}: {'; '.join(texts)}."
    )


def _pair(names):
    return " or ".join(labels(names))


def places(folder):
    """Say where BADGE stands among all, and whether its worst rank is the best."""
    texts, ranks = [], []
    for kind, budget, results in situations(folder):
        ranks.append(means_of(results, 1).droplevel("part")["rank"])
        place = int(ranks[-1].rank(method="min")["badge"])
        texts.append(f"{place} of {len(ranks[-1])} ({kind}, {budget})")
    worst = pd.concat(ranks, axis=1).dropna().max(axis=1)
    place = int(worst.rank(method="min")["badge"])
    return verdict([place == 1]), (
        f"Place of BADGE by its worst mean rank: {place} of {len(worst)}; by mean rank "
        f"{'; '.join(texts)}."
    )
