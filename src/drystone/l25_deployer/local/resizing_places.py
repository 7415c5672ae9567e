"""The fault points of a change of how many instances there are."""

from __future__ import annotations

from drystone.l00_kernel.fault_points import FaultPoint

NUMBER_WRITTEN = FaultPoint(
    "scale.number.written", "the record says how many instances there are to be"
)
MORE_WRITTEN = FaultPoint(
    "scale.more.written", "the release names more instances; they were not started"
)
MORE_BEGUN = FaultPoint("scale.more.begun", "more instances were started")
MORE_WELL = FaultPoint("scale.more.well", "more instances are healthy and get requests")
FEWER_CLOSED = FaultPoint("scale.fewer.closed", "instances that are to go get nothing new")
FEWER_DRAINED = FaultPoint("scale.fewer.drained", "instances that are to go have nothing to do")
FEWER_ENDED = FaultPoint("scale.fewer.ended", "instances have ended; the release still names them")
FEWER_WRITTEN = FaultPoint("scale.fewer.written", "the release names fewer instances")
