"""What a contract's author writes, and what is read from it."""

from __future__ import annotations

import abc
import functools
import inspect
import re
import typing
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import Annotated, Any, ClassVar, Literal, TypeAlias, TypeVar

import msgspec

from drystone.l00_kernel.context import Context
from drystone.l00_kernel.contract.scalars import is_optional, is_scalar
from drystone.l00_kernel.errors import PlatformError

Verb: TypeAlias = Literal["GET", "PUT", "POST", "DELETE"]
F = TypeVar("F", bound=Callable[..., Any])

_SEGMENT = re.compile(r"[A-Za-z0-9._~-]+|\{[a-z][a-z0-9_]*\}")
_WIRE = "__drystone_call__"


def call(verb: Verb, path: str) -> Callable[[F], F]:
    """Publish a method of an :class:`Api`.

    GET, PUT and DELETE promise to be safe to repeat. Arguments other than those in the path travel in the
    query (GET, DELETE) or as a JSON object (PUT, POST). A method that returns an ``AsyncIterator`` streams.

    Args:
        verb: The HTTP method.
        path: Segments are literal or one argument, ``/v1/secrets/{path}``. An argument travels
            percent-encoded, so it may hold a slash; it may not be empty, ``.`` or ``..``, which proxies rewrite.
    """

    def mark(method: F) -> F:
        setattr(method, _WIRE, (verb, path))
        return method

    return mark


class Argument(msgspec.Struct, frozen=True):
    """One argument of a call.

    Attributes:
        name: Its name in Python and on the wire.
        type: Its annotation.
        scalar: Whether it is written as plain text in a path or a query; anything else is JSON there.
        required: Whether it must be given.
        default: What holds where it is not given.
    """

    name: str
    type: Any
    scalar: bool
    required: bool
    default: Any = None


class Call(msgspec.Struct, frozen=True):
    """One method of a contract and how it looks on the wire.

    Attributes:
        contract: Name of the contract.
        name: Name of the method.
        verb: The HTTP method.
        path: The path's template.
        in_path: Arguments that are segments of the path, in their order.
        others: A Struct type of the other arguments, with their defaults.
        arguments: The other arguments, one by one.
        returns: Type of the result, or of one item of a stream.
        streams: Whether the result is a stream.
        doc: The method's docstring.
    """

    contract: str
    name: str
    verb: Verb
    path: str
    in_path: tuple[Argument, ...]
    others: type[msgspec.Struct]
    arguments: tuple[Argument, ...]
    returns: Any
    streams: bool
    doc: str

    @property
    def id(self) -> str:
        """The call's name among all contracts, for example ``secrets.read``."""
        return f"{self.contract}.{self.name}"

    @property
    def has_body(self) -> bool:
        """Whether the other arguments travel as a body; otherwise in the query."""
        return self.verb in {"PUT", "POST"}

    @property
    def is_repeatable(self) -> bool:
        """Whether the method promises to be safe to repeat without a key."""
        return self.verb != "POST"


class Api(abc.ABC):
    """What a service promises. Subclasses declare calls; ``service.py`` implements them.

    Attributes:
        name: Of the service; the first part of its calls' names.
        errors: What the calls raise beyond the kernel's own tree; they cross the wire as themselves.
    """

    name: ClassVar[str]
    errors: ClassVar[tuple[type[PlatformError], ...]] = ()


def contracts_of(implementation: type[Api]) -> tuple[type[Api], ...]:
    """Return the contracts that a class implements: its ancestors that derive directly from Api."""
    return tuple(c for c in implementation.__mro__ if Api in c.__bases__)


@functools.cache
def calls_of(contract: type[Api]) -> tuple[Call, ...]:
    """Read the calls of a contract, in the order in which they stand there.

    Raises:
        TypeError: The contract cannot be put on a wire; the message says which method and why.
    """
    return tuple(
        _read(contract, name, method)
        for name, method in vars(contract).items()
        if hasattr(method, _WIRE)
    )


def _read(contract: type[Api], name: str, method: Callable[..., Any]) -> Call:
    verb, path = getattr(method, _WIRE)
    where = f"{contract.__name__}.{name}"
    in_path = _path_arguments(path, where)
    hints = typing.get_type_hints(method, include_extras=True)
    given = _arguments(method, hints, where)
    if missing := in_path.keys() - given.keys():
        raise TypeError(
            f"{where}: the path names {', '.join(sorted(missing))}, the method does not"
        )
    for argument, (_, default) in given.items():
        _check(where, argument, hints[argument], default, path=argument in in_path, verb=verb)
    fields = [
        (argument, hint) if default is inspect.Parameter.empty else (argument, hint, default)
        for argument, (hint, default) in given.items()
        if argument not in in_path
    ]
    returns, streams = _result(method, hints, where)
    return Call(
        contract=contract.name,
        name=name,
        verb=verb,
        path=path,
        in_path=tuple(_describe(a, hints[a], required=True) for a in in_path),
        others=msgspec.defstruct(
            f"{contract.__name__}_{name}",
            fields,
            forbid_unknown_fields=True,
            kw_only=True,
            # A server that is older than its client does not know every argument that it has learned since.
            omit_defaults=True,
        ),
        arguments=tuple(_describe(f[0], f[1], *f[2:], required=len(f) == 2) for f in fields),
        returns=returns,
        streams=streams,
        doc=inspect.getdoc(method) or name,
    )


def _describe(name: str, hint: Any, default: Any = None, *, required: bool) -> Argument:
    return Argument(name, hint, scalar=is_scalar(hint), required=required, default=default)


def _path_arguments(path: str, where: str) -> dict[str, None]:
    """Return the names in a path's template, in their order."""
    first, *segments = path.split("/")
    if first or not segments or not all(_SEGMENT.fullmatch(s) for s in segments):
        raise TypeError(
            f"{where}: {path!r} is not a path of literal segments and whole {{arguments}}"
        )
    names = [s[1:-1] for s in segments if s.startswith("{")]
    if len(set(names)) != len(names):
        raise TypeError(f"{where}: {path!r} names an argument twice")
    return dict.fromkeys(names)


def _arguments(
    method: Callable[..., Any], hints: dict[str, Any], where: str
) -> dict[str, tuple[Any, Any]]:
    """Return type and default of each argument after ``self`` and ``ctx``."""
    parameters = list(inspect.signature(method).parameters.values())[1:]
    if not parameters or parameters[0].name != "ctx" or hints.get("ctx") is not Context:
        raise TypeError(f"{where}: the first argument of a call is ctx: Context")
    for parameter in parameters[1:]:
        if parameter.kind is not parameter.KEYWORD_ONLY or parameter.name not in hints:
            raise TypeError(f"{where}: {parameter.name} must be keyword-only and have a type")
    return {p.name: (hints[p.name], p.default) for p in parameters[1:]}


def _check(where: str, name: str, hint: Any, default: Any, *, path: bool, verb: Verb) -> None:
    """Refuse what has no unambiguous form on the wire."""
    optional = is_optional(hint)
    if path and (optional or not is_scalar(hint) or default is not inspect.Parameter.empty):
        raise TypeError(f"{where}: {name} stands in the path, so it is one required plain value")
    if not path and verb in {"GET", "DELETE"} and optional and default is not None:
        raise TypeError(
            f"{where}: {name} may be None and travels in a query, where None is written by leaving it out; "
            "its default must be None"
        )


def _result(method: Callable[..., Any], hints: dict[str, Any], where: str) -> tuple[Any, bool]:
    """Return the type of the result, or of a stream's items, and whether it is a stream."""
    if "return" not in hints:
        raise TypeError(f"{where}: the result has no type")
    returns = hints["return"]
    plain = returns.__origin__ if typing.get_origin(returns) is Annotated else returns
    streams = typing.get_origin(plain) in {AsyncIterator, AsyncGenerator}
    if inspect.iscoroutinefunction(method) == streams or inspect.isasyncgenfunction(method):
        raise TypeError(
            f"{where}: a call is `async def … -> Result`, or `def … -> AsyncIterator[Item]` for a stream"
        )
    if streams:
        return typing.get_args(plain)[0], True
    return returns, False
