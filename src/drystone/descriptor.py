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
