"""Pages that try things: scenarios, versions, tabletop exercises, reports."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from urllib.parse import parse_qsl

import msgspec
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from drystone.l05_graph.changes import Change, Scenario, apply, diff
from drystone.l05_graph.errors import ModelInvalid
from drystone.l05_graph.forms import scenario as scenario_form
from drystone.l05_graph.forms import survey_text
from drystone.l05_graph.model import Model
from drystone.l80_governance.dependencies.analysis import Analysis
from drystone.l80_governance.dependencies.answers import HEADERS, Content, answer, content
from drystone.l80_governance.dependencies.asked import Asked
from drystone.l80_governance.dependencies.drafts import added, read, without, written
from drystone.l80_governance.dependencies.effects import Effects, Measures, compared, measured
from drystone.l80_governance.dependencies.errors import QuestionUnclear
from drystone.l80_governance.dependencies.html import link
from drystone.l80_governance.dependencies.jobs import Jobs, Tell
from drystone.l80_governance.dependencies.latest import MOST_LINES, Latest, lines_of
from drystone.l80_governance.dependencies.models import Models
from drystone.l80_governance.dependencies.pages.scenario import LONGEST_TITLE, address, scenario
from drystone.l80_governance.dependencies.pages.versions import CURRENT, comparison, versions
from drystone.l80_governance.dependencies.pages.waiting import waiting
from drystone.l80_governance.dependencies.view import Page, View

YAML = "application/yaml; charset=utf-8"
ENDABLE = ("scenario", "compare", "tabletop")
"""Pages that wait for work, which can be ended there."""
_MOST_FIELDS = 400

Endpoint = Callable[[Request], Awaitable[Response]]


class Desk:
    """What the pages here need of the site.

    Args:
        models: Where models come from and versions go.
        view: Returns what a request looks at.
        analysis: Returns the analysis of a model.
        send: Sends a page.
        safely: Makes an endpoint answer with a page where something is refused.
    """

    def __init__(
        self,
        *,
        models: Models,
        view: Callable[[Request], Awaitable[View]],
        analysis: Callable[[Model], Awaitable[Analysis]],
        send: Callable[[Request, View | None, Page], Awaitable[Response]],
        safely: Callable[[Endpoint], Endpoint],
    ) -> None:
        self.models = models
        self.view = view
        self.analysis = analysis
        self.send = send
        self.safely = safely
        self.jobs = Jobs()
        self._measures: Latest[Measures] = Latest(8, lambda _: 1)
        self._changed: Latest[Model] = Latest(MOST_LINES, lines_of)

    async def changed(self, model: Model, changes: Sequence[Change]) -> Model:
        """Make changes; a page that waits asks for the same again and again.

        Raises:
            QuestionUnclear: They do not fit; the message says which and why.
        """
        key = (model.digest, model.title, tuple(written(changes)))
        found = self._changed.get(key)
        if found is None:
            found = await asyncio.to_thread(_changed, model, changes)
            self._changed.put(key, found)
        return found

    async def effects(
        self, request: Request, view: View, before: Model, after: Model, back: str
    ) -> Effects | Response:
        """Return what the second model does in comparison with the first, or a page that waits for it."""
        first, second = await self.analysis(before), await self.analysis(after)
        key = ("effects", before.digest, after.digest, first.today)

        def work(tell: Tell) -> Effects:
            tell(0.1, "measuring the model before")
            old = self._measured(first)
            tell(0.5, "measuring the model after")
            return compared(old, self._measured(second))

        job = self.jobs.ask(key, work)
        found: Effects | None = await self.jobs.soon(job)
        if found is not None:
            return found
        page = waiting(view, job, title="Comparing two models", path=back)
        return await self.send(request, view, page)

    async def end(self, request: Request) -> Response:
        """End a piece of work, and show the page that asked for it without what would have come of it."""
        said = _fields(await request.body())
        form = Asked(said)
        page = form.choice("page", ENDABLE, "")
        self.jobs.end(form.text("job"))
        # As long as the address was: longer than what stands in a field.
        state = Asked(_fields(dict(said).get("state", "").encode("ascii", "replace")))
        return _see(link(page or "", **state.without("ended"), ended="on"))

    def _measured(self, analysis: Analysis) -> Measures:
        key = (analysis.model.digest, analysis.today)
        found = self._measures.get(key)
        if found is None:
            found = measured(analysis)
            self._measures.put(key, found)
        return found


class Scenarios:
    """The pages of scenarios and versions.

    Args:
        desk: What they need.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def routes(self) -> list[Route]:
        """Return all that is answered."""
        pages: list[tuple[str, Endpoint, str]] = [
            ("scenario", self._scenario, "GET"),
            ("scenario-add", self._add, "GET"),
            ("scenario-keep", self._keep, "POST"),
            ("scenario.yaml", self._as_yaml, "GET"),
            ("survey.yaml", self._as_survey, "GET"),
            ("versions", self._versions, "GET"),
            ("compare", self._compare, "GET"),
        ]
        return [
            Route(f"/{path}", self._desk.safely(endpoint), methods=[method])
            for path, endpoint, method in pages
        ]

    async def _scenario(self, request: Request) -> Response:
        view = await self._desk.view(request)
        changes = read(view.asked.texts("change"))
        if not changes:
            return await self._desk.send(request, view, scenario(view, changes, None))
        before = view.analysis.model
        after = await self._desk.changed(before, changes)
        if view.asked.is_on("ended"):
            return await self._desk.send(request, view, scenario(view, changes, None))
        effects = await self._desk.effects(request, view, before, after, "scenario")
        if isinstance(effects, Response):
            return effects
        page = await asyncio.to_thread(scenario, view, changes, effects)
        return await self._desk.send(request, view, page)

    async def _add(self, request: Request) -> Response:
        view = await self._desk.view(request)
        changes = read(view.asked.texts("change"))
        if view.asked.text("back"):
            number = view.asked.number("back", 0)
            return _see(address("scenario", view, written(without(changes, number))))
        changed = await self._desk.changed(view.analysis.model, changes)
        more = added(changed, view.asked)
        await self._desk.changed(view.analysis.model, (*changes, *more))
        return _see(address("scenario", view, written((*changes, *more))))

    async def _keep(self, request: Request) -> Response:
        form = Asked(_fields(await request.body()))
        if form.text("version"):
            before = await self._desk.models.version(form.text("version"))
        else:
            before = await self._desk.models.current()
        title, author = form.text("title")[:LONGEST_TITLE], form.text("author")[:LONGEST_TITLE]
        changes = read(form.texts("change"))
        if not title or not changes:
            raise QuestionUnclear("a version has a title, and something is different in it")
        after = await asyncio.to_thread(_titled, before, changes, title)
        kept = await self._desk.models.keep(after, title=title, author=author)
        base = form.text("version") or CURRENT
        return _see(link("compare", a=base, b=kept.name))

    async def _as_yaml(self, request: Request) -> Response:
        view = await self._desk.view(request)
        changes = read(view.asked.texts("change"))
        said = Scenario(
            title=view.asked.text("title") or "A scenario",
            parent=view.analysis.model.digest,
            changes=changes,
        )
        return _file(request, scenario_form.dump(said), "scenario.yaml")

    async def _as_survey(self, request: Request) -> Response:
        view = await self._desk.view(request)
        changes = read(view.asked.texts("change"))
        after = await self._desk.changed(view.analysis.model, changes)
        return _file(request, await asyncio.to_thread(survey_text.dump, after), "survey.yaml")

    async def _versions(self, request: Request) -> Response:
        view = await self._desk.view(request)
        every = await self._desk.models.versions()
        return await self._desk.send(request, view, versions(view, every))

    async def _compare(self, request: Request) -> Response:
        asked = Asked(request.query_params.multi_items())
        names = (asked.text("a") or CURRENT, asked.text("b") or CURRENT)
        before, after = await self._model(names[0]), await self._model(names[1])
        version = None if names[1] == CURRENT else names[1]
        view = View(analysis=await self._desk.analysis(after), asked=asked, version=version)
        if asked.is_on("ended"):
            return _see(View(analysis=view.analysis, asked=asked).link("versions"))
        effects = await self._desk.effects(request, view, before, after, "compare")
        if isinstance(effects, Response):
            return effects
        every = await self._desk.models.versions()
        changes = await asyncio.to_thread(diff, before, after)
        page = await asyncio.to_thread(comparison, view, every, names, changes, effects)
        return await self._desk.send(request, view, page)

    async def _model(self, name: str) -> Model:
        if name == CURRENT:
            return await self._desk.models.current()
        return await self._desk.models.version(name)


def _changed(model: Model, changes: Sequence[Change]) -> Model:
    """Make changes.

    Raises:
        QuestionUnclear: They do not fit; the message says which and why.
    """
    try:
        return apply(model, changes)
    except ModelInvalid as e:
        raise QuestionUnclear("; ".join(one.sentence() for one in e.mistakes[:3])) from e


def _titled(model: Model, changes: Sequence[Change], title: str) -> Model:
    return msgspec.structs.replace(_changed(model, changes), title=title)


def _fields(body: bytes) -> list[tuple[str, str]]:
    """Read what a form sends.

    Raises:
        QuestionUnclear: It is too much, or no form.
    """
    try:
        return parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except ValueError as e:
        raise QuestionUnclear("what was sent is no form that this page has") from e


def _see(place: str) -> Response:
    """Lead to another page (RFC 9110 section 15.4.4)."""
    return RedirectResponse(place, status_code=303, headers=dict(HEADERS))


def _file(request: Request, text: str, name: str) -> Response:
    made: Content = content(text.encode("utf-8", "backslashreplace"), YAML)
    sent = answer(request, made)
    sent.headers["content-disposition"] = f'attachment; filename="{name}"'
    return sent
