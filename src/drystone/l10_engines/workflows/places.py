"""The fault points of workflows: what a worker may die between."""

from __future__ import annotations

from drystone.l00_kernel.fault_points import FaultPoint

CLAIMED = FaultPoint("workflow.claim.written", "a worker owns the workflow; nothing of it runs")
STEP_BEGUN = FaultPoint("workflow.step.begun", "a step is about to run")
STEP_DONE = FaultPoint(
    "workflow.step.done", "a step has had its effect; the journal does not have it"
)
STEP_WRITTEN = FaultPoint("workflow.step.written", "the journal has the step")
TROUBLE_WRITTEN = FaultPoint(
    "workflow.trouble.written", "a failed try is counted; the next one was not begun"
)
TURNED = FaultPoint("workflow.turn.written", "it is decided that all is undone; nothing is")
REST_WRITTEN = FaultPoint("workflow.rest.written", "the workflow sleeps or waits, and has no owner")
END_BEGUN = FaultPoint("workflow.end.begun", "the function has returned; nobody knows the result")
END_WRITTEN = FaultPoint("workflow.end.written", "the workflow has ended")
