"""Variables of a service of Compose: addresses become references, secrets names, ports the one that the platform gives."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from drystone.l00_kernel.yaml_text.problems import quoted
from drystone.l00_kernel.yaml_text.tree import Span
from drystone.l25_deployer.exchange.drafting import Making, escaped, is_secret, variable
from drystone.l25_deployer.exchange.interpolation import MARK
from drystone.l25_deployer.exchange.rewiring import Target, rewired
from drystone.l25_deployer.exchange.walk import Walk

_NAME = re.compile(r"[A-Z_][A-Z0-9_]{0,127}")
_REFERENCE = re.compile(r"\$\{resources\.([a-z0-9-]+)\.([a-z_]+)\}")
_REQUIRED = re.compile(rf"{MARK}(\w+){MARK}")


class Variables:
    """Puts variables into a descriptor.

    Args:
        walk: What the file says of the service.
        making: Its descriptor.
        targets: Where names of hosts lead.
        port: The port of a process in the source; 0 for what listens where it does.
        given: Names of variables that the platform gives.

    Attributes:
        named: Hosts that variables name.
    """

    def __init__(
        self,
        walk: Walk,
        making: Making,
        targets: Mapping[str, Target],
        *,
        port: int,
        given: Sequence[str],
    ) -> None:
        self._walk = walk
        self._making = making
        self._targets = targets
        self._port = port
        self._given = frozenset(given)
        self.named: set[str] = set()

    def put(self, name: str, value: str, span: Span | None) -> None:
        """Put one in, or tell why it is not."""
        span, path = span or self._walk.span, (*self._walk.path, "environment", name)
        remarks = self._walk.remarks
        if not _NAME.fullmatch(name):
            what = f"{quoted(name)} is no name of a variable here (A-Z, 0-9 and _)"
            remarks.lost(span, path, what, "put it into the image")
            return
        found = rewired(name, value, self._targets)
        self.named |= set(found.used)
        if name in self._given or self._is_given(name, found.text):
            remarks.guess(span, path, "the platform gives it by itself", "nothing")
            return
        if found.used:
            hosts = ", ".join(map(quoted, found.used))
            what = f"it is taken to name {hosts}, whose address is put in"
            remarks.guess(span, path, what)
            text = found.text
        elif self._port and value == str(self._port) and name.endswith("PORT"):
            remarks.guess(span, path, "it becomes the port that the platform gives")
            if name == "PORT":
                return
            text = "${port}"
        elif is_secret(name, value) or _REQUIRED.fullmatch(value):
            text = self._making.add_secret(name)
            what = "it looks like a secret, whose value is not imported"
            remarks.todo(span, path, what, "set it where the platform keeps secrets")
        else:
            text = escaped(value)
        for required in _REQUIRED.findall(text):
            what = f"nobody knows the variable {required}; it is empty"
            remarks.todo(span, path, what, "write the value")
        self._making.put(_REQUIRED.sub("", text), "env", name)

    def _is_given(self, name: str, text: str) -> bool:
        match = _REFERENCE.fullmatch(text)
        return bool(match) and name == variable(f"{match[1]}_{match[2]}").upper()  # type: ignore[index]
