"""A contract for import-linter: each third party is imported only in the packages whose job it is to know it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from importlinter import Contract, ContractCheck, fields, output
from typing_extensions import override

if TYPE_CHECKING:
    from grimp import ImportGraph


class ThirdParties(Contract):
    """Holds every import of a package that is neither ours nor Python's own against a list.

    Options:
        places: One line for each third party, ``name: package package``; a package stands for what is in
            it. A third party without a line may be imported nowhere.
    """

    type_name = "third_parties"

    places = fields.ListField(subfield=fields.StringField())

    @override
    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        allowed = dict(map(_read, self.places))  # type: ignore[call-overload]
        ours = {str(name).partition(".")[0] for name in self.session_options["root_packages"]}
        foreign = {
            module
            for module in graph.modules
            if graph.is_module_squashed(module) or module.partition(".")[0] not in ours
        }
        strays = [
            (importer, module)
            for module in sorted(foreign)
            if module.partition(".")[0] not in sys.stdlib_module_names
            for importer in sorted(graph.find_modules_that_directly_import(module))
            if not _is_in(importer, allowed.get(module.partition(".")[0], []))
        ]
        return ContractCheck(kept=not strays, metadata={"strays": strays})

    @override
    def render_broken_contract(self, check: ContractCheck) -> None:
        for importer, module in check.metadata["strays"]:
            output.print_error(f"{importer} imports {module}, which is not known there", bold=False)


def _read(line: str) -> tuple[str, list[str]]:
    name, _, packages = line.partition(":")
    return name.strip(), packages.split()


def _is_in(module: str, packages: list[Any]) -> bool:
    return any(module == package or module.startswith(f"{package}.") for package in packages)
