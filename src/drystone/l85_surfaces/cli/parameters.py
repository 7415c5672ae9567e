"""What a command takes, read from the signature of its function.

Every command waits for this, so it rests on ``typing`` alone: a library for command lines took longer to load than
most commands take to run.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

TAKES_THE_REST = 0x04
"""Flag of a code object with ``*args`` (inspect.CO_VARARGS)."""


class Parameter(NamedTuple):
    """What an annotation says of a parameter beside its type.

    Attributes:
        help: What it means, for the help page.
        name: How it is written, with its hyphens; made of the parameter's name when empty.
        metavar: What stands for its value on the help page.
        negative: The option that turns a flag off.
        show_default: Whether the help page tells the default.
        required: At least one word must be given, where it takes any number.
        least: Smallest number.
        most: Largest number.
        passed_on: The words go to another program, whose options follow ``--``.
    """

    help: str = ""
    name: tuple[str, ...] = ()
    metavar: str = ""
    negative: str = ""
    show_default: bool = True
    required: bool = False
    least: int | None = None
    most: int | None = None
    passed_on: bool = False


class Argument(NamedTuple):
    """One thing that a command takes.

    Attributes:
        name: The function's parameter.
        options: How it is written; empty for one that is told by its place.
        type: What a word becomes.
        many: It takes several words, or may be given again.
        choices: The only words that it takes; any when empty.
        default: Its value when it is not given.
        required: It must be given.
        said: What its annotation says.
    """

    name: str
    options: tuple[str, ...]
    type: type
    many: bool
    choices: tuple[str, ...]
    default: Any
    required: bool
    said: Parameter

    @property
    def is_flag(self) -> bool:
        """Whether it takes no value."""
        return self.type is bool

    @property
    def shown(self) -> str:
        """How messages and help pages call it."""
        return self.options[0] if self.options else self.name.upper()


def arguments_of(command: Callable[..., Any]) -> list[Argument]:
    """Return what a command takes, in the order of its help page.

    Args:
        command: A function; what comes before ``/`` is told by its place, as is ``*args``. A parameter whose type is a
            named tuple stands for options of several commands, which are its fields.
    """
    code = command.__code__
    hints = typing.get_type_hints(command, include_extras=True)
    defaults: dict[str, Any] = dict(command.__kwdefaults__ or {})
    places = list(code.co_varnames[: code.co_argcount])
    given = command.__defaults__ or ()
    defaults |= zip(places[len(places) - len(given) :], given, strict=True)
    named = list(code.co_varnames[code.co_argcount : code.co_argcount + code.co_kwonlyargcount])
    found = [_argument(name, hints[name], defaults, by_place=True) for name in places]
    if code.co_flags & TAKES_THE_REST:
        rest = code.co_varnames[code.co_argcount + code.co_kwonlyargcount]
        one = _argument(rest, hints[rest], {rest: ()}, by_place=True)
        found.append(one._replace(many=True, required=one.said.required))
    for name in named:
        if _is_bundle(hints[name]):
            fields = typing.get_type_hints(hints[name], include_extras=True)
            own = hints[name]._field_defaults
            found += [_argument(field, fields[field], own, by_place=False) for field in own]
        else:
            found.append(_argument(name, hints[name], defaults, by_place=False))
    return found


def bundles_of(command: Callable[..., Any]) -> dict[str, Any]:
    """Return the parameters of a command that stand for several options, with their types."""
    hints = typing.get_type_hints(command)
    return {name: hint for name, hint in hints.items() if _is_bundle(hint)}


def _is_bundle(hint: Any) -> bool:
    return isinstance(hint, type) and hasattr(hint, "_field_defaults")


def _argument(name: str, hint: Any, defaults: dict[str, Any], *, by_place: bool) -> Argument:
    said = Parameter()
    if typing.get_origin(hint) is typing.Annotated:
        hint, *notes = typing.get_args(hint)
        said = next((note for note in notes if isinstance(note, Parameter)), said)
    if typing.get_origin(hint) in (types.UnionType, typing.Union):
        (hint,) = (part for part in typing.get_args(hint) if part is not type(None))
    many = typing.get_origin(hint) is list
    if many:
        (hint,) = typing.get_args(hint)
    choices: tuple[str, ...] = ()
    if typing.get_origin(hint) is Literal:
        choices, hint = typing.get_args(hint), str
    options = () if by_place else said.name or ("--" + name.replace("_", "-"),)
    return Argument(
        name, options, hint, many, choices, defaults.get(name), name not in defaults, said
    )
