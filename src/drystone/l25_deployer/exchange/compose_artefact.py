"""What runs in a service of Compose: an image, or what its Dockerfile says when that is little."""

from __future__ import annotations

import re
from collections.abc import Mapping

from drystone.l00_kernel.yaml_text import tree
from drystone.l00_kernel.yaml_text.problems import quoted
from drystone.l25_deployer.exchange.compose_values import put_in
from drystone.l25_deployer.exchange.dockerfile import Built, built
from drystone.l25_deployer.exchange.drafting import Files, Making
from drystone.l25_deployer.exchange.interpolation import Interpolated
from drystone.l25_deployer.exchange.walk import Walk

IMAGE = re.compile(
    r"(?:[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?(?::[0-9]{1,5})?/)?[a-z0-9]+(?:[._/-]{1,2}[a-z0-9]+)*"
    r"(?::[A-Za-z0-9_][A-Za-z0-9._-]{0,127})?(?:@sha256:[0-9a-f]{64})?"
)
_BUILD = dict.fromkeys(
    (
        "args",
        "cache_from",
        "cache_to",
        "labels",
        "network",
        "platforms",
        "tags",
        "shm_size",
        "ssh",
        "secrets",
        "no_cache",
        "pull",
    ),
    ("the platform does not run Dockerfiles", "give it to who builds the image"),
)


class Artefact:
    """Looks for what runs.

    Args:
        walk: What the file says of the service.
        making: Its descriptor.
        known: Values of variables of the file.
        files: What lies beside the file.
    """

    def __init__(self, walk: Walk, making: Making, known: Mapping[str, str], files: Files) -> None:
        self._walk = walk
        self._remarks = walk.remarks
        self._making = making
        self._known = known
        self._files = files

    def find(self) -> Built | None:
        """Find what runs: an image, or what its Dockerfile says."""
        walk, image = self._walk, put_in(self._walk, "image", self._known)
        node = walk.node("build")
        folder, found = (".", None) if node is None else self._build(node)
        if found is not None:
            self._taken(found, folder)
            return found
        self._image(image, folder, is_built=node is not None)
        return None

    def _build(self, node: tree.Node) -> tuple[str, Built | None]:
        """Look at what is built: its folder, and what its Dockerfile says if that is little."""
        path = (*self._walk.path, "build")
        build = Walk(node if isinstance(node, tree.Mapping) else None, path, self._remarks)
        context = build.text("context") or (node.text if isinstance(node, tree.Scalar) else "")
        folder = folder_of(Interpolated(context or ".", self._known).text)
        target, inline = build.text("target"), build.text("dockerfile_inline")
        dockerfile = folder_of(build.text("dockerfile") or "Dockerfile")
        text = (
            inline.encode()
            if inline
            else self._files(f"{folder}/{dockerfile}")
            if folder and dockerfile
            else None
        )
        build.rest("a build of Compose", _BUILD)
        if not folder:
            what = f"{quoted(context)} is outside of the file's folder"
            self._walk.lost("build", what, "import from a folder above")
        return folder or ".", built(text.decode("utf-8", "replace"), target) if text else None

    def _taken(self, found: Built, folder: str) -> None:
        walk, path = self._walk, (*self._walk.path, "build")
        if found.static is not None:
            where = found.static if folder == "." else f"{folder}/{found.static}".removesuffix("/.")
            self._making.put({"dir": where}, "static")
            return
        process = {**(found.process or {})}
        if folder != ".":
            process["dir"] = folder
        self._making.put(process, "process")
        self._remarks.guess(
            walk.place("build"),
            path,
            "the Dockerfile says no more than a process of the platform does; it runs without an image",
        )
        for line, text in found.left:
            self._remarks.lost(
                walk.place("build"),
                path,
                f"line {line} of the Dockerfile, {quoted(text)}, is left out",
                "look whether it is needed",
            )

    def _image(self, image: str, folder: str, *, is_built: bool) -> None:
        walk = self._walk
        if is_built and not image:
            self._making.put(f"localhost/{self._making.service}:${{version}}", "image")
            where = f"podman build -t localhost/{self._making.service}:VERSION {folder}"
            self._remarks.todo(
                walk.place("build"),
                (*walk.path, "build"),
                "the platform does not run Dockerfiles",
                f"build it before each deploy: {where}",
            )
        elif IMAGE.fullmatch(image):
            self._making.put(image, "image")
            if is_built:
                self._remarks.todo(
                    walk.place("build"),
                    (*walk.path, "build"),
                    "the platform does not run Dockerfiles",
                    f"build {image} before each deploy",
                )
        else:
            self._making.put(f"localhost/{self._making.service}:${{version}}", "image")
            self._remarks.todo(
                walk.place("image"),
                (*walk.path, "image"),
                f"{quoted(image)} names no image",
                "name one",
            )


def folder_of(text: str) -> str:
    """Return a path inside of the source's folder, without dots; empty when it is outside."""
    parts: list[str] = []
    if text.startswith(("/", "~")) or "://" in text or "\\" in text or "\0" in text:
        return ""
    for part in text.split("/"):
        if part == "..":
            if not parts:
                return ""
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts) or "."
