"""One Envoy's side of the aggregated discovery service in its incremental form, as a state machine without I/O.

The protocol is "Incremental xDS" of Envoy's documentation: all kinds of resource share one stream; a response
holds what changed and names what is gone; a request repeats the nonce of the response that it accepts, or refuses
if it carries an error; it also tells which names are wanted from now on and which no longer. What the text leaves
to the server, and this decides:

* A resource is sent when its content is another one than what Envoy has, or when Envoy asks for its name. The version
  of a resource is a digest of its content, so what an Envoy got from another agent is known again.
* A cluster that changed gets its endpoints again, although they are the same: it serves nothing until it has them,
  and Envoy does not ask for a name twice. For the same reason endpoints are always sent to one who connects again.
* Routes and listeners are sent when Envoy has the clusters they name, with their endpoints; clusters that are gone
  stay until Envoy has the listeners and routes that no longer name them ("make before break").
* Of kinds that Envoy asks for by name, nothing is ever taken away: it gives up what it needs no longer, and a
  listener that lets its clients go still needs its own. Only one who asks for what is not there is told so.
* What Envoy refuses is not sent again before something else is published; then it is, with what went with it in the
  same response, since some of that may have been taken and nobody says which.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from drystone.l10_engines.proxy.messages import message_class
from drystone.l10_engines.proxy.snapshot import (
    CLUSTER,
    ENDPOINT,
    KINDS,
    LISTENER,
    NOTHING,
    ROUTE,
    WILDCARDS,
    Packed,
    PackedSnapshot,
)

_NONE = ""
"""In place of a version: Envoy has nothing of this name."""

_UNKNOWN = "?"
"""In place of a version: it was part of a response that Envoy refused."""


class _Sent(NamedTuple):
    """A response that is not answered yet: all of its kind when it was made, and the versions in it."""

    known: Mapping[str, Packed]
    versions: dict[str, str]


class _Due(NamedTuple):
    """What Envoy lacks, and what it has and shall not."""

    changed: dict[str, Packed]
    gone: list[str]

    def __bool__(self) -> bool:
        return bool(self.changed or self.gone)


class _Subscription:
    """What Envoy wants of one kind, and what it has when it has taken all that was sent."""

    def __init__(self, has: Mapping[str, str]) -> None:
        self.names: set[str] = set()
        self.has = dict(has)
        self.unanswered: dict[str, _Sent] = {}
        self.begun = False
        self.refusal = ""
        self.refused: Mapping[str, Packed] | None = None
        self.complete: Mapping[str, Packed] | None = None
        """What there was of the kind when nothing was due; saves looking once more."""

    def want(self, names: list[str], *, first: bool) -> None:
        """Take in what is wanted from now on; a name that comes again is of one who has forgotten what it had."""
        self.names.update(names)
        if not first:
            for name in names:
                self.has.pop(name, None)

    def give_up(self, names: list[str]) -> None:
        """Take in what is no longer wanted."""
        self.names.difference_update(names)
        for name in names:
            self.has.pop(name, None)

    def answer(self, nonce: str, error: str | None) -> None:
        """Take in that a response is accepted, or refused with an error; an unknown nonce says nothing."""
        sent = self.unanswered.pop(nonce, None)
        if sent is None or error is None:
            return
        self.refusal, self.refused, self.complete = error, sent.known, None
        for name, version in sent.versions.items():
            if self.has.get(name, _NONE) == version:  # else something newer is under way
                self.has[name] = _UNKNOWN


class IncrementalConversation:
    """What one stream has asked for, been sent and accepted."""

    def __init__(self) -> None:
        self.node = ""
        self.group = ""
        self.snapshot = NOTHING
        self._subscriptions: dict[str, _Subscription] = {}
        self._nonces = 0

    def receive(self, request: Any) -> None:
        """Take in a ``DeltaDiscoveryRequest``; :meth:`responses` then tells what to answer."""
        if request.node.id:
            self.node, self.group = request.node.id, request.node.cluster
        kind = request.type_url
        first = kind not in self._subscriptions
        if first:
            has = {} if kind == ENDPOINT else request.initial_resource_versions
            self._subscriptions[kind] = _Subscription(has)
        subscription = self._subscriptions[kind]
        wanted, given_up = request.resource_names_subscribe, request.resource_names_unsubscribe
        if kind not in WILDCARDS and (wanted or given_up):
            subscription.complete = None
            subscription.give_up(given_up)
            subscription.want(wanted, first=first)
        if request.response_nonce:
            refused = request.HasField("error_detail")
            error = (request.error_detail.message or "without a reason") if refused else None
            subscription.answer(request.response_nonce, error)

    def responses(self, snapshot: PackedSnapshot) -> list[Any]:
        """Return the ``DeltaDiscoveryResponse`` messages that are due now, in order."""
        self.snapshot = snapshot
        return [response for kind in KINDS if (response := self._response(kind)) is not None]

    def refusals(self) -> dict[str, str]:
        """Return what Envoy refuses of the current snapshot: its words by kind of resource."""
        refused = [kind for kind in KINDS if self._is_refused(kind)]
        return {kind.rpartition(".")[2]: self._subscriptions[kind].refusal for kind in refused}

    def has_applied(self, version: int) -> bool:
        """Tell whether Envoy has accepted a snapshot at least as new as this, wholly."""
        if self.snapshot.version < version:
            return False
        return all(self._is_done(kind) for kind in KINDS) and not self._gone(CLUSTER)

    def _is_refused(self, kind: str) -> bool:
        """Tell whether Envoy refuses what is current of a kind; a refusal of something older is over."""
        subscription = self._subscriptions.get(kind)
        return subscription is not None and subscription.refused is self.snapshot.resources[kind]

    def _is_done(self, kind: str) -> bool:
        """Tell whether Envoy has accepted all of one kind, or has no use for it."""
        subscription = self._subscriptions.get(kind)
        if subscription is None:
            return not self.snapshot.resources[kind]
        if not self.snapshot.needed.get(kind, frozenset()) <= subscription.names:
            return False
        has_begun = subscription.begun or kind not in WILDCARDS
        answered = has_begun and not subscription.unanswered
        return answered and not self._is_refused(kind) and not self._due(kind, subscription)

    def _due(self, kind: str, subscription: _Subscription) -> _Due:
        known = self.snapshot.resources[kind]
        if subscription.complete is known:
            return _Due({}, [])
        has = subscription.has
        wanted = known if kind in WILDCARDS else sorted(subscription.names & known.keys())
        changed = {name: known[name] for name in wanted if has.get(name) != known[name].digest}
        gone = self._gone(kind)
        held = kind == CLUSTER and bool(gone) and not self._may_remove_clusters()
        if self._is_refused(kind):
            changed = {name: of for name, of in changed.items() if has.get(name) != _UNKNOWN}
            gone = [name for name in gone if has.get(name) != _UNKNOWN]
        due = _Due(changed, [] if held else gone)
        if not due and not held:
            subscription.complete = known
        return due

    def _gone(self, kind: str) -> list[str]:
        """Return what Envoy has, or asks for by name, and the snapshot lacks."""
        subscription = self._subscriptions.get(kind)
        if subscription is None:
            return []
        known, has = self.snapshot.resources[kind], subscription.has
        if kind in WILDCARDS:
            return [name for name in has if name not in known]
        return sorted(subscription.names - known.keys() - has.keys())

    def _may_remove_clusters(self) -> bool:
        """Tell whether Envoy has what no longer names the clusters that are gone."""
        return LISTENER in self._subscriptions and all(map(self._is_done, (LISTENER, ROUTE)))

    def _must_wait(self, kind: str) -> bool:
        """Tell whether clusters or endpoints are still on their way, which routes would name."""
        if kind not in {LISTENER, ROUTE} or CLUSTER not in self._subscriptions:
            return False
        if self._is_refused(CLUSTER) or self._is_refused(ENDPOINT):
            return False  # waiting for clusters that Envoy refuses would hold back the rest as well
        return not (self._is_done(CLUSTER) and self._is_done(ENDPOINT))

    def _response(self, kind: str) -> Any | None:
        subscription = self._subscriptions.get(kind)
        if subscription is None:
            return None
        due = self._due(kind, subscription)
        # One who asks for everything waits for an answer, even if there is nothing.
        begins = kind in WILDCARDS and not subscription.begun
        if not (due or begins) or self._must_wait(kind):
            return None
        subscription.begun = True
        self._note(kind, subscription, due)
        resource = message_class("envoy.service.discovery.v3.Resource")
        return message_class("envoy.service.discovery.v3.DeltaDiscoveryResponse")(
            system_version_info=str(self.snapshot.version),
            type_url=kind,
            nonce=str(self._nonces),
            resources=[
                resource(name=name, version=packed.digest, resource=packed.message)
                for name, packed in due.changed.items()
            ],
            removed_resources=due.gone,
        )

    def _note(self, kind: str, subscription: _Subscription, due: _Due) -> None:
        """Remember what is sent now, under the next nonce."""
        self._nonces += 1
        versions = {name: packed.digest for name, packed in due.changed.items()}
        versions.update(dict.fromkeys(due.gone, _NONE))
        known = self.snapshot.resources[kind]
        subscription.unanswered[str(self._nonces)] = _Sent(known, versions)
        subscription.has.update(versions)
        if kind in WILDCARDS:
            for name in due.gone:
                del subscription.has[name]
        endpoints = self._subscriptions.get(ENDPOINT)
        if kind == CLUSTER and endpoints is not None:
            again = due.changed.keys() & self.snapshot.resources[ENDPOINT].keys()
            endpoints.complete = None
            for name in again:
                endpoints.has.pop(name, None)
