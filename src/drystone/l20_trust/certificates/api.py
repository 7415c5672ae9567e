"""What certificates for services promise.

The platform issues them by an authority of its own. Whoever trusts that trusts this platform with every name; for a host that
strangers visit, a person provides a certificate of an authority that they trust.
"""

from __future__ import annotations

import abc
from datetime import datetime
from typing import ClassVar, Literal, TypeAlias

import msgspec
from typing_extensions import override

from drystone.l00_kernel.contract import Api, Context, call
from drystone.l00_kernel.shortage import DiskFull
from drystone.l20_trust.certificates import errors

Use: TypeAlias = Literal["server", "client", "both"]
State: TypeAlias = Literal["valid", "replaced", "ended"]

EDGE = "edge"
"""The owner of those that the edge shows."""


class Issued(msgspec.Struct, frozen=True):
    """One certificate that the platform's authority issued.

    Attributes:
        serial: Its number, in hexadecimal.
        owner: Whose it is: ``<environment>/<service>``, or ``edge``.
        name: What of the owner's it is for: a resource, or a host.
        hosts: What it is for.
        use: What it may be shown as.
        since: When it was issued.
        until: When it ends.
        state: ``replaced`` when another has taken its place, ``ended`` when nobody has it any more.
    """

    serial: str
    owner: str
    name: str
    hosts: tuple[str, ...]
    use: Use
    since: datetime
    until: datetime
    state: State = "valid"


class ProvidedView(msgspec.Struct, frozen=True):
    """A certificate that a person provided for a host.

    Attributes:
        host: For which the edge shows it.
        serial: Its number, in hexadecimal.
        until: When it ends.
        is_shown: Whether it is still valid; otherwise the edge shows one of the platform's authority.
    """

    host: str
    serial: str
    until: datetime
    is_shown: bool


class ProvidedSaid(msgspec.Struct, frozen=True):
    """A certificate and its key.

    Attributes:
        certificate: PEM; those of authorities in between behind it.
        key: PEM, without a password.
    """

    certificate: str
    key: str

    @override
    def __repr__(self) -> str:
        return "ProvidedSaid(…)"


class CertificatesApi(Api):
    """Certificates for services and for the edge."""

    name: ClassVar[str] = "certificates"
    errors = (
        errors.CertificateUnfit,
        errors.NoCertificate,
        errors.IssuedUnreadable,
        DiskFull,
    )

    @call("GET", "/v1/certificates")
    @abc.abstractmethod
    async def issued(self, ctx: Context) -> list[Issued]:
        """List the certificates that the platform's authority issued, the newest last; those that ended go after a month."""

    @call("GET", "/v1/certificates/authority")
    @abc.abstractmethod
    async def authority(self, ctx: Context) -> str:
        """Return the certificate of the authority, as PEM; it is made if there is none yet."""

    @call("POST", "/v1/certificates/{serial}/replace")
    @abc.abstractmethod
    async def replace(self, ctx: Context, *, serial: str) -> Issued:
        """Put a new certificate with a new key in the place of one; returns when it is shown.

        Raises:
            NoCertificate: None that is valid has this number.
        """

    @call("GET", "/v1/certificates/provided")
    @abc.abstractmethod
    async def provided(self, ctx: Context) -> list[ProvidedView]:
        """List the certificates that people provided, by host."""

    @call("PUT", "/v1/certificates/provided/{host}")
    @abc.abstractmethod
    async def provide(self, ctx: Context, *, host: str, said: ProvidedSaid) -> ProvidedView:
        """Show a certificate for a host from now on, in the place of one of the platform's.

        Raises:
            CertificateUnfit: It is not for this host, has ended, or its key is another one's.
        """

    @call("DELETE", "/v1/certificates/provided/{host}")
    @abc.abstractmethod
    async def withdraw(self, ctx: Context, *, host: str) -> None:
        """Show a certificate that was provided no more, but one of the platform's.

        Raises:
            CertificateUnfit: It is no host.
        """
