"""The service descriptor: read, checked and merged for an environment. Pure: no files, no network, no clock.

One type declaration for each block (``schema``) feeds everything: the check that finds all mistakes at once, the JSON
Schema for editors, the reference page and the merge of environments.
"""

from drystone.l00_kernel.yaml_text.problems import Problem, render
from drystone.l25_deployer.descriptor.reading import (
    Merged,
    Origin,
    Positions,
    Reading,
    read,
    resolve,
)
from drystone.l25_deployer.descriptor.schema.descriptor import Descriptor

__all__ = [
    "Descriptor",
    "Merged",
    "Origin",
    "Positions",
    "Problem",
    "Reading",
    "read",
    "render",
    "resolve",
]
