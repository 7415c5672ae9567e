"""Scripts by which a shell completes command lines."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from drystone.l85_surfaces.cli.parameters import Argument


class Known(NamedTuple):
    """What a script knows of a command."""

    name: str
    about: str
    arguments: Sequence[Argument]

    @property
    def options(self) -> list[Argument]:
        """What is written with hyphens."""
        return [argument for argument in self.arguments if argument.options]

    @property
    def takes_files(self) -> bool:
        """Whether it takes descriptors."""
        return any(a.name in {"file", "files"} for a in self.arguments if not a.options)

    @property
    def choices(self) -> tuple[str, ...]:
        """The words that its first place takes, where they are known."""
        return next((a.choices for a in self.arguments if not a.options), ())


def script(shell: str, commands: Sequence[Known]) -> str:
    """Return the script for ``bash``, ``zsh`` or ``fish``."""
    lines = {"bash": _bash, "zsh": _zsh, "fish": _fish}[shell](commands)
    return "\n".join([f"# {shell} completion for drystone", *lines, ""])


def _bash(commands: Sequence[Known]) -> Iterator[str]:
    yield "_drystone() {"
    yield '    local word="${COMP_WORDS[COMP_CWORD]}" before="${COMP_WORDS[COMP_CWORD-1]}" words='
    yield '    if [ "$COMP_CWORD" -eq 1 ]; then'
    yield f'        COMPREPLY=($(compgen -W "{_words(commands)}" -- "$word")); return'
    yield "    fi"
    yield '    case "${COMP_WORDS[1]} $before" in'
    for command in commands:
        for option in command.options:
            if not option.is_flag:
                pattern = " | ".join(f'"{command.name} {name}"' for name in option.options)
                words = " ".join(option.choices)
                reply = (
                    'compgen -d -- "$word"'
                    if option.name == "home"
                    else f'compgen -W "{words}" -- "$word"'
                )
                yield f"        {pattern}) COMPREPLY=($({reply})); return ;;"
    yield "    esac"
    yield '    case "${COMP_WORDS[1]}" in'
    for command in commands:
        names = [name for option in command.options for name in _names(option)]
        yield f'        {command.name}) words="{" ".join([*command.choices, *names])}" ;;'
    yield "    esac"
    yield '    COMPREPLY=($(compgen -W "$words" -- "$word"))'
    files = " | ".join(command.name for command in commands if command.takes_files)
    yield f'    case "${{COMP_WORDS[1]}}" in {files}) COMPREPLY+=($(compgen -f -- "$word")) ;; esac'
    yield "}"
    yield "complete -o filenames -F _drystone drystone"


def _zsh(commands: Sequence[Known]) -> Iterator[str]:
    yield "_drystone() {"
    yield "    local -a commands"
    about = " ".join(shlex.quote(f"{command.name}:{command.about}") for command in commands)
    yield f"    commands=({about})"
    yield "    if (( CURRENT == 2 )); then _describe command commands; return; fi"
    yield "    local command=$words[2]; shift words; (( CURRENT-- ))"
    yield '    case "$command" in'
    for command in commands:
        specs = [
            shlex.quote(f"{name}[{_plain(option)}]{_zsh_value(option)}")
            for option in command.options
            for name in _names(option)
        ]
        if command.takes_files:
            specs.append("'*:descriptor:_files'")
        elif command.choices:
            specs.append(shlex.quote(f"1:what:({' '.join(command.choices)})"))
        yield f"        {command.name}) _arguments -s {' '.join(specs)} ;;"
    yield "    esac"
    yield "}"
    yield "compdef _drystone drystone"


def _zsh_value(option: Argument) -> str:
    if option.is_flag:
        return ""
    if option.name == "home":
        return ":directory:_files -/"
    return f":{option.name}:({' '.join(option.choices)})" if option.choices else f":{option.name}: "


def _fish(commands: Sequence[Known]) -> Iterator[str]:
    yield "complete -c drystone -f"
    for command in commands:
        about = shlex.quote(command.about)
        yield f"complete -c drystone -n __fish_use_subcommand -a {command.name} -d {about}"
        seen = f"complete -c drystone -n '__fish_seen_subcommand_from {command.name}'"
        if command.takes_files:
            yield f"{seen} -F"
        if command.choices:
            yield f"{seen} -a {shlex.quote(' '.join(command.choices))}"
        for option in command.options:
            names = " ".join(
                f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}"
                for name in option.options
            )
            value = "" if option.is_flag else " -x" if option.choices else " -r"
            if option.choices:
                value += f" -a {shlex.quote(' '.join(option.choices))}"
            elif option.name == "home":
                value += " -a '(__fish_complete_directories)'"
            yield f"{seen} {names}{value} -d {shlex.quote(_plain(option))}"
            if option.said.negative:
                yield f"{seen} -l {option.said.negative[2:]} -d {shlex.quote(_plain(option))}"


def _words(commands: Sequence[Known]) -> str:
    return " ".join(command.name for command in commands)


def _names(option: Argument) -> list[str]:
    return [*option.options, *([option.said.negative] if option.said.negative else [])]


def _plain(option: Argument) -> str:
    """Return the first sentence of what an option means, without what shells would read."""
    first = option.said.help.partition(". ")[0].partition(" [")[0].rstrip(".")
    return first.translate({ord(sign): None for sign in "[]`':"})
