"""In which order services start: each after what it cannot start or run without."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from drystone.l25_deployer.descriptor.schema.descriptor import Descriptor


class Order(msgspec.Struct, frozen=True):
    """The order and what is wrong with it.

    Attributes:
        waves: Services that can start together, first wave first; a service in a tangle is in no wave, nor is one above it.
        tangles: Services that wait for each other, each as a path that ends where it began.
        problems: The same and every other finding as sentences.
    """

    waves: tuple[tuple[str, ...], ...]
    tangles: tuple[tuple[str, ...], ...] = ()
    problems: tuple[str, ...] = ()


def order(descriptors: Iterable[Descriptor]) -> Order:
    """Order services by their hard dependencies at start and run time.

    A dependency on a service that is not among them is reported, and does not hold anything up.
    """
    services = {descriptor.service: descriptor for descriptor in descriptors}
    needs = {name: _hard(services[name]) for name in sorted(services)}
    problems = [*_missing(needs), *_heights(services, needs)]
    inside = {
        name: tuple(need for need in needed if need in needs) for name, needed in needs.items()
    }
    waves, left = _waves(inside)
    tangles = _tangles({name: inside[name] for name in left})
    problems += [f"these services wait for each other: {' → '.join(path)}" for path in tangles]
    return Order(tuple(waves), tuple(tangles), tuple(problems))


def _hard(descriptor: Descriptor) -> tuple[str, ...]:
    return tuple(
        sorted(
            name
            for name, dependency in descriptor.dependencies.items()
            if dependency.needs == "hard" and {"start", "runtime"} & set(dependency.at)
        )
    )


def _missing(needs: Mapping[str, tuple[str, ...]]) -> list[str]:
    return [
        f"{name} needs {need}, which is not deployed here"
        for name, needed in needs.items()
        for need in needed
        if need not in needs
    ]


def _heights(services: Mapping[str, Descriptor], needs: Mapping[str, tuple[str, ...]]) -> list[str]:
    """Find hard dependencies that do not lead down, where both layers are pinned."""
    found = []
    for name, needed in needs.items():
        layer = services[name].layer
        for need in needed:
            below = services[need].layer if need in services else None
            if layer is not None and below is not None and below >= layer:
                found.append(
                    f"{name} (layer {layer}) has a hard dependency on {need} (layer {below}); "
                    "hard dependencies lead to lower layers only"
                )
    return found


def _waves(needs: Mapping[str, tuple[str, ...]]) -> tuple[list[tuple[str, ...]], list[str]]:
    """Take away, again and again, the services that wait for nothing; what is left waits for itself."""
    left = {name: set(needed) for name, needed in needs.items()}
    waves: list[tuple[str, ...]] = []
    while ready := tuple(sorted(name for name, needed in left.items() if not needed)):
        waves.append(ready)
        left = {name: needed - set(ready) for name, needed in left.items() if needed}
    return waves, sorted(left)


def _tangles(needs: Mapping[str, tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Find a shortest way around for each group of services that wait for each other."""
    found: list[tuple[str, ...]] = []
    seen: set[str] = set()
    for name in sorted(needs):
        if name in seen:
            continue
        path = _way_back(name, needs)
        if path:
            found.append(path)
            seen |= _together(name, needs)
    return found


def _way_back(start: str, needs: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """Search breadth first for a way from a service to itself."""
    paths: list[tuple[str, ...]] = [(start,)]
    visited: set[str] = set()
    while paths:
        longer = []
        for path in paths:
            for need in needs.get(path[-1], ()):
                if need == start:
                    return (*path, start)
                if need not in visited:
                    visited.add(need)
                    longer.append((*path, need))
        paths = longer
    return ()


def _together(name: str, needs: Mapping[str, tuple[str, ...]]) -> set[str]:
    """Give the services that need this one and are needed by it."""
    below = _reachable(name, needs)
    return {other for other in below if name in _reachable(other, needs)}


def _reachable(name: str, needs: Mapping[str, tuple[str, ...]]) -> set[str]:
    found: set[str] = set()
    todo = [name]
    while todo:
        for need in needs.get(todo.pop(), ()):
            if need not in found:
                found.add(need)
                todo.append(need)
    return found
