"""Policies for tests."""

from __future__ import annotations

from drystone.l10_engines.policies.reading import Module


def policy(name: str, body: str, more: str = "") -> Module:
    """A policy that finds ``t`` when a body holds; the body begins in line 6."""
    indented = "\n".join(f"    {line}" for line in body.splitlines())
    text = f'package drystone.{name.replace("-", "_")}\n\nimport rego.v1\n\ndeny contains {{"text": "t"}} if {{\n{indented}\n}}\n'
    return Module(name, text + (f"\n{more}\n" if more else ""))
