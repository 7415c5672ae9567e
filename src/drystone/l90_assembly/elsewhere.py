"""Engines that somebody else runs, as the settings name them."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from drystone.l00_kernel.errors import PlatformError
from drystone.l00_kernel.ownership import require_safe_file

if TYPE_CHECKING:
    from drystone.l00_kernel.settings import Settings
    from drystone.l00_kernel.settings_tables import ObjectsSettings


def engines_elsewhere(settings: Settings) -> list[str]:
    """Name the engines that somebody else runs."""
    given = {
        "postgres": settings.postgres.url,
        "objects": settings.objects.endpoint,
        "cache": settings.cache.url,
    }
    return [name for name, address in given.items() if address]


def objects_url(settings: ObjectsSettings) -> str:
    """Put the endpoint and the keys, which lie in files, into one URL.

    Raises:
        PlatformError: A file cannot be read, or others may write it.
    """
    scheme, _, rest = (settings.endpoint or "").partition("://")
    files = [path for path in (settings.access_key_file, settings.secret_key_file) if path]
    for path in files:
        require_safe_file(path)
    try:
        keys = [quote(path.read_text().strip(), safe="") for path in files]
    except OSError as e:
        raise PlatformError(
            f"the key file {e.filename} of the object store cannot be read: {e.strerror}"
        ) from e
    return f"{scheme}://{':'.join(keys)}@{rest}"
