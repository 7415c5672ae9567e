"""What the engines and the home hold for resources is what the records name: roles, buckets, volumes, credentials."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec
from typing_extensions import override

from drystone.l10_engines.objects.calls import client_of
from drystone.l10_engines.objects.identities import ADMIN
from drystone.l10_engines.objects.names import bucket_name
from drystone.l10_engines.objects.server import Objects
from drystone.l10_engines.postgres import binaries
from drystone.l10_engines.postgres.names import identifier
from drystone.l10_engines.postgres.server import Postgres
from drystone.l10_engines.supervision import record
from drystone.l25_deployer.stacks.model import Bucket, Volume
from drystone.l25_deployer.stacks.model import Postgres as PostgresResource
from drystone.testing.faults.invariants import Invariant, last_done
from drystone.testing.faults.leftovers import said

if TYPE_CHECKING:
    from drystone.l25_deployer.local.resources.port import Owner
    from drystone.testing.faults.site import Site


def differences(present: set[str], wanted: set[str]) -> list[str]:
    """Say what is there that should not be, and what is not that should."""
    return [f"{name} is too many" for name in sorted(present - wanted)] + [
        f"{name} is missing" for name in sorted(wanted - present)
    ]


def _owners(site: Site, kind: type) -> list[Owner]:
    return [owner for owner, resource in site.resources() if isinstance(resource, kind)]


class NoStrayRole(Invariant):
    """The database server has the databases of the subjects' resources, a role with its limit for each, and no other."""

    name = "no stray role"

    @override
    async def violations(self, site: Site) -> list[str]:
        server = Postgres("postgres", site.home.engines / "postgres")
        if record.read(server.directory / "record.json") is None:
            return []
        psql = binaries.program(binaries.installed_root(), "psql")
        statement = (
            "select 'role ' || rolname || ' of ' || rolconnlimit from pg_roles"
            " where rolname !~ '^pg_' and rolname <> 'postgres' union all"
            " select 'database ' || datname from pg_database"
            " where not datistemplate and datname <> 'postgres'"
        )
        words = (str(psql), "-Atq", "-c", statement, server.admin().url())
        present = await asyncio.to_thread(said, *words, limit=20)
        wanted = set[str]()
        for owner, resource in site.resources():
            if isinstance(resource, PostgresResource):
                name = identifier(owner.name)
                wanted |= {f"role {name} of {resource.connections}", f"database {name}"}
        return differences(set(present.splitlines()), wanted)


class NoStrayBucket(Invariant):
    """The object store has the buckets of the subjects' resources, each with one key, and no other."""

    name = "no stray bucket"

    @override
    async def violations(self, site: Site) -> list[str]:
        store = Objects("objects", site.home.engines / "objects")
        if record.read(store.directory / "record.json") is None:
            return []
        listed = await asyncio.to_thread(lambda: client_of(store.admin()).list_buckets())
        document = msgspec.json.decode((store.directory / "identities.json").read_bytes())
        # One that was taken away stays in the file without a key until the store starts again.
        keys = {one["name"] for one in document["identities"] if one.get("credentials")} - {ADMIN}
        buckets = {bucket_name(owner.name) for owner in _owners(site, Bucket)}
        return differences({one["Name"] for one in listed["Buckets"]}, buckets) + [
            f"key {text}" for text in differences(keys, {f"bucket-{name}" for name in buckets})
        ]


class NoStrayVolume(Invariant):
    """The volumes are those of the subjects' resources."""

    name = "no stray volume"

    @override
    async def violations(self, site: Site) -> list[str]:
        root = site.home.path / "volumes"
        present = {str(path.relative_to(root)) for path in root.glob("*/*/*")}
        return differences(present, {owner.path for owner in _owners(site, Volume)})


class NoStraySecret(Invariant):
    """The credentials are those of the subjects' resources."""

    name = "no stray secret"

    @override
    async def violations(self, site: Site) -> list[str]:
        root = site.home.secrets
        present = {str(path.relative_to(root)) for path in root.glob("*/*/*")}
        owners = [*_owners(site, PostgresResource), *_owners(site, Bucket)]
        return differences(present, {owner.path for owner in owners})


class ResourcesAreTheReleases(Invariant):
    """The resources of a service are those that the release names that serves; after a rollback there may be more."""

    name = "resources are the release's"

    @override
    async def violations(self, site: Site) -> list[str]:
        found = []
        for name in site.subjects:
            record_ = site.record(name)
            if record_.active is not None:
                release = site.documents.release(record_.environment, name, record_.active)
                wanted = release.stacks.eternal.resources
                last = last_done(site, name)
                is_back = last is not None and last.event == "rollback done"
                present = {
                    resource: settings
                    for resource, settings in record_.eternal.items()
                    if resource in wanted or not is_back  # going back deletes no data
                }
                if present != wanted:
                    found.append(f"{name} has {sorted(record_.eternal)} for {sorted(wanted)}")
        return found
