"""A platform that is only told of, for the page: plain, hostile, and large."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta

import msgspec
from typing_extensions import override

from drystone.l00_kernel.errors import Denied, Invalid, NotFound
from drystone.l25_deployer.api import (
    HistoryEvent,
    InstanceView,
    LogRecord,
    PlanChange,
    ReleaseView,
    ResourceView,
    ServiceSummary,
    ServiceView,
)
from drystone.l35_mesh.observed.api import CallTimes
from drystone.l80_governance.costs.api import By, CostLine, CostReport, PassedBudget, Untagged
from drystone.l85_surfaces.console.errors import NotSignedIn
from drystone.l85_surfaces.console.listings import (
    Ending,
    Kind,
    Listing,
    Part,
    Row,
    State,
    Turned,
    What,
)
from drystone.l85_surfaces.console.people import People, Person
from drystone.l85_surfaces.console.platform import AuditAsked, Platform, ReleasesAsked
from drystone.l85_surfaces.console.views import (
    Audit,
    Counts,
    Curve,
    Entry,
    Judged,
    Logs,
    Overview,
    Point,
    Release,
    ReleaseLine,
    Releases,
    Rolling,
    Service,
    Step,
    Traffic,
    Turn,
    Verb,
    Waiting,
)

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
ADA = Person("ada", "0123456789ab", ("platform",))
HOST = "console.localhost"
HOSTILE = (
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>'",
    "\u202egnp.exe",
    "مرحبا بالعالم",
    "x" * 10_000,
    "a&b;&lt;c",
    "javascript:alert(1)",
    "../../etc/passwd",
    "two\nlines\x07and a bell\x1b[31m",
    "?name=other#here",
    "😀" * 70,
    "%3Cscript%3E",
    "\ud800",
)


def summary(
    service: str = "orders", environment: str = "prod", state: str = "serving", **more: object
) -> ServiceSummary:
    one = ServiceSummary(
        service=service,
        environment=environment,
        owner="commerce",
        state=state,
        version="1.4.2",
        release=17,
        instances="2/2",
        url=f"http://{service}.{environment}.localhost:8400",
    )
    return msgspec.structs.replace(one, **more)


def event(text: str = "serves version 1.4.2") -> HistoryEvent:
    return HistoryEvent(NOW, "ada", "deployed", text, release=17, version="1.4.2", seconds=12.4)


def view(one: ServiceSummary | None = None, **more: object) -> ServiceView:
    found = ServiceView(
        summary=one or summary(),
        releases=[
            ReleaseView(17, "1.4.2", "serving", NOW, "ada", "sha256:" + "ab" * 32),
            ReleaseView(16, "1.4.1", "kept", NOW - timedelta(days=2), "bob", "sha256:" + "cd" * 32),
        ],
        instances=[
            InstanceView("orders-17-web-1", "web", 17, "healthy", 4711, 8701, 0, NOW, None),
            InstanceView(
                "orders-17-mail-1", "mail", 17, "backing-off", None, None, 4, NOW, "exit 1"
            ),
        ],
        resources=[ResourceView("db", "postgres", "postgres", "database prod_orders")],
        dependencies=["prod/stock, hard", "prod/mail, soft"],
        operation=None,
        runtime="bubblewrap",
        problems=[],
    )
    return msgspec.structs.replace(found, **more)


def line(id_: str = "r-17", **more: object) -> ReleaseLine:
    one = ReleaseLine(
        id=id_,
        environment="prod",
        service="orders",
        version="1.4.2",
        kind="deploy",
        state="rising",
        by="ada",
        at=NOW,
        why="Cheaper shipping to islands",
    )
    return msgspec.structs.replace(one, **more)


def curve(phase: str = "rising", *, looks: int = 60, slope: float = 0.02) -> Curve:
    """A rollout whose evidence grows by so much with each look."""
    points = tuple(
        Point(
            timedelta(seconds=10 * at),
            0.01 if at < 20 else 0.1,
            evidence=slope * at + 0.4 * math.sin(at / 3),
            good=-slope * at,
        )
        for at in range(looks)
    )
    return Curve(
        points=points,
        turns=(
            Turn(timedelta(), "begun", "rising", 0.01),
            Turn(timedelta(seconds=200), "nothing proven against it at step 1 of 4", "rising", 0.1),
        ),
        alarm=math.log(100),
        proof=math.log(20),
        phase=phase,
        share=0.1,
        at=timedelta(seconds=10 * looks),
        counts=(Counts("errors", 1_204, 9, 11_870, 4), Counts("slow", 1_204, 122, 11_870, 1_187)),
        events=("GET /cart answered 500 after 12 ms", "GET /cart answered 502 after 3 ms"),
        unmeasured=(("log-errors", "lines of logs name nobody, and errors are counted by user"),),
    )


def release(**more: object) -> Release:
    one = Release(
        line=line(),
        artefact="sha256:" + "ab" * 32,
        steps=[
            Step("admit", "ended", "allowed", NOW, 0.02),
            Step("bring up", "ended", "holds beside 1.4.1", NOW, 8.1),
            Step("rollout", "running", "10 % of the traffic", NOW),
        ],
        changes=[
            PlanChange(
                "environment", "settings.FEE", "change", "490", "390", 9, "instances restart"
            ),
            PlanChange("code", "artifact", "change", "sha256:cd…", "sha256:ab…"),
        ],
        findings=[
            Judged(
                "public-exposure", "excepted", "orders is public", 12, "by eve until 2027-01-31"
            ),
            Judged("owner", "warn", "nobody is on call", 3),
        ],
        descriptor="schema: 1\nservice: orders\nowner: commerce\n\n\n\n\nsettings:\n  FEE: 390\n",
        curve=curve(),
        verbs=("promote", "pause", "abort"),
    )
    return msgspec.structs.replace(one, **more)


def report(
    word: str = "prod/orders", *, by: By = "service", month: str | None = None
) -> CostReport:
    dear = CostLine(word, "12.3400", "98.7600", (f"queue {word}",))
    return CostReport(
        by=by,
        currency="EUR",
        prices=word,
        source=word,
        date=NOW.date(),
        lines=[dear],
        whole=CostLine("all", dear.now, dear.most, dear.unpriced),
        untagged=[Untagged(word, ("business-unit",))],
        chart='<svg xmlns="http://www.w3.org/2000/svg"></svg>',
        month=month,
        passed=[PassedBudget("team", word, "10", "12.34")],
    )


class Told(Platform):
    """What it tells stands in it, and what it is told as well."""

    def __init__(self) -> None:
        self.services = [
            summary(),
            summary("stock", state="degraded", instances="1/2"),
            summary("mail", "staging", state="down", instances="0/1", version=None, release=None),
        ]
        self.shown = Service(
            view=view(),
            history=[event(), event("4 instances started")],
            traffic=Traffic(
                NOW,
                12_345,
                7,
                timedelta(milliseconds=12),
                timedelta(milliseconds=88),
                timedelta(seconds=1.2),
            ),
            calls=[
                CallTimes(caller="", callee="prod/orders", calls=900, p50=0.01, p95=0.1, p99=None)
            ],
            rolling=Rolling("r-17", 0.1, "rising", "1.4.3"),
            releases=[line(), line("r-16", state="done", version="1.4.1", kind="rollback")],
            may_roll_back=True,
        )
        self.released = release()
        self.records = [LogRecord("orders-17-web-1", 17, f"GET /{n} 200") for n in range(5)]
        self.coming: list[LogRecord] = []
        self.waiting = [
            Waiting(line("r-18", state="waiting"), NOW, "prod asks for a second person")
        ]
        self.entries = [
            Entry(number, NOW, "ada", "release.deployed", "prod/orders", {"release": "r-17"})
            for number in (2, 1)
        ]
        self.did: list[tuple[str, str, str, str]] = []
        self.forbids = False

    @override
    async def overview(
        self, person: Person | None, *, environment: str, search: str, cursor: str
    ) -> Overview:
        chosen = [
            one
            for one in self.services
            if search in one.service and environment in {"", one.environment}
        ]
        return Overview(
            services=chosen,
            changed={("prod", "orders"): event()},
            rolling={("prod", "orders"): Rolling("r-17", 0.1, "rising", "1.4.3")},
            environment=environment,
            search=search,
        )

    @override
    async def service(self, person: Person | None, environment: str, name: str) -> Service:
        if name == "nothing":
            raise NotFound(f"{name} is not deployed in {environment}")
        return self.shown

    @override
    async def logs(self, environment: str, name: str, *, group: str, lines: int) -> Logs:
        return Logs(
            environment=environment,
            service=name,
            records=self.records,
            group=group,
            groups=("mail", "web"),
            lines=lines,
        )

    @override
    async def follow(self, environment: str, name: str, *, group: str) -> AsyncIterator[LogRecord]:
        for one in self.coming:
            yield one

    @override
    async def releases(self, asked: ReleasesAsked) -> Releases:
        return Releases(
            lines=[line(), line("r-16", state="done")],
            next="more",
            environment=asked.environment,
            service=asked.service,
            is_open=asked.is_open,
        )

    @override
    async def release(self, person: Person | None, id_: str) -> Release:
        return self.released

    @override
    async def approvals(self, person: Person | None) -> list[Waiting]:
        return self.waiting

    @override
    async def audit(self, person: Person | None, asked: AuditAsked) -> Audit:
        return Audit(entries=self.entries, next="more", actor=asked.actor)

    @override
    async def costs(self, by: By, month: str | None) -> CostReport:
        if month == "never":
            raise Invalid("'never' is no month; write one like 2026-01")
        return report(by=by, month=month)

    @override
    async def listing(self, person: Person | None, what: What, turned: Turned) -> Listing:
        if what == "access" and person is None:
            raise NotSignedIn("who may do what is shown to those who are signed in")
        return self.listed(what).showing(turned)

    def listed(self, what: What, word: str = "orders") -> Listing:
        """Return lists with a row that whoever is signed in may end."""
        ending = Ending("tokens", word, "Revoke", f"{word} opens nothing any more.")
        cells = (word, State(word), NOW, None)
        part = Part(
            heading=word,
            lead=word,
            columns=("Name", "State", "Since", "Why"),
            rows=(Row(cells, ending), Row((word, State("good"), None, word))),
            key="words",
            next="more",
        )
        return Listing(what, (part, Part(heading="Nothing", columns=("Name",), rows=())))

    @override
    async def end(self, person: Person, kind: Kind, id_: str) -> None:
        if self.forbids:
            raise Denied(f"{person.name} may not end {kind}")
        self.did.append((person.name, id_, "end", kind))

    @override
    async def act(self, person: Person, id_: str, verb: Verb, reason: str) -> None:
        if self.forbids:
            raise Denied(f"{person.name} may not {verb}; an owner of commerce can")
        self.did.append((person.name, id_, verb, reason))

    @override
    async def roll_back(self, person: Person, environment: str, name: str, reason: str) -> str:
        self.did.append((person.name, f"{environment}/{name}", "roll-back", reason))
        return "r-19"


class OneCookie(People):
    """Believes a cookie that names somebody; stands for a sign-in."""

    address = f"http://{HOST}"
    host = HOST

    @override
    def proven(self, headers: Mapping[str, str]) -> Person | None:
        name = headers.get("cookie", "").partition("person=")[2]
        return Person(name, f"session of {name}") if name else None

    @override
    def mark(self, person: Person) -> str:
        return f"mark of {person.name}"

    @override
    def is_marked(self, person: Person, mark: str) -> bool:
        return mark == self.mark(person)
