"""The tabletop, and what is taken away from it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from drystone.l05_graph.outcome import Tabletop
from drystone.l05_graph.tabletop import tabletop
from drystone.l80_governance.dependencies.answers import HEADERS, answer, content
from drystone.l80_governance.dependencies.disasters import Exercise, asked_for
from drystone.l80_governance.dependencies.errors import QuestionUnclear
from drystone.l80_governance.dependencies.happenings import FIELDS, added, read, written
from drystone.l80_governance.dependencies.jobs import Tell
from drystone.l80_governance.dependencies.pages.tabletop import PATH, tabletop_page
from drystone.l80_governance.dependencies.pages.waiting import waiting
from drystone.l80_governance.dependencies.reports import REPORTS, Report
from drystone.l80_governance.dependencies.studio import Desk
from drystone.l80_governance.dependencies.view import View

_TELLS = 100
"""How often the progress is told."""

Endpoint = Callable[[Request], Awaitable[Response]]


class Exercises:
    """The pages of the tabletop.

    Args:
        desk: What they need.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def routes(self) -> list[Route]:
        """Return all that is answered."""
        pages: list[tuple[str, Endpoint]] = [(PATH, self._page), (f"{PATH}-add", self._add)]
        pages += [(f"{PATH}.{form}", self._report(form)) for form in REPORTS]
        return [
            Route(f"/{path}", self._desk.safely(endpoint), methods=["GET"])
            for path, endpoint in pages
        ]

    async def _page(self, request: Request) -> Response:
        view = await self._desk.view(request)
        exercise = asked_for(view.analysis.model, view.asked)
        outcome: Tabletop | None = None
        if exercise is not None and not view.asked.is_on("ended"):
            found = await self._outcome(request, view, exercise)
            if isinstance(found, Response):
                return found
            outcome = found
        page = await asyncio.to_thread(tabletop_page, view, exercise, outcome)
        return await self._desk.send(request, view, page)

    async def _add(self, request: Request) -> Response:
        """Let something happen in the exercise that the address asks for, or take it back."""
        view = await self._desk.view(request)
        events = list(read(view.asked.texts("event")))
        if view.asked.text("back"):
            gone = view.asked.number("back", 0)
            lines = written(one for at, one in enumerate(events) if at != gone)
        else:
            events.append(added(view.analysis.model, view.asked))
            lines = written(read(written(events)))
        address = view.again(PATH, **dict.fromkeys(FIELDS), event=lines)
        return RedirectResponse(address, status_code=303, headers=dict(HEADERS))

    async def _outcome(
        self, request: Request, view: View, exercise: Exercise
    ) -> Tabletop | Response:
        """Return how an exercise goes, or a page that waits for it."""
        model = view.analysis.model

        def work(tell: Tell) -> Tabletop:
            step = max(1, exercise.runs // _TELLS)

            def progress(runs: int) -> None:
                if runs % step == 0:
                    tell(runs / exercise.runs, f"rehearsal {runs} of {exercise.runs}")

            tell(0.0, "rehearsing with the likely durations")
            return tabletop(
                model,
                exercise.disaster,
                runs=exercise.runs,
                seed=exercise.seed,
                on_progress=progress,
            )

        job = self._desk.jobs.ask(("tabletop", model.digest, exercise), work)
        found: Tabletop | None = await self._desk.jobs.soon(job)
        if found is not None:
            return found
        page = waiting(view, job, title="Tabletop", path=PATH)
        return await self._desk.send(request, view, page)

    def _report(self, form: str) -> Endpoint:
        async def endpoint(request: Request) -> Response:
            view = await self._desk.view(request)
            exercise = asked_for(view.analysis.model, view.asked)
            if exercise is None:
                raise QuestionUnclear("say first what is lost")
            outcome = await self._outcome(request, view, exercise)
            if isinstance(outcome, Response):
                return outcome
            kind, make = REPORTS[form]
            made = await asyncio.to_thread(
                make, Report(view=view, exercise=exercise, outcome=outcome)
            )
            sent = answer(request, content(made, kind))
            sent.headers["content-disposition"] = f'attachment; filename="tabletop.{form}"'
            return sent

        return endpoint
