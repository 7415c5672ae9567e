from __future__ import annotations

import sys

import pytest

from drystone.l10_engines.runtimes import proc_table
from drystone.l10_engines.runtimes.port import Instance
from drystone.l10_engines.runtimes.processes import Processes
from drystone.testing.conformance.runtimes import Bench, RuntimeConformance

VARIABLES = frozenset(
    {"PATH", "HOME", "LANG", "PWD", "DRYSTONE_INSTANCE", "DRYSTONE_HOME_LABEL", "DRYSTONE_RUNTIME"}
)


def guard_of(instance: Instance) -> list[int]:
    main = proc_table.row(instance.pid)
    assert main is not None
    return [main.session]


class TestProcesses(RuntimeConformance):
    @pytest.fixture
    def bench(self) -> Bench:
        return Bench(
            factory=Processes, python=sys.executable, watchers=guard_of, own_variables=VARIABLES
        )
