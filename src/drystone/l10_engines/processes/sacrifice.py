"""Whom the kernel kills first when the whole machine has no memory left (proc_pid_oom_score_adj(5)).

An instance rather than an engine, which serves many; an engine rather than the agent, which brings both back; the agent
rather than its keeper, which keeps what it was given. Every step upwards is open to everybody, so no right is needed.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

INSTANCE, ENGINE, AGENT = 600, 300, 100


def offer(score: int, pid: int | None = None) -> None:
    """Make a process a likelier victim, and with it all that it starts from now on.

    Args:
        score: Thousandths of the machine's memory that are added to what it uses; a higher one stays.
        pid: The process; this one when None.
    """
    place = Path("/proc", "self" if pid is None else str(pid), "oom_score_adj")
    with suppress(
        OSError
    ):  # it has just ended, or somebody forbids it: the kernel then has its own opinion
        if int(place.read_text()) < score:
            place.write_text(f"{score}\n")
