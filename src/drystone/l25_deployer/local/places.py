"""The fault points of the operations on a service, in the order in which a deploy reaches them."""

from __future__ import annotations

from drystone.l00_kernel.fault_points import FaultPoint

DEPLOY_RELEASE = FaultPoint("deploy.release.written", "the new release has a record of its own")
DEPLOY_WRITTEN = FaultPoint("deploy.operation.written", "the service's record names the deploy")
DEPLOY_TOLD = FaultPoint("deploy.beginning.told", "the history knows that the deploy began")
ROLLBACK_WRITTEN = FaultPoint(
    "rollback.operation.written", "the service's record names the rollback"
)
ROLLBACK_TOLD = FaultPoint("rollback.beginning.told", "the history knows that the rollback began")
EDGE_READY = FaultPoint("bring-up.edge.ready", "the edge runs; nothing was done yet")
DESTROY_WRITTEN = FaultPoint("destroy.operation.written", "the service's record names the destroy")
STOOD_DOWN = FaultPoint("destroy.route.closed", "the edge sends the service nothing new")
RELEASES_ENDED = FaultPoint("destroy.releases.ended", "no instance of the service runs")
DATA_REMOVED = FaultPoint("destroy.data.removed", "the data that was confirmed is gone")
ROUTE_REMOVED = FaultPoint("destroy.route.removed", "the edge knows the service no more")
DESTROY_TOLD = FaultPoint("destroy.end.told", "the history knows that the service is gone")
NAMES_FORGOTTEN = FaultPoint("destroy.names.forgotten", "the service's record names no release")
KEYS_REVOKED = FaultPoint("destroy.keys.revoked", "nobody accepts what the service signed")
RELEASES_REMOVED = FaultPoint("destroy.records.removed", "the records of its releases are gone")
RECOVER_BEGUN = FaultPoint("recover.service.begun", "an agent turns to a service of an earlier one")
RECOVER_PROVIDED = FaultPoint("recover.resources.made", "the resources of its record exist")
RECOVER_FOUND = FaultPoint(
    "recover.releases.found", "what runs of releases that need not is adopted"
)
RECOVER_ENDED = FaultPoint(
    "recover.unfinished.ended", "instances of a release that never served are gone"
)
RECOVER_TAKEN = FaultPoint(
    "recover.active.taken", "the release that serves runs, adopted or started"
)
RECOVERED = FaultPoint("recover.service.done", "the service is what its record says")
INTENDED = FaultPoint(
    "resources.intention.written", "the record names a resource before it is made"
)
PROVIDED = FaultPoint(
    "resources.resource.made", "a resource exists with the settings of the release"
)
BUILT = FaultPoint("build.artefact.made", "the artefact is complete; the release does not name it")
KEYS_PROVIDED = FaultPoint(
    "keys.release.provided", "the release has a key pair, and others can look it up"
)
MIGRATED = FaultPoint("migrate.command.ended", "the migration was successful")
OLD_DRAINED = FaultPoint("cutover.old.drained", "the old release has answered what it had")
OLD_ENDED = FaultPoint("cutover.old.ended", "the old release of a cutover does not run any more")
PORTS_LENT = FaultPoint(
    "start.ports.lent", "the new instances have ports, of which nothing is written"
)
LAID_OUT = FaultPoint(
    "start.instances.written", "the release names its instances; none was started"
)
BEGUN = FaultPoint("start.instances.begun", "every new instance was started")
HEALTHY = FaultPoint("health.instances.well", "every new instance is healthy")
WARMED_UP = FaultPoint("warm-up.requests.done", "the first requests were answered")
SMOKED = FaultPoint("smoke.tests.passed", "the smoke test was answered well")
SWITCH_BEGUN = FaultPoint(
    "switch.release.written", "the new release calls itself active, in vain yet"
)
SWITCHED = FaultPoint(
    "switch.record.written",
    "the point of no return: the record names the new release, the edge does not",
)
FOLLOWED = FaultPoint("switch.edge.published", "requests go to the new release")
HOLD_BEGUN = FaultPoint("hold.release.written", "the new release calls itself held, in vain yet")
HELD = FaultPoint("hold.record.written", "the record names the held release and no operation")
HELD_TOLD = FaultPoint("hold.end.told", "the history knows that the release is held")
HELD_PUBLISHED = FaultPoint("hold.edge.published", "the edge knows the held release")
HELD_AGAIN = FaultPoint("recover.canary.taken", "the held release runs again")
SHIFT_WRITTEN = FaultPoint("shift.record.written", "the record has another share than the edge")
SHIFTED = FaultPoint("shift.edge.published", "requests are parted by the new share")
SETTLE_TOLD = FaultPoint("settle.beginning.told", "the history knows that the settling began")
WITHDRAW_WRITTEN = FaultPoint(
    "withdraw.operation.written", "the record names the withdrawal and holds nothing"
)
WITHDRAW_TOLD = FaultPoint("withdraw.beginning.told", "the history knows that the withdrawal began")
WITHDRAW_CLOSED = FaultPoint("withdraw.edge.published", "the held release gets nothing new")
WITHDRAW_DRAINED = FaultPoint(
    "withdraw.requests.answered", "the held release has answered what it had"
)
WOKEN = FaultPoint("finish.workers.woken", "workers of the release that serves run")
RESTED = FaultPoint("finish.workers.rested", "workers of the release that is kept warm are gone")
WARM_WRITTEN = FaultPoint("finish.warm.written", "the earlier release calls itself warm")
REMOVED = FaultPoint(
    "remove.data.gone", "the data of a resource is gone; the record still names it"
)
UNNAMED = FaultPoint("remove.name.gone", "the record names the resource no more")
CONCLUDED = FaultPoint(
    "finish.operation.ended", "the record names no operation; the service is as wanted"
)
UNDO_ENDED = FaultPoint("undo.release.ended", "the release that failed does not run")
UNDO_WRITTEN = FaultPoint("undo.release.written", "the record of the failed release says why")
UNDO_FRESH = FaultPoint("undo.resources.gone", "fresh resources are gone")
UNDO_BEFORE = FaultPoint("undo.settings.back", "earlier resources have their settings again")
UNDO_SERVES = FaultPoint("undo.old.serves", "the old release runs as before")
UNDONE = FaultPoint(
    "undo.operation.ended", "the record names no operation; everything is as before"
)
TRAIL_CUT = FaultPoint("prune.trail.written", "the record names only releases that are kept")
FOLDERS_REMOVED = FaultPoint(
    "prune.folders.removed", "folders of an old release's instances are gone"
)
ENDED = FaultPoint(
    "end.instances.ended", "no instance of a release runs; its record says otherwise"
)
END_WRITTEN = FaultPoint("end.release.written", "the record of a release that ended says so")
COOL_CLOSED = FaultPoint("cool.edge.published", "a warm release gets nothing new and is to end")
COOL_DRAINED = FaultPoint(
    "cool.requests.answered", "a warm release that is to end has nothing to do"
)
COOL_ENDED = FaultPoint("cool.release.ended", "a warm release has ended; the record still names it")
COOLED = FaultPoint("cool.record.written", "the record names it no more; the edge still does")
SUSPEND_ENDED = FaultPoint("down.releases.ended", "no instance of a service runs; its engines do")
SUSPENDED = FaultPoint("down.service.ended", "nothing of a service runs")
