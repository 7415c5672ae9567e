"""Reading foreign YAML and JSON, and finding one's way in what was read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from drystone.l00_kernel.yaml_text import tree
from drystone.l00_kernel.yaml_text.json_text import read_json
from drystone.l00_kernel.yaml_text.reader import Documents, read_documents
from drystone.l00_kernel.yaml_text.subject import Dialect, Subject
from drystone.l05_graph.ingest.gathering import Gathering
from drystone.l05_graph.ingest.source import File

MOST_BYTES = 32 * 1024 * 1024
MOST_VALUES = 2_000_000
"""Of all files together; each takes a third of a kilobyte."""
FOREIGN = Dialect(any_key=True)


class Document:
    """One document of a file.

    Args:
        file: The name of the file.
        root: What it says.

    Attributes:
        root: The same.
    """

    def __init__(self, file: str, root: tree.Node) -> None:
        self.file = file
        self.root = root

    def place(self, span: tree.Span | None = None) -> str:
        """Write a place in it; its beginning when None."""
        return f"{self.file}:{(span or self.root.span).line}"


def documents(
    files: Sequence[File], gathering: Gathering, what: str, dialect: Dialect = FOREIGN
) -> Iterator[Document]:
    """Read YAML and JSON files.

    Args:
        files: Which.
        gathering: Takes mistakes of form as skips; a file that cannot be read is nothing but such mistakes.
        what: What one of them is called in messages.
        dialect: What the texts may do.

    Yields:
        Their documents, the empty ones left out.
    """
    left = MOST_VALUES
    for file in files:
        subject = Subject(
            name=what,
            begin="is this the right file?",
            too_large="divide it",
            most_bytes=MOST_BYTES,
            most_values=left,
        )
        read = _read(file, subject, dialect)
        left -= sum(root.size for root in read.roots)
        for problem in read.problems:
            help_ = f"; {problem.help}" if problem.help else ""
            gathering.skips.add(f"{problem.message}{help_}", f"{file.name}:{problem.line}")
        for root in read.roots:
            yield Document(file.name, root)


def _read(file: File, subject: Subject, dialect: Dialect) -> Documents:
    if file.content.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"["):
        found = read_json(file.content, file.name, subject)
        if not found.is_cut or file.name.endswith(".json"):
            return found
    return read_documents(file.content, file.name, subject, dialect)


def get(node: tree.Node | None, *keys: str) -> tree.Node | None:
    """Follow keys downwards; None where one is missing."""
    for key in keys:
        entry = node.entries.get(key) if isinstance(node, tree.Mapping) else None
        if entry is None:
            return None
        node = entry.node
    return node


def text(node: tree.Node | None, *keys: str) -> str:
    """Return a single value as it was written; empty when it is missing, nothing, or no single value."""
    found = get(node, *keys)
    return found.text if isinstance(found, tree.Scalar) and found.value is not None else ""


def is_true(node: tree.Node | None, *keys: str) -> bool | None:
    """Return a truth value; None when it is none."""
    found = get(node, *keys)
    if isinstance(found, tree.Scalar) and isinstance(found.value, bool):
        return found.value
    return None


def items(node: tree.Node | None, *keys: str) -> list[tree.Node]:
    """Return the items of a list; none when it is missing or no list."""
    found = get(node, *keys)
    return found.items if isinstance(found, tree.Sequence) else []


def pairs(node: tree.Node | None, *keys: str) -> list[tuple[str, tree.Entry]]:
    """Return the keys and values of a mapping; none when it is missing or no mapping."""
    found = get(node, *keys)
    return list(found.entries.items()) if isinstance(found, tree.Mapping) else []


def words(node: tree.Node | None, *keys: str) -> list[tuple[str, tree.Span]]:
    """Return the single values of a list, or the one that stands in place of a list, each with its place.

    What is no single value comes as an empty text, so that whoever wants a name finds none and can tell.
    """
    found = get(node, *keys)
    if found is None or (isinstance(found, tree.Scalar) and found.value is None):
        return []
    every = found.items if isinstance(found, tree.Sequence) else [found]
    return [(text(one), one.span) for one in every]
