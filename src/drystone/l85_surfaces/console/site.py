"""What answers requests: shows pages, and does what somebody asks for who may ask."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing, suppress
from datetime import timedelta
from importlib import resources
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse

from drystone.l00_kernel.errors import PlatformError
from drystone.l25_deployer.api import LogRecord
from drystone.l80_governance.costs.api import By
from drystone.l80_governance.dependencies.answers import HEADERS, HTML, Content, answer, content
from drystone.l80_governance.dependencies.html import Link
from drystone.l85_surfaces.console import addresses
from drystone.l85_surfaces.console.errors import (
    ForeignForm,
    FormUnfit,
    NotSignedIn,
    PageNotFound,
    TooManyFollow,
)
from drystone.l85_surfaces.console.listings import KINDS, Turned, What
from drystone.l85_surfaces.console.pages.approvals import approvals
from drystone.l85_surfaces.console.pages.audit import audit
from drystone.l85_surfaces.console.pages.costs import BYS, costs
from drystone.l85_surfaces.console.pages.layout import Frame, Page, document
from drystone.l85_surfaces.console.pages.lists import lists
from drystone.l85_surfaces.console.pages.logs import line, logs
from drystone.l85_surfaces.console.pages.parts import LONGEST, Hand
from drystone.l85_surfaces.console.pages.release import release
from drystone.l85_surfaces.console.pages.releases import releases
from drystone.l85_surfaces.console.pages.service import service
from drystone.l85_surfaces.console.pages.services import services
from drystone.l85_surfaces.console.pages.trouble import trouble
from drystone.l85_surfaces.console.people import People, Person
from drystone.l85_surfaces.console.platform import AuditAsked, Platform, ReleasesAsked
from drystone.l85_surfaces.console.views import VERBS

Endpoint = Callable[[Request], Awaitable[Response]]
MOST_FOLLOW = 20
"""Pages that follow logs at once; each takes a connection to the agent."""
HEARTBEAT = timedelta(seconds=15)
LARGEST_FORM = 16 * 1024
_MOST_LINES = 1_000
_FOREVER = "public, max-age=31536000, immutable"
_SAME = {"same-origin", "none"}


class Site:
    """What answers requests.

    Args:
        platform: What is shown.
        people: Who looks.
    """

    def __init__(self, platform: Platform, people: People) -> None:
        self._platform = platform
        self._people = people
        self._static = _static_files()
        self._following = 0
        self._addresses = {
            name: addresses.static(name, one.tag[1:11]) for name, one in self._static.items()
        }

    async def services(self, request: Request) -> Response:
        """Show services of every environment."""
        said = request.query_params
        seen = await self._platform.overview(
            self._person(request),
            environment=said.get("environment", "")[:100],
            search=said.get("q", "")[:100],
            cursor=said.get("cursor", "")[:1000],
        )
        return self._send(request, services(seen))

    async def service(self, request: Request) -> Response:
        """Show one service."""
        person = self._person(request)
        seen = await self._platform.service(person, *_where(request))
        return self._send(request, service(seen, self._hand(person)))

    async def logs(self, request: Request) -> Response:
        """Show the last lines of a service."""
        said = request.query_params
        number = said.get("lines", "200")
        lines = (
            min(_MOST_LINES, max(1, int(number))) if number.isdecimal() and len(number) < 6 else 200
        )
        group = said.get("group", "")[:100]
        seen = await self._platform.logs(*_where(request), group=group, lines=lines)
        return self._send(request, logs(seen))

    async def follow(self, request: Request) -> Response:
        """Send further lines as events (WHATWG HTML, section 9.2), each the piece of the page that it becomes."""
        if self._is_for_people(request) and self._person(request) is None:
            raise NotSignedIn
        if self._following >= MOST_FOLLOW:
            raise TooManyFollow
        group = request.query_params.get("group", "")[:100]
        records = self._platform.follow(*_where(request), group=group)
        headers = {**HEADERS, "cache-control": "no-store", "x-accel-buffering": "no"}
        return StreamingResponse(
            self._events(records), headers=headers, media_type="text/event-stream"
        )

    async def _events(self, records: AsyncIterator[LogRecord]) -> AsyncIterator[bytes]:
        self._following += 1
        try:
            yield b"retry: 3000\n\n"
            async for record in _with_heartbeats(records):
                if record is None:
                    yield b":\n\n"
                else:
                    yield b"data: " + line(record).encoded().replace(b"\n", b" ") + b"\n\n"
        finally:
            self._following -= 1

    async def releases(self, request: Request) -> Response:
        """Show some of all releases."""
        said = {
            key: request.query_params.get(key, "")[:1000]
            for key in ("environment", "service", "cursor")
        }
        is_open = request.query_params.get("open") == "1"
        seen = await self._platform.releases(ReleasesAsked(**said, is_open=is_open))
        return self._send(request, releases(seen))

    async def release(self, request: Request) -> Response:
        """Show one release."""
        person = self._person(request)
        seen = await self._platform.release(person, request.path_params["id"])
        return self._send(request, release(seen, self._hand(person)))

    async def approvals(self, request: Request) -> Response:
        """Show what waits for somebody."""
        person = self._person(request)
        return self._send(
            request, approvals(await self._platform.approvals(person), self._hand(person))
        )

    async def audit(self, request: Request) -> Response:
        """Show some of the audit log."""
        said = {
            key: request.query_params.get(key, "")[:1000]
            for key in ("actor", "action", "subject", "cursor")
        }
        return self._send(
            request, audit(await self._platform.audit(self._person(request), AuditAsked(**said)))
        )

    async def costs(self, request: Request) -> Response:
        """Show what services cost."""
        return self._send(request, costs(await self._platform.costs(*_costs_asked(request))))

    async def costs_chart(self, request: Request) -> Response:
        """Send the same as a picture."""
        seen = await self._platform.costs(*_costs_asked(request))
        return answer(request, content(seen.chart.encode(), "image/svg+xml"))

    def listing(self, what: What) -> Endpoint:
        """Return what shows a page of lists."""

        async def show(request: Request) -> Response:
            person = self._person(request)
            said = request.query_params
            turned = Turned(said.get("part", "")[:40], said.get("cursor", "")[:1000])
            seen = await self._platform.listing(person, what, turned)
            return self._send(request, lists(seen, self._hand(person)))

        return show

    def end(self, what: What) -> Endpoint:
        """Return what ends something on a page of lists."""

        async def ended(request: Request) -> Response:
            kind = next((one for one in KINDS if one == request.path_params["kind"]), None)
            if kind is None:
                raise PageNotFound("nothing of this kind is ended here; go back to the page")
            person, _ = await self._ordered(request)
            await self._platform.end(person, kind, request.path_params["id"])
            return RedirectResponse(addresses.listing(what), 303, HEADERS)

        return ended

    async def act(self, request: Request) -> Response:
        """Do something about a release."""
        verb = next((one for one in VERBS if one == request.path_params["verb"]), None)
        if verb is None:
            raise PageNotFound("a release knows no such order; go back to its page")
        person, form = await self._ordered(request)
        id_ = request.path_params["id"]
        await self._platform.act(person, id_, verb, form.get("reason", "")[:LONGEST])
        return RedirectResponse(addresses.release(id_), 303, HEADERS)

    async def roll_back(self, request: Request) -> Response:
        """Begin the way back of a service."""
        person, form = await self._ordered(request)
        where = _where(request)
        id_ = await self._platform.roll_back(person, *where, form.get("reason", "")[:LONGEST])
        to = addresses.release(id_) if id_ else addresses.service(*where)
        return RedirectResponse(to, 303, HEADERS)

    async def send_static(self, request: Request) -> Response:
        """Send a file that pages load."""
        found = self._static.get(request.path_params["name"])
        if found is None:
            raise PageNotFound("there is no such file; go to the services")
        is_named = request.query_params.get("v") == found.tag[1:11]
        return answer(request, found, cache=_FOREVER if is_named else "public, max-age=60")

    async def missing(self, request: Request) -> Response:
        """Say that there is no such page."""
        raise PageNotFound(f"there is no page {request.url.path[:80]!r}; go to the services")

    def page(self, endpoint: Endpoint, entry: str = "") -> Endpoint:
        """Answer with a page; where it answers those who are signed in, lead others to the sign-in."""
        answered = self.safely(endpoint, entry)

        async def led(request: Request) -> Response:
            if self._is_for_people(request) and self._person(request) is None:
                return RedirectResponse(addresses.sign_in(_to(request)), 303, HEADERS)
            return await answered(request)

        return led

    def safely(self, endpoint: Endpoint, entry: str = "") -> Endpoint:
        """Answer with a page where something is refused."""

        async def answered(request: Request) -> Response:
            try:
                return await endpoint(request)
            except PlatformError as e:
                return self._send(request, trouble(e, entry))

        return answered

    def _send(self, request: Request, one: Page) -> Response:
        person = self._person(request)
        made = document(
            Frame(
                static=self._addresses,
                person=person,
                signs_in_at=self._signs_in_at(request) if person is None else None,
            ),
            one,
        )
        return answer(request, content(made.encoded(), HTML), status=one.status)

    def _signs_in_at(self, request: Request) -> Link | None:
        """Return where somebody signs in who looks at the page; None where nobody can."""
        if not self._people.host:
            return None
        return addresses.sign_in(
            _to(request), "" if self._is_for_people(request) else self._people.address
        )

    def _is_for_people(self, request: Request) -> bool:
        """Tell whether the request came to the name at which all are signed in."""
        return bool(self._people.host) and request.url.hostname == self._people.host

    def _person(self, request: Request) -> Person | None:
        return self._people.proven(_headers(request))

    def _hand(self, person: Person | None) -> Hand | None:
        return None if person is None else Hand(person, self._people.mark(person))

    async def _ordered(self, request: Request) -> tuple[Person, Mapping[str, str]]:
        """Return who orders something, and the rest of the form.

        Raises:
            NotSignedIn: Nobody has proven who they are.
            ForeignForm: The form was not made here for this session.
            FormUnfit: It is none.
        """
        person = self._person(request)
        if person is None:
            raise NotSignedIn
        if not _is_from_here(request):
            raise ForeignForm
        form = await _form(request)
        if not self._people.is_marked(person, form.get("mark", "")):
            raise ForeignForm
        return person, form


def _to(request: Request) -> str:
    """Return the page that somebody comes back to."""
    query = f"?{request.url.query}" if request.url.query else ""
    here = request.url.path + query
    return here if request.method == "GET" and len(here) <= 500 else "/"


def _is_from_here(request: Request) -> bool:
    """Tell whether a browser sends what a page of ours made (W3C Fetch Metadata; RFC 6454)."""
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    if site is not None and site not in _SAME:
        return False
    return origin is None or origin.partition("://")[2] == request.headers.get("host", "")


async def _form(request: Request) -> Mapping[str, str]:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise FormUnfit
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > LARGEST_FORM:
            raise FormUnfit(f"the form is larger than {LARGEST_FORM} bytes; say less")
    try:
        return dict(parse_qsl(body.decode(), max_num_fields=20, errors="strict"))
    except ValueError:
        raise FormUnfit from None


def _costs_asked(request: Request) -> tuple[By, str | None]:
    """Return by which tag, and of which month."""
    by = next((one for one in BYS if one == request.query_params.get("by")), BYS[0])
    return by, request.query_params.get("month", "")[:20].strip() or None


def _where(request: Request) -> tuple[str, str]:
    return request.path_params["environment"], request.path_params["service"]


def _headers(request: Request) -> Mapping[str, str]:
    """Return headers of which each stands once; of cookies, all."""
    found: dict[str, str] = {}
    for key, value in request.headers.items():
        found[key] = f"{found[key]}; {value}" if key == "cookie" and key in found else value
    return found


async def _with_heartbeats(records: AsyncIterator[LogRecord]) -> AsyncIterator[LogRecord | None]:
    """Yield records, and None whenever there is none for a while, which keeps the connection."""
    lines: asyncio.Queue[LogRecord | None] = asyncio.Queue(100)

    async def read() -> None:
        try:
            async with aclosing(records) as kept:  # type: ignore[type-var]
                async for record in kept:
                    await lines.put(record)
        except PlatformError:
            return  # the browser asks again, and is told why
        finally:
            with suppress(asyncio.QueueFull):  # then it is seen to be over with the next heartbeat
                lines.put_nowait(None)

    reading = asyncio.create_task(read(), name="follow logs")
    try:
        while True:
            try:
                async with asyncio.timeout(HEARTBEAT.total_seconds()):
                    record = await lines.get()
            except TimeoutError:
                if reading.done() and lines.empty():
                    return
                yield None
                continue
            if record is None:
                return
            yield record
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)


def _static_files() -> dict[str, Content]:
    kinds = {
        "console.css": "text/css; charset=utf-8",
        "console.js": "text/javascript; charset=utf-8",
        "wall.svg": "image/svg+xml",
    }
    folder = resources.files(__package__).joinpath("static")
    return {name: content(folder.joinpath(name).read_bytes(), kind) for name, kind in kinds.items()}
