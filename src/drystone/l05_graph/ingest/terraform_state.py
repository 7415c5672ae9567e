"""Terraform state, version 4: ``terraform.tfstate``, or what ``terraform state pull`` prints.

A component is a resource as the configuration names it: the state itself records dependencies between resources, not between
the instances that ``count`` and ``for_each`` make of them. Terraform makes and changes a resource only when those it depends
on are there, so all dependencies are hard, at deploy time.

The state holds secrets. Attributes, outputs and whatever else is not listed in this module are passed over while the text is
read; nothing of them reaches the memory of the program.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from drystone.l00_kernel.yaml_text.problems import visible
from drystone.l05_graph.ingest.gathering import Gathering
from drystone.l05_graph.ingest.resource_types import kind_of, risk_of
from drystone.l05_graph.ingest.source import Declared, DeclaredSource, File, Unreadable
from drystone.l05_graph.model import Component
from drystone.l05_graph.words import Kind, Phase, Strength

MOST_BYTES = 256 * 1024 * 1024
MOST_KEYS = 10
"""So many index keys are told of a resource."""
_INDEX = re.compile(r"\[(?:\d+|\"(?:[^\"\\]|\\.)*\")\]")


class _Instance(msgspec.Struct, gc=False):
    index_key: int | str | None = None
    dependencies: list[str] = []


class _Resource(msgspec.Struct, gc=False):
    mode: str
    type: str
    name: str
    module: str = ""
    instances: list[_Instance] = []

    @property
    def address(self) -> str:
        """Return it as the configuration names it: ``module.network.data.aws_ami.base``."""
        data = "data." if self.mode == "data" else ""
        own = f"{data}{self.type}.{self.name}"
        return f"{without_indexes(self.module)}.{own}" if self.module else own


class _State(msgspec.Struct):
    version: int
    resources: list[_Resource] = []


def read(files: Sequence[File]) -> Declared:
    """Read states.

    Raises:
        Unreadable: A file is no state of version 4, or holds no resource.
    """
    gathering = Gathering("Terraform state")
    for file in files:
        resources = _state(file).resources
        for resource in resources:
            _component(resource, file, gathering)
        for resource in resources:
            _dependencies(resource, file, gathering)
    return gathering.declared("resource of a Terraform state")


def without_indexes(address: str) -> str:
    """Return an address of the configuration: ``module.a["x"].b.c[0]`` is ``module.a.b.c``."""
    return _INDEX.sub("", address)


def _state(file: File) -> _State:
    if len(file.content) > MOST_BYTES:
        raise Unreadable(
            f"{file.name}: the state has {len(file.content):,} bytes; at most {MOST_BYTES:,} are read"
        )
    try:
        state = msgspec.json.decode(file.content.removeprefix(b"\xef\xbb\xbf"), type=_State)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        # What does not fit is told by its path alone, since it may be a secret.
        raise Unreadable(f"{file.name}: this is no Terraform state: {error}") from None
    except RecursionError:
        raise Unreadable(f"{file.name}: values are nested too deeply for a state") from None
    if state.version != 4:
        raise Unreadable(
            f"{file.name}: the state is of version {state.version}; only version 4 (Terraform 0.12"
            " and later) is read"
        )
    return state


def _component(resource: _Resource, file: File, gathering: Gathering) -> None:
    address = resource.address
    place = visible(f"{file.name} {address}")
    if resource.mode not in ("managed", "data"):
        gathering.skips.add("a resource is neither managed nor data", place)
        return
    if gathering.has(address):
        # Instances of a module with count or for_each are entries of their own with one address.
        if not resource.module:
            gathering.note(f"{address} is there again", file.name)
        return
    kind = Kind.EXTERNAL if resource.mode == "data" else kind_of(resource.type)
    gathering.component(Component(name=address, kind=kind, note=_instances(resource)), place)


def _instances(resource: _Resource) -> str:
    keys = [str(one.index_key) for one in resource.instances if one.index_key is not None]
    if not keys:
        return ""
    more = ", …" if len(keys) > MOST_KEYS else ""
    return f"{len(keys)} instances: {', '.join(keys[:MOST_KEYS])}{more}"


def _dependencies(resource: _Resource, file: File, gathering: Gathering) -> None:
    own = resource.address
    if not gathering.has(own):
        return
    every = (target for one in resource.instances for target in one.dependencies)
    for written in dict.fromkeys(every):
        target = without_indexes(written)
        type_ = target.rpartition(".")[0].rpartition(".")[2]
        if not type_:
            what = "a dependency is no address of a resource"
            gathering.skips.add(what, f"{file.name} {own}")
            continue
        gathering.needs(
            own,
            target,
            f"{file.name} {own}",
            "dependencies",
            strength=Strength.HARD,
            at=(Phase.DEPLOY,),
            risk=risk_of(type_),
        )


SOURCE = DeclaredSource(
    name="terraform-state",
    title="Terraform state",
    files=("*.tfstate",),
    format="https://developer.hashicorp.com/terraform/language/state",
    read=read,
)
