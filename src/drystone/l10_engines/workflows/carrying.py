"""Carries a workflow out to its end, or to where it has to be left."""

from __future__ import annotations

import msgspec

from drystone.l10_engines.workflows import places
from drystone.l10_engines.workflows.errors import PayloadUnreadable
from drystone.l10_engines.workflows.journal import Ending, Journal
from drystone.l10_engines.workflows.model import State
from drystone.l10_engines.workflows.payloads import (
    Failure,
    decode,
    encode,
    failure_of,
)
from drystone.l10_engines.workflows.replay import Lost, Parks, Replay, Turns
from drystone.l10_engines.workflows.run import AnyDefinition, Run


async def carry_out(definition: AnyDefinition, run: Run, replay: Replay, journal: Journal) -> None:
    """Run the function, undo what it did if it fails or is cancelled, and write how it ended.

    Raises:
        Leave: The workflow has not ended here.
    """
    claim = replay.claim
    if claim.is_cancelling and claim.attempt == 1:
        await _end(replay, journal, State.CANCELLED)
        return
    try:
        given = decode(claim.input, definition.takes, f"the input of {claim.id}")
    except PayloadUnreadable as e:
        replay.leave(Parks("PayloadUnreadable", e.message))
    result, failure = None, None
    try:
        result = await _result(definition, run, replay, given)
    except Turns:  # either the journal says how it is to end, or it is cancelled now
        await _undo(run, replay, journal, State.CANCELLED, None)
        return
    except Exception as e:  # noqa: BLE001 - whatever the function raises is how the workflow ends
        failure = failure_of(e)
    if failure is not None:
        await _undo(run, replay, journal, State.FAILED, failure)
    else:
        await _end(replay, journal, State.DONE, result=result)


async def _result(definition: AnyDefinition, run: Run, replay: Replay, given: object) -> str:
    """Return the function's result as JSON; what made it leave is not lost, whatever the function caught."""
    try:
        value = await definition.run(run, given)
        result = encode(value, f"the result of {definition.name}")
    except BaseException as e:
        if replay.left is not None and replay.left is not e:
            raise replay.left from None
        if isinstance(e, Exception):
            replay.check_end()
        raise
    if replay.left is not None:
        raise replay.left
    replay.check_end()
    return result


async def _undo(
    run: Run, replay: Replay, journal: Journal, state: State, error: Failure | None
) -> None:
    turn = await replay.begin_undoing(state, error)
    await run.undo_all()
    replay.check_end()
    await _end(replay, journal, State(turn.name), error=turn.error)


async def _end(
    replay: Replay,
    journal: Journal,
    state: State,
    *,
    result: str | None = None,
    error: Failure | None = None,
) -> None:
    claim = replay.claim
    places.END_BEGUN.reach()
    ending = Ending(
        workflow=claim.id,
        attempt=claim.attempt,
        state=state,
        result=result,
        error=msgspec.json.encode(error).decode() if error else None,
        queue=claim.queue,
        parent=claim.parent,
    )
    if not await journal.write(ending):
        replay.leave(Lost())
    places.END_WRITTEN.reach()
