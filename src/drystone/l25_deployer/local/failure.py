"""Say why a release did not come up, with everything that a person needs to mend it."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from drystone.l10_engines.runtimes.logs import LogFile

if TYPE_CHECKING:
    from drystone.l25_deployer.local.instances import KeptInstance
    from drystone.l25_deployer.local.records import ReleaseRecord

LOG_LINES = 40
MAX_LINE = 500
MAX_DIFF = 30


def explain(
    one: KeptInstance, reason: str, release: ReleaseRecord, previous: ReleaseRecord | None
) -> str:
    """Write the report on one instance that is not well.

    It holds the reason, how its process last ended, the last answer to the health check, the ports it
    listens on if they are not the one it was given, its last log lines, and what changed in the descriptor
    since the last good release.
    """
    parts = [f"instance {one.blueprint.spec.id} {reason}"]
    if one.last_exit is not None and one.last_exit.sentence() not in reason:
        parts.append(f"its process {one.last_exit.sentence()}")
    if one.last_probe is not None and not one.last_probe.is_ok:
        parts.append(f"last health check: {one.last_probe.text}")
    parts.extend(_wrong_ports(one))
    parts.extend(_last_lines(one))
    parts.extend(_what_changed(release, previous))
    return "\n".join(parts)


def _wrong_ports(one: KeptInstance) -> list[str]:
    wanted = one.blueprint.port
    if wanted is None or one.pid is None:
        return []
    ports = one.listening_ports()
    if wanted in ports:
        return []
    if not ports:
        return [f"it listens on no port; it was given {wanted}"]
    listed = ", ".join(str(port) for port in ports)
    return [
        f"it listens on {listed}, not on the port it was given, {wanted}: use ${{port}} or $PORT"
    ]


def _last_lines(one: KeptInstance) -> list[str]:
    path = one.log
    lines = LogFile(path).tail(LOG_LINES) if path.exists() else []
    if not lines:
        return ["it wrote nothing to its log"]
    shown = [f"  {line.text[:MAX_LINE]}" for line in lines]
    return [f"last {len(shown)} lines of its log:", *shown]


def _what_changed(release: ReleaseRecord, previous: ReleaseRecord | None) -> list[str]:
    if previous is None:
        return []
    said = f"since release {previous.number} (version {previous.version}), the last good one"
    diff = difflib.unified_diff(
        previous.descriptor.splitlines(), release.descriptor.splitlines(), lineterm="", n=0
    )
    changes = [line for line in diff if line[:1] in "+-" and line[:3] not in {"+++", "---"}]
    if changes:
        more = [f"  … and {len(changes) - MAX_DIFF} more"] if len(changes) > MAX_DIFF else []
        return [
            f"changed in {release.file} {said}:",
            *(f"  {c}" for c in changes[:MAX_DIFF]),
            *more,
        ]
    if release.artifact != previous.artifact:
        return [f"the descriptor is the same {said}; the code is not"]
    return [f"neither the descriptor nor the code changed {said}"]
