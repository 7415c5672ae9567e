"""The file ``sandbox.yaml`` of a workspace: what is served otherwise than by the rule.

::

    dependencies:
      billing: {mock: apis/billing.yaml, delay: 50ms, errors: 5%}
      search: {proxy: "http://127.0.0.1:9000"}
      mail: absent
"""

from __future__ import annotations

import re
from pathlib import Path

from drystone.l00_kernel.yaml_text.problems import render
from drystone.l00_kernel.yaml_text.reader import read_document
from drystone.l00_kernel.yaml_text.subject import Subject
from drystone.l00_kernel.yaml_text.tree import plain
from drystone.l85_surfaces.sandbox.choices import WAYS, Wish, address
from drystone.l85_surfaces.sandbox.errors import SandboxFileUnfit, WishUnfit
from drystone.l85_surfaces.sandbox.mocking.answering import seconds

NAME = "sandbox.yaml"
_SUBJECT = Subject(
    name="sandbox file",
    begin="dependencies: {}",
    too_large="say less",
    most_bytes=1 << 20,
    most_values=10_000,
)
_PERCENT = re.compile(r"(\d{1,3}(?:\.\d{1,3})?)%")


def wishes(base: Path) -> dict[str, Wish]:
    """Read the file of a workspace; nothing is wished where there is none.

    Raises:
        SandboxFileUnfit: It has mistakes; the message says all of them.
    """
    file = base / NAME
    try:
        text = file.read_text("utf-8")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as e:
        raise SandboxFileUnfit(f"{file} cannot be read: {e}") from e
    read = read_document(text, str(file), _SUBJECT)
    mistakes = [render(problem, read.text) for problem in read.problems]
    said = plain(read.root) if read.root is not None else {}
    found: dict[str, Wish] = {}
    if isinstance(said, dict):
        mistakes += [
            f"{file}: unknown key {key!r}; there is dependencies"
            for key in said
            if key != "dependencies"
        ]
        each = said.get("dependencies", {})
        if not isinstance(each, dict):
            mistakes.append(
                f"{file}: dependencies must be a mapping from service to how it is served"
            )
            each = {}
        for name, one in each.items():
            try:
                found[name] = _wish(name, one)
            except (ValueError, WishUnfit) as e:
                mistakes.append(f"{file}: dependencies.{name}: {e}")
    if mistakes:
        raise SandboxFileUnfit("\n".join(mistakes), file=str(file))
    return found


def _wish(name: str, said: object) -> Wish:
    """Read how one service is to be served.

    Raises:
        ValueError: It cannot be read; the message says why.
        WishUnfit: It has no proper address.
    """
    if said == "real":
        return Wish("real")
    if said == "absent":
        return Wish("absent")
    if said == "mock":
        return Wish("mock")
    if not isinstance(said, dict) or not said.keys() & {"mock", "proxy"}:
        raise ValueError(f"say real, absent, mock, {{mock: FILE}} or {{proxy: URL}} ({WAYS})")
    if other := said.keys() - {"mock", "proxy", "delay", "errors"}:
        raise ValueError(f"unknown key {min(other)!r}; there are mock, proxy, delay and errors")
    if "proxy" in said:
        if len(said) > 1:
            raise ValueError("beside proxy, nothing else can be said")
        return Wish("proxy", address(str(said["proxy"]), name))
    delay = seconds(str(said.get("delay", "0s")))
    if delay is None:
        raise ValueError(f"delay: {said['delay']!r} is no duration such as 300ms or 2s")
    share = _PERCENT.fullmatch(str(said.get("errors", "0%")))
    if share is None or float(share[1]) > 100:
        raise ValueError(f"errors: {said['errors']!r} is no share such as 5%")
    return Wish("mock", str(said["mock"] or ""), delay, float(share[1]) / 100)
