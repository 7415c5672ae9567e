"""What the sandbox refuses."""

from __future__ import annotations

from drystone.l00_kernel.errors import Conflict, Invalid, NotFound, PlatformError


class NothingToRun(NotFound):
    """No service is described there."""


class DescribedTwice(Conflict):
    """Two files describe the same service."""


class WishUnfit(Invalid):
    """A dependency cannot be served that way."""


class NotServed(Invalid):
    """A hard dependency is not served by anything."""


class DocumentUnfit(Invalid):
    """The document cannot be stood in for."""


class SandboxFileUnfit(Invalid):
    """The file sandbox.yaml has mistakes."""


class NoSandbox(NotFound):
    """There is no sandbox for these services."""


class NotASandbox(Conflict):
    """The home is that of a platform, and not of a sandbox."""


class EventUnknown(NotFound):
    """Nobody in the workspace publishes or wants this type of event."""


class SandboxIncomplete(PlatformError):
    """Some services of the sandbox did not come up."""
