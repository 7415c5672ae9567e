"""What access promises: people, teams, roles, tokens, and access for an emergency."""

from __future__ import annotations

import abc
from datetime import timedelta
from typing import ClassVar

from drystone.l00_kernel.contract import Api, Context, call
from drystone.l00_kernel.contract.page import Page
from drystone.l50_orchestrator.access import errors
from drystone.l50_orchestrator.access.domain import Grant
from drystone.l50_orchestrator.access.views import (
    Answer,
    GlassView,
    GrantView,
    MeView,
    PersonView,
    TeamView,
    TokenMade,
    TokenSaid,
    TokenView,
)
from drystone.l50_orchestrator.audit.errors import EntryUnfit, SecretInEntry
from drystone.l50_orchestrator.ports import Action


class AccessApi(Api):
    """Decide who may do what."""

    name: ClassVar[str] = "access"
    errors = (
        errors.NotAllowed,
        errors.CannotGive,
        errors.NameUnfit,
        errors.SaidUnfit,
        errors.TokenMistyped,
        errors.TokenUnknown,
        errors.TokenExpired,
        errors.TokenRevoked,
        errors.TokenOrphaned,
        errors.NoPerson,
        errors.NoTeam,
        errors.NoGrant,
        errors.NoToken,
        errors.NoGlass,
        errors.LastAdmin,
        errors.TeamInUse,
        errors.GlassBroken,
        errors.TooManyTokens,
        EntryUnfit,
        SecretInEntry,
    )

    @call("GET", "/v1/access/me")
    @abc.abstractmethod
    async def me(self, ctx: Context) -> MeView:
        """Tell who asks, and what that one may do."""

    @call("GET", "/v1/access/can")
    @abc.abstractmethod
    async def can(
        self,
        ctx: Context,
        *,
        action: Action,
        who: str | None = None,
        service: str | None = None,
        environment: str | None = None,
    ) -> Answer:
        """Tell whether somebody may do something, and who could let it.

        Args:
            ctx: Who asks.
            action: What.
            who: A person, or ``token:<id>``; the caller when None. About others, admins and their teams' maintainers may ask.
            service: To which; None where it concerns none.
            environment: Where; None for all.

        Raises:
            NotAllowed: The caller may not ask that.
            NoPerson: There is nobody of this name.
        """

    @call("GET", "/v1/access/people")
    @abc.abstractmethod
    async def people(
        self, ctx: Context, *, cursor: str | None = None, most: int = 100
    ) -> Page[PersonView]:
        """List people by name, those who have left too."""

    @call("PUT", "/v1/access/people/{name}")
    @abc.abstractmethod
    async def put_person(self, ctx: Context, *, name: str, called: str = "") -> PersonView:
        """Add somebody, or change what they are called. Who had left is back, with nothing of what it had.

        Raises:
            NotAllowed: The caller is no admin.
            NameUnfit: Nobody can be called so.
        """

    @call("DELETE", "/v1/access/people/{name}")
    @abc.abstractmethod
    async def remove_person(self, ctx: Context, *, name: str) -> PersonView:
        """Let somebody leave: teams, roles and tokens end at once, and for good.

        Raises:
            NotAllowed: The caller is no admin.
            NoPerson: There is nobody of this name.
            LastAdmin: Nobody would be left to administer the platform.
        """

    @call("GET", "/v1/access/teams")
    @abc.abstractmethod
    async def teams(
        self, ctx: Context, *, cursor: str | None = None, most: int = 100
    ) -> Page[TeamView]:
        """List teams by name."""

    @call("PUT", "/v1/access/teams/{name}")
    @abc.abstractmethod
    async def put_team(self, ctx: Context, *, name: str, description: str = "") -> TeamView:
        """Make a team, or describe it anew.

        Members of a new team are deployers of its services, and maintainers owners, everywhere. Take these grants back and
        give narrower ones where that is too much.

        Raises:
            NotAllowed: The caller is no admin, nor a maintainer who describes it anew.
            NameUnfit: No team can be called so.
        """

    @call("DELETE", "/v1/access/teams/{name}")
    @abc.abstractmethod
    async def remove_team(self, ctx: Context, *, name: str) -> None:
        """Dissolve a team; what was granted to it or over its services ends. One that is not there already is none.

        Raises:
            NotAllowed: The caller is no admin.
            TeamInUse: It owns services.
            LastAdmin: Nobody would be left to administer the platform.
        """

    @call("PUT", "/v1/access/teams/{team}/members/{person}")
    @abc.abstractmethod
    async def put_member(
        self, ctx: Context, *, team: str, person: str, is_maintainer: bool = False
    ) -> TeamView:
        """Take somebody into a team, or make a member a maintainer or a plain one.

        Raises:
            NotAllowed: The caller neither maintains the team nor is an admin.
            NoTeam: There is no such team.
            NoPerson: There is no such person, or it has left.
            LastAdmin: Nobody would be left to administer the platform.
        """

    @call("DELETE", "/v1/access/teams/{team}/members/{person}")
    @abc.abstractmethod
    async def remove_member(self, ctx: Context, *, team: str, person: str) -> TeamView:
        """Take somebody out of a team; everybody may leave.

        Raises:
            NotAllowed: The caller neither maintains the team nor is an admin.
            NoTeam: There is no such team.
            LastAdmin: Nobody would be left to administer the platform.
        """

    @call("GET", "/v1/access/grants")
    @abc.abstractmethod
    async def grants(
        self,
        ctx: Context,
        *,
        who: str | None = None,
        over: str | None = None,
        cursor: str | None = None,
        most: int = 100,
    ) -> Page[GrantView]:
        """List who has which role.

        Args:
            ctx: Who asks.
            who: Of this one alone: ``team:commerce``.
            over: Over this alone: ``service:orders``.
            cursor: Where the page before ended.
            most: How many at once, 1 to 1000.
        """

    @call("PUT", "/v1/access/grants")
    @abc.abstractmethod
    async def grant(self, ctx: Context, *, grant: Grant) -> GrantView:
        """Give a role.

        Raises:
            CannotGive: The caller has no such role over all of that, or may not grant.
            SaidUnfit: It is no grant.
            NoPerson: There is no such person, or it has left.
            NoTeam: There is no such team.
        """

    @call("DELETE", "/v1/access/grants/{id}")
    @abc.abstractmethod
    async def revoke_grant(self, ctx: Context, *, id: str) -> None:  # noqa: A002 - stands in the path
        """Take a role back; everybody may give up an own one. What is not there already is gone.

        Raises:
            CannotGive: The caller could not have given it.
            LastAdmin: Nobody would be left to administer the platform.
        """

    @call("POST", "/v1/access/tokens")
    @abc.abstractmethod
    async def make_token(self, ctx: Context, *, said: TokenSaid) -> TokenMade:
        """Make a token, and show it this once.

        Raises:
            NotAllowed: A token cannot make tokens; deploy tokens are made by owners, who may do what the scopes say.
            SaidUnfit: Something that was said cannot be.
            TooManyTokens: The maker has too many.
        """

    @call("GET", "/v1/access/tokens")
    @abc.abstractmethod
    async def tokens(
        self,
        ctx: Context,
        *,
        maker: str | None = None,
        service: str | None = None,
        cursor: str | None = None,
        most: int = 100,
    ) -> Page[TokenView]:
        """List tokens, the latest first: the caller's own, those of a service to its owners, all of them to admins.

        Args:
            ctx: Who asks.
            maker: Of this person alone.
            service: Of this service alone.
            cursor: Where the page before ended.
            most: How many at once, 1 to 1000.

        Raises:
            NotAllowed: The caller may not see these.
        """

    @call("DELETE", "/v1/access/tokens/{id}")
    @abc.abstractmethod
    async def revoke_token(self, ctx: Context, *, id: str) -> TokenView:  # noqa: A002 - stands in the path
        """Revoke a token: it opens nothing any more within a second.

        Raises:
            NotAllowed: It is somebody else's, and the caller neither owns its service nor is an admin.
            NoToken: There is no such token.
        """

    @call("GET", "/v1/access/glass")
    @abc.abstractmethod
    async def glasses(self, ctx: Context, *, most: int = 100) -> list[GlassView]:
        """List break-glass access, the latest first; what lasts is among the first."""

    @call("POST", "/v1/access/glass")
    @abc.abstractmethod
    async def break_glass(
        self, ctx: Context, *, reason: str, lasts: timedelta = timedelta(hours=1)
    ) -> GlassView:
        """Become an admin for an emergency, an hour at most. Everybody sees it, and every entry of the audit log names it.

        It gives no right to give rights: what it gave would outlive it.

        Args:
            ctx: Who asks: a person who is a deployer of something. Tokens cannot.
            reason: Why, in ten letters at least.
            lasts: How long.

        Raises:
            NotAllowed: The caller cannot.
            SaidUnfit: There is no reason, or it lasts too long.
            GlassBroken: The caller has it already.
        """

    @call("DELETE", "/v1/access/glass/{number}")
    @abc.abstractmethod
    async def end_glass(self, ctx: Context, *, number: int) -> GlassView:
        """End break-glass access before its time: one's own, or anybody's as an admin.

        Raises:
            NotAllowed: It is somebody else's.
            NoGlass: There is none of this number.
        """
