"""The archive of Debian as a graph: ``DRYSTONE_APT_LISTS=FOLDER python -m benchmarks.graph.debian``.

The folder holds what apt keeps of an archive, Packages and Sources; docs/how-to/import-declarations.md tells how to get one.
Everything is in seconds of processor time, with a plain way of doing the same beside it.
"""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from benchmarks.graph.timing import timed
from benchmarks.stand import table

from drystone.l05_graph.arrays import Flags, Graph
from drystone.l05_graph.closures import Labels
from drystone.l05_graph.ingest import debian
from drystone.l05_graph.ingest.debian import Archive
from drystone.l05_graph.ingest.debian_lists import Field
from drystone.l05_graph.ingest.source import File
from drystone.l05_graph.strong import Condensed, condensed, heights, strong_components

LISTS = Path(os.environ.get("DRYSTONE_APT_LISTS", "/var/lib/apt/lists"))
QUESTIONS = 20_000


def lists(folder: Path = LISTS) -> list[File]:
    """Return the lists of packages and sources of a folder, unpacked by apt's own program where it packed them by its own."""
    found = []
    for kind in ("Packages", "Sources"):
        for file in sorted(folder.glob(f"*_{kind}*")):
            packed = file.suffix == ".lz4"
            content = _unpacked(file) if packed else file.read_bytes()
            found.append(File(file.name, content))
    return found


def _unpacked(file: Path) -> bytes:
    command = ["/usr/lib/apt/apt-helper", "cat-file", str(file)]
    return subprocess.run(command, capture_output=True, check=True).stdout


def plain(files: Sequence[File]) -> set[tuple[str, str]]:
    """Read the lists line by line: who names whom, the first alternative of each clause. What one would write first."""
    entries = [(file, entry) for file in files for entry in _entries(file)]
    packages = {entry["Package"] for file, entry in entries if "Packages" in file.name}
    provided: dict[str, str] = {}
    for _, entry in entries:
        for other in _first_names(entry.get("Provides", "")):
            provided.setdefault(other, entry["Package"])
    pairs = set()
    for file, entry in entries:
        own = entry["Package"] if "Packages" in file.name else f"src:{entry['Package']}"
        for key, value in entry.items():
            if key.endswith(("Depends", "Depends-Arch", "Depends-Indep", "Recommends", "Suggests")):
                for name in _first_names(value):
                    pairs.add((own, name if name in packages else provided.get(name, name)))
    return pairs


def _entries(file: File) -> Iterator[dict[str, str]]:
    for stanza in file.content.decode("utf-8", "replace").split("\n\n"):
        found: dict[str, str] = {}
        key = ""
        for line in stanza.splitlines():
            if line[0] in " \t":
                found[key] += line
            else:
                key, _, value = line.partition(":")
                found[key] = value.strip()
        if "Package" in found:
            yield found


def _first_names(text: str) -> Iterator[str]:
    for part in text.split(","):
        found = re.match(r"\s*([a-z0-9][a-z0-9+.\-]*)", part)
        if found:
            yield found[1]


def reading(files: Sequence[File]) -> str:
    """Read it: into numbers, into a model, and by the plain way."""
    took, archive = timed(lambda: debian.read_graph(files))
    graph = archive.graph
    rows = [["into numbers", f"{took:.2f}", f"{graph.size:,}", f"{len(graph.source):,}"]]
    took, pairs = timed(lambda: plain(files))
    rows.append(["by lines, as pairs of names", f"{took:.2f}", "", f"{len(pairs):,}"])
    took, found = timed(lambda: debian.read(files))
    model = found.model
    rows.append(
        [
            f"into a model, with {len(model.groups):,} choices",
            f"{took:.2f}",
            f"{len(model.components):,}",
            f"{len(model.dependencies):,}",
        ]
    )
    size = sum(len(file.content) for file in files) / 1e6
    title = f"Reading the archive: {len(files)} files, {size:.0f} MB"
    return table(title, ["what", "CPU s", "packages", "dependencies"], rows)


def tangled(archive: Archive) -> str:
    """Look for tangles among some of the fields."""
    graph, fields = archive.graph, archive.fields
    run = fields <= Field.SUGGESTS
    kinds: list[tuple[str, Flags]] = [
        ("hard, at run time", graph.hard & run),
        ("hard and soft, at run time", run),
        ("hard, with builds", graph.hard),
        ("all", np.ones(len(fields), np.bool_)),
    ]
    rows = []
    for name, edges in kinds:
        source, target = graph.source[edges], graph.target[edges]
        took, (_, of) = timed(
            lambda source=source, target=target: strong_components(graph.size, source, target)  # type: ignore[misc]
        )
        sizes = np.bincount(of)
        many = sizes[sizes > 1]
        rows.append(
            [
                name,
                f"{len(source):,}",
                f"{len(many):,}",
                f"{many.sum():,}",
                f"{many.max():,}",
                f"{took * 1000:.0f}",
            ]
        )
    head = ["dependencies", "count", "tangles", "members", "largest", "CPU ms"]
    return table("Tangles of the archive", head, rows)


def layered(archive: Archive) -> str:
    """Condense the whole, lay it into layers, and ask whether additions would close a circle."""
    graph = archive.graph
    first, whole = timed(lambda: condensed(graph.size, graph.source, graph.target))
    second, height = timed(lambda: heights(whole.count, whole.source, whole.target))
    by_hand, other = timed(lambda: _heights_by_hand(whole))
    assert other == height.tolist()
    rows = [
        [
            "strong components and condensation",
            f"{first * 1000:.0f}",
            f"{whole.count:,} components",
        ],
        ["layers", f"{second * 1000:.0f}", f"{height.max() + 1} layers"],
        ["both", f"{(first + second) * 1000:.0f}", ""],
        ["layers, one component at a time", f"{by_hand * 1000:.0f}", "the same"],
    ]
    built, labels = timed(lambda: Labels(graph))
    rows.append(["labels for questions", f"{built * 1000:.0f}", ""])
    times = _asked(graph, labels)
    median, late = times[len(times) // 2], times[len(times) * 99 // 100]
    rows.append(["may it be added?", f"{median:.2f} µs", f"99 of 100 within {late:.2f} µs"])
    return table("The whole archive", ["what", "CPU ms", "result"], rows)


def _heights_by_hand(whole: Condensed) -> list[int]:
    needs: list[list[int]] = [[] for _ in range(whole.count)]
    missing = [0] * whole.count
    users: list[list[int]] = [[] for _ in range(whole.count)]
    for user, used in zip(whole.source.tolist(), whole.target.tolist(), strict=True):
        needs[user].append(used)
        users[used].append(user)
        missing[user] += 1
    found = [0] * whole.count
    waiting = [one for one in range(whole.count) if not missing[one]]
    while waiting:
        one = waiting.pop()
        found[one] = 1 + max((found[used] for used in needs[one]), default=-1)
        for user in users[one]:
            missing[user] -= 1
            if not missing[user]:
                waiting.append(user)
    return found


def _asked(graph: Graph, labels: Labels) -> list[float]:
    """Return the microseconds that each question takes, by the clock: one is too short for the processor's."""
    pairs = np.random.default_rng(0).integers(0, graph.size, (QUESTIONS, 2)).tolist()
    times = []
    for source, target in pairs:
        begin = time.perf_counter_ns()
        labels.closes_circle(source, target)
        times.append((time.perf_counter_ns() - begin) / 1000)
    return sorted(times)


def main() -> None:
    """Print the tables."""
    files = lists()
    print(reading(files), end="\n\n", flush=True)
    archive = debian.read_graph(files)
    print(tangled(archive), end="\n\n", flush=True)
    print(layered(archive), flush=True)


if __name__ == "__main__":
    main()
