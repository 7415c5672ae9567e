"""Tokens: making them, showing what is known of them, revoking them."""

from __future__ import annotations

from datetime import timedelta

from typing_extensions import override

from drystone.l00_kernel.context import Context
from drystone.l00_kernel.contract.page import Page, make_cursor, read_cursor
from drystone.l00_kernel.errors import Invalid
from drystone.l50_orchestrator.access import domain, names, secrets, store
from drystone.l50_orchestrator.access.domain import BY_PEOPLE, OF_DEPLOYS, Question, Standing
from drystone.l50_orchestrator.access.errors import (
    NoPerson,
    NotAllowed,
    NoToken,
    SaidUnfit,
    TooManyTokens,
)
from drystone.l50_orchestrator.access.part import ADMINISTER, Change, Part, check_most, plain
from drystone.l50_orchestrator.access.views import TokenMade, TokenSaid, TokenView
from drystone.l50_orchestrator.ports import Action

LONGEST = timedelta(days=366)
MOST_TOKENS = 1000
"""Of one person that open something."""

_LABEL = 100


class Issuing(Part):
    """What opens something without a person being there."""

    @override
    async def make_token(self, ctx: Context, *, said: TokenSaid) -> TokenMade:
        _check(said)
        questions = []
        if said.kind == "deploy":
            wanted = [Action.GRANT, *said.scopes]
            questions = [
                await self._gate.question(action, said.service, said.environment)
                for action in wanted
            ]
        token, id_ = secrets.make(), secrets.make_id()
        async with self._change(ctx, "make-token", f"token/{id_}") as change:
            maker = await self._maker(change, said)
            if change.standing.kind != "platform":
                _require(change, questions)
            ((living,),) = await change.session.fetch(store.COUNT_TOKENS, maker=maker, at=change.at)
            if living >= MOST_TOKENS:
                raise TooManyTokens(
                    f"{maker} has {living} tokens that open something; revoke those that nobody uses"
                )
            (row,) = await change.session.fetch(
                store.ISSUE,
                id=id_,
                digest=secrets.digest(token),
                label=said.label,
                kind=said.kind,
                maker=maker,
                scopes=sorted({scope.value for scope in said.scopes}),
                service=said.service,
                environment=said.environment,
                at=change.at,
                expires=change.at + said.lasts,
            )
            view = store.token_of(row, change.at).view
            change.note(
                "token.made",
                f"token/{id_}",
                label=said.label,
                kind=said.kind,
                maker=maker,
                scopes=" ".join(scope.value for scope in view.scopes),
                service=said.service,
                environment=said.environment,
                expires=view.expires.isoformat(),
            )
        return TokenMade(token, view)

    async def _maker(self, change: Change, said: TokenSaid) -> str:
        who = change.standing
        if who.kind == "platform":
            person = await store.person(change.session, said.maker)
            if person is None or person.has_left:
                raise NoPerson(
                    f"the platform makes tokens on behalf of somebody, and there is no person {said.maker or '(empty)'}"
                )
            return said.maker
        if said.maker not in {"", who.name}:
            raise NotAllowed(f"{who.name} may not make tokens for {said.maker}")
        if who.kind != "person" or not who.is_active:
            raise NotAllowed(
                f"{who.name} may not make tokens: people do, and a token could make one that outlives it"
            )
        return who.name

    @override
    async def tokens(
        self,
        ctx: Context,
        *,
        maker: str | None = None,
        service: str | None = None,
        cursor: str | None = None,
        most: int = 100,
    ) -> Page[TokenView]:
        check_most(most)
        if maker is not None:
            names.checked("person", maker)
        before = None if cursor is None else read_cursor(cursor, int)
        if before is not None and not 0 < before < 2**63:
            raise Invalid("the cursor is not one that this list gave out; start again without one")
        standing = await self._gate.standing(ctx)
        if not _is_maker(standing, maker):
            action = Action.ADMINISTER if service is None else Action.GRANT
            asked = await self._gate.question(action, service, None)
            await self._gate.allow(standing, asked)
        rows = await self._database.fetch(
            store.TOKENS, maker=maker, service=service, before=before, most=most + 1
        )
        found = [store.token_of(row, self._clock.now()) for row in rows]
        page = [one.view for one in found[:most]]
        return Page(page, make_cursor(found[most - 1].number) if len(found) > most else None)

    @override
    async def revoke_token(self, ctx: Context, *, id: str) -> TokenView:
        plain(id, "the id", _LABEL)
        now = self._clock.now()
        async with self._database.session() as session:
            found = await store.token(session, id, now)
        # Who asks is looked at first: strangers do not learn which tokens there are.
        await self._see(ctx)
        if found is None:
            raise NoToken(f"there is no token {id[:40]}")
        questions = [ADMINISTER]
        if found.service is not None:
            asked = await self._gate.question(Action.GRANT, found.service, found.environment)
            questions.append(asked)
        async with self._change(ctx, "revoke-token", f"token/{id}") as change:
            own = _is_maker(change.standing, found.maker)
            # Here broken glass counts: to end access in an emergency is what it is for.
            if not own and not any(
                domain.decide(change.with_glass, one, change.at).allowed for one in questions
            ):
                raise NotAllowed(
                    f"{change.actor.name} may not revoke a token of {found.maker}: that one, owners of its service and admins may"
                )
            done = await change.session.fetch(
                store.REVOKE, id=id, at=change.at, by=change.actor.name
            )
            now_known = await store.token(change.session, id, change.at)
            if done:
                change.note("token.revoked", f"token/{id}", maker=found.maker, label=found.label)
        if now_known is None:
            raise NoToken(f"there is no token {id[:40]}")
        return now_known


def _is_maker(standing: Standing, maker: str | None) -> bool:
    return maker is not None and maker in {standing.name, standing.behind}


def _check(said: TokenSaid) -> None:
    """Refuse what cannot be a token.

    Raises:
        SaidUnfit: The message says why.
    """
    if not plain(said.label, "the label", _LABEL).strip():
        raise SaidUnfit("say with a label what the token is for")
    if not said.scopes:
        raise SaidUnfit("name the scopes: the actions that the token is for")
    if not timedelta() < said.lasts <= LONGEST:
        raise SaidUnfit("a token lasts for more than no time, and a year at most")
    for what, name in (("service", said.service), ("environment", said.environment)):
        if name is not None:
            names.checked(what, name)
    if said.maker:
        names.checked("person", said.maker)
    if said.kind == "personal":
        return
    allowed = OF_DEPLOYS if said.kind == "deploy" else frozenset(Action) - BY_PEOPLE
    beyond = sorted(scope.value for scope in set(said.scopes) - allowed)
    if beyond:
        raise SaidUnfit(f"a {said.kind} token cannot have the scopes {', '.join(beyond)}")
    if said.kind == "deploy" and (said.service is None or said.environment is None):
        raise SaidUnfit("a deploy token is for one service in one environment: name both")


def _require(change: Change, questions: list[Question]) -> None:
    """Go on only for somebody who may do all of this.

    Raises:
        NotAllowed: The caller may not.
    """
    for asked in questions:
        decision = domain.decide(change.standing, asked, change.at)
        if not decision.allowed:
            raise NotAllowed(
                f"{change.actor.name} may not make this token: to"
                f" {domain.done(asked.action, asked.service, asked.environment)} {decision.why}"
            )
