"""``drystone certificates``: those that the platform issued, its authority, and those that people provide for the edge."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from drystone.l85_surfaces.cli.errors import FileUnreadable
from drystone.l85_surfaces.cli.options import NOTHING_SAID, Shared
from drystone.l85_surfaces.cli.parameters import Parameter
from drystone.l85_surfaces.cli.reach import certificates, context
from drystone.l85_surfaces.cli.terminal import Terminal
from drystone.l85_surfaces.cli.views import certificates as views

MOST = 64 << 10
"""Bytes of a file with certificates or a key."""

Host = Annotated[str, Parameter(help="Name at which the edge answers, such as shop.example.com.")]


async def list_certificates(*, shared: Shared = NOTHING_SAID) -> None:
    """List the certificates that the platform issued to services and for the edge, with their numbers and ends."""
    out = Terminal(json=shared.json)
    async with certificates(shared.folder) as api:
        found = await api.issued(context())
    out.document(found)
    if found:
        out.lines(views.issued(found, paint=out.paint))
    else:
        out.line("no certificate was issued yet")


async def authority(*, shared: Shared = NOTHING_SAID) -> None:
    """Print the certificate of the platform's authority, so that a client can trust it.

    Who trusts it trusts this platform with every name: hand it to programs of your own, and not to strangers.
    """
    out = Terminal(json=shared.json)
    async with certificates(shared.folder) as api:
        found = await api.authority(context())
    out.document({"authority": found})
    out.line(found.rstrip("\n"))


async def replace(
    serial: Annotated[
        str, Parameter(help="Number of the certificate; `drystone certificates list` shows it.")
    ],
    /,
    *,
    shared: Shared = NOTHING_SAID,
) -> None:
    """Put a new certificate with a new key in the place of one, at once: for a key that somebody may have seen.

    Clients trust the old one until it ends, since nobody asks for lists of revoked certificates; whoever has the old key can
    pretend to be this service until then.
    """
    out = Terminal(json=shared.json)
    async with certificates(shared.folder) as api:
        new = await api.replace(context(), serial=serial)
    out.document(new)
    out.line(f"{new.name} of {new.owner} has the certificate {new.serial}")


async def provide(
    host: Host,
    /,
    *,
    certificate: Annotated[
        str,
        Parameter(
            name=("--certificate",),
            metavar="FILE",
            help="PEM file: the certificate, and behind it those of the authorities in between.",
        ),
    ],
    key: Annotated[
        str,
        Parameter(
            name=("--key",), metavar="FILE", help="PEM file with its key, without a password."
        ),
    ],
    shared: Shared = NOTHING_SAID,
) -> None:
    """Show a certificate of one's own for a host, in the place of one of the platform's; no connection ends for it.

    When it has ended and no other one was provided, the edge shows one of the platform's again.
    """
    from drystone.l20_trust.certificates.api import ProvidedSaid  # noqa: PLC0415 - when it is used

    said = ProvidedSaid(_content(Path(certificate)), _content(Path(key)))
    out = Terminal(json=shared.json)
    async with certificates(shared.folder) as api:
        view = await api.provide(context(), host=host, said=said)
    out.document(view)
    out.lines(views.provided([view], paint=out.paint))


async def provided(*, shared: Shared = NOTHING_SAID) -> None:
    """List the certificates that people provided, by host."""
    out = Terminal(json=shared.json)
    async with certificates(shared.folder) as api:
        found = await api.provided(context())
    out.document(found)
    if found:
        out.lines(views.provided(found, paint=out.paint))
    else:
        out.line("nobody provided a certificate")


async def withdraw(host: Host, /, *, shared: Shared = NOTHING_SAID) -> None:
    """Show a certificate that was provided no more, but one of the platform's."""
    out = Terminal(json=shared.json)
    async with certificates(shared.folder) as api:
        known = {one.host for one in await api.provided(context())}
        await api.withdraw(context(), host=host)
    out.document({"host": host, "withdrawn": host.lower() in known})
    if host.lower() in known:
        out.line(f"{host} is shown with a certificate of the platform's authority")
    else:
        out.line(f"no certificate was provided for {host}")


def _content(path: Path) -> str:
    """Read a file of PEM.

    Raises:
        FileUnreadable: It cannot be read, or is too large.
    """
    try:
        with path.open("rb") as file:
            found = file.read(MOST + 1)
    except OSError as e:
        raise FileUnreadable(f"{path} cannot be read: {e.strerror}") from e
    if len(found) > MOST:
        raise FileUnreadable(f"{path} is too large for a certificate: {MOST >> 10} KiB at most")
    return found.decode("ascii", "replace")
