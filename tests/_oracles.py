"""Reference code: slow, obvious, and independent of the library."""

import collections
import itertools
from fractions import Fraction

import numpy as np
import scipy.stats
import torch

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
        wanted = []
        for n in [first] + [first + 2**i * batch_size for i in range(40)]:
            # What the curve last said at this count decides, before it is taken.
            said = [mean[m] for m in counts if m <= n][-1]
            if n > counts[-1] or said > Fraction(99, 100) * mean[counts[-1]]:
                break
            wanted.append(n)
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


# --- selection: laws by enumeration, algorithms by the plain loop --------------------


def squared_distances(X):
    """All squared distances between rows, by differences in float64."""
    X = np.asarray(X, dtype=np.float64)
    return ((X[:, None, :] - X[None, :, :]) ** 2).sum(axis=-1)


def kmeans_plusplus_law(X, n, *, first=None, power=2, origin=False):
    """Probability of every ordered n-tuple under D^power sampling, as a dict.

    ``first`` is the law of the first row (uniform by default); ``origin=True`` keeps
    the origin as a permanent center, a slip seen in public code.
    """
    X = np.asarray(X, dtype=np.float64)
    distance_sq = squared_distances(X)
    first = np.full(len(X), 1 / len(X)) if first is None else np.asarray(first)
    law = {}
    for order in itertools.permutations(range(len(X)), n):
        probability = first[order[0]]
        nearest = distance_sq[order[0]]
        if origin:
            nearest = np.minimum(nearest, (X**2).sum(axis=1))
        for row in order[1:]:
            weight = nearest ** (power / 2)
            probability *= weight[row] / weight.sum()
            nearest = np.minimum(nearest, distance_sq[row])
        law[order] = probability
    return law


def greedy_kmeans_plusplus(X, n, rng, n_trials=2):
    """k-means++ with local trials, another law than plain D^2 sampling."""
    distance_sq = squared_distances(X)
    chosen = [int(rng.integers(len(X)))]
    nearest = distance_sq[chosen[0]]
    while len(chosen) < n:
        trials = rng.choice(len(X), size=n_trials, p=nearest / nearest.sum())
        best = min(trials, key=lambda i: np.minimum(nearest, distance_sq[i]).sum())
        chosen.append(int(best))
        nearest = np.minimum(nearest, distance_sq[best])
    return tuple(chosen)


class CoarseGenerator:
    """A generator whose uniform numbers are eighths: ties, and zeros, are common."""

    def __init__(self, seed):
        self._rng = np.random.default_rng(seed)
        self.integers, self.permutation = self._rng.integers, self._rng.permutation

    def random(self, size=None):
        return np.floor(8 * self._rng.random(size)) / 8


def rejection_loop(X, norm, n, generator, *, first, block_size, flush, costs):
    """k-means++ by rejection, proposal after proposal: what a seed's picks follow from.

    ``norm`` holds the lengths of the rows, rounded as in what is tested; ``costs`` is
    what a proposal and a row in a refresh cost, in pairs of a row and a center. Return
    picks and squared distances at the choice.
    """
    distance_sq = squared_distances(X)

    def propose(weights, uniform):
        row, total, level = 0, 0.0, uniform * np.cumsum(weights)[-1]
        for row in np.flatnonzero(weights):
            total += weights[row]
            if total > level:
                break
        return row

    if first == "max-norm":
        longest = np.flatnonzero(norm == norm.max())
        start = longest[generator.integers(len(longest))]
    elif first == "norm" and norm.any():
        start = propose(norm**2, generator.random(1)[0])
    else:
        start = generator.integers(len(X))
    chosen, scores = [int(start)], [norm[start] ** 2]
    bound, seen = np.full(len(X), np.inf), np.zeros(len(X), dtype=int)
    wasted, refreshed, size, barren = 0, 0, 16, False
    while True:
        bound = np.minimum(bound, (norm + norm[chosen].min()) ** 2)
        bound[chosen] = 0.0
        if len(chosen) >= n or not bound.any():
            break
        new = len(chosen) - refreshed
        due = new and (barren or wasted >= len(X) * (new + costs[1]))
        if new and (flush == "always" or (flush == "auto" and due)):
            bound = np.minimum(bound, distance_sq[:, chosen].min(axis=1))
            seen[:], refreshed, wasted, barren = len(chosen), len(chosen), 0, False
        drawn_by, before, judged = bound.copy(), len(chosen), []
        count = block_size or size
        uniforms, levels = generator.random(count), generator.random(count)
        for uniform, level in zip(uniforms, levels, strict=True):
            row = propose(drawn_by, uniform)
            nearest = min(drawn_by[row], distance_sq[row, chosen].min())
            if level * drawn_by[row] < nearest:
                chosen.append(int(row))
                scores.append(nearest)
            else:
                wasted += before - seen[row] + costs[0]
            judged.append(row)
        nearest = distance_sq[judged][:, chosen[:before]].min(axis=1)
        bound[judged] = np.minimum(drawn_by[judged], nearest)
        seen[judged] = before
        # Each block reads all bounds, in vain for what it rejects.
        rejected = before + count - len(chosen)
        wasted += len(X) * rejected // count
        barren = rejected == count
        few = len(chosen) - before < count // 8
        size = int(np.clip(2 * count if few else len(chosen), 16, 1024))
    rest = np.setdiff1d(np.arange(len(X)), chosen)
    if len(chosen) < n:
        chosen += generator.permutation(rest).tolist()
        scores += [0.0] * len(rest)
    return np.array(chosen[:n]), np.array(scores[:n])


def chi_square_p_value(outcomes, law):
    """p-value of observed outcomes under a law given as a dict; rare cells pooled."""
    n_draws = len(outcomes)
    observed = collections.Counter(outcomes)
    assert set(observed) <= set(law), "an outcome that the law excludes"
    common = [key for key in law if law[key] * n_draws >= 5]
    counts = [observed[key] for key in common]
    expected = [law[key] * n_draws for key in common]
    rest = n_draws - sum(expected)
    if rest > 1e-6:
        counts.append(n_draws - sum(counts))
        expected.append(rest)
    return float(scipy.stats.chisquare(counts, expected).pvalue)


def k_center_loop(X, n, labeled=None, priority=None):
    """Farthest-first traversal, one row at a time; lower priority wins a tie."""
    X = np.asarray(X, dtype=np.float64)
    priority = np.arange(len(X)) if priority is None else np.asarray(priority)
    nearest = np.full(len(X), np.inf)
    if labeled is not None:
        for row in np.asarray(labeled, dtype=np.float64):
            nearest = np.minimum(nearest, ((X - row) ** 2).sum(axis=1))
    chosen, radii = [], []
    for _ in range(n):
        open_ = [i for i in range(len(X)) if i not in chosen]
        best = min(open_, key=lambda i: (-nearest[i], priority[i]))
        chosen.append(best)
        radii.append(np.sqrt(nearest[best]))
        nearest = np.minimum(nearest, ((X - X[best]) ** 2).sum(axis=1))
    return np.array(chosen), np.array(radii)


def k_dpp_law(X, n):
    """Probability of every n-subset under a k-DPP, as a dict of sorted tuples."""
    gram = np.asarray(X, dtype=np.float64) @ np.asarray(X, dtype=np.float64).T
    weight = {
        subset: max(np.linalg.det(gram[np.ix_(subset, subset)]), 0.0)
        for subset in itertools.combinations(range(len(gram)), n)
    }
    total = sum(weight.values())
    return {subset: value / total for subset, value in weight.items()}


def k_dpp_chain_loop(X, members, outside, slots, places, levels):
    """The swap chain, proposal after proposal, by determinants."""
    gram = np.asarray(X, dtype=np.float64) @ np.asarray(X, dtype=np.float64).T
    members, outside = list(members), list(outside)
    for slot, place, level in zip(slots, places, levels, strict=True):
        proposed = members.copy()
        proposed[slot] = outside[place]
        now, then = (np.linalg.det(gram[np.ix_(s, s)]) for s in (members, proposed))
        if level < then / now and then > 1e-9 * now:
            members[slot], outside[place] = proposed[slot], members[slot]
    return members, outside


def k_dpp_chain_law(X, n, n_steps):
    """Law of the swap chain after n_steps from a uniform subset, by its matrix."""
    gram = np.asarray(X, dtype=np.float64) @ np.asarray(X, dtype=np.float64).T
    subsets = list(itertools.combinations(range(len(gram)), n))
    position = {subset: i for i, subset in enumerate(subsets)}
    det = [np.linalg.det(gram[np.ix_(s, s)]) for s in subsets]
    step = np.zeros((len(subsets), len(subsets)))
    proposal = 1.0 / (n * (len(gram) - n))
    for i, subset in enumerate(subsets):
        for u in subset:
            for v in set(range(len(gram))) - set(subset):
                j = position[tuple(sorted(set(subset) - {u} | {v}))]
                step[i, j] += proposal * min(1.0, det[j] / det[i])
        step[i, i] = 1.0 - step[i].sum()
    law = np.full(len(subsets), 1.0 / len(subsets))
    law = law @ np.linalg.matrix_power(step, n_steps)
    return dict(zip(subsets, law, strict=True))


def rank_by_elimination(X):
    """Rank of a table of floats, by elimination in fractions."""
    rows = [[Fraction(float(value)) for value in row] for row in X]
    rank = 0
    for column in range(len(rows[0])):
        pivot = next((row for row in rows[rank:] if row[column]), None)
        if pivot is None:
            continue
        rows.remove(pivot)
        rows.insert(rank, pivot)
        for i in range(rank + 1, len(rows)):
            ratio = rows[i][column] / pivot[column]
            rows[i] = [a - ratio * b for a, b in zip(rows[i], pivot, strict=True)]
        rank += 1
    return rank


def ordered_subsets_law(items, n):
    """Every ordered n-tuple of the items equally likely, as a dict."""
    orders = list(itertools.permutations(items, n))
    return dict.fromkeys(orders, 1 / len(orders))


# --- gradient of a net's own loss, one row and one backward pass at a time ----------


def last_layer_gradients(net, layer, rows, *, bias=False, labels=None):
    """Return the gradient in a layer's weight (and bias) of each row, by autograd.

    ``rows`` holds inputs of the module, each with a batch dimension of one, so that a
    loss which is one number a batch is that row's. The loss is the net's own at the
    label that ``predict_proba`` prefers, or at the given ``labels``; everything runs
    through the real module in evaluation mode. A weight that is computed from others is
    read as it comes out.
    """
    net.module_.eval()
    layer.requires_grad_(True)
    criterion = getattr(net.criterion_, "_orig_mod", net.criterion_)
    before = getattr(criterion, "reduction", None)
    if before is not None:
        criterion.reduction = "sum"  # of one row: that row's loss
    gradients = []
    for i, row in enumerate(rows):
        best = net.predict_proba(row)[0].argmax() if labels is None else labels[i]
        label = torch.tensor([int(best)])
        net.module_.eval()
        # So that a weight that is computed from others is the one that the run used.
        with torch.nn.utils.parametrize.cached():
            answer = net.infer(row)
            parameters = [layer.weight, layer.bias] if bias else [layer.weight]
        label = label if _has_classes(net) else label.float()
        loss = net.get_loss(answer, label, X=row)
        parts = torch.autograd.grad(loss, parameters)
        gradients.append(torch.cat([part.flatten().double() for part in parts]))
    if before is not None:
        criterion.reduction = before
    return torch.stack(gradients)


def _has_classes(net):
    return "Binary" not in type(net).__name__


# --- EXP4.P: weights as they are written, in exact or slow arithmetic -----------------


def exp4p_probabilities(weights, p_min):
    """Return p_k = (1 - N p_min) w_k / sum w + p_min, from plain weights."""
    total = sum(weights)
    return [(1 - len(weights) * p_min) * w / total + p_min for w in weights]


def exp4p_weights(weights, p, batch, correct, q_all, *, divisor, T, delta, p_min):
    """Return the weights after a round, row by row and arm by arm.

    ``batch`` holds, for each row of the batch, the list of q_k(x); ``correct`` and
    ``q_all`` hold, for each row asked for since the start, 1[correct] and q(x).
    """
    N = len(weights)
    reward = sum(c / q for c, q in zip(correct, q_all, strict=True)) / divisor
    after = []
    for k in range(N):
        shares = []
        for inclusion in batch:
            q = sum(p[j] * inclusion[j] for j in range(N))
            shares.append(inclusion[k] / q)
        bonus = np.sqrt(np.log(N / delta) / (N * T)) / p[k]
        gain = reward * sum(shares) / len(shares) + bonus
        after.append(weights[k] * np.exp(p_min / 2 * gain))
    return after


def exp4p_chosen(weights, p, arm, correct, q_all, others, *, delta, p_min):
    """Return the weights after a round in which the drawn arm alone learns.

    ``others`` holds 1[correct] of the labelled rows that no arm chose.
    """
    N = len(weights)
    earned = [c / q for c, q in zip(correct, q_all, strict=True)]
    reward = (sum(earned) + sum(others)) / (len(earned) + len(others))
    gain = reward + np.sqrt(np.log(N / delta) / N) / p[arm]
    after = list(weights)
    after[arm] *= np.exp(p_min / 2 * gain)
    return after


# --- strategies of the field: laws by enumeration, choices by plain loops -------------


def sequential_law(weights, n, share=0.0):
    """Law of n draws one after another, as {ordered tuple: [probability of each]}.

    Each is drawn by its weight among those left, uniformly with probability ``share``,
    and uniformly where no weight is left.
    """
    law = {}
    for order in itertools.permutations(range(len(weights)), n):
        left, steps = list(range(len(weights))), []
        for row in order:
            total = sum(weights[i] for i in left)
            by_law = weights[row] / total if total else 1 / len(left)
            steps.append((1 - share) * by_law + share / len(left))
            left.remove(row)
        law[order] = steps
    return law


def mutual_information(samples):
    """Mutual information of label and draw, from the table of their joint law."""
    joint = np.asarray(samples, dtype=np.float64) / len(samples)
    total = 0.0
    for s, y in itertools.product(*map(range, joint.shape)):
        if joint[s, y]:
            independent = joint[s].sum() * joint[:, y].sum()
            total += joint[s, y] * np.log(joint[s, y] / independent)
    return total


def joint_mutual_information(samples, rows):
    """Mutual information of the labels of some rows and the draw, by enumeration."""
    samples = np.asarray(samples, dtype=np.float64)
    outcomes = itertools.product(range(samples.shape[2]), repeat=len(rows))
    table = [
        [
            np.prod([samples[row, s, y] for row, y in zip(rows, outcome, strict=True)])
            for outcome in outcomes_
        ]
        for s, outcomes_ in enumerate([list(outcomes)] * samples.shape[1])
    ]
    return mutual_information(table)


def batch_bald_loop(samples, n):
    """Greedy BatchBALD, each candidate by enumeration of all joint outcomes."""
    chosen, gains, before = [], [], 0.0
    for _ in range(n):
        open_ = [i for i in range(len(samples)) if i not in chosen]
        value = {i: joint_mutual_information(samples, [*chosen, i]) for i in open_}
        best = max(open_, key=value.get)
        chosen.append(best)
        gains.append(value[best] - before)
        before = value[best]
    return np.array(chosen), np.array(gains)


def laplace_covariance(features, proba, prior_precision):
    """Covariance of a head's weights, (outputs x features), by the whole matrix."""
    features, proba = np.asarray(features), np.asarray(proba)
    curvature = np.mean([np.diag(p) - np.outer(p, p) for p in proba], axis=0)
    of_inputs = sum(np.outer(h, h) for h in features)
    precision = np.kron(curvature, of_inputs)
    return np.linalg.inv(precision + prior_precision * np.eye(len(precision)))


def typiclust_loop(X, labels, n_known, n, *, small=5, neighbors=20):
    """TypiClust's picks given the clusters, one row and one distance at a time."""
    distance = np.sqrt(squared_distances(X))
    members = {c: [i for i in range(len(X)) if labels[i] == c] for c in set(labels)}
    typicality = {}
    for rows in members.values():
        k = min(neighbors, len(rows) // 2)
        for i in rows:
            nearest = sorted(distance[i, j] for j in rows if j != i)[:k]
            typicality[i] = 1 / (sum(nearest) / max(k, 1) + 1e-5)
    turns = sorted(
        members,
        key=lambda c: (len(members[c]) <= small, n_known[c], -len(members[c])),
    )
    large = [c for c in turns if len(members[c]) > small]
    chosen = []
    for clusters in (large, turns):
        while len(chosen) < n and any(set(members[c]) - set(chosen) for c in clusters):
            for c in clusters:
                open_ = [i for i in members[c] if i not in chosen]
                if open_ and len(chosen) < n:
                    chosen.append(max(open_, key=typicality.get))
    return np.array(chosen), np.array([typicality[i] for i in chosen])


def flips_by_masks(features, weight, bias, masks, p):
    """How many masks change the class of each row, one product at a time."""
    found = []
    for h in np.asarray(features, dtype=np.float64):
        plain = np.argmax(weight @ h + bias)
        changed = [np.argmax(weight @ (h * m / (1 - p)) + bias) != plain for m in masks]
        found.append(sum(changed))
    return np.array(found)


def round_robin(labels, n):
    """Labels of n picks, one of each label in turn, the rarest label first."""
    left = collections.Counter(labels)
    turns = sorted(left, key=lambda label: left[label])
    chosen = []
    while len(chosen) < n:
        for label in turns:
            if left[label] and len(chosen) < n:
                left[label] -= 1
                chosen.append(label)
    return chosen


def falcun_law(proba, n, gamma):
    """Law of ordered n-tuples under FALCUN, as {tuple: [probability of each pick]}."""
    proba = np.asarray(proba, dtype=np.float64)
    top = np.sort(proba, axis=1)
    unsure = 1 - (top[:, -1] - top[:, -2])
    law = {}
    for order in itertools.permutations(range(len(proba)), n):
        distance, left, steps = unsure.copy(), list(range(len(proba))), []
        for row in order:
            low, high = min(distance[left]), max(distance[left])
            spread = {i: (distance[i] - low) / (high - low or 1.0) for i in left}
            weight = {i: (spread[i] + unsure[i]) ** gamma for i in left}
            steps.append(weight[row] / sum(weight.values()))
            left.remove(row)
            gaps = [np.abs(p - proba[row]).sum() for p in proba]
            distance = np.minimum(distance, gaps)
        law[order] = steps
    return law


def contrastive_scores(features, proba, known, known_proba, k):
    """Mean KL of each row from its k nearest labelled rows, row by row."""
    scores = []
    for h, p in zip(features, proba, strict=True):
        nearest = sorted(range(len(known)), key=lambda j: sum((h - known[j]) ** 2))[:k]
        divergences = [
            sum(
                a * np.log(a / max(b, 1e-12))
                for a, b in zip(known_proba[j], p, strict=True)
                if a > 0
            )
            for j in nearest
        ]
        scores.append(sum(divergences) / len(divergences))
    return np.array(scores)


def mixed_candidates(features, residual, weight, bias, anchors, epsilon):
    """Rows whose class changes for some anchor, each mixed feature by feature."""
    found = []
    for i, (h, a) in enumerate(zip(features, residual, strict=True)):
        gradient = weight.T @ a
        for anchor in anchors:
            size = epsilon / np.sqrt(len(h)) * np.linalg.norm(anchor - h)
            rate = size * gradient / (np.linalg.norm(gradient) * (anchor - h))
            mixed = (1 - rate) * h + rate * anchor
            if np.argmax(weight @ mixed + bias) != np.argmax(weight @ h + bias):
                found.append(i)
                break
    return found


def direct_loop(proba, known, y, n):
    """DIRECT's picks for scores without ties: thresholds tried one by one."""

    def preference(table, k):
        return [row[k] - max(v for j, v in enumerate(row) if j != k) for row in table]

    n_classes, n_pool = len(proba[0]), len(proba)
    share = -(-n // n_classes)
    turns = sorted(range(n_classes), key=lambda k: sum(label == k for label in y))
    lists = []
    for k in turns:
        scores, labeled = preference(proba, k), preference(known, k)
        edges = [np.inf, *sorted(labeled, reverse=True), -np.inf]
        balance = [
            sum(
                1 if label == k else -1
                for s, label in zip(labeled, y, strict=True)
                if s >= e
            )
            for e in edges[:-1]
        ]
        best = [i for i, b in enumerate(balance) if b == max(balance)]
        high, low = edges[best[0]], edges[best[-1] + 1]
        ranked = sorted(range(n_pool), key=lambda i: -scores[i])
        inside = [rank for rank, i in enumerate(ranked) if low <= scores[i] <= high]
        start = sum(scores[i] > high for i in ranked)
        stop = start + len(inside)
        m = min((share + 1) // 2, len(inside))
        spread = [start + (2 * i + 1) * len(inside) // (2 * m) for i in range(m)]
        middle = min((start + stop) // 2, n_pool - 1)
        around = sorted(range(n_pool), key=lambda r: (abs(r - middle), r < middle))
        order = [r for pair in zip(spread, around, strict=False) for r in pair]
        lists.append([ranked[r] for r in order + around[m:]])
    chosen = []
    while len(chosen) < n:
        for rows in lists:
            if len(chosen) < n:
                while rows[0] in chosen:
                    rows.pop(0)
                chosen.append(rows.pop(0))
    return np.array(chosen)


# --- campaigns: the weighted mean as it is written ------------------------------------


def lure_by_loop(loss, q, n_population):
    """LURE, one draw after the other."""
    n_drawn, total = len(loss), 0.0
    for m in range(1, n_drawn + 1):
        v = 1.0
        if n_population > n_drawn:
            share = (n_population - n_drawn) / (n_population - m)
            v += share * (1 / ((n_population - m + 1) * q[m - 1]) - 1)
        total += v * loss[m - 1]
    return total / n_drawn


def lure_by_parts(loss, q, n_population):
    """The mean of estimates, one a draw, each unbiased given the draws before it.

    Of the m-th: what was drawn before, and the loss over its probability for all that
    was left. Its weight is N (N - M) / (M (N - m) (N - m + 1)); these add up to 1.
    """
    n_drawn, total, known = len(loss), 0.0, 0.0
    for m in range(1, n_drawn + 1):
        part = (known + loss[m - 1] / q[m - 1]) / n_population
        left = n_population - m
        weight = n_population * (n_population - n_drawn)
        total += weight / (n_drawn * left * (left + 1)) * part
        known += loss[m - 1]
    return total


def max_coverage_loop(X, n, radius, known, priority):
    """Greedy maximum coverage of directions, every gain counted at every step."""

    def direction(table):
        table = np.asarray(table, dtype=np.float64)
        return table / np.linalg.norm(table, axis=1, keepdims=True)

    X, known = direction(X), direction(known)
    near = np.linalg.norm(X[:, None] - X[None], axis=2) <= radius
    covered = (np.linalg.norm(X[:, None] - known[None], axis=2) <= radius).any(axis=1)
    chosen, gains = [], []
    for _ in range(n):
        gain = {i: (near[i] & ~covered).sum() for i in range(len(X)) if i not in chosen}
        best = min(gain, key=lambda i: (-gain[i], priority[i]))
        chosen.append(best)
        gains.append(gain[best])
        covered |= near[best]
    return np.array(chosen), np.array(gains)


# --- stopping: counts by plain loops --------------------------------------------------


def kappa_by_loop(first, second):
    """Cohen's kappa by counting pairs."""
    n = len(first)
    agree = sum(a == b for a, b in zip(first, second, strict=True)) / n
    chance = sum(a == b for a in first for b in second) / n**2
    return 1.0 if chance == 1 else (agree - chance) / (1 - chance)


def expected_f_by_loop(proba):
    """F measure expected from probabilities, the mean over the classes there are."""
    n_classes = len(proba[0])
    found = []
    for c in range(n_classes):
        true = false = missed = 0.0
        for row in proba:
            if max(range(n_classes), key=lambda k: row[k]) == c:
                true += row[c]
                false += 1 - row[c]
            else:
                missed += row[c]
        if true + false + missed > 0:
            found.append(2 * true / (2 * true + false + missed))
    return sum(found) / len(found)


# --- coverage and information: every gain anew, every matrix written out --------------


def coverage_loop(X, n, weight, length_scale, *, labeled=None, priority=None):
    """Return picks and gains of greedy generalized coverage, from all pairs."""
    X = np.asarray(X, dtype=np.float64)
    kernel = np.exp(-squared_distances(X) / length_scale**2)
    covered = np.zeros(len(X))
    for row in [] if labeled is None else np.asarray(labeled, dtype=np.float64):
        reached = np.exp(-((X - row) ** 2).sum(axis=1) / length_scale**2)
        covered = np.maximum(covered, reached)
    priority = np.arange(len(X)) if priority is None else priority
    picks, gains = [], []
    for _ in range(n):
        best = None
        for i in range(len(X)):
            if i in picks:
                continue
            gain = (weight * np.maximum(0.0, kernel[i] - covered)).sum()
            if best is None or (gain, -priority[i]) > (best[0], -priority[best[1]]):
                best = gain, i
        picks.append(best[1])
        gains.append(best[0])
        covered = np.maximum(covered, kernel[best[1]])
    return picks, gains


def information_vectors(proba, features, fisher, n_top):
    """Return for each row the vectors whose outer products are its information."""
    found = []
    for p, h in zip(np.asarray(proba), np.asarray(features), strict=True):
        if fisher == "binary":
            found.append([np.sqrt(p.max() * (1 - p.max())) * h])
            continue
        classes = np.argsort(-p)[: n_top if fisher == "top" else None]
        unit = np.eye(len(p))
        found.append([np.sqrt(p[y]) * np.kron(unit[y] - p, h) for y in classes])
    return np.array(found)


def bait_direct(vectors, labeled, n, *, regularization, oversample):
    """Return the picks of BAIT, the trace from an inverse of its own for each row."""
    size = [v.T @ v for v in vectors]
    known = [v.T @ v for v in labeled]
    total = len(known) + n
    mean = sum(size + known) / len(size + known)
    M = regularization * np.eye(len(mean)) + sum(known, np.zeros_like(mean)) / total
    size = [n * each for each in size]
    picks = []
    for _ in range(min(len(size), int(np.ceil(oversample * n)))):
        left = [i for i in range(len(size)) if i not in picks]
        loss = [np.trace(np.linalg.inv(M + size[i] / total) @ mean) for i in left]
        picks.append(left[int(np.argmin(loss))])
        M = M + size[picks[-1]] / total
    while len(picks) > n:
        loss = [np.trace(np.linalg.inv(M - size[i] / total) @ mean) for i in picks]
        M = M - size[picks[int(np.argmin(loss))]] / total
        picks.pop(int(np.argmin(loss)))
    return picks


def log_det_loop(X, n, priority=None, *, tie=2.0**-38):
    """Return picks, their squared distances to the span, and the rank.

    Each time the row farthest from the span of those chosen, from an orthonormal basis
    made anew; where all are in the span, the choice starts over among the others.
    """
    X = np.asarray(X, dtype=np.float64)
    priority = np.arange(len(X)) if priority is None else np.asarray(priority)
    length_sq = (X**2).sum(axis=1)
    picks, scores, start, rank = [], [], 0, n
    while len(picks) < n:
        basis = np.linalg.qr(X[picks[start:]].T)[0]
        rest = X - (X @ basis) @ basis.T
        rest -= (rest @ basis) @ basis.T
        distance_sq = (rest**2).sum(axis=1)
        distance_sq[distance_sq <= tie * length_sq] = 0.0
        distance_sq[picks] = -1.0
        top = int(distance_sq.argmax())
        if distance_sq[top] == 0.0:
            rank = min(rank, len(picks))
            if start < len(picks):
                start = len(picks)
                continue
        lowest = distance_sq[top] - tie * length_sq[top]
        best = min(np.flatnonzero(distance_sq >= lowest), key=lambda i: priority[i])
        picks.append(int(best))
        scores.append(distance_sq[best])
    return picks, scores, rank


# --- ranks by part of a campaign and shares of wins, in exact fractions ---------------


def complete_curves(records):
    """Yield (setting, {strategy: {repeat: curve}}) of what all strategies share.

    A curve lists accuracies at the label counts that all cells have, without the first.
    """
    for setting, tree in exact_accuracies(records).items():
        tree = {name: cells for name, cells in tree.items() if name != "badge-kdpp"}
        repeats = set.intersection(*(set(cells) for cells in tree.values()))
        if not repeats:
            continue
        counts = set.intersection(
            *(set(cells[r]) for cells in tree.values() for r in repeats)
        )
        counts = sorted(counts)[1:]
        if counts:
            yield (
                setting,
                {
                    name: {r: [cells[r][n] for n in counts] for r in sorted(repeats)}
                    for name, cells in tree.items()
                },
                counts,
            )


def exact_ranks(records, n_parts):
    """Return {(setting, part, strategy): (rank, gain, first, last)}, all exact."""
    found = {}
    for setting, tree, counts in complete_curves(records):
        if len(counts) < n_parts:
            continue
        sizes = [
            len(counts) // n_parts + (i < len(counts) % n_parts) for i in range(n_parts)
        ]
        start = 0
        for part, size in enumerate(sizes, start=1):
            mean = {
                name: {r: sum(c[start : start + size]) / size for r, c in cells.items()}
                for name, cells in tree.items()
            }
            for name, cells in mean.items():
                ranks, gains = [], []
                for r, score in cells.items():
                    better = sum(other[r] > score for other in mean.values())
                    equal = sum(other[r] == score for other in mean.values())
                    ranks.append(better + Fraction(equal + 1, 2))
                    gains.append(score - mean["rand"][r] if "rand" in mean else None)
                gain = None if None in gains else sum(gains) / len(gains)
                ends = counts[start], counts[start + size - 1]
                found[setting, part, name] = (sum(ranks) / len(ranks), gain, *ends)
            start += size
    return found


def exact_win_share(records, first, second):
    """Return the share of comparisons in which ``first`` is ahead, or None."""
    shares = []
    for _, tree, _ in complete_curves(records):
        if first in tree and second in tree:
            points = [
                Fraction(1, 2) if a == b else Fraction(int(a > b))
                for r, curve in tree[first].items()
                for a, b in zip(curve, tree[second][r], strict=True)
            ]
            shares.append(sum(points) / len(points))
    return sum(shares) / len(shares) if shares else None


# --- clusters: Lloyd's steps written out ----------------------------------------------


def lloyd(X, centers, weight=None):
    """Return clusters and centers, moved until no row changes its cluster."""
    X = np.asarray(X, dtype=np.float64)
    weight = np.ones(len(X)) if weight is None else np.asarray(weight)
    centers, before = np.array(centers, dtype=np.float64), None
    while True:
        labels = nearest_center(X, centers)
        if labels == before:
            return np.array(labels), centers
        for k in range(len(centers)):
            rows = [i for i in range(len(X)) if labels[i] == k]
            total = sum(weight[i] for i in rows)
            if total > 0:
                centers[k] = sum(weight[i] * X[i] for i in rows) / total
        before = labels


def nearest_center(X, centers):
    """Return the number of the center nearest to each row."""
    return [
        min(range(len(centers)), key=lambda k: ((row - centers[k]) ** 2).sum())
        for row in np.asarray(X, dtype=np.float64)
    ]


def rows_nearest_to_centers(X, first, *, weight=None, normalize=False, among=None):
    """Return of each cluster the rows nearest to its center, and the clusters' sizes.

    Parameters
    ----------
    X : array of shape (n, n_features)
        All rows.
    first : callable
        Takes the rows that count; returns the positions of the first centers.
    weight, normalize, among
        Weights in the means, length 1 for each row, the rows that count.

    Returns
    -------
    nearest : list of set of int
        Largest cluster first, in the order of the first centers among equals. One row
        each, but for ties: the two of a pair are equally near to their middle.
    sizes : list of int
    """
    X = np.asarray(X, dtype=np.float64)
    rows = list(range(len(X))) if among is None else list(among)
    table = np.array([X[i] / np.linalg.norm(X[i]) if normalize else X[i] for i in rows])
    labels, centers = lloyd(table, table[first(table)], weight)
    found = []
    for k in range(len(centers)):
        members = [i for i in range(len(table)) if labels[i] == k]
        distance = {i: np.linalg.norm(table[i] - centers[k]) for i in members}
        most = min(distance.values()) + 1e-9
        found.append(
            (-len(members), k, {rows[i] for i in members if distance[i] < most})
        )
    found.sort(key=lambda cluster: cluster[:2])
    return [rows for *_, rows in found], [-n for n, *_ in found]
