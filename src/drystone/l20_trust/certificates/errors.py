"""What can be wrong with certificates."""

from __future__ import annotations

from drystone.l00_kernel.errors import Invalid, NotFound, Unavailable


class IssuedUnreadable(Unavailable):
    """The file that says which certificates were issued is damaged."""


class CertificateUnfit(Invalid):
    """A certificate or its key cannot be shown for this host."""


class NoCertificate(NotFound):
    """There is no such certificate."""
