"""Disasters, as the form of the tabletop asks for them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta

from drystone.l05_graph.disaster import Crew, Disaster, Shift, crew_of
from drystone.l05_graph.model import Model
from drystone.l80_governance.dependencies.asked import Asked
from drystone.l80_governance.dependencies.errors import QuestionUnclear
from drystone.l80_governance.dependencies.happenings import read

MOST_RUNS, MOST_PEOPLE, MOST_LINES = 2000, 1000, 300
RUNS = 200
_CREW = re.compile(r"(?P<name>.+?):\s*(?P<people>\d{1,4})(?P<shifts>(?:\s+\d\d?:\d\d-\d\d?:\d\d)*)")
_SHIFT = re.compile(r"(\d\d?):(\d\d)-(\d\d?):(\d\d)")
_DAY = timedelta(days=1)


@dataclass(frozen=True, kw_only=True)
class Exercise:
    """What is rehearsed.

    Attributes:
        disaster: What is lost, and who brings it back.
        runs: How many times, with durations drawn at random.
        seed: Of these.
    """

    disaster: Disaster
    runs: int
    seed: int


def asked_for(model: Model, asked: Asked) -> Exercise | None:
    """Return what a page is asked to rehearse; None when nothing is lost.

    Raises:
        QuestionUnclear: A field does not say what it should.
    """
    layers = tuple(_whole(word, "layers") for word in asked.words_of("layers"))
    disaster = Disaster(
        title=asked.text("title"),
        begins=_clock(asked.text("begins") or "00:00", "begins"),
        everything=asked.is_on("everything"),
        layers=layers,
        regions=asked.words_of("regions"),
        components=asked.words_of("components"),
        data=asked.words_of("data"),
        people=asked.number("people", 1, least=1, most=MOST_PEOPLE),
        crews=_crews(model, asked.text("crews")),
        may_break_glass=asked.text("glass") != "off",
        events=read(asked.texts("event")),
    )
    is_something = disaster.everything or disaster.layers or disaster.regions
    if not (is_something or disaster.components or disaster.data):
        return None
    return Exercise(
        disaster=disaster,
        runs=asked.number("runs", RUNS, most=MOST_RUNS),
        seed=asked.number("seed", 0),
    )


def _whole(word: str, key: str) -> int:
    if not (word.isascii() and word.isdecimal() and len(word) < 6):
        raise QuestionUnclear(
            f"{key} has {word[:40]!r}; give whole numbers with commas between them"
        )
    return int(word)


def _clock(text: str, key: str) -> timedelta:
    hours, _, minutes = text.partition(":")
    if not (hours.isdecimal() and minutes.isdecimal() and len(text) <= 5):
        raise QuestionUnclear(f"{key} is {text[:40]!r}; give a time of the day such as 08:30")
    moment = timedelta(hours=int(hours), minutes=int(minutes))
    if int(minutes) > 59 or moment > _DAY:
        raise QuestionUnclear(f"{key} is {text[:40]!r}; a day has 24 hours of 60 minutes")
    return moment % _DAY


def _crews(model: Model, text: str) -> tuple[Crew, ...]:
    """Read crews, with semicolons between them: ``platform: 2 08:00-16:00 20:00-23:00; network: 3``.

    Raises:
        QuestionUnclear: A line is none, or names a crew that nothing belongs to.
    """
    lines = [line.strip() for line in re.split(r"[;\n]", text) if line.strip()]
    if len(lines) > MOST_LINES:
        raise QuestionUnclear(f"there are {len(lines)} crews; give at most {MOST_LINES}")
    known = {crew_of(one) for one in model.components}
    crews = []
    for line in lines:
        found = _CREW.fullmatch(line)
        if found is None:
            raise QuestionUnclear(
                f"{line[:60]!r} is no crew; write one as 'platform: 2 08:00-16:00'"
            )
        if found["name"] not in known:
            raise QuestionUnclear(f"no component belongs to the crew {found['name'][:60]!r}")
        shifts = tuple(_shift(word) for word in found["shifts"].split())
        crews.append(Crew(name=found["name"], people=int(found["people"]), awake=shifts))
    return tuple(crews)


def _shift(word: str) -> Shift:
    begin, _, end = word.partition("-")
    begins, ends = _clock(begin, "a shift"), _clock(end, "a shift")
    return Shift(begins=begins, lasts=(ends - begins) % _DAY or _DAY)
