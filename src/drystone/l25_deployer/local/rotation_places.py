"""The fault points of a replacement of credentials."""

from __future__ import annotations

from drystone.l00_kernel.fault_points import FaultPoint

WRITTEN = FaultPoint(
    "rotate.record.written", "the record says that credentials are replaced; none is"
)
MADE = FaultPoint("rotate.credentials.made", "new credentials open the resources, and the old ones")
HANDED_OUT = FaultPoint("rotate.instances.replaced", "every instance has the new credentials")
ENDED = FaultPoint(
    "rotate.former.ended", "the former credentials open nothing; the record does not say so"
)
WITHDRAWN = FaultPoint(
    "rotate.new.withdrawn",
    "new credentials that nobody has open nothing; the record does not say so",
)
