"""Hand an instance's variables to podman so that no other user of the machine can read them.

What stands in a command line, everybody on the machine can read, so values go through a file (0600)
that is removed once the container runs. Its format has no way to write a value with a line break or of
more than 64 KB; such a value goes through podman's own environment, where podman takes it by name. A name
that would change what podman itself does is refused there.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from drystone.l10_engines.runtimes.errors import SpecInvalid

if TYPE_CHECKING:
    from drystone.l10_engines.runtimes.port import InstanceSpec

_LONGEST = 60_000
_POWERFUL = re.compile(
    r"(?i)(PATH|HOME|USER|TMPDIR|LD_.*|GO.*|SSL_.*|XDG_.*|DBUS_.*|NOTIFY_.*|LISTEN_.*|.*PROXY"
    r"|CONTAINERS?_.*|STORAGE_.*|PODMAN_.*|CONMON_.*|REGISTR.*|_.*)"
)


def environment_words(spec: InstanceSpec) -> tuple[list[str], dict[str, str]]:
    """Return options for ``podman run`` and variables for podman itself; write ``state/environment``.

    Raises:
        SpecInvalid: A value cannot be handed over; the message names the variable only.
    """
    lines: list[str] = []
    passed: dict[str, str] = {}
    for name, value in spec.environment.items():
        if not re.search(r"[\r\n]", value) and len(os.fsencode(value)) < _LONGEST:
            lines.append(f"{name}={value}\n")
        elif _POWERFUL.fullmatch(name):
            raise SpecInvalid(
                f"{spec.id}: {name} cannot hold line breaks or more than {_LONGEST} bytes in a container"
            )
        else:
            passed[name] = value
    path = spec.state / "environment"
    path.touch(mode=0o600)
    path.write_bytes(os.fsencode("".join(lines)))
    words = ["--http-proxy=false", f"--env-file={path}"]
    return [*words, *(f"--env={name}" for name in passed)], passed
