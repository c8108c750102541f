"""How a learner is written down, and comes back: methods of `ActiveLearner`."""

from __future__ import annotations

from skbadge.learner._written import restored, written

__all__ = ["restore", "state"]


def state(learner, *, parameters=False):
    """Write down what `restore` needs beside the labelled rows.

    Parameters
    ----------
    parameters : bool, default=False
        Whether to copy the weights and buffers of the net too.

    Returns
    -------
    dict
        Plain lists and numbers, fit for JSON: ``n_trainings`` that succeeded;
        ``entropy``, from which all seeds are made; ``inclusion_probability`` with
        which each labelled row was chosen, None where unknown; what the
        ``strategy`` has learned; the batch ``asked``; what is ``pending`` to be
        told. And ``parameters``: tensors by names such as ``"module_.weight"``.

    Raises
    ------
    LearnerNotFittedError
        If there are no labelled rows, or no trained net for ``parameters``.
    InvalidInputError
        If the strategy has learned what cannot be written down.
    """
    learner._state.needed_labels("state")
    found = written(learner._state)
    if parameters:
        model = learner._state.needed_model(learner, "state(parameters=True)")
        found["parameters"] = model.parameters()
    return found


def restore(learner, X, y, state, **fit_params):
    """Come back to a state that was written down: same model, same queries.

    The last training is done again, under the seed it had and on all rows given,
    unless ``parameters`` bring its result.

    Parameters
    ----------
    X, y : as for `fit`
        The labelled rows in their order, corrections included, and their labels.
    state : dict
        Answer of `state`; what is missing in it is as after the first `fit`.
    **fit_params : dict
        As for `fit`.

    Returns
    -------
    self

    Raises
    ------
    InvalidInputError
        If something does not fit; nothing was changed then. After more than one
        warm-started training without ``parameters``: the weights hang on all.

    Notes
    -----
    ``parameters`` hold weights and buffers, not the optimizer: a warm start goes on
    with a new one. Steps of a pipeline are fitted again on the rows given.
    """
    begun, constants = learner._begun(X, y, fit_params)
    begun._state = restored(begun._state, state).repeated(
        learner, constants, state.get("parameters")
    )
    learner._become(begun)
    return learner
