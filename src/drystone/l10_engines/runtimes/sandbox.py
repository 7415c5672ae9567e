"""What every sandbox of bubblewrap shows and hides (bwrap(1))."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from drystone.l10_engines.runtimes.errors import SpecInvalid

if TYPE_CHECKING:
    from collections.abc import Iterable

_ROOT_FOLDERS = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
_PUBLIC_ETC = [
    "alternatives",
    "ca-certificates",
    "crypto-policies",
    "fonts",
    "gai.conf",
    "group",
    "host.conf",
    "hosts",
    "java-*-openjdk/*.cfg",
    "java-*-openjdk/*.properties",
    "java-*-openjdk/security",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "localtime",
    "mime.types",
    "nsswitch.conf",
    "passwd",
    "pki",
    "protocols",
    "resolv.conf",
    "services",
    "ssl",
    "timezone",
]
# Linux lets uid 0 write these without any capability: core_pattern alone would be a way out.
_KERNEL_SETTINGS = ("sys", "sysrq-trigger", "irq", "bus", "fs", "acpi", "scsi", "mtrr")
# What it lets uid 0 read without any capability: memory, keys and addresses of the whole machine.
_KERNEL_SECRETS = (
    *("kallsyms", "kcore", "key-users", "keys", "kmsg", "kpagecgroup", "kpagecount", "kpageflags"),
    *("latency_stats", "sched_debug", "slabinfo", "timer_list", "vmallocinfo"),
)


class View(msgspec.Struct, frozen=True):
    """What a command in a sandbox sees beside the system, everything at its own path.

    Attributes:
        directory: Where it begins.
        temporary: Its ``/tmp``.
        writable: Folders that it may change.
        readable: Files and folders that it may read.
        hidden: The folder of which it sees nothing else.
    """

    directory: Path
    temporary: Path
    writable: tuple[Path, ...]
    readable: tuple[Path, ...]
    hidden: Path

    def options(self, needed: Iterable[Path]) -> list[str]:
        """Return the options for this view.

        Args:
            needed: More that is to be readable; a writable folder among it stays writable.
        """
        words = ["--bind", str(self.temporary), "/tmp"]  # noqa: S108 - the sandbox's own
        for path in (*needed, *self.readable):
            words += ["--ro-bind", str(path), str(path)]
        for path in self.writable:
            words += ["--bind", str(path), str(path)]
        return [*words, "--chdir", str(self.directory)]


def options() -> list[str]:
    """Return the options that every sandbox has."""
    words = ["--unshare-ipc", "--unshare-uts", "--unshare-pid", "--unshare-cgroup-try"]
    if os.geteuid() == 0:
        words += ["--cap-drop", "ALL"]
    words += ["--ro-bind", "/usr", "/usr"]
    for name in _ROOT_FOLDERS:
        folder = Path("/", name)
        if folder.is_symlink():
            words += ["--symlink", str(folder.readlink()), str(folder)]
        elif folder.is_dir():
            words += ["--ro-bind", str(folder), str(folder)]
    for pattern in _PUBLIC_ETC:
        for path in Path("/etc").glob(pattern):
            words += ["--ro-bind-try", str(path), str(path)]
    words += ["--proc", "/proc"]
    for name in _KERNEL_SETTINGS:
        words += ["--ro-bind-try", f"/proc/{name}", f"/proc/{name}"]
    for name in _KERNEL_SECRETS:
        if Path("/proc", name).exists():
            words += [
                "--ro-bind",
                "/dev/null",
                f"/proc/{name}",
            ]  # a device where none may be opened
    return [*words, "--dev", "/dev", "--tmpfs", "/tmp", "--tmpfs", "/run"]  # noqa: S108


def require_hidden(hidden: Path, shown: Iterable[Path], *, to: str) -> None:
    """Refuse to show a folder in which the platform's own files lie.

    Args:
        hidden: What a sandbox must not see.
        shown: What it is to see.
        to: Names the sandbox in the message.

    Raises:
        SpecInvalid: It would see it.
    """
    for path in shown:
        if hidden.is_relative_to(path) or hidden.resolve().is_relative_to(path.resolve()):
            raise SpecInvalid(
                f"{to}: showing {path} to it would show the platform's own files; "
                "run it from a folder that does not contain them"
            )
