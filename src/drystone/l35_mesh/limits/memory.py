"""Counting in memory: one process owns what was used, and decides without waiting for anybody."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from drystone.l35_mesh.limits.domain import (
    Bucket,
    Counting,
    FixedWindow,
    Quota,
    SlidingWindow,
    Verdict,
)
from drystone.l35_mesh.limits.names import MOST_NAMES_OF_ALL, Names, Room
from drystone.l35_mesh.limits.policies import Policies, Policy, policy_item
from drystone.l35_mesh.limits.requests import Requests


def counting_of(policy: Policy) -> Counting[Any]:
    """Return the way to count that a policy asks for."""
    quota = Quota(policy.count, policy.period, policy.most)
    match policy.algorithm:
        case "token-bucket" | "gcra":
            return Bucket(quota)
        case "fixed-window":
            return FixedWindow(quota)
        case "sliding-window":
            return SlidingWindow(quota)


class Counted:
    """One limit, and what each name has used of it.

    Args:
        service: Whose it is: ``<environment>/<service>``.
        name: What it is called there.
        policy: How it is counted.
        room: Shared by all limits.

    Attributes:
        way: How it is counted.
        requests: Those that it is about.
        header: How the header begins, in a request, that tells who is counted; empty where all are together.
        item: What ``RateLimit-Policy`` says of it.
        names: What each has used.
        admitted: Calls that it let through.
        over: Calls that were over it; let through all the same in shadow.
    """

    def __init__(self, service: str, name: str, policy: Policy, room: Room) -> None:
        self.service, self.name, self.policy = service, name, policy
        self.way = counting_of(policy)
        self.requests = Requests(policy.match)
        self.header = f"\r\n{policy.header}: ".encode() if policy.header else b""
        self.item = policy_item(name, policy.count, policy.period)
        self.names: Names[Any] = Names(room, self.way.is_idle)
        self.admitted = self.over = 0

    def take_over(self, before: Counted, now: int) -> None:
        """Go on from what was used of the same limit as it was before."""
        self.admitted, self.over = before.admitted, before.over
        if before.policy.header == self.policy.header:  # else other names are counted now
            same = before.way.quota == self.way.quota and type(before.way) is type(self.way)
            kept = [
                (name, state if same else self.way.carried(before.way.used(state, now), now))
                for name, state in before.names.items()
            ]
            before.names.forget()
            for name, state in kept:
                self.names.put(name, state)


class Memory:
    """All limits of a home, and what was used of them.

    Args:
        room: How many names are kept over all limits.
    """

    def __init__(self, room: int = MOST_NAMES_OF_ALL) -> None:
        self._room = Room(room)
        self._services: dict[str, dict[str, Counted]] = {}

    def load(self, policies: Policies, now: int) -> None:
        """Count by other policies from now on; what was used stays used.

        Args:
            policies: All of them; what they do not mention is gone.
            now: Microseconds.
        """
        before, self._services = self._services, {}
        for service, limits in policies.items():
            known = before.get(service, {})
            self._services[service] = {
                name: self._changed(service, name, policy, known.get(name), now)
                for name, policy in limits.items()
            }
        kept = {id(limit) for limit in self.all()}
        for limits_before in before.values():
            for limit in limits_before.values():
                if id(limit) not in kept:
                    limit.names.forget()

    def _changed(
        self, service: str, name: str, policy: Policy, known: Counted | None, now: int
    ) -> Counted:
        if known is not None and known.policy == policy:
            return known
        made = Counted(service, name, policy, self._room)
        if known is not None:
            made.take_over(known, now)
        return made

    def limits(self, service: str) -> Mapping[str, Counted] | None:
        """Return the limits of a service by name; None for one that nobody has told of."""
        return self._services.get(service)

    def all(self) -> Iterable[Counted]:
        """Return every limit."""
        return (limit for limits in self._services.values() for limit in limits.values())


def decide(
    limits: Sequence[Counted], names: Sequence[str], cost: int, now: int
) -> tuple[bool, list[Verdict]]:
    """Decide about a call that several limits are about: it uses up of each, or of none.

    Args:
        limits: Those that are about it.
        names: For each, who is counted.
        cost: What the call counts for.
        now: Microseconds.

    Returns:
        Whether the call may go on, and what each limit says.
    """
    passes = True
    asked = []
    for limit, name in zip(limits, names, strict=True):
        place = limit.names.place(name, now)
        verdict, after = limit.way.ask(limit.names.get(place), cost, now)
        asked.append((limit, place, verdict, after))
        if not verdict.admitted and not limit.policy.shadow:
            passes = False
    for limit, place, verdict, after in asked:
        if not verdict.admitted:
            limit.over += 1
        elif passes:
            limit.admitted += 1
            limit.names.put(place, after)
    return passes, [verdict for _, _, verdict, _ in asked]
