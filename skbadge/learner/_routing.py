"""Fit parameters and tags on their way through a wrapper to the net inside it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import sklearn
from sklearn.pipeline import Pipeline
from sklearn.utils import InputTags, get_tags
from sklearn.utils.metadata_routing import (
    MetadataRouter,
    MethodMapping,
    process_routing,
)

from skbadge.nets._estimators import split_estimator

__all__ = ["first_input_tags", "fit_router", "params_of_net", "routed"]


def fit_router(owner: Any) -> MetadataRouter:
    """Route fit parameters from a wrapper to its estimator.

    The wrapper itself may ask for metadata of its other methods, such as weights of
    rows in ``score``.
    """
    mapping = MethodMapping().add(caller="fit", callee="fit")
    if hasattr(owner, "fit_transform"):
        mapping.add(caller="fit_transform", callee="fit")
    router = MetadataRouter(owner=owner).add_self_request(owner)
    return router.add(estimator=owner.estimator, method_mapping=mapping)


def first_input_tags(estimator: Any, tags: InputTags) -> InputTags:
    """Return input tags of a wrapper that takes what the first step takes."""
    steps, _ = split_estimator(estimator)
    if steps is None:
        return tags
    first = get_tags(steps.steps[0][1]).input_tags
    return replace(tags, sparse=first.sparse, allow_nan=first.allow_nan)


def routed(owner: Any, fit_params: dict[str, Any]) -> dict[str, Any]:
    """Return the fit parameters that the estimator of a wrapper gets."""
    if not fit_params or not sklearn.get_config()["enable_metadata_routing"]:
        return fit_params
    return process_routing(owner, "fit", **fit_params).estimator.fit


def params_of_net(estimator: Any, fit_params: dict[str, Any]) -> dict[str, Any]:
    """Return those fit parameters of a pipeline that its net would get."""
    if not isinstance(estimator, Pipeline) or not fit_params:
        return fit_params
    name, last = estimator.steps[-1]
    if sklearn.get_config()["enable_metadata_routing"]:
        fit_params = process_routing(estimator, "fit", **fit_params)[name].fit
    else:
        prefix = f"{name}__"
        fit_params = {
            key.removeprefix(prefix): value
            for key, value in fit_params.items()
            if key.startswith(prefix)
        }
    return params_of_net(last, fit_params)
