"""What was refused, as evidence beside the dependency model: somebody wanted to call, and could not."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import msgspec

from drystone.l05_graph.evidence import REFUSED, Batch, Detail, Observation
from drystone.l35_mesh.observed.api import RefusalView


def batch_of(refusals: Iterable[RefusalView]) -> Batch:
    """Return refusals as calls that failed; the same refusals give the same batch.

    What strangers tried is nobody's dependency, and what the model has no name for cannot stand in it.
    """
    found: dict[tuple[str, str], Observation] = {}
    records = 0
    for one in refusals:
        records += one.times
        key = (one.caller, one.component)
        if not one.caller or not one.component or one.caller == one.component:
            continue
        before = found.get(key)
        first, last = one.first.replace(microsecond=0), one.last.replace(microsecond=0)
        found[key] = Observation(
            caller=one.caller,
            callee=one.component,
            calls=one.times + (before.calls if before else 0),
            errors=one.times + (before.errors if before else 0),
            first=min(first, before.first) if before and before.first else first,
            last=max(last, before.last) if before and before.last else last,
        )
    observations = tuple(found[key] for key in sorted(found))
    digest = hashlib.sha256(msgspec.json.encode(observations)).hexdigest()
    return Batch(
        source=REFUSED,
        digest=digest,
        file="refusals.log",
        detail=Detail.TOTALS,
        records=records,
        observations=observations,
    )
