"""References: ``${resources.db.url}`` and the like.

A reference is put in when an instance starts, or earlier where that is possible, and it is an edge of the dependency graph.
``$${`` stands for a plain ``${``; a lone ``$`` is just a dollar, since no shell reads the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated, TypeAlias

import msgspec
from typing_extensions import override

from drystone.l00_kernel.yaml_text.problems import nearest, one_of, quoted
from drystone.l00_kernel.yaml_text.tree import Scalar
from drystone.l25_deployer.descriptor.forms import Mistake, Text

NAMED = ("resources", "dependencies", "secrets", "sidecars", "config")
"""Spaces whose references have a name: ``resources.db.url``, ``secrets.STRIPE_KEY``."""

WORDS = ("version", "environment", "region", "service", "port", "build")
"""References that stand alone."""

_TOKEN = re.compile(r"\$\$\{|\$\{([^{}$]*)\}|\$\{")
_UNFIT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_PART = re.compile(r"[A-Za-z0-9_:/-][A-Za-z0-9_.:/-]*")


class Ref(msgspec.Struct, frozen=True):
    """One reference.

    Attributes:
        space: One of :data:`NAMED` or :data:`WORDS`.
        name: What of that space; empty for a word.
        key: Which of its values; empty for words and secrets.
        start: Where it starts in the text.
        end: Where it ends.
    """

    space: str
    name: str = ""
    key: str = ""
    start: int = 0
    end: int = 0

    def text(self) -> str:
        """Write it as it stands in a descriptor."""
        return "${" + ".".join(part for part in (self.space, self.name, self.key) if part) + "}"


def parts(text: str) -> list[str | Ref]:
    """Split a text into what stands for itself and references, in order; no empty texts.

    Raises:
        Mistake: A reference is not closed or has no meaning.
    """
    found: list[str | Ref] = []
    plain, last = "", 0
    for token in _TOKEN.finditer(text):
        plain += text[last : token.start()]
        last = token.end()
        if token[0] == "$${":
            plain += "${"
            continue
        if token[1] is None:
            raise Mistake(
                "a reference starts with '${' and does not end", "close it with '}', or write '$${'"
            )
        if plain:
            found.append(plain)
        plain = ""
        found.append(_reference(token[1], token.start(), token.end()))
    plain += text[last:]
    return [*found, plain] if plain else found


def _reference(inside: str, start: int, end: int) -> Ref:
    space, dot, rest = inside.partition(".")
    shown = quoted("${" + inside + "}")
    if space in WORDS:
        if dot:
            raise Mistake(f"{shown} has nothing after '{space}'", f"write '${{{space}}}'")
        return Ref(space, start=start, end=end)
    if space not in NAMED:
        near = nearest(space, (*NAMED, *WORDS))
        known = f"references start with {one_of([*NAMED, *WORDS])}"
        better = inside.replace(space, near, 1) if near else ""
        raise Mistake(
            f"unknown reference {shown}", f"did you mean '${{{better}}}'?" if near else known
        )
    name, _, key = (rest, "", "") if space == "secrets" else rest.rpartition(".")
    wants = "secrets.<NAME>" if space == "secrets" else f"{space}.<name>.<key>"
    if not _PART.fullmatch(name) or (space != "secrets" and not _PART.fullmatch(key)):
        raise Mistake(f"the reference {shown} is not complete", f"write '${{{wants}}}'")
    return Ref(space, name, key, start, end)


class TemplateText(Text):
    """A text that may hold references.

    Args:
        spaces: What may be referred to.
        why: Why the rest may not, for the message.
        pattern: What the text must look like when every reference is replaced by ``0``.
        most: Most characters.
    """

    def __init__(
        self,
        title: str,
        expected: str,
        spaces: Iterable[str],
        *,
        why: str = "",
        pattern: str | None = None,
        most: int = 100_000,
    ) -> None:
        super().__init__(title, expected, None, most=most)
        self.spaces, self.why = tuple(spaces), why
        self._shape = re.compile(pattern) if pattern is not None else None

    @override
    def text(self, scalar: Scalar) -> str:
        if scalar.value is None:
            raise self.wrong(scalar, "write two quotes for an empty text: ''")
        found = _UNFIT.search(scalar.text)
        if found is not None:
            raise Mistake(
                f"holds the character U+{ord(found[0]):04X}, which no value may hold", "remove it"
            )
        if len(scalar.text) > self.most:
            raise Mistake(f"has {len(scalar.text):,} characters; at most {self.most:,} are allowed")
        return scalar.text

    @override
    def parse(self, scalar: Scalar) -> object:
        text = self.text(scalar)
        if self._shape is not None:
            filled = "".join(part if isinstance(part, str) else "0" for part in parts(text))
            if not self._shape.fullmatch(filled):
                raise self.wrong(scalar)
        return text

    def references(self, text: str) -> list[Ref]:
        """List the references of a text.

        Raises:
            Mistake: One has no meaning.
        """
        return [part for part in parts(text) if isinstance(part, Ref)] if "${" in text else []

    @override
    def schema(self) -> dict[str, object]:
        return {"type": ["string", "number", "boolean"], "description": self.expected}


_LATE = ("resources", "dependencies", "secrets", "sidecars", "config")
_EARLY = ("version", "environment", "region", "service", "build")
_IMAGE = (
    r"(?:[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?(?::[0-9]{1,5})?/)?[a-z0-9]+(?:[._/-]{1,2}[a-z0-9]+)*"
    r"(?::[A-Za-z0-9_][A-Za-z0-9._-]{0,127})?(?:@sha256:[0-9a-f]{64})?"
)

Serving: TypeAlias = Annotated[
    str, TemplateText("text", "a text; references are put in", (*_LATE, *_EARLY, "port"))
]
"""A text for instances that serve requests."""

Working: TypeAlias = Annotated[
    str,
    TemplateText(
        "text",
        "a text; references are put in",
        (*_LATE, *_EARLY),
        why="what runs here serves no port; only the service's own command and env know ${port}",
    ),
]
"""A text for instances that serve nothing: workers, migrations."""

Building: TypeAlias = Annotated[
    str,
    TemplateText(
        "text",
        "a text; references are put in",
        _EARLY,
        why="it is needed before anything runs",
    ),
]
"""A text that is needed at build."""

Image: TypeAlias = Annotated[
    str,
    TemplateText(
        "image",
        "an image such as registry.example.com/orders:${version}",
        _EARLY,
        why="it is needed before anything runs",
        pattern=_IMAGE,
        most=500,
    ),
]

Credential: TypeAlias = Annotated[
    str,
    TemplateText(
        "text",
        "a text, or a secret such as ${secrets.PARTNER}",
        ("secrets", *_EARLY),
        why="only secrets are known here",
    ),
]


def misplaced(form: TemplateText) -> str:
    """Say why a reference may not stand where it does, and which may unless these are nearly all."""
    if "resources" in form.spaces:
        return form.why
    allowed = [f"${{{space}.…}}" if space in NAMED else f"${{{space}}}" for space in form.spaces]
    return f"{form.why}; here work {one_of(allowed)}"
