"""What the pages show: golden files of plain data, and what becomes of hostile ones."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest
from typing_extensions import override

from drystone.l25_deployer.api import LogRecord, PlanChange
from drystone.l80_governance.dependencies.html import Link
from drystone.l85_surfaces.console.listings import Turned
from drystone.l85_surfaces.console.pages.approvals import approvals
from drystone.l85_surfaces.console.pages.audit import audit
from drystone.l85_surfaces.console.pages.costs import costs
from drystone.l85_surfaces.console.pages.layout import Frame, Page, document
from drystone.l85_surfaces.console.pages.lists import lists
from drystone.l85_surfaces.console.pages.logs import LONGEST_LINE, logs
from drystone.l85_surfaces.console.pages.parts import Hand, percent, took
from drystone.l85_surfaces.console.pages.release import release as release_page
from drystone.l85_surfaces.console.pages.releases import releases
from drystone.l85_surfaces.console.pages.service import service
from drystone.l85_surfaces.console.pages.services import services
from drystone.l85_surfaces.console.views import (
    Audit,
    Entry,
    Judged,
    Logs,
    Overview,
    Releases,
    Rolling,
    Step,
    Turn,
    Waiting,
)
from l85_surfaces.console.stand import (
    ADA,
    HOSTILE,
    NOW,
    Told,
    curve,
    event,
    line,
    release,
    report,
    summary,
    view,
)

GOLDEN = Path(__file__).parent / "golden"
HAND = Hand(ADA, "mark")
STATIC = {name: Link(f"/assets/{name}") for name in ("console.css", "console.js", "wall.svg")}
Golden = Callable[[Path, str], None]


def html(page: Page) -> str:
    return document(Frame(static=STATIC, person=ADA), page).encoded().decode()


def plain() -> dict[str, Page]:
    told = Told()
    overview = Overview(
        services=told.services,
        changed={("prod", "orders"): event()},
        rolling={("prod", "orders"): Rolling("r-17", 0.1, "rising", "1.4.3")},
        next="more",
        problems=["postgres does not answer; see drystone status"],
    )
    return {
        "services": services(overview),
        "service": service(told.shown, HAND),
        "logs": logs(
            Logs(environment="prod", service="orders", records=told.records, groups=("web",))
        ),
        "release": release_page(told.released, HAND),
        "approvals": approvals(told.waiting, HAND),
        "releases": releases(
            Releases(lines=told.shown.releases, next="more", service="orders", is_open=True)
        ),
        "audit": audit(Audit(entries=told.entries, next="more", actor="ada")),
        "costs": costs(report()),
        "guardrails": lists(told.listed("guardrails"), HAND),
        "access": lists(told.listed("access"), None),
        "turned": lists(told.listed("access").showing(Turned("words", "more")), None),
    }


@pytest.mark.parametrize("name", list(plain()))
def test_a_page_is_as_it_was_reviewed(golden: Golden, name: str) -> None:
    golden(
        GOLDEN / f"{name}.html",
        re.sub(r"(</(?:tr|li|p|section|div|head)>)", r"\1\n", html(plain()[name])),
    )


def hostile(word: str) -> dict[str, Page]:
    one = summary(word, word, word, owner=word, version=word, url=word, instances=word)
    seen = Told().shown
    lines = line(
        word, environment=word, service=word, version=word, kind=word, state=word, by=word, why=word
    )
    turns = (Turn(curve().at, word, word, 0.1),)
    return {
        "services": services(
            Overview(
                services=[one],
                changed={(word, word): event(word)},
                rolling={(word, word): Rolling(word, 0.1, word, word)},
                problems=[word],
                search=word,
                environment=word,
            )
        ),
        "service": service(
            msgspec.structs.replace(
                seen,
                view=view(one, dependencies=[word], operation=word, problems=[word]),
                history=[event(word)],
                releases=[lines],
            ),
            HAND,
        ),
        "logs": logs(
            Logs(
                environment=word,
                service=word,
                records=[LogRecord(word, 1, word)],
                group=word,
                groups=(word,),
            )
        ),
        "release": release_page(
            release(
                line=lines,
                outcome=word,
                artefact=word,
                steps=[Step(word, word, word)],
                changes=[PlanChange(word, word, "add", word, word, 1, word)],
                findings=[Judged(word, word, word, 1, word)],
                descriptor=word,
                curve=msgspec.structs.replace(curve(word), turns=turns, events=(word,)),
            ),
            HAND,
        ),
        "approvals": approvals([Waiting(lines, NOW, word)], HAND),
        "releases": releases(Releases(lines=[lines], next=word, service=word, environment=word)),
        "audit": audit(
            Audit(entries=[Entry(1, NOW, word, word, word, {word: word})], actor=word, next=word)
        ),
        "costs": costs(report(word, month=word)),
        "lists": lists(Told().listed("access", word), HAND),
    }


class Seen(HTMLParser):
    """Notes the elements of a page and its text."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: set[str] = set()
        self.attributes: set[str] = set()
        self.addresses: set[str] = set()

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        self.attributes |= {key for key, _ in attrs}
        self.addresses |= {value or "" for key, value in attrs if key in {"href", "src", "action"}}


def read(page: Page) -> Seen:
    found = Seen()
    found.feed(html(page))
    return found


@pytest.mark.parametrize("word", HOSTILE, ids=range(len(HOSTILE)))
def test_what_people_wrote_adds_no_element_no_attribute_and_no_way_out(word: str) -> None:
    for name, page in hostile(word).items():
        calm, found = read(hostile("calm")[name]), read(page)
        assert found.elements <= calm.elements | {"small"}, name
        assert found.attributes <= calm.attributes | {"title"}, name
        assert all(re.match(r"/|#", one) for one in found.addresses), (name, found.addresses)
        assert not re.search("[\u202a-\u202e\u2066-\u2069\x00-\x08\x0b-\x1f]", html(page)), name


def test_a_line_of_a_megabyte_is_cut_and_says_so() -> None:
    record = LogRecord("one", 1, "y" * (1 << 20))

    shown = html(logs(Logs(environment="dev", service="a", records=[record])))

    assert len(shown) < 3 * LONGEST_LINE
    assert f"{(1 << 20) - LONGEST_LINE:,} more signs" in shown


def labels(page: Page) -> Iterator[str]:
    """Yield what has no name for those who do not see it."""
    text = html(page)
    for field in re.findall(r"<(?:input|select)(?![^>]*type=\"hidden\")[^>]*>", text):
        before = text[: text.index(field)]
        if before.rfind("<label") <= before.rfind("</label"):
            yield field
    yield from re.findall(r"<svg(?![^>]*(?:aria-hidden|aria-label))[^>]*>", text)
    yield from re.findall(r"<(?:a|button)\b[^>]*></(?:a|button)>", text)


@pytest.mark.parametrize(("name", "page"), plain().items(), ids=list(plain()))
def test_everything_has_a_name_and_headings_go_down_by_one(name: str, page: Page) -> None:
    text = html(page)
    levels = [int(found) for found in re.findall(r"<h([1-6])", text)]

    assert list(labels(page)) == [], name
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(then <= now + 1 for now, then in pairwise(levels))
    assert text.count("<main") == 1
    ids = re.findall(r' id="([^"]*)"', text)
    assert len(ids) == len(set(ids))
    assert "style=" not in text
    assert not re.search(r"<script(?![^>]*src=)", text)
    assert not re.search(r" on[a-z]+=", text)


def test_without_somebody_who_may_there_are_no_buttons() -> None:
    told = Told()
    pages: Mapping[str, Page] = {
        "service": service(told.shown, None),
        "release": release_page(told.released, None),
        "approvals": approvals(told.waiting, None),
    }
    for name, page in pages.items():
        assert 'method="post"' not in html(page), name


@pytest.mark.parametrize(
    ("share", "said"),
    [
        (None, "—"),
        (0, "0 %"),
        (1e-6, "< 0.1 %"),
        (0.01, "1 %"),
        (0.99999, "> 99.9 %"),
        (1, "100 %"),
    ],
)
def test_a_share_is_never_told_as_none_or_all_when_it_is_not(
    share: float | None, said: str
) -> None:
    assert percent(share) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (None, "—"),
        (0, "0 s"),
        (0.0123, "12.3 ms"),
        (1.5, "1.5 s"),
        (125, "2 min 05 s"),
        (7260, "2 h 01 min"),
    ],
)
def test_a_duration_is_told_in_units_that_fit(seconds: float | None, said: str) -> None:
    assert took(seconds) == said


def test_what_serves_and_should_not_stands_above_everything_else() -> None:
    seen = msgspec.structs.replace(Told().shown, drift=["it drifts since noon: release"])
    text = html(service(seen, None))
    assert 0 < text.index("it drifts since noon: release") < text.index("Traffic</h2>")
