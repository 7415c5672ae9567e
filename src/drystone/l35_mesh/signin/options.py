"""What the settings of a home say of the sign-in."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from drystone.l00_kernel.errors import Invalid
from drystone.l00_kernel.ownership import require_safe_file
from drystone.l35_mesh.signin.app import Options
from drystone.l35_mesh.signin.builds import read_trusted
from drystone.l35_mesh.signin.records import folder_of
from drystone.l35_mesh.signin.relying import ProviderSettings
from drystone.l35_mesh.signin.words import address_of

if TYPE_CHECKING:
    from pathlib import Path

    from drystone.l00_kernel.home import Home
    from drystone.l00_kernel.settings import Settings
    from drystone.l00_kernel.settings_tables import SigninSettings


def options_of(home: Home, settings: Settings) -> Options:
    """Return how the sign-in of a home works.

    Raises:
        Invalid: A file that the settings name cannot be read, or has mistakes.
        OthersCanWrite: Others may write one.
    """
    chosen = settings.signin
    if chosen.trusted_builds_file is not None and chosen.trusted_builds_file.exists():
        require_safe_file(chosen.trusted_builds_file)
    return Options(
        folder=folder_of(home),
        address=address_of(settings),
        provider=_provider(chosen),
        lifetime=timedelta(hours=chosen.session_hours),
        trusted=read_trusted(chosen.trusted_builds_file),
        staff_group=chosen.staff_group or "",
    )


def _provider(chosen: SigninSettings) -> ProviderSettings | None:
    if chosen.issuer is None:
        return None
    return ProviderSettings(
        issuer=chosen.issuer,
        client_id=chosen.client_id,
        client_secret=_secret(chosen.client_secret_file) if chosen.client_secret_file else "",
        user_claim=chosen.user_claim,
        groups_claim=chosen.groups_claim,
        staff_group=chosen.staff_group or "",
    )


def _secret(path: Path) -> str:
    try:
        require_safe_file(path)
        return path.read_text("utf-8").strip()
    except OSError as e:
        raise Invalid(f"signin.client_secret_file: {path} cannot be read: {e.strerror}") from e
