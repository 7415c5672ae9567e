"""The page of a tangle: it waits a moment for its search, shows how far it is, and can end it."""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from drystone.l05_graph.words import TangleKind
from drystone.l80_governance.dependencies.answers import HEADERS
from drystone.l80_governance.dependencies.asked import Asked
from drystone.l80_governance.dependencies.html import link
from drystone.l80_governance.dependencies.jobs import GivenUp
from drystone.l80_governance.dependencies.pages.tangles import tangle
from drystone.l80_governance.dependencies.sent import fields
from drystone.l80_governance.dependencies.site import Site
from drystone.l80_governance.dependencies.untangling import ENDED, Question, State, question_of
from drystone.l80_governance.dependencies.view import View


class Searches:
    """Serves the searches of a site."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._jobs = site.desk.jobs

    async def page(self, request: Request) -> Response:
        """Show a tangle, and search for what unties it."""
        view = await self._site.view(request)
        question = await asyncio.to_thread(question_of, view)
        state = await self._state(view, question)
        page = await asyncio.to_thread(tangle, view, question, state)
        return await self._site.send(request, view, page)

    async def _state(self, view: View, question: Question) -> State | None:
        if question.tangle.kind is TangleKind.SOFT:
            return None
        if view.asked.is_on("ended"):
            return ENDED
        job = self._jobs.ask(question.key(view), lambda tell: question.search(view, tell))
        try:
            answer = await self._jobs.soon(job)
        except GivenUp:
            return ENDED
        return State(answer=answer, text=job.text)

    async def end(self, request: Request) -> Response:
        """End a search, and show its page without an answer."""
        asked = Asked(await fields(request))
        view = await self._site.view(request, asked)
        question = await asyncio.to_thread(question_of, view)
        self._jobs.cancel(question.key(view))
        query: dict[str, str | int | None] = {
            key: ",".join(asked.texts(key)) for key in asked.words() if key != "ended"
        }
        return RedirectResponse(link("tangle", **query, ended="on"), 303, headers=dict(HEADERS))
