"""Commands by which a service begins, comes from elsewhere, and leaves."""

from __future__ import annotations

from drystone.l85_surfaces.cli.command import Command, Group

COMING_AND_GOING: tuple[Command | Group, ...] = (
    Command(
        "new",
        "new:new",
        (
            "drystone new --list",
            "drystone new python orders",
            "drystone new node desk ./services/desk --answer owner=shop",
        ),
    ),
    Group(
        "template",
        "The templates of projects: bring later versions of them into what was made from them.",
        (
            Command(
                "template update",
                "new:update",
                ("drystone template update", "drystone template update ./orders --dry-run"),
            ),
        ),
    ),
    Command(
        "import",
        "import_:import_",
        (
            "drystone import compose.yaml --format compose --owner shop",
            "drystone import compose.yaml --format compose --output .",
            "drystone import score.yaml --format score",
        ),
    ),
    Command(
        "export",
        "export:export",
        (
            "drystone export orders --to compose",
            "drystone export orders/service.yaml --to kubernetes -o manifests",
        ),
    ),
)
