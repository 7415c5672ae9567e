"""Where in a descriptor a finding of the dependency check was written."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from drystone.l00_kernel.yaml_text.tree import Path
from drystone.l25_deployer.api import DependencyFinding
from drystone.l25_deployer.descriptor.reading import Origin, Positions

_CLAIMS: Mapping[str, Path] = {
    "tier": ("tier",),
    "resilience": ("resilience",),
    "region": ("regions",),
    "plane": ("plane",),
    "slo": ("slo", "availability"),
    "layer": ("layer",),
    "same-layer": ("layer",),
}
"""What a service says that its dependencies do not bear out."""


def placed(finding: DependencyFinding, written: Mapping[str, Positions]) -> DependencyFinding:
    """Say where a finding was written: its first dependency that was, or else what is promised in vain.

    Args:
        finding: Which.
        written: Where each service was, by the names of the model.
    """
    origin = _origin(finding, written)
    if origin is None:
        return finding
    return msgspec.structs.replace(
        finding, file=origin.file, line=origin.line, column=origin.column
    )


def _origin(finding: DependencyFinding, written: Mapping[str, Positions]) -> Origin | None:
    for step in finding.path:
        if step.source in written:
            target = step.target.rpartition("/")[2]
            origin = written[step.source].of(("dependencies", target))
            if origin is not None:
                return origin
    positions = written.get(finding.subject)
    if positions is None:
        return None
    return positions.of(_CLAIMS.get(finding.rule, ())) or positions.of(("service",))
