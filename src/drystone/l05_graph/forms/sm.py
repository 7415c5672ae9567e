"""Read projects in the ``.sm`` form: single-mode, with renewable resources.

It is the form of the project scheduling library (Kolisch and Sprecher, European J. Operational Research 96, 1997). A file
has sections, each begun by its name on a line of its own; lines of ``*`` or ``-`` separate them. Spaces do not matter,
capitals neither. Activities are numbered from 1; the first and the last take no time.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from drystone.l05_graph.errors import MOST_SHOWN, Mistake
from drystone.l05_graph.project import Project, ProjectInvalid, check

_SEPARATOR = re.compile(r"[*\-\s]*")
_SECTIONS = {
    "projectinformation": "project",
    "precedencerelations": "order",
    "requests/durations": "requests",
    "resourceavailabilities": "capacities",
}
MOST_JOBS = 1_000_000


def read_sm(text: str, file: str = "") -> Project:
    """Read a project.

    Args:
        text: What the file says.
        file: Its name, for the messages.

    Returns:
        The project; its activity 0 is job 1 of the file.

    Raises:
        ProjectInvalid: The file does not say what it must; the message names each line.
    """
    reading = _Reading(file)
    for number, line in enumerate(text.splitlines(), start=1):
        reading.line(number, line.strip())
    return reading.project()


@dataclass
class _Reading:
    file: str
    jobs: int | None = None
    kinds: int | None = None
    section: str = "head"
    last: int = 0
    successors: dict[int, list[int]] = field(default_factory=dict)
    requests: dict[int, list[int]] = field(default_factory=dict)
    lines: dict[int, int] = field(default_factory=dict)
    capacities: list[int] | None = None
    mistakes: list[Mistake] = field(default_factory=list)

    def line(self, number: int, line: str) -> None:
        """Read a line."""
        self.last = number
        if _SEPARATOR.fullmatch(line):
            return
        word = re.sub(r"\s", "", line.partition(":")[0]).lower()
        if word in _SECTIONS and line.rstrip().endswith(":"):
            self.section = _SECTIONS[word]
        elif self.section == "head":
            self._head(word, line, number)
        elif not line[0].isalpha():
            self._row(line, number)

    def project(self) -> Project:
        """Return the project of all lines.

        Raises:
            ProjectInvalid: There are mistakes.
        """
        self._complete()
        if self.mistakes:
            shown = [mistake.sentence() for mistake in self.mistakes[:MOST_SHOWN]]
            if len(self.mistakes) > MOST_SHOWN:
                shown.append(f"and {len(self.mistakes) - MOST_SHOWN} more")
            raise ProjectInvalid("\n".join(shown))
        jobs = sorted(self.requests)
        after: list[list[int]] = [[] for _ in jobs]
        for one, every in self.successors.items():
            for other in every:
                after[other - 1].append(one - 1)
        project = Project(
            durations=[self.requests[job][0] for job in jobs],
            after=after,
            demands=[self.requests[job][1:] for job in jobs],
            capacities=self.capacities or [],
        )
        try:
            check(project)
        except ProjectInvalid as e:
            where = f"{self.file}: " if self.file else ""
            raise ProjectInvalid(f"{where}{e.message} (activity n is job n + 1)") from e
        return project

    def _wrong(self, number: int, message: str) -> None:
        place = f"{self.file}:{number}" if self.file else f"line {number}"
        self.mistakes.append(Mistake(message, place))

    def _head(self, word: str, line: str, number: int) -> None:
        value = line.partition(":")[2].split()
        if word.startswith("jobs"):
            self.jobs = self._count(value, number, "jobs", MOST_JOBS)
        elif word == "-renewable":
            self.kinds = self._count(value, number, "renewable resources", 1_000)
        elif word in ("-nonrenewable", "-doublyconstrained"):
            count = self._count(value, number, "other resources", 1_000)
            if count:
                self._wrong(
                    number,
                    f"there are {count} {word[1:]} resources; only renewable ones can be scheduled",
                )

    def _count(self, value: list[str], number: int, what: str, most: int) -> int | None:
        if not value or not value[0].isdecimal() or int(value[0][:12]) > most:
            self._wrong(number, f"say how many {what} there are, at most {most}")
            return None
        return int(value[0])

    def _row(self, line: str, number: int) -> None:
        words = line.split()
        if not all(word.isdecimal() and len(word) < 16 for word in words):
            self._wrong(
                number, f"{line[:60]!r} has something that is no whole number of at least 0"
            )
            return
        values = [int(word) for word in words]
        if self.section == "order":
            self._successors(values, number)
        elif self.section == "requests":
            self._request(values, number)
        elif self.section == "capacities":
            if self.capacities is not None:
                self._wrong(number, "the capacities are there twice; remove one line")
            self.capacities = values
            self.lines[0] = number

    def _successors(self, values: list[int], number: int) -> None:
        if len(values) < 3 or len(values) != 3 + values[2]:
            said = (
                f"{values[2]} successors are announced and {len(values) - 3}"
                if len(values) > 2
                else "too few numbers"
            )
            self._wrong(
                number, f"{said} are there; write: job, modes, how many successors, the successors"
            )
            return
        job, modes = values[:2]
        if modes != 1:
            self._wrong(
                number, f"job {job} has {modes} modes; only single-mode projects can be read"
            )
        if job in self.successors:
            self._wrong(number, f"the successors of job {job} are there twice; remove one line")
        self.successors[job] = values[3:]
        self.lines[job] = number

    def _request(self, values: list[int], number: int) -> None:
        kinds = self.kinds or 0
        if len(values) != 3 + kinds:
            self._wrong(
                number,
                f"{len(values)} numbers are there; write: job, mode, duration, {kinds} demands",
            )
            return
        if values[1] != 1:
            self._wrong(
                number,
                f"job {values[0]} has a mode {values[1]}; only single-mode projects can be read",
            )
        if values[0] in self.requests:
            self._wrong(number, f"the duration of job {values[0]} is there twice; remove one line")
        self.requests[values[0]] = values[2:]

    def _complete(self) -> None:
        """Check that everything announced is there."""
        for message in self._missing():
            self._wrong(self.last, message)
        for job, every in self.successors.items():
            for other in every:
                if other not in self.requests:
                    self._wrong(
                        self.lines[job],
                        f"job {job} has the successor {other}, which has no duration",
                    )
            if job not in self.requests:
                self._wrong(self.lines[job], f"job {job} has no line under REQUESTS/DURATIONS")

    def _missing(self) -> Iterator[str]:
        if self.jobs is None:
            yield "nothing says how many jobs there are: 'jobs (incl. supersource/sink ):  32'"
        if self.kinds is None:
            yield "nothing says how many renewable resources there are: '- renewable  :  4   R'"
        if self.capacities is None:
            yield "the section RESOURCEAVAILABILITIES is missing"
        elif self.kinds is not None and len(self.capacities) != self.kinds:
            yield f"there are {len(self.capacities)} capacities of {self.kinds} resources"
        if self.jobs is not None:
            short = [job for job in range(1, self.jobs + 1) if job not in self.requests]
            if short:
                yield f"{len(short)} of {self.jobs} jobs have no duration, the first is {short[0]}; the file may be cut"
            above = [job for job in self.requests if not 1 <= job <= self.jobs]
            if above:
                yield f"job {above[0]} is there, and there are {self.jobs} jobs"
            unsaid = [job for job in range(1, self.jobs) if job not in self.successors]
            if unsaid and not short:
                yield f"{len(unsaid)} of {self.jobs} jobs have no line of successors, the first is {unsaid[0]}"
