"""Read and check service descriptors: the public name of the deployer's descriptor package."""

from drystone.l25_deployer.descriptor import (
    Descriptor,
    Merged,
    Origin,
    Positions,
    Problem,
    Reading,
    read,
    render,
    resolve,
)
from drystone.l25_deployer.descriptor.edges import Edge, references
from drystone.l25_deployer.descriptor.json_schema import json_schema

__all__ = [
    "Descriptor",
    "Edge",
    "Merged",
    "Origin",
    "Positions",
    "Problem",
    "Reading",
    "json_schema",
    "read",
    "references",
    "render",
    "resolve",
]
