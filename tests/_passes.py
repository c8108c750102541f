"""Passes over small tables."""

import numpy as np

from skbadge.extraction._pass import collect_outputs
from skbadge.nets._steps import Steps
from skbadge.strategies import Needs
from tests._any_nets import make_rows

ALL = Needs(proba=True, residual=True, features=True)
X, Y = make_rows("table"), np.arange(18) % 3


def collect(net, pool=X, needs=ALL, transformers=None, **settings):
    steps = None if transformers is None else Steps([("step", transformers)])
    return collect_outputs(net, pool, needs, transformers=steps, **settings)
