"""The commands of ``drystone deps`` with their places and examples."""

from __future__ import annotations

from drystone.l85_surfaces.cli.command import Command, Group


def _command(name: str, *examples: str) -> Command:
    """Return the command of a module that is called like it."""
    function = name.replace("-", "_")
    lines = tuple(f"drystone deps {example}" for example in examples)
    return Command(f"deps {name}", f"deps.{function}:{function}", lines)


DEPENDENCIES = Group(
    "deps",
    "What depends on what: check it, untangle it, rehearse a recovery.",
    (
        _command("lint", "lint survey.yaml", "lint surveys/ --level warning --format github"),
        Command(
            "deps check",
            "deps.lint:lint",
            ("drystone deps check", "drystone deps check --level warning --json"),
        ),
        _command("tangles", "tangles survey.yaml", "tangles --edges edges.txt --json"),
        _command(
            "untangle",
            "untangle survey.yaml --goal no-deadlock",
            "untangle --edges edges.txt --time-limit 60 --json",
        ),
        _command("heat", "heat survey.yaml"),
        _command("layers", "layers survey.yaml"),
        _command(
            "may-add",
            "may-add orders mail --model survey.yaml",
            "may-add flags orders --at deploy --soft",
        ),
        _command("impact", "impact database --model survey.yaml"),
        _command("tree", "tree shop --model survey.yaml"),
        _command("availability", "availability --model survey.yaml", "availability dev/orders"),
        _command("order", "order survey.yaml", "order --platform"),
        _command(
            "tabletop",
            "tabletop survey.yaml",
            "tabletop survey.yaml --disaster east.yaml --runs 1000",
            "tabletop survey.yaml --exercise monday.json",
        ),
        _command("schedule", "schedule project.sm --time-limit 60 --json"),
        _command("diff", "diff old.yaml new.yaml", "diff survey.yaml"),
        _command(
            "ingest",
            "ingest --list",
            "ingest compose compose.yaml --output survey.yaml",
            "ingest envoy-access-log access.log --evidence evidence.jsonl",
            "ingest --live",
            "ingest --keep 1d --older-than 30d --evidence evidence.jsonl",
        ),
        _command("export", "export survey.yaml --format mermaid", "export --format json"),
        _command("serve", "serve survey.yaml", "serve survey.yaml --port 8600"),
    ),
)
