"""The dialect of YAML that people write for the platform: descriptors, surveys.

It is YAML without its surprises: truth values and numbers are those of YAML 1.2 (``NO`` is Norway), a key stands once,
keys are texts, and tags, which would name types of a programming language, are refused. Anchors, aliases and merge keys
work, within limits that make a small file that unfolds to a huge one harmless.

Texts of others may be several documents, and go further in their own dialect.
"""

from __future__ import annotations

import msgspec

from drystone.l00_kernel.yaml_text.builder import Builder
from drystone.l00_kernel.yaml_text.decoding import decode, shown
from drystone.l00_kernel.yaml_text.problems import Problem
from drystone.l00_kernel.yaml_text.subject import OURS, Dialect, Subject
from drystone.l00_kernel.yaml_text.tree import Mapping, Node
from drystone.l00_kernel.yaml_text.unreadable import Unreadable, problem_at


class Document(msgspec.Struct):
    """What a text says, and the mistakes of its form."""

    text: str
    root: Mapping | None
    problems: list[Problem]


class Documents(msgspec.Struct):
    """What a text of several documents says.

    Attributes:
        roots: Those that are not empty and could be read whole, in order.
        problems: Mistakes of form; the last one may have ended the reading.
        is_cut: Whether it has: what follows, or the whole, is not among the roots.
    """

    roots: list[Node]
    problems: list[Problem]
    is_cut: bool


def read_document(text: str | bytes, file: str, subject: Subject) -> Document:
    """Read a text as a mapping with positions. Every mistake of form becomes a problem; nothing is raised."""
    found: list[Problem] = []
    root: Mapping | None = None
    decoded = shown(text, subject)
    try:
        decoded = decode(text, subject)
        root = Builder(file, found, subject).build(decoded)
    except Unreadable as refusal:
        found.append(problem_at(refusal.span, refusal.message, refusal.help, file))
    return Document(text=decoded, root=root, problems=found)


def read_documents(
    text: str | bytes, file: str, subject: Subject, dialect: Dialect = OURS
) -> Documents:
    """Read a text of any number of documents. Every mistake of form becomes a problem; nothing is raised.

    ``most_values`` of the subject holds for all documents together.
    """
    found: list[Problem] = []
    builder = Builder(file, found, subject, dialect)
    try:
        builder.build_all(decode(text, subject))
    except Unreadable as refusal:
        found.append(problem_at(refusal.span, refusal.message, refusal.help, file))
        return Documents(builder.roots, found, is_cut=True)
    return Documents(builder.roots, found, is_cut=False)
