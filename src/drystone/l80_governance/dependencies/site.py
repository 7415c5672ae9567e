"""What answers requests: makes what is asked for, keeps it for the next who asks, and says what is wrong."""

from __future__ import annotations

import asyncio
import mimetypes
from collections.abc import Awaitable, Callable
from importlib import resources

from starlette.requests import Request
from starlette.responses import Response

from drystone.l00_kernel.clock import Clock
from drystone.l00_kernel.errors import PlatformError
from drystone.l05_graph.model import Model
from drystone.l80_governance.dependencies.analysis import Analysis
from drystone.l80_governance.dependencies.answers import HTML, Content, answer, content
from drystone.l80_governance.dependencies.asked import Asked
from drystone.l80_governance.dependencies.errors import BeingAnalysed, ForeignRequest, PageNotFound
from drystone.l80_governance.dependencies.models import Models
from drystone.l80_governance.dependencies.pages.layout import document
from drystone.l80_governance.dependencies.pages.trouble import trouble
from drystone.l80_governance.dependencies.pages.waiting import being_analysed
from drystone.l80_governance.dependencies.shelf import Shelf
from drystone.l80_governance.dependencies.studio import Desk
from drystone.l80_governance.dependencies.view import Page, View

MakePage = Callable[[View], Page]
Endpoint = Callable[[Request], Awaitable[Response]]
_LONGEST_KEPT = 1000
"""A page whose address is longer than pages make it is not kept for others."""
_FOREVER = "public, max-age=31536000, immutable"


class Site:
    """What answers requests.

    Args:
        models: What is shown.
        clock: For the day.
    """

    def __init__(self, models: Models, clock: Clock) -> None:
        self.models = models
        self._clock = clock
        self._shelf = Shelf()
        self.desk = Desk(
            models=models,
            view=self.view,
            analysis=self._analysed,
            send=self.send,
            safely=self.safely,
        )
        self._static = static_files()
        self._addresses = {
            name: f"static/{name}?v={one.tag[1:11]}" for name, one in self._static.items()
        }

    async def view(self, request: Request, asked: Asked | None = None) -> View:
        """Return what a request looks at.

        Args:
            request: Of somebody.
            asked: What it asks for; its query when None.

        Raises:
            VersionNotFound: It asks for a version that was not kept.
            ModelInvalid: The model has mistakes.
        """
        asked = asked or Asked(request.query_params.multi_items())
        version = asked.text("version") or None
        if version is None:
            model = await self.models.current()
        else:
            model = await self.models.version(version)
        return View(
            analysis=await self._analysed(model),
            asked=asked,
            version=version,
            how_to_import=self.models.how_to_import,
            durations={} if version else await self.models.durations(),
        )

    async def _analysed(self, model: Model) -> Analysis:
        today, evidence = self._clock.now().date(), await self.models.evidence()
        return await self._shelf.analysis(model, today, evidence)

    async def send(self, request: Request, view: View | None, page: Page) -> Response:
        """Send a page with what is around it."""
        made = await asyncio.to_thread(self._rendered, view, page)
        return answer(request, made, status=page.status)

    def _rendered(self, view: View | None, page: Page) -> Content:
        return content(document(view, page, self._addresses).encoded(), HTML)

    def page(self, path: str, make: MakePage) -> Endpoint:
        """Return what answers with a page that follows from a model and an address alone."""

        async def endpoint(request: Request) -> Response:
            view = await self.view(request)
            timed = hash(frozenset(view.durations.items()))
            key = (view.analysis.key, path, request.url.query, timed)
            kept = self._shelf.pages.get(key)
            if kept is not None:
                return answer(request, kept)
            page, made = await asyncio.to_thread(self._made, view, make)
            if page.status == 200 and len(request.url.query) <= _LONGEST_KEPT:
                self._shelf.pages.put(key, made)
            return answer(request, made, status=page.status)

        return endpoint

    def data(self, path: str, make: Callable[[Analysis], bytes], kind: str) -> Endpoint:
        """Return what answers with data that follow from a model alone."""

        async def endpoint(request: Request) -> Response:
            view = await self.view(request)
            key = (view.analysis.key, path)
            kept = self._shelf.pages.get(key)
            if kept is None:
                kept = await asyncio.to_thread(lambda: content(make(view.analysis), kind))
                self._shelf.pages.put(key, kept)
            return answer(request, kept)

        return endpoint

    def _made(self, view: View, make: MakePage) -> tuple[Page, Content]:
        page = make(view)
        return page, self._rendered(view, page)

    async def send_static(self, request: Request) -> Response:
        """Send a file that pages load."""
        found = self._static.get(request.path_params["name"])
        if found is None:
            raise PageNotFound("there is no such file; go to the overview")
        is_named = request.query_params.get("v") == found.tag[1:11]
        return answer(request, found, cache=_FOREVER if is_named else "public, max-age=60")

    async def missing(self, request: Request) -> Response:
        """Say that there is no such page."""
        raise PageNotFound(f"there is no page {request.url.path[:80]!r}; go to the overview")

    def safely(self, endpoint: Endpoint) -> Endpoint:
        """Answer with a page where something is refused."""

        async def answered(request: Request) -> Response:
            try:
                refuse_foreign(request)
                return await endpoint(request)
            except BeingAnalysed as e:
                return await self.send(request, None, being_analysed(e))
            except PlatformError as e:
                return await self.send(request, None, trouble(e))

        return answered


def refuse_foreign(request: Request) -> None:
    """Refuse a change that another site's page has sent.

    Raises:
        ForeignRequest: A browser says so, or the request comes from another origin than it goes to.
    """
    if request.method in {"GET", "HEAD"}:
        return
    site = request.headers.get("sec-fetch-site")
    if site is not None and site not in {"same-origin", "none"}:
        raise ForeignRequest
    origin = request.headers.get("origin")
    if origin is not None and origin.partition("://")[2] != request.headers.get("host", ""):
        raise ForeignRequest


def static_files() -> dict[str, Content]:
    """Return the files that pages load, by name."""
    kinds = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8"}
    kinds |= {".svg": "image/svg+xml"}
    found: dict[str, Content] = {}
    for one in resources.files(__package__).joinpath("static").iterdir():
        suffix = "." + one.name.rpartition(".")[2]
        kind = kinds.get(suffix) or mimetypes.types_map.get(suffix, "application/octet-stream")
        found[one.name] = content(one.read_bytes(), kind)
    return found
