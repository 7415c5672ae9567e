"""The operations page as a web application; it stands at the root of a host."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.routing import Route

from drystone.l80_governance.dependencies.guard import HOSTS, Guarded
from drystone.l85_surfaces.console.listings import What
from drystone.l85_surfaces.console.people import Nobody, People
from drystone.l85_surfaces.console.platform import Platform
from drystone.l85_surfaces.console.site import Endpoint, Site

LISTED: tuple[What, ...] = ("guardrails", "registry", "access")


def application(platform: Platform, people: People | None = None) -> Guarded:
    """Make the application.

    Args:
        platform: What it shows.
        people: Who may change something; nobody when None.
    """
    people = people or Nobody()
    site = Site(platform, people)
    one = "/services/{environment}/{service}"
    pages: dict[str, tuple[Endpoint, str]] = {
        "/": (site.services, "services"),
        one: (site.service, "services"),
        f"{one}/logs": (site.logs, "services"),
        "/releases": (site.releases, "releases"),
        "/releases/{id}": (site.release, "releases"),
        "/approvals": (site.approvals, "approvals"),
        "/audit": (site.audit, "audit"),
        "/costs": (site.costs, "costs"),
        **{f"/{what}": (site.listing(what), what) for what in LISTED},
    }
    app = Starlette(
        routes=[
            *(
                Route(path, site.page(each, entry), methods=["GET"])
                for path, (each, entry) in pages.items()
            ),
            Route("/costs/chart.svg", site.page(site.costs_chart), methods=["GET"]),
            Route(f"{one}/logs/follow", site.safely(site.follow), methods=["GET"]),
            Route("/assets/{name}", site.safely(site.send_static), methods=["GET"]),
            Route(f"{one}/roll-back", site.safely(site.roll_back, "services"), methods=["POST"]),
            Route("/releases/{id}/{verb}", site.safely(site.act, "services"), methods=["POST"]),
            *(
                Route(
                    f"/{what}/{{kind}}/{{id}}/end",
                    site.safely(site.end(what), what),
                    methods=["POST"],
                )
                for what in LISTED
            ),
            Route("/{rest:path}", site.safely(site.missing), methods=["GET", "POST"]),
        ]
    )
    app.router.redirect_slashes = False
    return Guarded(app, hosts=HOSTS | ({people.host} if people.host else set()))
