from __future__ import annotations

import gc
import weakref

from drystone.l90_assembly.garbage import old_objects_left_alone


class Node:
    """Something that refers to itself, so that counting references never frees it."""

    def __init__(self) -> None:
        self.me = self


async def test_what_a_full_collection_found_alive_is_not_looked_at_again() -> None:
    was = gc.get_freeze_count()
    with old_objects_left_alone():
        kept = Node()
        gc.collect()
        assert gc.get_freeze_count() > was + 1000
        assert all(one is not kept for one in gc.get_objects())
    assert gc.get_freeze_count() == 0
    assert any(one is kept for one in gc.get_objects())


async def test_new_garbage_goes_as_ever_and_old_garbage_with_a_look_at_all() -> None:
    with old_objects_left_alone():
        old = Node()
        gc.collect()
        new = Node()
        gone = [weakref.ref(one) for one in (new, old)]
        del new, old
        gc.collect()
        assert gone[0]() is None
        assert gone[1]() is not None
        gc.unfreeze()
        gc.collect()
        assert gone[1]() is None
