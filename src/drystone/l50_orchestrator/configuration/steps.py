"""What is to be done so that what is present becomes what is wanted, in an order in which it can be done. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Literal

import msgspec

from drystone.l00_kernel.visible import visible
from drystone.l25_deployer.descriptor.block import Block
from drystone.l50_orchestrator.configuration.api import StepView
from drystone.l50_orchestrator.configuration.reading import Key, Kinds

_NAMED_ALL = 3
"""So many removals are confirmed by their names; more by their number and a digest."""


_ACTIONS = ("create", "change", "remove")


class Step(msgspec.Struct, frozen=True):
    """One thing to do.

    Attributes:
        action: What.
        key: To which item.
        item: As it shall be; None where it is removed.
        before: As it is; None where it is made.
    """

    action: Literal["create", "change", "remove"]
    key: Key
    item: Block | None
    before: Block | None

    def view(self) -> StepView:
        """Show it."""
        changes: tuple[str, ...] = ()
        if self.item is not None and self.before is not None:
            changes = tuple(_changes(self.before, self.item))
        return StepView(self.action, *self.key, changes)


def difference(
    wanted: Mapping[Key, Block],
    present: Mapping[Key, Block],
    kinds: Kinds,
    *,
    prune: Collection[str] = (),
) -> list[Step]:
    """Return the steps from what is present to what is wanted.

    Each item comes after those that it needs, and is removed before those that it needed. The same difference has
    always the same order.

    Args:
        wanted: What shall be. Nothing in it needs itself, by whatever way.
        present: What is.
        kinds: What knows which items need which.
        prune: Kinds of which what is not wanted is removed.
    """
    steps = {
        key: Step("create" if key not in present else "change", key, item, present.get(key))
        for key, item in wanted.items()
        if present.get(key) != item
    }
    for key, item in present.items():
        if key[0] in prune and key not in wanted:
            steps[key] = Step("remove", key, None, item)
    return _ordered(steps, kinds)


def _ordered(steps: Mapping[Key, Step], kinds: Kinds) -> list[Step]:
    """Put steps in order; where what is present is a circle, what is removed comes last, by name."""
    puts = _puts(steps, kinds)
    before = {key: set(needed) for key, needed in puts.items()}
    for key, step in steps.items():
        if step.before is not None:
            for one in _needs(key, step.before, kinds):
                if one in steps and steps[one].item is None:
                    before[one].add(key)
    try:
        return [steps[key] for key in _sorted(before, steps)]
    except CycleError:
        found = _sorted(
            {key: needed for key, needed in puts.items() if steps[key].item is not None}, steps
        )
        gone = sorted(key for key, step in steps.items() if step.item is None)
        return [steps[key] for key in (*found, *gone)]


def _puts(steps: Mapping[Key, Step], kinds: Kinds) -> dict[Key, set[Key]]:
    """Return what has to be put before each item."""
    puts: dict[Key, set[Key]] = {key: set() for key in steps}
    for key, step in steps.items():
        needs = [] if step.item is None else _needs(key, step.item, kinds)
        for one in needs:
            if one in steps and _rise_together(steps[one], step, kinds):
                puts[one].add(key)
            elif one in steps:
                puts[key].add(one)
    return puts


def _rise_together(needed: Step, needing: Step, kinds: Kinds) -> bool:
    """Tell whether of two items that change the one that needs the other is put first."""
    kind = needed.key[0]
    return kind == needing.key[0] and all(
        one.before is not None and one.item is not None and kinds[kind].rises(one.before, one.item)
        for one in (needed, needing)
    )


def _sorted(before: Mapping[Key, set[Key]], steps: Mapping[Key, Step]) -> list[Key]:
    """Sort keys by what comes before them, and else what is made before what is changed, and that before what goes.

    So nobody loses a right before somebody else has it.
    """
    sorter = TopologicalSorter(before)
    sorter.prepare()
    found: list[Key] = []
    while sorter.is_active():
        ready = sorted(sorter.get_ready(), key=lambda key: (_ACTIONS.index(steps[key].action), key))
        found += ready
        sorter.done(*ready)
    return found


def _needs(key: Key, item: Block, kinds: Kinds) -> list[Key]:
    return [(ref.kind, ref.name) for ref in kinds[key[0]].references(key[1], item)]


def words(steps: Sequence[Step]) -> str:
    """Return what has to be typed so that the steps may remove what they remove; empty when that is nothing.

    Different removals have different words, so that nobody confirms what was not shown.
    """
    gone = sorted("/".join(step.key) for step in steps if step.item is None)
    if not gone:
        return ""
    if len(gone) <= _NAMED_ALL:
        return f"remove {' '.join(gone)}"
    digest = hashlib.sha256("\n".join(gone).encode()).hexdigest()[:8]
    return f"remove {len(gone)} items {digest}"


def _changes(before: Block, after: Block) -> list[str]:
    return [
        f"{field}: {_shown(getattr(before, field))} → {_shown(getattr(after, field))}"
        for field in after.__struct_fields__
        if getattr(before, field) != getattr(after, field)
    ]


def _shown(value: object) -> str:
    text = visible(msgspec.json.encode(value).decode())
    return f"{text[:77]}…" if len(text) > 80 else text
