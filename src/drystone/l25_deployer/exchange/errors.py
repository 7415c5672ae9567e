"""What coming and going refuses."""

from __future__ import annotations

from drystone.l00_kernel.errors import Invalid


class ImportRefused(Invalid):
    """The file cannot be imported."""


class ExportRefused(Invalid):
    """The service cannot be exported."""
