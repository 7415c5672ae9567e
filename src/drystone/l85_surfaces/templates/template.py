"""Templates: what they ask, and the files that they give."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from drystone.l00_kernel.yaml_text.problems import nearest, quoted, render
from drystone.l00_kernel.yaml_text.reader import read_document
from drystone.l00_kernel.yaml_text.subject import Subject
from drystone.l00_kernel.yaml_text.tree import plain
from drystone.l85_surfaces.templates.errors import (
    AnswerRefused,
    NameRefused,
    TemplateMistaken,
    TemplateNotFound,
)

KINDS = Path(__file__).parent / "kinds"
"""The templates of the platform."""

MANIFEST = "template.yaml"
SUFFIX = ".template"
"""Ends the names of files in a template that tools would otherwise take for what they will be."""

NAME = re.compile(r"[a-z](?:[a-z0-9-]{0,38}[a-z0-9])?")
MOST_FILES = 500
MOST_BYTES = 1024 * 1024
"""Of all files of a template together."""

_ANSWER = re.compile(r"[^\"\\<>&`$@]{0,200}")
_PLACE = re.compile(r"@@([a-z_]+)@@")
_MANIFEST = Subject(
    name="manifest",
    begin="start with 'version: 1' and 'title: …'",
    too_large="a manifest holds the questions alone",
    most_bytes=64 * 1024,
    most_values=1000,
)


class Question(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Something that a template has to be told.

    Attributes:
        ask: The question.
        default: The answer where none is given.
    """

    ask: str
    default: str


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a template says of itself.

    Attributes:
        version: Goes up when what it gives changes.
        title: What it is for, in a few words.
        questions: What it asks, by name; ``name`` is always known.
        extends: Another template of the platform, whose files are there unless this one has its own.
    """

    version: int
    title: str
    questions: dict[str, Question] = {}
    extends: str = ""


class Template:
    """One template.

    Args:
        kind: How it is called: a name of the platform's, or the path of a folder.
        folder: Where it is.
        manifest: What it says of itself.
        base: The template that it extends.
    """

    def __init__(
        self, kind: str, folder: Path, manifest: Manifest, base: Template | None = None
    ) -> None:
        self.kind = kind
        self.manifest = manifest
        self._folder = folder
        self._base = base

    @property
    def version(self) -> int:
        """Which version of the template this is; a change of what it extends counts as well."""
        return self.manifest.version + (self._base.version if self._base else 0)

    @property
    def questions(self) -> Mapping[str, Question]:
        """What it asks."""
        return {**(self._base.questions if self._base else {}), **self.manifest.questions}

    def files(self) -> dict[str, str]:
        """Return the texts of the template by path, as they stand in it.

        Raises:
            TemplateMistaken: One is no text, or they are too many or too large.
        """
        found = self._base.files() if self._base else {}
        size = 0
        for path in _walk(self._folder):
            name = path.relative_to(self._folder).as_posix().removesuffix(SUFFIX)
            content = path.read_bytes()
            size += len(content)
            if size > MOST_BYTES or len(found) >= MOST_FILES:
                raise TemplateMistaken(
                    f"the template {self.kind} has more than {MOST_FILES} files or {MOST_BYTES >> 20} MiB; "
                    "a template holds texts to begin with"
                )
            try:
                found[name] = content.decode()
            except UnicodeDecodeError as e:
                raise TemplateMistaken(
                    f"{name} of the template {self.kind} is no text; leave it out"
                ) from e
        return found

    def rendered(self, name: str, answers: Mapping[str, str]) -> dict[str, str]:
        """Return the files of a project.

        Args:
            name: The service's.
            answers: By question; those that are missing are the defaults.

        Raises:
            NameRefused: No service can have the name.
            AnswerRefused: An answer is to no question, or cannot be put into files.
            TemplateMistaken: A file has a place for something that nobody asks.
        """
        values = {**self.answered(answers), "name": service_name(name)}

        def value(match: re.Match[str]) -> str:
            try:
                return values[match[1]]
            except KeyError:
                raise TemplateMistaken(
                    f"the template {self.kind} has a place for '{match[1]}', which it does not ask"
                ) from None

        return {path: _PLACE.sub(value, text) for path, text in sorted(self.files().items())}

    def answered(self, answers: Mapping[str, str]) -> dict[str, str]:
        """Return an answer to each question.

        Raises:
            AnswerRefused: An answer is to no question, or cannot be put into files.
        """
        for key, text in answers.items():
            if key not in self.questions:
                near = nearest(key, self.questions)
                asked = ", ".join(self.questions) or "nothing"
                raise AnswerRefused(
                    f"the template {self.kind} does not ask for {quoted(key)}; "
                    + (f"did you mean '{near}'?" if near else f"it asks for {asked}")
                )
            if not _ANSWER.fullmatch(text) or not text.isprintable():
                raise AnswerRefused(
                    f"the answer to '{key}' must be one line of at most 200 characters without "
                    f'any of " \\ < > & ` $ @: {quoted(text)}'
                )
        return {key: answers.get(key, question.default) for key, question in self.questions.items()}


def service_name(name: str) -> str:
    """Return a name that a service can have.

    Raises:
        NameRefused: It cannot.
    """
    if not NAME.fullmatch(name):
        raise NameRefused(
            f"{quoted(name)} is no name of a service; use a-z, 0-9 and -, starting with a letter, at most 40 characters"
        )
    return name


def kinds() -> list[Template]:
    """Return the templates of the platform, by name."""
    return [template(folder.name) for folder in sorted(KINDS.iterdir()) if folder.is_dir()]


def template(kind: str) -> Template:
    """Find a template: by its name, or a folder by a path with a slash in it.

    Raises:
        TemplateNotFound: There is none.
        TemplateMistaken: Its manifest has mistakes.
    """
    is_path = "/" in kind
    folder = Path(kind) if is_path else KINDS / kind
    if not is_path and not NAME.fullmatch(kind):
        raise TemplateNotFound(f"there is no template {quoted(kind)}; see drystone new --list")
    if not (folder / MANIFEST).is_file():
        known = [one.name for one in sorted(KINDS.iterdir()) if one.is_dir()]
        near = None if is_path else nearest(kind, known)
        advice = f"did you mean '{near}'?" if near else f"there are: {', '.join(known)}"
        what = f"the folder {kind} holds no {MANIFEST}" if is_path else f"there is no '{kind}'"
        raise TemplateNotFound(f"{what}; {advice}, or the path of a folder with a {MANIFEST}")
    manifest = _manifest(folder / MANIFEST)
    base = template(manifest.extends) if manifest.extends and manifest.extends != kind else None
    return Template(kind, folder, manifest, base)


def _manifest(file: Path) -> Manifest:
    content = file.read_bytes()
    document = read_document(content, str(file), _MANIFEST)
    if document.root is None or document.problems:
        shown = "\n\n".join(render(one, document.text) for one in document.problems)
        raise TemplateMistaken(f"the manifest {file} has mistakes\n\n{shown}")
    try:
        return msgspec.convert(plain(document.root), Manifest)
    except msgspec.ValidationError as e:
        raise TemplateMistaken(f"the manifest {file}: {e}") from e


def _walk(folder: Path) -> Iterator[Path]:
    """List the files of a template; what a link leads to belongs to somebody else.

    Raises:
        TemplateMistaken: There is a link.
    """
    for path in sorted(folder.rglob("*")):
        if path.is_symlink():
            raise TemplateMistaken(f"{path} is a link; a template holds files alone")
        if path.is_file() and path != folder / MANIFEST and "__pycache__" not in path.parts:
            yield path
