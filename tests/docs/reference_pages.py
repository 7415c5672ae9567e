"""The pages of reference that are made from the code."""

from __future__ import annotations

import importlib
import inspect
import json
import pkgutil
import re
import textwrap
import types
import typing
from collections.abc import Iterator
from enum import StrEnum
from typing import Any

import msgspec

import drystone
from drystone.l00_kernel.contract import Api, openapi
from drystone.l00_kernel.contract.declaration import Call, calls_of
from drystone.l00_kernel.errors import PlatformError
from drystone.l00_kernel.fault_points import VARIABLE, FaultPoint, declared, of_agent
from drystone.l00_kernel.home import Home
from drystone.l00_kernel.settings import PREFIX, Settings
from drystone.l05_graph.forms import endpoints, evidence
from drystone.l05_graph.ingest import envoy_access_log
from drystone.l05_graph.ingest.endpoints import Known
from drystone.l05_graph.ingest.packed import MOST_TIMES
from drystone.l05_graph.ingest.reading import LARGEST_DOCUMENT, LONGEST_LINE
from drystone.l05_graph.ingest.sources import OBSERVED
from drystone.l05_graph.ingest.strangers import MOST_NETWORKS, MOST_OF_NETWORK
from drystone.l05_graph.ingest.tally import MOST_CELLS, MOST_PAIRS
from drystone.l20_trust.keys.api import KeysApi
from drystone.l20_trust.keys.peers.api import PeersApi
from drystone.l25_deployer.api import AcceptedRisk, DependencyFinding, DeployerApi, PathStep
from drystone.l25_deployer.jobs.api import JobsApi
from drystone.l25_deployer.operations.api import OperationsApi
from drystone.l35_mesh.limits.api import HeldApi, LimitsApi
from drystone.l35_mesh.observed.api import ObservedApi
from drystone.l50_orchestrator.access.api import AccessApi
from drystone.l50_orchestrator.audit.api import AuditApi
from drystone.l50_orchestrator.configuration.api import ConfigurationApi
from drystone.l50_orchestrator.drift.api import DriftApi
from drystone.l50_orchestrator.guardrails.api import GuardrailsApi
from drystone.l50_orchestrator.operating.api import (
    EnteringApi,
    JobbingApi,
    KeepingApi,
    OperatingApi,
    WatchingApi,
)
from drystone.l50_orchestrator.registry.api import RegistryApi
from drystone.l50_orchestrator.releases.api import ReleasesApi
from drystone.l50_orchestrator.running.api import OrchestratorApi
from drystone.l50_orchestrator.sources.api import SourcesApi
from drystone.l50_orchestrator.targets.api import TargetApi
from drystone.l80_governance.costs.api import CostsApi
from faults.step_scenarios import reached

MADE = "<!-- Made from the code: pytest tests/docs --update -->"


def settings_page(nowhere: Home) -> str:
    """Write the page of settings.

    Args:
        nowhere: A home without settings, to read the defaults from.
    """
    lines = [
        "# Settings",
        "",
        MADE,
        "",
        "What the owner of a home decided: `settings.toml` in the home, overridden by variables of the environment in which",
        "`drystone up` runs. Mistakes are refused at the start, all of them at once. `--port` and `--runtime` of",
        "[`drystone up`](cli.md#drystone-up) write into the file. Changes hold from the next start of the platform.",
        "",
        "```toml",
        "port = 8400",
        'runtime = "bubblewrap"',
        "",
        "[postgres]",
        'memory = "512MiB"',
        "```",
        "",
        "| setting | variable | value | default | meaning |",
        "|---|---|---|---|---|",
    ]
    defaults = {one.name: one.value for one in Settings.load(nowhere, {}).explain()}
    for name, kind, meaning in _settings(Settings):
        variable = PREFIX + name.replace(".", "_").upper()
        default = f"`{defaults[name]}`" if defaults[name] else ""
        lines.append(f"| `{name}` | `{variable}` | {kind} | {default} | {meaning} |")
    lines += [
        "",
        "A size is a number of bytes, or has a unit: `512MiB`, `2GiB`; units are powers of 1024, and 16 MiB is the least.",
        "PostgreSQL and the object store may use 256 MiB if nothing is set. `proxy.memory` and `cache.memory` are read and not acted",
        "on yet: the proxy may use 256 MiB, and a cache what its descriptor says. Passwords in values appear in no output.",
        "",
        "The command line reads `DRYSTONE_HOME` for the home, and `NO_COLOR`.",
        "",
    ]
    return "\n".join(lines)


def _settings(struct: type[msgspec.Struct], before: str = "") -> Iterator[tuple[str, str, str]]:
    meanings = attributes(struct)
    for field in msgspec.structs.fields(struct):
        if isinstance(field.type, type) and issubclass(field.type, msgspec.Struct):
            yield from _settings(field.type, f"{before}{field.name}.")
        elif field.name != "sources":
            yield before + field.name, _kind(before + field.name, field.type), meanings[field.name]


def _kind(name: str, declared: Any) -> str:
    info = msgspec.inspect.type_info(declared)
    if isinstance(info, msgspec.inspect.LiteralType):
        return ", ".join(f"`{value}`" for value in info.values)
    if name.endswith(".memory"):
        return "size"
    if name.endswith("_file"):
        return "absolute path"
    if name.endswith((".url", ".endpoint", ".issuer")):
        return "URL"
    if isinstance(info, msgspec.inspect.IntType):
        return "port" if name == "port" else "number"
    return "name"


def attributes(documented: type) -> dict[str, str]:
    """Read the section ``Attributes`` of a docstring: name and meaning of each."""
    section = (inspect.getdoc(documented) or "").partition("Attributes:\n")[2]
    found: dict[str, str] = {}
    for match in re.finditer(r"^    (\w+): (.*(?:\n {6,}.*)*)", section, re.MULTILINE):
        found[match[1]] = _code(" ".join(match[2].split())).replace("when None", "when not set")
    return found


def errors_page() -> str:
    """Write the page of errors."""
    lines = [
        "# Errors",
        "",
        MADE,
        "",
        "Every refusal and failure has a class with a stable code. Over the API and with `--json` it is a problem document",
        "([RFC 9457](https://www.rfc-editor.org/rfc/rfc9457)) whose `type` is the code and whose `detail` is the message: what happened,",
        "to which, and what to do next. On the command line the message stands on standard error, after `error:`.",
        "",
        "A caller may repeat a call that failed with a class below `Unavailable`, since a dependency is down; the others say the same",
        "again. A class that a program does not know is to be read as the one above it.",
        "",
        "| code | status | below | meaning |",
        "|---|---|---|---|",
    ]
    for error in sorted(errors(), key=lambda error: error.code()):
        above = error.__mro__[1]
        over = f"`{above.code()}`" if issubclass(above, PlatformError) else ""
        meaning = (inspect.getdoc(error) or "").partition("\n")[0]
        lines.append(f"| `{error.code()}` | {error.status.value} | {over} | {_code(meaning)} |")
    return "\n".join([*lines, ""])


def errors() -> set[type[PlatformError]]:
    """Find every error class of the platform; what is only for tests is left out."""
    for module in pkgutil.walk_packages(drystone.__path__, "drystone."):
        if "testing" not in module.name and not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    found, waiting = set[type[PlatformError]](), [PlatformError]
    while waiting:
        error = waiting.pop()
        waiting.extend(error.__subclasses__())
        if error.__module__.startswith("drystone.l"):
            found.add(error)
    return found


APIS: dict[str, type[Api]] = {
    "deployer": DeployerApi,
    "operations": OperationsApi,
    "watching": WatchingApi,
    "operating": OperatingApi,
    "keeping": KeepingApi,
    "jobs": JobsApi,
    "jobbing": JobbingApi,
    "entering": EnteringApi,
    "costs": CostsApi,
    "keys": KeysApi,
    "peers": PeersApi,
    "orchestrator": OrchestratorApi,
    "limits": LimitsApi,
    "held-limits": HeldApi,
    "observed": ObservedApi,
    "releases": ReleasesApi,
    "drift": DriftApi,
    "sources": SourcesApi,
    "target": TargetApi,
    "registry": RegistryApi,
    "access": AccessApi,
    "audit": AuditApi,
    "guardrails": GuardrailsApi,
    "configuration": ConfigurationApi,
}
"""What the agent, the limiter and the orchestrator serve, by the name of its OpenAPI document."""


def openapi_text(name: str) -> str:
    """Write the OpenAPI document of one of the APIs."""
    document = openapi(APIS[name], title=f"Drystone {name}", version=drystone.__version__)
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def api_page() -> str:
    """Write the page of the API."""
    lines = [
        "# API",
        "",
        MADE,
        "",
        "What the command line does goes through an HTTP API, on the unix socket `run/agent.sock` of a home, which its owner alone may",
        "open. (Where the home's path is too long for a socket, `sockets` in the home leads to the folder that holds it.)",
        "[deployer.openapi.json](deployer.openapi.json), [keys.openapi.json](keys.openapi.json),",
        "[peers.openapi.json](peers.openapi.json), [orchestrator.openapi.json](orchestrator.openapi.json),",
        "[held-limits.openapi.json](held-limits.openapi.json) and [observed.openapi.json](observed.openapi.json) describe it in full.",
        "The [orchestrator](../how-to/orchestrator.md) answers on `run/orchestrator.sock`: [releases](releases.openapi.json),",
        "[registry](registry.openapi.json), [access](access.openapi.json), [audit](audit.openapi.json),",
        "[guardrails](guardrails.openapi.json), [configuration](configuration.openapi.json), [watching](watching.openapi.json),",
        "[operating](operating.openapi.json), [keeping](keeping.openapi.json) and, there alone, [entering](entering.openapi.json). [From afar](../how-to/deploy-from-afar.md)",
        "it answers at a host of its own, there with [sources](sources.openapi.json) and [target](target.openapi.json).",
        "",
        "Results are JSON. A stream is NDJSON, one object per line; blank lines are signs of life, and a line",
        '`{"application/problem+json": {…}}` ends a stream that failed. A failure is a [problem document](errors.md). `Drystone-Timeout`',
        "(seconds) bounds a call, `Drystone-Request-Id` names it in the log, and a POST with an `Idempotency-Key` happens once",
        "however often it is sent.",
        "",
        "In Python the same is a typed client:",
        "",
        "```python",
        "from pathlib import Path",
        "",
        "from drystone.l00_kernel.contract import ANONYMOUS, Context, connect",
        "from drystone.l00_kernel.home import Home",
        "from drystone.l25_deployer.api import DeployerApi",
        "",
        "",
        "async def names(home: Path) -> list[str]:",
        "    async with connect(DeployerApi, uds=Home.open(home).agent_socket) as deployer:",
        "        page = await deployer.services(Context(ANONYMOUS))",
        "    return [summary.service for summary in page.items]",
        "```",
        "",
        "| call | answer | what it does |",
        "|---|---|---|",
    ]
    lines += [
        f"| `{call.verb} {call.path}` | {_answer(call)} | {_code(_first_line(call))} |"
        for api in APIS.values()
        for call in calls_of(api)
    ]
    lines += [
        "",
        "## Findings about dependencies",
        "",
        "What `drystone validate`, `plan` and `deploy` find about dependencies stands under `findings`: of a `validate` and a `plan` in the",
        "one document, of a `deploy` in the object with which the step `check` ends or fails.",
        "",
        "| field | meaning |",
        "|---|---|",
    ]
    for documented, within in (
        (DependencyFinding, ""),
        (PathStep, "path[]."),
        (AcceptedRisk, "accepted."),
    ):
        lines += [
            f"| `{within}{name}` | {meaning} |" for name, meaning in attributes(documented).items()
        ]
    return "\n".join([*lines, ""])


def _answer(call: Call) -> str:
    shown = _type(call.returns)
    return f"stream of {shown}" if call.streams else shown


def _type(hint: Any) -> str:
    if hint is str:
        return "text"
    if hint in (None, type(None)):
        return "nothing"
    inner = [_type(one) for one in typing.get_args(hint)]
    if isinstance(hint, types.UnionType):
        return " or ".join(inner)
    return f"{hint.__name__} of {', '.join(inner)}" if inner else str(hint.__name__)


def _first_line(call: Call) -> str:
    return call.doc.strip().partition("\n")[0]


def fault_points_page() -> str:
    """Write the page of fault points."""
    lines = [
        "# Fault points",
        "",
        MADE,
        "",
        "Named places at which a test may kill the agent, or take away the disk's room. Nothing happens there unless the agent was started",
        f"with `{VARIABLE}`; [how to use it](../how-to/fault-tests.md#a-fault-at-a-known-step).",
        "",
        "At these places the agent is killed, in each of the operations named unless another leaves the same behind, and its successor has",
        "to bring everything to a whole state: `pytest -m slow tests/faults/test_every_step.py`. What may `fail` comes before something is",
        "written.",
        "",
        "| name | what is true there | may fail | reached by |",
        "|---|---|---|---|",
    ]
    by = reached()
    for point in fault_points():
        operations = ", ".join(
            name for name, places in by.items() if point.name in places.operation
        )
        may_fail = "yes" if point.writes else ""
        lines.append(f"| `{point.name}` | {_code(point.meaning)} | {may_fail} | {operations} |")
    lines += [
        "",
        "## Of workflows",
        "",
        "Whoever carries out [workflows](../how-to/durable-workflows.md) may be killed at these:",
        "`pytest tests/l10_engines/workflows/test_deaths.py`.",
        "",
        "| name | what is true there |",
        "|---|---|",
    ]
    importlib.import_module("drystone.l10_engines.workflows.places")
    lines += [
        f"| `{point.name}` | {_code(point.meaning)} |"
        for point in declared()
        if point.name.startswith("workflow.")
    ]
    return "\n".join([*lines, ""])


def fault_points() -> list[FaultPoint]:
    """Return every fault point of the agent; what only tests declare is left out."""
    importlib.import_module("drystone.l90_assembly.life")
    return of_agent()


def observed_page() -> str:
    """Write the page of sources of observations."""
    lines = [
        "# Sources of observations",
        "",
        MADE,
        "",
        "`drystone deps ingest SOURCE FILES --evidence FILE` reads what traffic left and adds it to the evidence",
        "([how to use it](../how-to/observe-dependencies.md)). What is the same for all:",
        "",
        "- Text is UTF-8, with or without a byte order mark, plain or packed with gzip; files are read piece by piece, however large they are.",
        "  UTF-16, zstd and the like are refused by name.",
        "- What cannot be used is counted by reason, with the first places. A line that was cut at the end is told as such.",
        f"- A line has at most {LONGEST_LINE >> 20} MiB, a document that has to be read as a whole {LARGEST_DOCUMENT >> 20} MiB. A packed file may"
        f" unpack to {MOST_TIMES} times its size.",
        f"- Of one file at most {MOST_PAIRS:,} pairs of components are kept, in buckets of a minute. When there are more than"
        f" {MOST_CELLS:,} buckets, they become wider, up to a day.",
        f"- What the inventory of endpoints does not know becomes an `external:` component. More than {MOST_OF_NETWORK} unknown addresses of"
        f" one network (/24, or /64 of IPv6) become that network; of more than {MOST_NETWORKS:,} networks all become `external:internet`.",
        "",
        "| source | what it is | files | shows what is called calling in turn |",
        "|---|---|---|---|",
    ]
    for one in OBSERVED:
        files = ", ".join(f"`{name}`" for name in one.files)
        both = "yes" if one.shows_both_ends else ""
        lines.append(f"| [`{one.name}`](#{one.name}) | {one.title} | {files} | {both} |")
    for one in OBSERVED:
        lines += ["", f"## {one.name}", "", f"Format: <{one.format}>", ""]
        lines += [_prose(inspect.getdoc(inspect.getmodule(one.read)) or "")]
        if one.name == envoy_access_log.NAME:
            lines += ["", "| what | keys of a JSON line |", "|---|---|"]
            for what, keys in envoy_access_log.KEYS.items():
                lines.append(f"| {what} | {', '.join(f'`{key}`' for key in keys)} |")
    lines += ["", "## The inventory of endpoints", "", _prose(inspect.getdoc(endpoints) or "")]
    lines += ["", "| known by | meaning |", "|---|---|"]
    lines += [f"| `{known}` | {_code(meaning)} |" for known, meaning in _meanings(Known).items()]
    lines += ["", "## Evidence", "", _prose(inspect.getdoc(evidence) or "")]
    return "\n".join([*lines, ""])


def _prose(doc: str) -> str:
    """Turn a docstring into Markdown: its roles become code, its blocks fenced ones."""
    text = re.sub(r":\w+:`~?(?:[\w.]*\.)?(\w+)`", r"`\1`", doc).replace("``", "`")
    return re.sub(
        r"\.\. code-block:: \w+\n\n((?:    .*\n|\n)+)",
        lambda found: f"```text\n{textwrap.dedent(found[1]).strip()}\n```\n\n",
        f"{text}\n",
    ).strip()


def _meanings(words: type[StrEnum]) -> dict[str, str]:
    """Read what stands below each member of an enumeration."""
    source = inspect.getsource(words)
    found = re.findall(r'^    \w+ = "([\w-]+)"\n    """(.+?)"""', source, re.MULTILINE | re.DOTALL)
    return {name: " ".join(meaning.split()) for name, meaning in found}


def _code(text: str) -> str:
    """Turn the marks of docstrings into those of Markdown."""
    return text.replace("``", "`").replace("|", "\\|")
