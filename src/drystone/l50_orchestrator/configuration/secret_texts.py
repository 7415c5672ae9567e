"""Finds secrets in files before anybody reads, sends or shows them.

A repository remembers everything and is read by many, so a secret in it is given away. What is found here is what has the form of
a secret, or is called one: no search finds all of them.
"""

from __future__ import annotations

import re

from drystone.l00_kernel.yaml_text.problems import LINE_BREAK, Problem

_HELP = (
    "remove it, and give out a new one, since this one was written down: deploy tokens are made by the platform and shown once,"
    " secrets of services stand in their secret store; where only a name sounds like one, write what it holds as a mapping"
)

_NAMED = re.compile(
    r"""(?:^|[\s{,"'-])[\w.-]*(?:password|passwd|passphrase|secret|token|credential|api[_-]?key|private[_-]?key)["']?"""
    r"""\s*:\s+(?P<value>(?![{\[&*#])\S.*)""",
    re.IGNORECASE,
)
_FORMED = re.compile(
    r"(?P<value>-----BEGIN [A-Z ]*PRIVATE KEY-----"
    r"|\bdry_[A-Za-z0-9_-]{16,}"
    r"|\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"
    r"|\bgh[pousr]_[A-Za-z0-9]{30,}"
    r"|\bglpat-[A-Za-z0-9_-]{16,}"
    r"|\bxox[abprs]-[A-Za-z0-9-]{10,}"
    r"|\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]*"
    r"|\$(?:2[aby]|5|6|argon2id?|scrypt)\$[^\s\"']{20,}"
    r"|://[^\s/:@\"']+:[^\s/@\"']+@)"
)
_LONGEST_LINE = 10_000


def secrets_in(text: str, file: str) -> tuple[list[Problem], str]:
    """Find secrets.

    Args:
        text: What may hold some.
        file: What to call it in messages.

    Returns:
        A problem for each line that has one, which quotes nothing of it; and the text without them, to be shown.
    """
    problems = []
    lines = LINE_BREAK.split(text)
    for number, line in enumerate(lines):
        found = _FORMED.search(line[:_LONGEST_LINE]) or _NAMED.search(line[:_LONGEST_LINE])
        if found is None:
            continue
        start = found.start("value")
        message = "this looks like a secret; no secret may stand in a file"
        problems.append(Problem(number + 1, start + 1, start + 2, message, _HELP, file))
        lines[number] = f"{line[:start]}…"
    return problems, "\n".join(lines) if problems else text
