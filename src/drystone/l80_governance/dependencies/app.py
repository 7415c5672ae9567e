"""The view as a web application.

Every page lies beside the others, one step below wherever the view is put, and every address in it is relative: it works at
the root of a host and below a path alike.
"""

from __future__ import annotations

from collections.abc import Mapping

from starlette.applications import Starlette
from starlette.routing import Route

from drystone.l00_kernel.clock import Clock, SystemClock
from drystone.l80_governance.dependencies.answers import BYTES, JSON
from drystone.l80_governance.dependencies.exercises import Exercises
from drystone.l80_governance.dependencies.matrix import dots, labels
from drystone.l80_governance.dependencies.models import Models
from drystone.l80_governance.dependencies.pages.dependencies import dependencies
from drystone.l80_governance.dependencies.pages.findings import findings
from drystone.l80_governance.dependencies.pages.heat import heat
from drystone.l80_governance.dependencies.pages.layers import layers
from drystone.l80_governance.dependencies.pages.matrix import matrix
from drystone.l80_governance.dependencies.pages.overview import overview
from drystone.l80_governance.dependencies.pages.service import service
from drystone.l80_governance.dependencies.pages.services import services
from drystone.l80_governance.dependencies.pages.tangles import tangles
from drystone.l80_governance.dependencies.searches import Searches
from drystone.l80_governance.dependencies.site import MakePage, Site
from drystone.l80_governance.dependencies.studio import Scenarios

PAGES: Mapping[str, MakePage] = {
    "": overview,
    "layers": layers,
    "matrix": matrix,
    "heat": heat,
    "tangles": tangles,
    "findings": findings,
    "services": services,
    "service": service,
    "dependencies": dependencies,
}
"""The pages that follow from a model and an address alone."""


def application(models: Models, *, clock: Clock | None = None) -> Starlette:
    """Make the application.

    Args:
        models: What it shows.
        clock: For what runs out on a day.
    """
    site = Site(models, clock or SystemClock())
    searches = Searches(site)
    read = {f"/{path}": site.page(path, make) for path, make in PAGES.items()}
    read |= {
        "/matrix.bin": site.data("matrix.bin", dots, BYTES),
        "/matrix.json": site.data("matrix.json", labels, JSON),
        "/tangle": searches.page,
        "/static/{name}": site.send_static,
    }
    return Starlette(
        routes=[
            *(Route(path, site.safely(each), methods=["GET"]) for path, each in read.items()),
            *Scenarios(site.desk).routes(),
            *Exercises(site.desk).routes(),
            Route("/end-work", site.safely(site.desk.end), methods=["POST"]),
            Route("/end-search", site.safely(searches.end), methods=["POST"]),
            Route("/{rest:path}", site.safely(site.missing), methods=["GET", "POST"]),
        ]
    )
