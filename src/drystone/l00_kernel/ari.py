"""Names for every resource: ``ari:cloud:<product>:<container>:<type>/<id>``.

The form is Atlassian's public resource identifier, for example ``ari:cloud:jira:<site>:issue/10001``. What it
leaves open is decided here:

* *product* and *type*: a lower-case word, ``[a-z][a-z0-9-]*``, at most 63 characters;
* *container*: ``[A-Za-z0-9._~-]*``, at most 128 characters; empty where the resource is in none;
* *id*: one or more segments separated by ``/``, each of ``A-Z a-z 0-9 . _ ~ - : @ + = ,`` and percent-encoded
  bytes; no segment is empty, ``.`` or ``..``;
* at most 512 characters in all.

Two texts name the same resource exactly when they are equal: a percent-encoded byte has upper-case digits
and stands only for what may not stand there itself (:func:`escape` makes such a segment from any text).
"""

from __future__ import annotations

import re
from typing import Annotated, Any, TypeAlias
from urllib.parse import quote, unquote

import msgspec
from typing_extensions import override

from drystone.l00_kernel.errors import Invalid

LENGTH_LIMIT = 512
ANY = "*"
REST = "**"

_SAFE = ":@+=,"
_WORD = re.compile(r"[a-z][a-z0-9-]{0,62}")
_CONTAINER = re.compile(r"[A-Za-z0-9._~-]{0,128}")
_SEGMENT = re.compile(rf"(?:[A-Za-z0-9._~{_SAFE}-]|%[0-9A-F]{{2}})+")

AriText: TypeAlias = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^ari:cloud:[a-z][a-z0-9-]*:[A-Za-z0-9._~-]*:[a-z][a-z0-9-]*/[^/]+(?:/[^/]+)*$",
        max_length=LENGTH_LIMIT,
    ),
]
"""An ARI as a field of a Struct; :meth:`Ari.parse` checks the rest."""


class MalformedAri(Invalid):
    """This is no resource identifier."""


class UnknownResourceType(Invalid):
    """No such type of resource is registered."""


class Ari(msgspec.Struct, frozen=True, order=True):
    """One resource. Equal, ordered and hashed by its parts, in this order.

    Attributes:
        product: Whose resource it is.
        container: The site, tenant or environment that holds it; may be empty.
        type: What it is.
        id: Which one, in its written (escaped) form; segments are separated by ``/``.

    Raises:
        MalformedAri: A part breaks the rules of the module.
    """

    product: str
    container: str
    type: str
    id: str

    def __post_init__(self) -> None:
        _check_words(self.product, self.container, self.type, str(self))
        for segment in self.segments:
            _check_segment(segment, str(self))
        _check_length(str(self))

    @classmethod
    def parse(cls, text: str) -> Ari:
        """Read an identifier.

        Raises:
            MalformedAri: It is none; the message says what is wrong.
        """
        return cls(*_split(text))

    @property
    def segments(self) -> tuple[str, ...]:
        """The parts of the id, in their written form."""
        return tuple(self.id.split("/"))

    @override
    def __str__(self) -> str:
        return f"ari:cloud:{self.product}:{self.container}:{self.type}/{self.id}"


class AriPattern(msgspec.Struct, frozen=True, order=True):
    """A set of resources: an ARI with ``*`` for whole parts.

    ``*`` stands for any product, container (the empty one too), type, or one segment of the id; ``**`` as the
    id's last segment stands for one or more. Matching looks at each part once.

    Attributes:
        product: A word or ``*``.
        container: A container or ``*``.
        type: A word or ``*``.
        id: Segments, each literal or ``*``; the last may be ``**``.

    Raises:
        MalformedAri: A part is neither a wildcard nor what an ARI may hold there.
    """

    product: str
    container: str
    type: str
    id: str

    def __post_init__(self) -> None:
        literal = [word if word != ANY else "a" for word in (self.product, self.type)]
        container = "" if self.container == ANY else self.container
        _check_words(literal[0], container, literal[1], str(self))
        *first, last = self.id.split("/")
        for segment in [*first, *([] if last == REST else [last])]:
            if segment != ANY:
                _check_segment(segment, str(self))
        _check_length(str(self))

    @classmethod
    def parse(cls, text: str) -> AriPattern:
        """Read a pattern; every ARI is the pattern of itself.

        Raises:
            MalformedAri: It is none; the message says what is wrong.
        """
        return cls(*_split(text))

    def matches(self, ari: Ari) -> bool:
        """Tell whether a resource belongs to the set."""
        words = (
            (self.product, ari.product),
            (self.container, ari.container),
            (self.type, ari.type),
        )
        if any(wanted not in {ANY, given} for wanted, given in words):
            return False
        wanted, given = self.id.split("/"), ari.segments
        if wanted[-1] == REST:
            wanted.pop()
            if len(given) <= len(wanted):
                return False
        elif len(given) != len(wanted):
            return False
        return all(w in {ANY, g} for w, g in zip(wanted, given, strict=False))

    @override
    def __str__(self) -> str:
        return f"ari:cloud:{self.product}:{self.container}:{self.type}/{self.id}"


class TypeRegistry:
    """Which types of resources there are, and what their ids look like."""

    def __init__(self) -> None:
        self._types: dict[tuple[str, str], re.Pattern[str]] = {}

    def register(self, product: str, resource_type: str, *, id_pattern: str = ".+") -> None:
        """Make a type known.

        Args:
            product: Whose type it is.
            resource_type: Its name.
            id_pattern: A regular expression for whole ids. It runs on ids from outside, so it must not
                contain a repetition within a repetition.

        Raises:
            MalformedAri: A word breaks the rules of an ARI.
            ValueError: The type is registered already.
        """
        _check_words(product, "", resource_type, f"{product}/{resource_type}")
        if (product, resource_type) in self._types:
            raise ValueError(f"{product}/{resource_type} is registered already")
        self._types[product, resource_type] = re.compile(id_pattern)

    def check(self, ari: Ari) -> Ari:
        """Return the identifier if its type is known and its id is one of that type.

        Raises:
            UnknownResourceType: Nobody registered the type.
            MalformedAri: The id is none of this type.
        """
        pattern = self._types.get((ari.product, ari.type))
        if pattern is None:
            known = ", ".join(f"{p}/{t}" for p, t in sorted(self._types)) or "none"
            raise UnknownResourceType(
                f"{ari}: no resource type {ari.product}/{ari.type}; known: {known}", ari=str(ari)
            )
        if not pattern.fullmatch(ari.id):
            raise MalformedAri(
                f"{ari}: the id of {ari.product}/{ari.type} must match {pattern.pattern}",
                ari=str(ari),
            )
        return ari

    def parse(self, text: str) -> Ari:
        """Read an identifier of a known type.

        Raises:
            MalformedAri: It is no identifier, or its id is none of its type.
            UnknownResourceType: Nobody registered the type.
        """
        return self.check(Ari.parse(text))


def escape(text: str) -> str:
    """Write any text as one segment of an id.

    Raises:
        MalformedAri: The text is empty, ``.``, ``..`` or not Unicode, which no segment can stand for.
    """
    try:
        segment = quote(text, safe=_SAFE)
    except UnicodeEncodeError as e:
        raise MalformedAri("a segment of an ARI is Unicode text") from e
    _check_segment(segment, segment)
    return segment


def unescape(segment: str) -> str:
    """Return the text that :func:`escape` wrote."""
    return unquote(segment, errors="strict")


def _split(text: str) -> tuple[str, str, str, str]:
    """Split at the first four colons and the first slash; an id may hold more of both."""
    if len(text) > LENGTH_LIMIT:
        raise MalformedAri(f"an ARI has at most {LENGTH_LIMIT} characters, this one {len(text)}")
    parts: list[Any] = text.split(":", 4)
    if len(parts) != 5 or parts[:2] != ["ari", "cloud"] or "/" not in parts[4]:
        raise MalformedAri(f"{text!r} is no ARI; write ari:cloud:<product>:<container>:<type>/<id>")
    resource_type, _, identity = parts[4].partition("/")
    return parts[2], parts[3], resource_type, identity


def _check_words(product: str, container: str, resource_type: str, whole: str) -> None:
    for what, word in (("product", product), ("type", resource_type)):
        if not _WORD.fullmatch(word):
            raise MalformedAri(f"{whole!r}: the {what} {word!r} is not [a-z][a-z0-9-]*, at most 63")
    if not _CONTAINER.fullmatch(container):
        raise MalformedAri(
            f"{whole!r}: the container {container!r} is not [A-Za-z0-9._~-]*, at most 128"
        )


def _check_segment(segment: str, whole: str) -> None:
    if not _SEGMENT.fullmatch(segment) or segment in {".", ".."}:
        raise MalformedAri(
            f"{whole!r}: {segment!r} cannot be a segment of the id; escape what is special in it"
        )
    if "%" not in segment:
        return
    try:
        text = unescape(segment)
    except UnicodeDecodeError as e:
        raise MalformedAri(f"{whole!r}: {segment!r} is not escaped UTF-8") from e
    if quote(text, safe=_SAFE) != segment:
        raise MalformedAri(
            f"{whole!r}: {segment!r} escapes more than it must; write {quote(text, safe=_SAFE)!r}"
        )


def _check_length(text: str) -> None:
    if len(text) > LENGTH_LIMIT:
        raise MalformedAri(f"an ARI has at most {LENGTH_LIMIT} characters, this one {len(text)}")
