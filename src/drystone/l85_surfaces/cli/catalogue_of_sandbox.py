"""The commands about sandboxes."""

from __future__ import annotations

from drystone.l85_surfaces.cli.command import Command, Group

SANDBOX = Group(
    "sandbox",
    "The services of a workspace here, with what they need: run, look, prove, stop, forget.",
    (
        Command(
            "sandbox up",
            "sandbox:up",
            (
                "drystone sandbox",
                "drystone sandbox shop billing/service.yaml --watch",
                "drystone sandbox --with billing=mock:billing.yaml --with mail=absent",
            ),
        ),
        Command(
            "sandbox status",
            "sandbox:status",
            ("drystone sandbox status", "drystone sandbox status --json"),
        ),
        Command(
            "sandbox prove",
            "sandbox_checks:prove",
            ("drystone sandbox prove", "drystone sandbox prove shop --json"),
        ),
        Command(
            "sandbox emit",
            "sandbox_checks:emit",
            (
                "drystone sandbox emit order.created",
                "drystone sandbox emit order.created --count 20",
            ),
        ),
        Command("sandbox down", "sandbox:down", ("drystone sandbox down",)),
        Command(
            "sandbox reset",
            "sandbox:reset",
            ("drystone sandbox reset", "drystone sandbox reset --yes shop"),
        ),
    ),
    otherwise="up",
)
