"""Descriptors as the user names them: read, checked and ready to send."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import NamedTuple

from drystone.l25_deployer.api import Source
from drystone.l25_deployer.descriptor import Reading, read
from drystone.l25_deployer.descriptor.reading import MOST_BYTES
from drystone.l85_surfaces.cli.errors import DescriptorMistaken, FileUnreadable

STANDARD_INPUT = "<stdin>"
"""How standard input is called in messages, and what ``-`` on the command line becomes."""


class Checked(NamedTuple):
    """A descriptor without mistakes.

    Attributes:
        source: What to send to the platform.
        service: The service's name.
    """

    source: Source
    service: str


def load(file: str) -> Reading:
    """Read a file, or standard input, as a descriptor, with all its mistakes.

    Raises:
        FileUnreadable: There is no such file, or it may not be read.
    """
    if file == STANDARD_INPUT:
        return read(sys.stdin.buffer.read(MOST_BYTES + 1), file=STANDARD_INPUT)
    try:
        with Path(file).open("rb") as opened:
            return read(opened.read(MOST_BYTES + 1), file=file)
    except IsADirectoryError as e:
        raise FileUnreadable(
            f"{file} is a folder; give the descriptor in it, for example {Path(file, 'service.yaml')}",
            file=file,
        ) from e
    except OSError as e:
        raise FileUnreadable(f"{file} cannot be read: {e.strerror}", file=file) from e


def checked(file: str) -> Checked:
    """Read a descriptor that has no mistakes.

    Paths of a descriptor from standard input start in the working directory.

    Raises:
        FileUnreadable: There is no such file, or it may not be read.
        DescriptorMistaken: It has mistakes; the message shows all of them.
    """
    reading = load(file)
    if reading.descriptor is None:
        number = count(len(reading.problems), "mistake")
        raise DescriptorMistaken(
            f"{file} has {number}; nothing was changed\n\n{reading.report()}", file=file
        )
    folder = Path.cwd() if file == STANDARD_INPUT else Path(file).resolve().parent
    source = Source(reading.text, reading.positions.file, str(folder))
    return Checked(source, reading.descriptor.service)


def count(number: int, noun: str) -> str:
    """Return a number with its noun: ``1 mistake``, ``2 mistakes``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
