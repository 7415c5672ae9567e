"""Dockerfiles that say no more than a process of the platform does: Python with its requirements, Node.js, files that are served."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from drystone.l25_deployer.exchange.drafting import escaped

_NAMES = re.compile(r"(?:.*/)?(python|node|nginx)(?::.*)?", re.IGNORECASE)
_USUAL = {
    "tiangolo/uvicorn-gunicorn-fastapi": (
        ["uvicorn", "app.main:app", "--host", "0.0.0.0", "--port", "${port}"],  # noqa: S104 - as the image does
        80,
    )
}
"""Images of Python that bring a command, with what it amounts to and its port."""
_INSTALLS = re.compile(
    r"(?:python3? -m )?pip3? install (?P<words>[^&|;<>`$]+)|uv pip install (?:--system )?(?P<uv>[^&|;<>`$]+)"
)
_HARMLESS = ("LABEL", "MAINTAINER", "STOPSIGNAL", "USER", "HEALTHCHECK", "ARG", "VOLUME", "SHELL")
_OF_IMAGES = (
    "PATH",
    "VIRTUAL_ENV",
    "PYTHONPATH",
    "LANG",
    "PYTHONUNBUFFERED",
    "PYTHONDONTWRITEBYTECODE",
)
"""Variables that say where things are in an image."""
_SHOWN = "/usr/share/nginx/html"


class Built(msgspec.Struct, frozen=True):
    """What a Dockerfile makes, as a descriptor says it.

    Attributes:
        process: The key ``process`` without ``dir``; None for files that are served.
        static: The folder of the files; None for a process.
        env: Variables that it sets.
        port: On which it says that it listens.
        left: Lines that were left out, with their numbers.
    """

    process: dict[str, Any] | None
    static: str | None = None
    env: dict[str, str] = {}
    port: int = 0
    left: tuple[tuple[int, str], ...] = ()


def built(text: str, target: str = "") -> Built | None:
    """Read a Dockerfile.

    Args:
        text: Its text.
        target: The stage that is meant; the last one when empty.

    Returns:
        What it makes; None when it does more than is known here.
    """
    reading = _Reading(target)
    for line, word, rest in _instructions(text):
        if not reading.take(line, word, rest):
            return None
        if reading.is_over:
            break
    return reading.whole()


class _Reading:
    """What a Dockerfile has said so far."""

    def __init__(self, target: str) -> None:
        self._target = target
        self._base = self._stage = ""
        self._copies: list[list[str]] = []
        self._setup: list[str] = []
        self._env: dict[str, str] = {}
        self._entry: list[str] = []
        self._command: list[str] = []
        self._port = 0
        self._left: list[tuple[int, str]] = []
        self.is_over = False

    def take(self, line: int, word: str, rest: str) -> bool:
        """Take an instruction; False when it cannot be understood."""
        match word:
            case "FROM":
                return self._from(rest)
            case "COPY":
                self._copies.append([one for one in rest.split() if not one.startswith("--")])
            case "RUN":
                return self._run(line, rest)
            case "ENV":
                self._env.update(
                    (name, value) for name, value in _variables(rest) if name not in _OF_IMAGES
                )
            case "CMD":
                self._command = _words(rest)
            case "ENTRYPOINT":
                self._entry = _words(rest)
            case "EXPOSE":
                found = re.match(r"\d+", rest)
                self._port = self._port or int(found[0]) if found else self._port
            case "WORKDIR":
                pass
            case _ if word in _HARMLESS:
                self._left.append((line, f"{word} {rest}"))
            case _:
                return False
        return True

    def _from(self, rest: str) -> bool:
        if self._base:
            self.is_over = bool(self._target) and self._stage == self._target
            return self.is_over
        parts = [one for one in rest.split() if not one.startswith("--")]
        self._base = parts[0] if parts else ""
        self._stage = parts[2] if len(parts) == 3 and parts[1].lower() == "as" else ""
        return bool(self._base)

    def _run(self, line: int, rest: str) -> bool:
        setup = _set_up(rest)
        if setup is not None and not self._setup:
            self._setup = setup
            return True
        if setup is not None or "<<" in rest:
            return False
        self._left.append((line, f"RUN {rest}"))
        return True

    def whole(self) -> Built | None:
        """Return what it makes."""
        usual = _USUAL.get(self._base.partition(":")[0])
        matched = _NAMES.fullmatch(self._base)
        language = matched[1].lower() if matched else "python" if usual else ""
        left = tuple(self._left)
        if language == "nginx":
            shown = [one for one in self._copies if one[1:] and one[1].rstrip("/") == _SHOWN]
            if len(shown) != 1 or len(shown[0]) != 2 or self._setup:
                return None
            return Built(None, static=shown[0][0].strip("/") or ".", port=80, left=left)
        said = [escaped(one) for one in (*self._entry, *self._command)]
        words = said or (list(usual[0]) if usual else [])
        if (
            not language
            or not words
            or (self._setup[:1] == ["npm"]) != (language == "node" and bool(self._setup))
        ):
            return None
        process: dict[str, Any] = {"command": words}
        if language == "python":
            process["runtime"] = "python"
            words[0] = "python" if words[0] == "python3" else words[0]
        if self._setup:
            process["setup"] = self._setup
        port = self._port or (usual[1] if usual else 0)
        return Built(process, env=self._env, port=port, left=left)


def _instructions(text: str) -> Iterator[tuple[int, str, str]]:
    """Return the instructions with their lines, continued lines joined."""
    whole, first = "", 0
    for number, line in enumerate(text.splitlines()[:5000], 1):
        if line.lstrip().startswith("#") or (not line.strip() and not whole):
            continue
        first = first or number
        whole += line.strip()
        if whole.endswith("\\"):
            whole = f"{whole[:-1]} "
            continue
        word, _, rest = whole.partition(" ")
        yield first, word.upper(), rest.strip()
        whole, first = "", 0


def _set_up(rest: str) -> list[str] | None:
    """Return the set-up that a RUN is; None when it is another command."""
    ran = re.sub(r"^(?:--\S+\s+)+", "", rest).strip()
    if re.fullmatch(r"npm (?:ci|install)(?: --\S+)*", ran):
        return ran.split()
    installs = _INSTALLS.fullmatch(ran)
    if installs is None:
        return None
    packages = _packages(installs["words"] or installs["uv"])
    if not packages or packages == ["pip"]:
        return None
    return ["uv", "pip", "install", *_packages(installs["words"] or installs["uv"])]


def _packages(words: str) -> list[str]:
    """Return what is installed; options that only concern pip's own cache have no use here."""
    dropped = {"--no-cache-dir", "--upgrade", "--no-cache", "--quiet", "-q", "-U"}
    return [one for one in words.split() if one not in dropped]


def _variables(rest: str) -> Iterator[tuple[str, str]]:
    try:
        parts = shlex.split(rest)
    except ValueError:
        return
    if parts and "=" not in parts[0]:
        yield parts[0], " ".join(parts[1:])
        return
    for part in parts:
        name, _, value = part.partition("=")
        yield name, value


def _words(rest: str) -> list[str]:
    if rest.startswith("["):
        try:
            found = json.loads(rest)
        except ValueError:
            found = None
        if isinstance(found, list) and all(isinstance(one, str) for one in found):
            return list(found)
    return in_words(rest)


def in_words(text: str) -> list[str]:
    """Divide a command as a shell would; what needs a shell gets one."""
    if re.search(r"[|&;<>$`*?()~]", text):
        return ["sh", "-c", text]
    try:
        return shlex.split(text)
    except ValueError:
        return ["sh", "-c", text]


def dockerfile(
    *, base: str, dir_: str, setup: Sequence[str], command: Sequence[str], env: dict[str, str]
) -> str:
    """Write a Dockerfile that :func:`built` reads as the same.

    Args:
        base: The image to begin with.
        dir_: Folder of the program, from where the image is built.
        setup: Command that runs once.
        command: Program and arguments.
        env: Variables.
    """
    lines = [f"FROM {base}", "WORKDIR /app"]
    if setup and setup[0] == "uv":
        # The image has no uv; what it is asked here pip understands as well.
        setup = ["pip", "install", "--no-cache-dir", *setup[3:]]
    lines.append(f"COPY {dir_} /app")
    if setup:
        lines.append(f"RUN {shlex.join(setup)}")
    lines += [f"ENV {name}={shlex.quote(value)}" for name, value in env.items()]
    lines.append(f"CMD {json.dumps(list(command), ensure_ascii=False)}")
    return "\n".join(lines) + "\n"
