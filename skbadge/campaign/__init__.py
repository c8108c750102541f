"""A labelling campaign on disk, as people live it."""

from skbadge.campaign._accuracy import lure
from skbadge.campaign._answers import Told
from skbadge.campaign._campaign import Campaign
from skbadge.campaign._pool import ImageFiles
from skbadge.campaign._server import LabelStudio
from skbadge.campaign._status import Status

__all__ = ["Campaign", "ImageFiles", "LabelStudio", "Status", "Told", "lure"]
