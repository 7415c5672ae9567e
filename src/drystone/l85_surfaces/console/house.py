"""Makes pages of lists of what the orchestrator tells: guardrails, the registry, access.

Each list has as many pages as it takes; whoever turns one sees that list alone.
"""

from __future__ import annotations

from collections.abc import Iterable

from drystone.l00_kernel.contract import ANONYMOUS, Context
from drystone.l50_orchestrator.access.api import AccessApi
from drystone.l50_orchestrator.access.views import GlassView, GrantView, TokenView
from drystone.l50_orchestrator.guardrails.api import (
    ExceptionView,
    FreezeView,
    GuardrailsApi,
    PolicyView,
)
from drystone.l50_orchestrator.ports import Action
from drystone.l50_orchestrator.registry.api import RegistryApi, ServiceView
from drystone.l85_surfaces.console.listings import Ending, Listing, Part, Row, State, Turned

MOST = 100
"""Rows of a list on one page."""

MOST_ASKED = 30
"""Exceptions of which it is asked one by one who may end them."""

_NOBODY = Context(ANONYMOUS)
_MODES = {"refuse": "refuses", "warn": "warns"}
"""Words of what policies do, beside those of what became of something."""


_BEGIN = Turned()


async def guardrails(
    api: GuardrailsApi, access: AccessApi | None, turned: Turned = _BEGIN
) -> Listing:
    """Return policies, exceptions and freezes.

    Args:
        api: Tells them.
        access: Asked as who looks, what that one may end; None for nobody, who ends nothing.
        turned: Which page is looked at.
    """
    policies = await api.policies(_NOBODY, cursor=turned.at("policies"), limit=MOST)
    excepted = await api.exceptions(_NOBODY, cursor=turned.at("exceptions"), limit=MOST)
    exceptions = excepted.items
    freezes = await api.freezes(_NOBODY)
    ends = {
        one.name
        for one in exceptions[:MOST_ASKED]
        if access is not None
        and await _may(access, Action.EXCEPT, one.said.service, one.said.environment or None)
    }
    lifts = access is not None and bool(freezes) and await _may(access, Action.FREEZE)
    return Listing(
        "guardrails",
        (
            Part(
                heading="Freezes",
                lead="While one is on, deploys and promotions are refused; the way back is not.",
                columns=("Freeze", "Now", "From", "To", "Where", "Why", "By"),
                rows=tuple(_freeze(one, lifts=lifts) for one in freezes),
                empty="Nothing is frozen.",
            ),
            Part(
                heading="Exceptions",
                lead="What a policy forbids and somebody allowed a service, until a day.",
                columns=(
                    "Exception",
                    "State",
                    "Policy",
                    "Service",
                    "Where",
                    "Until",
                    "Why",
                    "Owner",
                ),
                rows=tuple(_exception(one, ends=one.name in ends) for one in exceptions),
                key="exceptions",
                next=excepted.next,
            ),
            Part(
                heading="Policies",
                lead="Asked about every change before anything of it begins. One that cannot answer refuses.",
                columns=("Policy", "Mode", "Of", "Where", "Since", "What for"),
                rows=tuple(map(_policy, policies.items)),
                key="policies",
                next=policies.next,
            ),
        ),
    ).showing(turned)


async def registry(api: RegistryApi, access: AccessApi, turned: Turned = _BEGIN) -> Listing:
    """Return services with their owners, teams, environments and targets; see :func:`guardrails`."""
    services = await api.services(_NOBODY, cursor=turned.at("services"), limit=MOST)
    environments = await api.environments(_NOBODY)
    targets = await api.targets(_NOBODY)
    teams = await access.teams(_NOBODY, cursor=turned.at("teams"), most=MOST)
    return Listing(
        "registry",
        (
            Part(
                heading="Environments",
                lead="A release passes them in the order of what comes after what.",
                columns=("Environment", "Type", "Region", "After", "Target", "Services"),
                rows=tuple(
                    Row(
                        (
                            one.environment.name,
                            one.environment.type,
                            one.environment.region,
                            one.environment.after,
                            one.environment.target,
                            str(one.services),
                        )
                    )
                    for one in environments
                ),
            ),
            Part(
                heading="Targets",
                columns=("Target", "Kind", "Environments", "Address"),
                rows=tuple(
                    Row((one.name, one.kind, _listed(one.environments), one.url)) for one in targets
                ),
            ),
            Part(
                heading="Teams",
                columns=("Team", "Maintainers", "Members", "What for"),
                rows=tuple(
                    Row(
                        (
                            one.name,
                            _listed(m.person for m in one.members if m.is_maintainer),
                            _listed(m.person for m in one.members if not m.is_maintainer),
                            one.description,
                        )
                    )
                    for one in teams.items
                ),
                key="teams",
                next=teams.next,
            ),
            Part(
                heading="Services",
                lead="A name is its team's as long as the service runs, and 90 days longer.",
                columns=("Service", "Team", "Tier", "Runs in", "State", "What for"),
                rows=tuple(map(_service, services.items)),
                key="services",
                next=services.next,
            ),
        ),
    ).showing(turned)


async def access_of(api: AccessApi, person: str, turned: Turned = _BEGIN) -> Listing:
    """Return grants, tokens and broken glass, as far as somebody may see them.

    Args:
        api: Asked as who looks.
        person: That one's name.
        turned: Which page is looked at.
    """
    grants = await api.grants(_NOBODY, cursor=turned.at("grants"), most=MOST)
    tokens = await api.tokens(_NOBODY, cursor=turned.at("tokens"), most=MOST)
    glasses = await api.glasses(_NOBODY)
    lasts = [one for one in glasses if not one.is_over]
    is_admin = bool(lasts) and await _may(api, Action.ADMINISTER)
    return Listing(
        "access",
        (
            Part(
                heading="Broken glass",
                lead="Somebody made themselves an admin for an emergency. Every entry of the audit log made by it has its number.",
                columns=("Number", "State", "Person", "Why", "Since", "Until"),
                rows=tuple(
                    _glass(one, ends=not one.is_over and (is_admin or one.person == person))
                    for one in glasses
                ),
                empty="Nobody has.",
            ),
            Part(
                heading="Grants",
                lead="Who may do what, where. Grants only add.",
                columns=("Who", "Role", "Over", "Where", "Since", "By"),
                rows=tuple(map(_grant, grants.items)),
                key="grants",
                next=grants.next,
            ),
            Part(
                heading="Tokens",
                lead="Those that you may see; the secrets are written down nowhere.",
                columns=("Token", "State", "For", "Kind", "Maker", "Scopes", "Used", "Ends"),
                rows=tuple(map(_token, tokens.items)),
                key="tokens",
                next=tokens.next,
            ),
        ),
    ).showing(turned)


async def _may(
    api: AccessApi, action: Action, service: str | None = None, environment: str | None = None
) -> bool:
    answer = await api.can(_NOBODY, action=action, service=service, environment=environment)
    return answer.allowed


def _freeze(one: FreezeView, *, lifts: bool) -> Row:
    said = one.said
    where = _listed((*said.environments, *said.types, *said.teams)) or "everywhere"
    ending = Ending("freezes", one.name, "Lift", f"{one.name} ends; deploys go on at once.")
    return Row(
        (
            one.name,
            State("on" if one.is_on else "off"),
            one.start,
            one.end,
            where,
            said.reason,
            one.by,
        ),
        ending if lifts else None,
    )


def _exception(one: ExceptionView, *, ends: bool) -> Row:
    said = one.said
    about = f"{said.policy} holds for {said.service} again, from its next release on."
    return Row(
        (
            one.name,
            State(one.state),
            said.policy,
            said.service,
            said.environment or said.type or "",
            f"{said.until} ({one.days_left} days)",
            said.reason,
            said.owner,
        ),
        Ending("exceptions", one.name, "End", about) if ends else None,
    )


def _policy(one: PolicyView) -> Row:
    said = one.said
    where = _listed((*said.environments, *said.types, *(f"tier {n}" for n in said.tiers)))
    mode = said.severity if one.mode == "refuse" else one.mode
    return Row(
        (
            one.name,
            State(_MODES.get(mode, mode)),
            "the house" if one.is_house else said.team,
            where or "everywhere",
            str(said.since),
            said.description,
        )
    )


def _service(one: ServiceView) -> Row:
    kept = one.service
    free = f"free from {one.free_from:%Y-%m-%d}" if one.free_from else ""
    given_up = f"given up, {free}" if one.retired else free
    state = f"offered to {one.offered_to}" if one.offered_to else given_up
    tier = "" if kept.tier is None else str(kept.tier)
    return Row((kept.name, kept.team, tier, _listed(one.environments), state, kept.description))


def _grant(one: GrantView) -> Row:
    said = one.grant
    return Row((said.who, said.role.value, said.over, said.place, one.since, one.by))


def _token(one: TokenView) -> Row:
    where = "/".join(part for part in (one.environment, one.service) if part)
    about = f"{one.label} of {one.maker} opens nothing any more, within a second and for good."
    return Row(
        (
            f"token:{one.id}",
            State(one.state),
            f"{one.label} {where}".rstrip(),
            one.kind,
            one.maker,
            _listed(scope.value for scope in one.scopes),
            one.used,
            one.expires,
        ),
        Ending("tokens", one.id, "Revoke", about) if one.state == "good" else None,
    )


def _glass(one: GlassView, *, ends: bool) -> Row:
    about = f"{one.person} is no admin any more."
    return Row(
        (
            str(one.number),
            State("over" if one.is_over else "broken"),
            one.person,
            one.reason,
            one.since,
            one.until,
        ),
        Ending("glass", str(one.number), "End", about) if ends else None,
    )


def _listed(words: Iterable[str]) -> str:
    return ", ".join(words)
