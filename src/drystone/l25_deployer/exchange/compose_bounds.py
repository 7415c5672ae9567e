"""Health, size, number, end and volumes of the instances of a service of Compose."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from drystone.l00_kernel.yaml_text import tree
from drystone.l00_kernel.yaml_text.problems import quoted
from drystone.l25_deployer.exchange.compose_keys import DEPLOY
from drystone.l25_deployer.exchange.compose_values import cpu, duration, size
from drystone.l25_deployer.exchange.drafting import Making, named, variable
from drystone.l25_deployer.exchange.interpolation import Interpolated
from drystone.l25_deployer.exchange.walk import Walk

_ASKED = re.compile(
    r"(?<![\w.-])(?:https?://)?(?:localhost|127\.0\.0\.1|0\.0\.0\.0|\[::1\])(?::\d+)?(?P<path>/[\w./@+-]*)?"
)
_SIGNALS = {
    "SIGTERM": "TERM",
    "SIGINT": "INT",
    "SIGQUIT": "QUIT",
    "15": "TERM",
    "2": "INT",
    "3": "QUIT",
}


def put_health(of: Walk, making: Making) -> None:
    """Say how to find out whether it is well."""
    walk = of.below("healthcheck")
    found: dict[str, Any] = {}
    words = [text for text, _ in walk.words("test")]
    match = next((one for one in map(_ASKED.search, words) if one), None)
    if match is not None:
        found["path"] = match["path"] or "/"
    else:
        found["path"] = "/"
        if words and not walk.is_true("disable"):
            walk.lost(
                "test",
                "health is asked by HTTP, not by a command",
                "say at which path it answers: health",
            )
        of.remarks.guess(
            of.span,
            of.path,
            "it is taken to be well when / answers from 200 to 399",
            "write 'health'",
        )
    walk.node("disable")
    _times(walk, found)
    walk.rest(
        "a health check",
        {"start_interval": ("questions come at 'interval' from the start", "nothing")},
    )
    making.put(found["path"] if len(found) == 1 else found, "health")


def _times(walk: Walk, found: dict[str, Any]) -> None:
    for key, ours, usual in (
        ("interval", "interval", "5s"),
        ("timeout", "timeout", "2s"),
        ("start_period", "grace", "1m"),
    ):
        text = walk.text(key)
        value = duration(text)
        if text and (value is None or (value == "0ms" and ours != "grace")):
            walk.lost(key, f"{quoted(text)} is no duration to wait", "write one")
        elif text and value != usual:
            found[ours] = value
    retries = walk.text("retries")
    if retries and not (retries.isdecimal() and 0 < int(retries) < 1000):
        walk.lost("retries", f"{quoted(retries)} is no number of questions", "write one")
    elif retries not in ("", "3"):
        found["unhealthy"] = int(retries)


def put_sizes(walk: Walk, making: Making, known: Mapping[str, str]) -> None:
    """Say what an instance may use, and how many run."""
    deploy = walk.below("deploy")
    resources = deploy.below("resources")
    limits = resources.below("limits")
    for of, key, ours in ((limits, "memory", "memory"), (walk, "mem_limit", "memory")):
        _bound(of, key, ours, making, known)
    for of, key in ((limits, "cpus"), (walk, "cpus")):
        _bound(of, key, "cpu", making, known)
    if resources.has("reservations"):
        resources.lost("reservations", "'size' is bound and reservation", "nothing")
    limits.rest("a limit", {"pids": ("processes are bounded by the platform", "nothing")})
    resources.rest("resources", {})
    replicas = deploy.text("replicas") or walk.text("scale")
    walk.node("scale")
    if replicas.isdecimal() and 0 < int(replicas) <= 1000:
        if int(replicas) > 1:
            making.put(int(replicas), "scale")
    elif replicas:
        of = deploy if deploy.has("replicas") else walk
        of.lost(
            "replicas" if of is deploy else "scale",
            f"{quoted(replicas)} instances cannot run",
            "write how many: scale",
        )
    deploy.rest("'deploy' of Compose", DEPLOY)


def _bound(of: Walk, key: str, ours: str, making: Making, known: Mapping[str, str]) -> None:
    text = Interpolated(of.text(key), known).text
    if not text:
        return
    value = cpu(text) if ours == "cpu" else size(text)
    if value is None:
        of.lost(key, f"{quoted(text)} is no amount", f"write size.{ours}")
    elif value not in (0.5, "512Mi"):
        making.put(value, "size", ours)


def put_stop(walk: Walk, making: Making) -> None:
    """Say how an instance is ended."""
    text = walk.text("stop_grace_period")
    if text:
        value = duration(text)
        if value is None:
            walk.lost("stop_grace_period", f"{quoted(text)} is no duration", "write stop.grace")
        elif value != "30s":
            making.put(value, "stop", "grace")
    signal = walk.text("stop_signal")
    ours = _SIGNALS.get(signal.upper(), _SIGNALS.get(f"SIG{signal.upper()}"))
    if signal and ours is None:
        walk.lost(
            "stop_signal",
            f"{quoted(signal)} cannot be sent: TERM, INT or QUIT",
            "let it handle TERM",
        )
    elif ours not in (None, "TERM"):
        making.put(ours, "stop", "signal")


def put_volumes(walk: Walk, resources: dict[str, dict[str, Any]], known: Mapping[str, str]) -> None:
    """Make resources of volumes with names; what else is mounted is told."""
    path = (*walk.path, "volumes")
    node = walk.node("volumes")
    for item in node.items if isinstance(node, tree.Sequence) else []:
        if isinstance(item, tree.Mapping):
            one = Walk(item, path, walk.remarks)
            source, target = one.text("source"), one.text("target")
            is_named = (one.text("type") or "volume") == "volume" and bool(source)
            for key in ("read_only", "volume", "bind", "tmpfs", "consistency"):
                one.node(key)
            one.rest("a volume of Compose", {})
        else:
            text = Interpolated(getattr(item, "text", ""), known).text
            source, colon, rest = text.partition(":")
            target = rest.partition(":")[0] if colon else source
            is_named = bool(colon) and not source.startswith((".", "/", "~"))
        if not is_named:
            why = (
                "a folder of the machine is not reached"
                if source.startswith((".", "/", "~")) and source != target
                else "a place without a name does not outlive an instance"
            )
            walk.remarks.lost(
                item.span, path, why, "put the files into the artefact, or use a volume"
            )
            continue
        name = named(source, [one for one in resources if resources[one]["type"] != "volume"])
        resources[name] = {"type": "volume"}
        walk.remarks.todo(
            item.span,
            path,
            f"the volume is at the path in {variable(name).upper()}_PATH, not at {quoted(target)}",
            "tell the program, by a variable or an option",
        )
