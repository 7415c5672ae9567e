"""What making and updating projects refuses."""

from __future__ import annotations

from drystone.l00_kernel.errors import Conflict, Invalid, NotFound


class TemplateNotFound(NotFound):
    """There is no such template."""


class TemplateMistaken(Invalid):
    """The template cannot be used as it is."""


class NameRefused(Invalid):
    """No service can have this name."""


class AnswerRefused(Invalid):
    """An answer cannot be put into files."""


class FolderTaken(Conflict):
    """The folder is not empty."""


class FolderUnusable(Invalid):
    """The folder cannot be made or written."""


class NotFromTemplate(NotFound):
    """The folder remembers no template."""


class MergeOpen(Conflict):
    """An earlier merge is not finished."""
