"""What can go wrong only for those who come over a network."""

from __future__ import annotations

from drystone.l00_kernel.errors import TooMany


class TooManyWrongTokens(TooMany):
    """Too many wrong tokens come from this address; correct the token and try again in a minute."""
