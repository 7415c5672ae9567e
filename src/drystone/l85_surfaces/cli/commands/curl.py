"""``drystone curl``."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Annotated, NamedTuple
from urllib.parse import urlsplit

import msgspec

from drystone.l85_surfaces.cli import signed_in
from drystone.l85_surfaces.cli.errors import CurlMissing, Misuse
from drystone.l85_surfaces.cli.options import NOTHING_SAID, Environment, Shared
from drystone.l85_surfaces.cli.parameters import Parameter
from drystone.l85_surfaces.cli.reach import context, environment_of, service_keys, settings_of
from drystone.l85_surfaces.cli.terminal import Terminal

_NAME = r"[a-z][a-z0-9-]{0,39}"
_SERVICE = re.compile(rf"({_NAME})((?:[/?].*)?)", re.DOTALL)
_AT_EDGE = re.compile(rf"({_NAME})\.({_NAME})\.localhost")
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


class Aim(NamedTuple):
    """What is called.

    Attributes:
        url: Its address.
        audience: How the callee calls itself; empty where the address does not say.
        edge: Host and port to be found on this machine; empty for an address of somebody else.
    """

    url: str
    audience: str = ""
    edge: str = ""


class Answered(msgspec.Struct, frozen=True):
    """What curl did, for machines.

    Attributes:
        exit_code: That of curl.
        output: Its standard output.
        complaint: Its standard error.
    """

    exit_code: int
    output: str
    complaint: str


async def curl(
    target: Annotated[str, Parameter(help="SERVICE/PATH, or a URL.")],
    /,
    *options: Annotated[str, Parameter(passed_on=True, help="Options of curl, after `--`.")],
    caller: Annotated[
        str | None,
        Parameter(
            name=("--as",),
            metavar="SERVICE",
            help="Who calls: a service of the same environment, or <environment>/<service>.",
        ),
    ] = None,
    me: Annotated[
        bool, Parameter(name=("--me",), help="You call: whoever is signed in by `drystone login`.")
    ] = False,
    audience: Annotated[
        str | None,
        Parameter(
            name=("--audience", "-a"),
            help="How the callee calls itself, where the URL is none of this platform.",
        ),
    ] = None,
    env: Environment = None,
    shared: Shared = NOTHING_SAID,
) -> int:
    """Call a service with curl, as another service.

    Who owns the home may call as any of its services: the history of the service tells that a token was made, for whom and
    by whom. The token lives for a minute and stands on no command line. With --me it is yours. Without either the call goes
    without a token, as anybody's. What curl writes passes through, and its exit code becomes the exit code here.
    """
    out = Terminal(json=shared.json)
    environment = environment_of(env, shared.folder)
    program = shutil.which("curl")
    if program is None:
        raise CurlMissing(
            "curl is not installed; try: apt install curl. Without it, `drystone token` makes a token for any client"
        )
    aim = aim_at(target, environment, settings_of(shared.folder).port)
    token = ""
    if me and caller is not None:
        raise Misuse("--me and --as name two who call; give one of them")
    if me:
        token = await signed_in.token(shared.folder, _audience(aim, audience))
    if caller is not None:
        token = await _token_of(caller, _audience(aim, audience), environment, shared.folder)
    config = config_of(aim, token)
    answered = await asyncio.to_thread(
        _run, program, ["--url", aim.url, *options], config, captured=shared.json
    )
    out.document(answered)
    return 128 - answered.exit_code if answered.exit_code < 0 else answered.exit_code


def aim_at(target: str, environment: str, port: int) -> Aim:
    """Return what is called.

    Args:
        target: ``SERVICE/PATH``, or a URL.
        environment: Where the service is.
        port: Of the edge.

    Raises:
        Misuse: It is neither.
    """
    if "://" in target:
        return _aim_at_url(target)
    found = _SERVICE.fullmatch(target)
    if found is None or re.search(r"[\s\x00-\x1f\x7f]", target):
        raise Misuse(f"'{target}' is neither SERVICE/PATH nor a URL; blanks are written as %20")
    service, rest = found.groups()
    host = f"{service}.{environment}.localhost"
    if not _AT_EDGE.fullmatch(host):
        raise Misuse(f"'{environment}' is no name of an environment")
    path = rest if rest.startswith("/") else f"/{rest}"
    return Aim(f"http://{host}:{port}{path}", f"{environment}/{service}", f"{host}:{port}")


def _aim_at_url(url: str) -> Aim:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError as e:
        raise Misuse(f"'{url}' is no URL: {e}") from e
    if parts.scheme not in {"http", "https"} or not host:
        raise Misuse(f"'{url}' is no URL that curl could call: it begins with http:// or https://")
    if found := _AT_EDGE.fullmatch(host):
        service, environment = found.groups()
        place = f"{host}:{port or (443 if parts.scheme == 'https' else 80)}"
        return Aim(url, f"{environment}/{service}", place)
    return Aim(url)


def _audience(aim: Aim, said: str | None) -> str:
    """Return for whom the token is.

    Raises:
        Misuse: Nobody says it, or the token would be seen on its way.
    """
    audience = said or aim.audience
    if not audience:
        raise Misuse(f"{aim.url} does not tell how the callee calls itself; say it by --audience")
    parts = urlsplit(aim.url)
    if parts.scheme == "http" and not aim.edge and parts.hostname not in _LOOPBACK:
        raise Misuse(
            f"a token would go to {parts.hostname} unencrypted, for everybody on the way to read; call it by https://"
        )
    return audience


async def _token_of(caller: str, audience: str, environment: str, folder: Path) -> str:
    where, _, service = caller.rpartition("/")
    if not service:
        raise Misuse("--as is empty; name a service")
    async with service_keys(folder) as api:
        made = await api.token(
            context(),
            environment=where or environment,
            service=service,
            audience=audience if "/" in audience else f"{environment}/{audience}",
        )
    return made.token


def config_of(aim: Aim, token: str) -> str:
    """Return what curl reads beside its command line, where everybody on this machine would see it (curl(1), ``--config``)."""
    lines = [f'header = "Authorization: Bearer {token}"'] if token else []
    if aim.edge:  # found here whatever a name server says, and without a proxy on the way
        lines += [f'resolve = "{aim.edge}:127.0.0.1"', 'noproxy = "*"']
    return "".join(f"{line}\n" for line in lines)


def _run(program: str, words: list[str], config: str, *, captured: bool) -> Answered:
    """Run curl with a configuration that comes through a pipe.

    What belongs to our URL comes first, so that it ends with a ``--next`` of the user's.
    """
    reading, writing = os.pipe()
    try:
        with os.fdopen(writing, "wb") as pipe:  # it is far smaller than what a pipe holds
            pipe.write(config.encode())
        done = subprocess.run(  # noqa: S603 - no shell reads it
            [program, "--config", f"/dev/fd/{reading}", *words],
            pass_fds=[reading],
            capture_output=captured,
            check=False,
        )
    finally:
        os.close(reading)
    words = [(part or b"").decode(errors="replace") for part in (done.stdout, done.stderr)]
    return Answered(done.returncode, *words)
