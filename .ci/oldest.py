"""Write constraints for the oldest versions that the installed skbadge says it takes.

Those of the extra for pools on a cluster are among them. torch is left out: an old one
is a build for GPUs of several gigabytes.
"""

import re
from importlib import metadata

for line in metadata.requires("skbadge"):
    found = re.fullmatch(r"([\w-]+)>=([\d.]+)(; *extra == .cluster.)?", line)
    if found and found[1] != "torch":
        print("==".join(found.groups()[:2]))
