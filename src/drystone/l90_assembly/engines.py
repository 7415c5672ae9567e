"""The engines of one machine, to run here or to connect to where they run, and the resources that they make."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from drystone.l10_engines.aws.server import AwsStandIn
from drystone.l10_engines.cache.external import ExternalCache
from drystone.l10_engines.objects.buckets import Buckets
from drystone.l10_engines.objects.external import ExternalObjects
from drystone.l10_engines.objects.server import Objects, ObjectsEngine
from drystone.l10_engines.postgres.databases import Databases
from drystone.l10_engines.postgres.external import ExternalPostgres
from drystone.l10_engines.postgres.history import PointInTime
from drystone.l10_engines.postgres.server import Postgres as PostgresServer
from drystone.l10_engines.postgres.server import PostgresEngine
from drystone.l10_engines.proxy.ads import Ads
from drystone.l10_engines.proxy.envoy import Envoy, ProxySettings
from drystone.l10_engines.supervision.supervisor import EngineEvent, Supervisor
from drystone.l25_deployer.local.provisioning import Provisioner
from drystone.l25_deployer.local.resources.account import (
    AccountResources,
    FunctionResources,
    JobResources,
)
from drystone.l25_deployer.local.resources.bucket import ObjectBuckets
from drystone.l25_deployer.local.resources.cache import Caches
from drystone.l25_deployer.local.resources.credentials import Credentials
from drystone.l25_deployer.local.resources.postgres import PostgresDatabases
from drystone.l25_deployer.local.resources.search import Searches
from drystone.l25_deployer.local.resources.secret import MadeUp
from drystone.l25_deployer.local.resources.volume import Volumes
from drystone.l25_deployer.stacks import provided
from drystone.l25_deployer.stacks.model import Bucket, Cache, Postgres, Volume
from drystone.l35_mesh.limits.engine import LimiterEngine
from drystone.l50_orchestrator.running.engine import OrchestratorEngine
from drystone.l90_assembly.elsewhere import objects_url
from drystone.l90_assembly.functions import SOCKET
from drystone.l90_assembly.keys import KeyParts, key_parts
from drystone.l90_assembly.limits import limiter_of
from drystone.l90_assembly.observed import numbers_to
from drystone.l90_assembly.orchestrator import orchestrator_engine

if TYPE_CHECKING:
    from drystone.l00_kernel.home import Home
    from drystone.l00_kernel.ports import Log
    from drystone.l00_kernel.settings import Settings
    from drystone.l25_deployer.jobs.service import Jobs
    from drystone.l25_deployer.local.functions.service import Functions
    from drystone.l90_assembly.ways_in import WayParts

DEFAULT_MEMORY = 256 * 1024**2
"""Bound of an engine that the settings do not bound."""


class Engines(msgspec.Struct, frozen=True):
    """The engines, to run here or to connect there, and what keeps them."""

    supervisor: Supervisor
    ads: Ads
    envoy: Envoy
    postgres: PostgresEngine
    objects: ObjectsEngine
    aws: AwsStandIn
    cache: ExternalCache | None
    keys: KeyParts
    limiter: LimiterEngine
    orchestrator: OrchestratorEngine


def engines_of(home: Home, settings: Settings, log: Log) -> Engines:
    """Construct the engines of a home, of which none is started yet.

    Args:
        home: Where they work.
        settings: Which of them run elsewhere, and how much memory those have that run here.
        log: Where to say what becomes of them.
    """
    postgres, objects = settings.postgres, settings.objects
    ads = Ads(home.xds_socket)
    proxy = ProxySettings(
        port=settings.port,
        access_log=home.access_log,
        memory=settings.proxy.memory or DEFAULT_MEMORY,
        statsd=numbers_to(settings),
    )
    envoy = Envoy(home.engines / "proxy", ads=ads, settings=proxy, group="proxy")
    database = (
        ExternalPostgres("postgres", postgres.url)
        if postgres.url
        else PostgresServer(
            "postgres", home.engines / "postgres", memory=postgres.memory or DEFAULT_MEMORY
        )
    )
    store = (
        ExternalObjects("objects", objects_url(objects))
        if objects.endpoint
        else Objects("objects", home.engines / "objects", memory=objects.memory or DEFAULT_MEMORY)
    )
    aws = AwsStandIn("aws", home.engines / "aws", agent=home.socket(SOCKET))
    cache = ExternalCache("cache", settings.cache.url) if settings.cache.url else None

    def report(event: EngineEvent) -> None:
        log.info("engine", engine=event.engine, kind=event.kind.value, detail=event.detail)

    keys, limiter = key_parts(home), limiter_of(home, settings)
    orchestrator = orchestrator_engine(home, settings, database, lambda: supervisor)
    others = (*keys.servers, limiter, orchestrator, *filter(None, (cache,)))
    supervisor = Supervisor((envoy, database, store, aws, *others), report=report)
    return Engines(supervisor, ads, envoy, database, store, aws, cache, keys, limiter, orchestrator)


def history_of(home: Home, settings: Settings, engines: Engines) -> PointInTime | None:
    """Return what lets databases go back to any moment; None where their server runs elsewhere."""
    if not isinstance(engines.postgres, PostgresServer):
        return None
    root = settings.backups.folder or home.path / "backups"
    return PointInTime(engines.postgres, root / "cluster")


def provisioner_of(
    home: Home,
    settings: Settings,
    engines: Engines,
    *,
    ways: WayParts,
    functions: Callable[[], Functions],
    jobs: Callable[[], Jobs],
) -> Provisioner:
    """Return what makes the resources of services, each on its engine.

    Args:
        home: Where they lie.
        settings: Which engines run elsewhere.
        engines: The engines.
        ways: Ways in by hosts of services' own, and certificates.
        functions: Gives what keeps the processes of functions; made later than this.
        jobs: Gives what looks after runs of jobs; likewise.
    """
    credentials = Credentials(home.secrets)
    databases, buckets = Databases(engines.postgres), Buckets(engines.objects)
    given = engines.objects.admin() if settings.objects.endpoint else None
    account = AccountResources(engines.supervisor, engines.aws)
    return Provisioner(
        {
            Postgres: PostgresDatabases(
                engines.supervisor, databases, credentials, history_of(home, settings, engines)
            ),
            Bucket: ObjectBuckets(engines.supervisor, buckets, credentials, given=given),
            Cache: Caches(engines.supervisor, home.engines / "caches", credentials, engines.cache),
            Volume: Volumes(home.volumes),
            provided.Queue: account,
            provided.Topic: account,
            provided.KeyValue: account,
            provided.Stream: account,
            provided.EncryptionKey: account,
            provided.Function: FunctionResources(engines.supervisor, engines.aws, functions),
            provided.BatchJob: JobResources(engines.supervisor, engines.aws, jobs),
            provided.Secret: MadeUp(credentials),
            provided.Search: Searches(engines.supervisor, home.engines / "searches", credentials),
            **ways.drivers,
        }
    )
