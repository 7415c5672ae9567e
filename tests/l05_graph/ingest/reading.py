"""Reading declarations in tests."""

from __future__ import annotations

from pathlib import Path

from drystone.l05_graph.ingest.source import Declared, DeclaredSource, File
from drystone.l05_graph.ingest.sources import SOURCES

HERE = Path(__file__).parent


def source(name: str) -> DeclaredSource:
    found = SOURCES[name]
    assert isinstance(found, DeclaredSource)
    return found


def read(name: str, *texts: str | bytes, **named: str | bytes) -> Declared:
    """Read texts as files ``1``, ``2`` …, or by name, in which ``__`` stands for a point."""
    every = {str(number): text for number, text in enumerate(texts, 1)}
    every.update({name.replace("__", "."): text for name, text in named.items()})
    return source(name).read(
        [File(key, text.encode() if isinstance(text, str) else text) for key, text in every.items()]
    )


def examples(name: str) -> list[File]:
    """Return the files of the worked example of a source."""
    folder = HERE / name.replace("-", "_")
    return [
        File(str(file.relative_to(folder)), file.read_bytes())
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    ]


def needs(found: Declared) -> list[str]:
    """Return the dependencies as sentences."""
    return [one.sentence() for one in found.model.dependencies]


def skips(found: Declared) -> list[str]:
    return [skip.sentence() for skip in found.skips]
