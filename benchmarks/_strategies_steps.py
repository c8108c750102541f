"""Plain forms of BAIT and UHerding, whose loops would run for minutes to hours.

A few of their steps are timed: a call returns the seconds that all of them would take.
Plain torch and scikit-learn in float32, all rows against all at each step.
"""

import time

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

STEPS = 3


def margin_weight(proba):
    """Return how unsure each row is: 1 minus the gap of the two likeliest classes."""
    top = proba.topk(2, dim=1).values
    return 1.0 - (top[:, 0] - top[:, 1])


def _first_steps(setup, step, n_steps):
    """Run the first steps of a loop; return the CPU seconds that all would take."""
    start = time.process_time()
    setup()
    ready = time.process_time()
    timed = min(n_steps, STEPS)
    for _ in range(timed):
        step()
    return (ready - start) + (time.process_time() - ready) * n_steps / timed


def bait_loop(data, batch):
    """BAIT with binary information, the gain of all rows anew for each pick."""

    def query():
        state = {}

        def setup():
            top = data.pool.proba.amax(dim=1, keepdim=True)
            rows = (top * (1 - top)).sqrt() * data.pool.features
            state.update(
                rows=rows,
                mean=rows.T @ rows / len(rows),
                inverse=torch.eye(rows.shape[1]),
            )

        def step():
            rows, inverse = state["rows"], state["inverse"]
            across = rows @ inverse
            gain = ((across @ state["mean"]) * across).sum(dim=1)
            gain /= 1 + (across * rows).sum(dim=1)
            pick = across[int(gain.argmax())]
            inverse -= torch.outer(pick, pick) / (1 + rows[int(gain.argmax())] @ pick)

        # Twice the batch is chosen; dropping half of it is not counted.
        return _first_steps(setup, step, 2 * batch)

    return query


def bait_wide_loop(data, batch, n_top):
    """BAIT with the information of some or all classes, from matrices of all weights.

    A row has a vector of the length of all weights for each class; gains and updates
    are Woodbury's, so that no matrix but the small ones of rows is inverted.
    """

    def query():
        state = {}

        def setup():
            proba, features = data.pool.proba, data.pool.features
            values, place = proba.topk(n_top or proba.shape[1], dim=1)
            columns = torch.nn.functional.one_hot(place, proba.shape[1])
            columns = (columns - proba[:, None]) * values.sqrt()[:, :, None]
            rows = (columns[..., None] * features[:, None, None]).flatten(2)
            flat = rows.flatten(0, 1)
            state.update(
                rows=rows,
                mean=flat.T @ flat / len(rows),
                inverse=torch.eye(rows.shape[2]),
            )

        def step():
            rows, inverse = state["rows"], state["inverse"]
            across = rows @ inverse
            inner = across @ rows.transpose(1, 2)
            inner.diagonal(dim1=1, dim2=2).add_(1.0)
            outer = (across @ state["mean"]) @ across.transpose(1, 2)
            gain = torch.linalg.solve(inner, outer).diagonal(dim1=1, dim2=2).sum(dim=1)
            pick = int(gain.argmax())
            inverse -= across[pick].T @ torch.linalg.solve(inner[pick], across[pick])

        # Twice the batch is chosen; dropping half of it is not counted.
        return _first_steps(setup, step, 2 * batch)

    return query


def uherding_loop(data, batch, find_temperature=None, n_targets=None):
    """Greedy coverage from the kernel of rows and targets, held in memory."""

    def query():
        state = {}

        def setup():
            proba = data.pool.proba
            if find_temperature is not None:
                power = 1.0 / find_temperature(data.labeled.features, data.labeled.y)
                proba = torch.nn.functional.normalize(proba**power, p=1)
            rows = torch.nn.functional.normalize(data.pool.features)
            known = torch.nn.functional.normalize(data.labeled.features)
            drawn = slice(None)
            if n_targets is not None:
                drawn = torch.randperm(len(rows))[:n_targets]
            targets = rows[drawn]
            # The kernel is as wide as the smallest distance between labelled rows.
            between = (2.0 - 2.0 * (known @ known.T)).fill_diagonal_(torch.inf)
            width_sq = float(between.min().clamp_min(1e-6))
            state.update(
                kernel=(rows @ targets.T).sub_(1.0).mul_(2.0 / width_sq).exp_(),
                covered=((targets @ known.T - 1.0) * (2.0 / width_sq))
                .exp_()
                .amax(dim=1),
                weight=margin_weight(proba[drawn]),
            )

        def step():
            kernel, covered = state["kernel"], state["covered"]
            gain = torch.cat(
                [
                    (part - covered).clamp_min_(0) @ state["weight"]
                    for part in kernel.split(2048)
                ]
            )
            state["covered"] = torch.maximum(covered, kernel[int(gain.argmax())])

        return _first_steps(setup, step, batch)

    return query


def uherding_cross_fitted(data, batch, n_targets=None):
    """Let scikit-learn's cross-validation find the temperature first."""
    return uherding_loop(data, batch, _cross_fitted_temperature, n_targets)


def _cross_fitted_temperature(features, y, n_bins=15):
    """Return the temperature with the least calibration error on unseen rows."""
    model = make_pipeline(StandardScaler(), LogisticRegression())
    proba = cross_val_predict(
        model, features.numpy(), y.numpy(), cv=5, method="predict_proba"
    )
    right, logits = proba.argmax(axis=1) == y.numpy(), np.log(proba + 1e-30)
    temperatures, errors = np.arange(1.0, 20.0, 0.1), []
    for temperature in temperatures:
        weight = np.exp(logits / temperature)
        sure = weight.max(axis=1) / weight.sum(axis=1)
        bins = np.minimum((sure * n_bins).astype(int), n_bins - 1)
        errors.append(abs(np.bincount(bins, weights=sure - right)).sum())
    return temperatures[np.argmin(errors)]
