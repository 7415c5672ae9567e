"""The profile for one machine: constructs every part and puts them together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from drystone.l10_engines.proxy.ads import Ads
from drystone.l10_engines.proxy.envoy import Envoy
from drystone.l10_engines.runtimes.bubblewrap import Bubblewrap
from drystone.l10_engines.runtimes.podman import Podman
from drystone.l10_engines.supervision.supervisor import Supervisor
from drystone.l20_trust.keys.peers.joined import JoinedKeys
from drystone.l25_deployer.backups.schedule import Schedule
from drystone.l25_deployer.backups.service import Backups
from drystone.l25_deployer.builds.artifacts import Artifacts
from drystone.l25_deployer.intake import Intake
from drystone.l25_deployer.local.documents import Documents
from drystone.l25_deployer.local.edge import Edge
from drystone.l25_deployer.local.hours import Hours
from drystone.l25_deployer.local.live_dependencies import LiveDependencies
from drystone.l25_deployer.local.machine import Machine
from drystone.l25_deployer.local.news import News
from drystone.l25_deployer.local.platform import Platform
from drystone.l25_deployer.local.ports import PortBook
from drystone.l25_deployer.local.queues import AccountQueues
from drystone.l25_deployer.local.rotator import Rotator
from drystone.l25_deployer.local.scaler import Scaler
from drystone.l25_deployer.local.services import Services
from drystone.l25_deployer.operations.service import Operations
from drystone.l25_deployer.service import Deployer
from drystone.l35_mesh.limits.holding import Holding
from drystone.l35_mesh.signin.words import NAME as SIGNIN
from drystone.l50_orchestrator.running.engine import NAME as ORCHESTRATOR
from drystone.l80_governance.costs.service import Estimator, Prices
from drystone.l90_assembly.audit import HistoryAudit
from drystone.l90_assembly.backups import backups_of, copyist_of
from drystone.l90_assembly.console import CONSOLE, console_of, console_part
from drystone.l90_assembly.disks import disks_of
from drystone.l90_assembly.elsewhere import engines_elsewhere
from drystone.l90_assembly.engines import engines_of, provisioner_of
from drystone.l90_assembly.functions import Computing
from drystone.l90_assembly.keys import addresses_of, keys_of, keys_part, peers_of
from drystone.l90_assembly.limits import LIMITS, further_for_limits, limits_part
from drystone.l90_assembly.mesh import MESH, following_of, mesh_of, mesh_part, together
from drystone.l90_assembly.migration import MIGRATION, migration_part, migrations_of
from drystone.l90_assembly.observed import counted_by, observed_of
from drystone.l90_assembly.orchestrator import orchestrator_part, switch_of, tables_of
from drystone.l90_assembly.own_services import platform_descriptors, recovery_order
from drystone.l90_assembly.parts import parts_of, quotas_of, rotator_of
from drystone.l90_assembly.presence import presence_of
from drystone.l90_assembly.signin import Gates, signin_of, signin_part
from drystone.l90_assembly.view import VIEW, view_of, view_part
from drystone.l90_assembly.ways_in import certificates_of, way_parts

if TYPE_CHECKING:
    from drystone.l00_kernel.clock import Clock
    from drystone.l00_kernel.home import Home
    from drystone.l00_kernel.ports import Log
    from drystone.l00_kernel.settings import Settings
    from drystone.l10_engines.on_demand.service import OnDemand
    from drystone.l20_trust.certificates.service import Certificates
    from drystone.l20_trust.keys.peers.service import Peers
    from drystone.l20_trust.keys.service import Keys
    from drystone.l35_mesh.migration.service import Migrations
    from drystone.l35_mesh.observed.service import Observed
    from drystone.l35_mesh.sidecar.fleet import Fleet
    from drystone.l35_mesh.sidecar.following import Following
    from drystone.l50_orchestrator.running.switch import Switch
    from drystone.l90_assembly.runtimes import Trials

PORTS = "ports.json"
"""File of the home with the ports at which services reach each other."""


class Standalone(msgspec.Struct, frozen=True):
    """A platform that is put together and not started.

    Attributes:
        deployer: Its API.
        backups: Copies of what services keep.
        schedule: Makes them when they are due.
        operations: What people do to what runs.
        platform: Starts and stops it.
        supervisor: Keeps its engines.
        ads: Serves the proxy's configuration.
        envoy: The proxy.
        fleet: The proxies that services have of their own.
        artifacts: Its store of artefacts.
        services: What is deployed.
        computing: Runs functions.
        scaler: Lets numbers of instances follow their load.
        rotator: Replaces credentials that are old.
        keys: By which services prove who they are.
        peers: Other platforms, by whose keys callers prove who they are.
        following: Brings changes of keys to the sidecars.
        limits: Keeps the limiter told.
        observed: Tells what the proxies saw.
        migrations: Services that move.
        view: The view of the dependency model.
        signin: Where people and builds sign in.
        console: The operations page.
        orchestrator: Turns the orchestrator on and off.
        certificates: Those of services and of the edge.
    """

    deployer: Deployer
    backups: Backups
    schedule: Schedule
    operations: Operations
    platform: Platform
    supervisor: Supervisor
    ads: Ads
    envoy: Envoy
    fleet: Fleet
    artifacts: Artifacts
    services: Services
    computing: Computing
    scaler: Scaler
    rotator: Rotator
    keys: Keys
    peers: Peers
    following: Following
    limits: Holding
    observed: Observed
    migrations: Migrations
    view: OnDemand
    signin: OnDemand
    console: OnDemand
    orchestrator: Switch
    certificates: Certificates

    async def statistics(self, pattern: str) -> bytes:
        """Return what every proxy has counted; those that do not answer now are left out, but for the edge.

        Args:
            pattern: See :meth:`~drystone.l10_engines.proxy.admin.Admin.statistics`.

        Raises:
            ProxyUnavailable: The edge does not answer.
        """
        return await counted_by(pattern, self.envoy, self.fleet.envoys.values())

    async def leave(self) -> None:
        """Stop looking after everything; all that runs goes on."""
        await self.computing.leave()
        await self.scaler.leave()
        await self.rotator.leave()
        await self.migrations.stop_watching()
        await self.platform.leave()
        await self.peers.stop()
        await self.following.stop()
        await self.limits.leave()
        await self.observed.stop()
        await self.view.stop()
        await self.signin.stop()
        await self.console.stop()
        await self.supervisor.detach()
        await self.fleet.leave()
        await self.envoy.detach()
        await self.ads.stop()


async def assemble(
    home: Home,
    settings: Settings,
    *,
    trials: Trials,
    clock: Clock,
    log: Log,
    environ: Mapping[str, str],
    on_stopped: Callable[[], None],
) -> Standalone:
    """Put a platform together for one home.

    Args:
        home: Where it keeps everything.
        settings: What its owner decided.
        trials: Finds what can run here.
        clock: The time.
        log: Where it reports.
        environ: The agent's environment.
        on_stopped: Called when everything has ended on purpose.

    Raises:
        PlatformError: The settings ask for what this machine does not have.
    """
    engines = engines_of(home, settings, log)
    audit = HistoryAudit(lambda *key: services.find(*key))  # noqa: PLW0108 - made below
    keys = keys_of(engines.keys, engines.supervisor, clock, settings=settings.keys, audit=audit)
    peers = peers_of(
        engines.keys,
        engines.supervisor,
        keys,
        clock=clock,
        audit=audit,
        log=log,
        publish=lambda: machine.edge.refresh(),  # noqa: PLW0108 - made below
    )
    joined = JoinedKeys(keys, peers)
    runtimes, chosen = await trials.chosen(settings.runtime)
    sandbox, podman = runtimes.get(Bubblewrap.name), runtimes.get(Podman.name)
    artifacts = Artifacts(
        home.artifacts,
        home.downloads,
        environ,
        sandbox if isinstance(sandbox, Bubblewrap) else None,
    )
    ports = PortBook(home.path / PORTS)
    holding = Holding(engines.limiter, engines.supervisor, log)
    gates = Gates(home, settings, clock)
    further = together(gates.further, partial(further_for_limits, holding))
    given = partial(addresses_of, engines.keys)
    mesh = mesh_of(
        home,
        settings,
        joined,
        ports,
        ads=engines.ads,
        supervisor=engines.supervisor,
        clock=clock,
        log=log,
        given=given,
        further=further,
        settled=holding.settled,
    )
    way = way_parts(home, settings, clock)
    quotas = quotas_of(settings)
    provisioner = provisioner_of(
        home,
        settings,
        engines,
        ways=way,
        functions=lambda: computing.functions,
        jobs=lambda: computing.jobs,
    )
    copyist = await copyist_of(home, settings, provisioner, clock, log)
    machine = Machine(
        label=home.label,
        url_port=settings.port,
        instances=home.instances,
        disks=disks_of(home),
        documents=Documents(home.services),
        artifacts=artifacts,
        provisioner=provisioner,
        runtimes=runtimes,
        images=podman if isinstance(podman, Podman) else Podman(),
        ports=ports,
        edge=Edge(
            engines.envoy,
            port=settings.port,
            access_log=home.access_log,
            mesh=mesh.node,
            ensure=partial(engines.supervisor.ensure, engines.envoy.name),
            own=way.own,
            https=way.https,
            outside=settings.edge.address,
        ),
        mesh=mesh.node,
        clock=clock,
        log=log,
        keys=keys,
        copying=copyist,
        ways=way.ways,
        quotas=quotas,
    )
    following = following_of(mesh, joined, machine)
    services = Services(machine)
    services.load()
    computing = Computing(home, services, engines.aws, log)
    migrations = migrations_of(
        home,
        services,
        engines.supervisor,
        engines.postgres,
        engines.objects,
        clock=clock,
        log=log,
        environ=environ,
    )
    queues = AccountQueues(services, engines.aws)
    scaler = Scaler(services, queues)
    rotator = rotator_of(settings, services)
    news = News(services)
    engines.supervisor.also_report_to(news.of_engine)
    observed = observed_of(
        home,
        settings,
        services,
        engines.supervisor,
        clock=clock,
        counted=lambda pattern: counted_by(pattern, engines.envoy, mesh.fleet.envoys.values()),
    )
    own = platform_descriptors()
    view = view_of(home, settings, log, environ)
    signin = signin_of(home, log, environ)
    console = console_of(home, settings, log, environ)
    switch = switch_of(home, engines.orchestrator, engines.supervisor, clock)
    parts = {
        **parts_of(
            engines.supervisor,
            engines.ads,
            machine=machine,
            services=services,
            watches=(scaler, rotator),
            computing=computing,
        ),
        "keys": keys_part(engines.keys, keys, peers, engines.supervisor),
        MESH: mesh_part(mesh, following, observed),
        MIGRATION: migration_part(migrations),
        LIMITS: limits_part(holding, engines.limiter, services),
        VIEW: view_part(view),
        SIGNIN: signin_part(signin),
        CONSOLE: console_part(console),
        ORCHESTRATOR: orchestrator_part(switch, engines.orchestrator, engines.supervisor),
    }
    platform = Platform(
        waves=[[parts[name] for name in wave] for wave in recovery_order(own)],
        services=services,
        engines=lambda: [
            *engines.supervisor.statuses(),
            *(one.status() for one in (view, signin, console)),
        ],
        on_stopped=on_stopped,
        presence=presence_of(home, clock, engines.envoy),
        news=news,
        hours=Hours(home.usage, clock),
    )
    intake = Intake(
        runtime=chosen,
        runtimes=runtimes,
        clock=clock,
        builds_isolated=artifacts.are_isolated,
        at_rest=settings.at_rest,
        estimates=Estimator(Prices(settings.costs.prices)),
        ways=way.ways,
        quotas=quotas,
    )
    deployer = Deployer(
        home=home.path,
        services=services,
        intake=intake,
        platform=platform,
        dependencies=LiveDependencies(own, services, clock, engines_elsewhere(settings)),
    )
    backups, schedule = backups_of(
        home,
        settings,
        services=services,
        copyist=copyist,
        operating=deployer.operating,
        tables=tables_of(home, settings, engines.postgres, engines.supervisor, clock),
        log=log,
    )
    return Standalone(
        deployer=deployer,
        backups=backups,
        schedule=schedule,
        operations=Operations(
            services=services, operating=deployer.operating, platform=platform, queues=queues
        ),
        platform=platform,
        supervisor=engines.supervisor,
        ads=engines.ads,
        envoy=engines.envoy,
        fleet=mesh.fleet,
        artifacts=artifacts,
        services=services,
        computing=computing,
        scaler=scaler,
        rotator=rotator,
        keys=keys,
        peers=peers,
        following=following,
        limits=holding,
        observed=observed,
        migrations=migrations,
        view=view,
        signin=signin,
        console=console,
        orchestrator=switch,
        certificates=certificates_of(
            way, services, machine.edge, clock=clock, audit=audit, log=log
        ),
    )
