"""Health, size and port of a Score workload."""

from __future__ import annotations

import re
from typing import Any

from drystone.l00_kernel.yaml_text.problems import quoted
from drystone.l25_deployer.exchange.compose_values import cpu, size
from drystone.l25_deployer.exchange.drafting import Making
from drystone.l25_deployer.exchange.walk import Walk

_PROBE = {
    "exec": ("health is asked by HTTP, not by a command", "say at which path it answers: health"),
}


def put_health(walk: Walk, making: Making) -> None:
    """Say how to find out whether the service is well."""
    asked: dict[str, Any] = {}
    for key in ("livenessProbe", "readinessProbe"):
        probe = walk.below(key)
        if probe.has("httpGet"):
            get = probe.below("httpGet")
            path = get.text("path") or "/"
            if re.fullmatch(r"/[\w./@+-]*", path):
                asked = {"path": path}
            else:
                get.lost("path", f"{quoted(path)} is no path that can be asked", "write 'health'")
            port = get.text("port")
            if port.isdecimal() and 0 < int(port) < 65536:
                asked["port"] = int(port)
            get.rest(
                "a probe",
                {
                    "host": ("the instance itself is asked", "nothing"),
                    "scheme": ("an instance is asked by HTTP", "nothing"),
                    "httpHeaders": (
                        "questions have no headers of their own",
                        "let it answer without",
                    ),
                },
            )
        probe.rest("a probe", _PROBE)
    if walk.has("livenessProbe") and walk.has("readinessProbe"):
        walk.remarks.guess(
            walk.place("readinessProbe"),
            (*walk.path, "readinessProbe"),
            "there is one question about health, which is that of readiness",
            "look at it",
        )
    if not asked:
        asked = {"path": "/"}
        walk.remarks.guess(
            walk.span,
            walk.path,
            "it is taken to be well when / answers from 200 to 399",
            "write 'health'",
        )
    making.put(asked["path"] if len(asked) == 1 else asked, "health")


def bounds(walk: Walk) -> dict[str, object]:
    """Return what an instance may use."""
    found: dict[str, object] = {}
    resources = walk.below("resources")
    limits = resources.below("limits")
    for key, read_, usual in (("cpu", cpu, 0.5), ("memory", size, "512Mi")):
        text = limits.text(key)
        value = read_(text)
        if text and value is None:
            limits.lost(key, f"{quoted(text)} is no amount", f"write size.{key}")
        elif text and value != usual:
            found[key] = value
    limits.rest("limits", {})
    resources.rest("resources", {"requests": ("'size' is bound and reservation", "nothing")})
    return found


def put_ports(root: Walk, making: Making) -> None:
    """Say on which port the service serves."""
    service = root.below("service")
    ports = service.below("ports")
    for at, (_, walk) in enumerate(ports.each()):
        text = walk.text("targetPort") or walk.text("port")
        walk.node("port")
        if walk.text("protocol").upper() == "UDP":
            root.remarks.lost(
                walk.span,
                walk.path,
                "the proxy passes on HTTP alone",
                "let it be reached elsewhere",
            )
        elif at:
            root.remarks.lost(
                walk.span,
                walk.path,
                "a service serves on one port",
                "make it a service of its own",
            )
        elif not text.isdecimal() or not 0 < int(text) < 65536:
            root.remarks.lost(walk.span, walk.path, f"{quoted(text)} is no port", "write 'port'")
        elif text != "8080":
            making.put(int(text), "port")
        walk.rest("a port", {})
    if not ports.keys:
        root.remarks.guess(
            root.span,
            ("service", "ports"),
            "no port is named; it is taken to listen on 8080",
            "write 'port'; what serves no requests is a worker",
        )
    service.rest("a service", {})
