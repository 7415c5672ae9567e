"""Every service of the home."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drystone.l25_deployer.errors import ReleaseNotFound, ServiceNotFound
from drystone.l25_deployer.local.documents import UnreadableDocument
from drystone.l25_deployer.local.kept_service import KeptService
from drystone.l25_deployer.local.records import ServiceRecord
from drystone.l25_deployer.local.ways_in import claimant

if TYPE_CHECKING:
    from drystone.l25_deployer.local.machine import Machine


class Services:
    """What is deployed on this machine, by environment and name.

    Args:
        machine: What they share.
    """

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.unreadable: dict[tuple[str, str], str] = {}
        self._kept: dict[tuple[str, str], KeptService] = {}
        machine.ways.attend(lambda: [claimant(kept) for kept in self.all()])
        machine.quotas.attend(self.all)
        machine.edge.attend(lambda: [kept.member() for kept in self.all()])

    def load(self) -> None:
        """Read every record; one that cannot be read is reported and left alone.

        A service whose active release cannot be read counts as unreadable, so that from here on every service
        can tell what it serves.
        """
        for environment, service in self.machine.documents.services():
            try:
                record = self.machine.documents.service(environment, service)
                kept = KeptService(self.machine, record)
                kept.active_release()
            except (UnreadableDocument, ReleaseNotFound) as e:
                self.unreadable[environment, service] = str(e)
                continue
            if not _is_empty(record):
                self._kept[environment, service] = kept

    def all(self) -> list[KeptService]:
        """Return every service, by environment and name."""
        return [kept for _, kept in sorted(self._kept.items())]

    def find(self, environment: str, service: str) -> KeptService | None:
        """Return a service, or None.

        Raises:
            UnreadableDocument: There is one, but its documents are damaged.
        """
        if (environment, service) in self.unreadable:
            raise UnreadableDocument(self.unreadable[environment, service])
        return self._kept.get((environment, service))

    def existing(self, environment: str, service: str) -> KeptService:
        """Return a service.

        Raises:
            ServiceNotFound: It is not deployed there; the message names where it is.
            UnreadableDocument: See :meth:`find`.
        """
        kept = self.find(environment, service)
        if kept is None:
            elsewhere = [e for e, s in self._kept if s == service]
            hint = (
                f"it is in: {', '.join(sorted(elsewhere))}"
                if elsewhere
                else "`drystone services` lists all"
            )
            raise ServiceNotFound(
                f"no service '{service}' in environment '{environment}'; {hint}",
                service=service,
                environment=environment,
            )
        return kept

    def get(self, environment: str, service: str) -> KeptService:
        """Return a service, a new one if there is none; it is written down by its first deploy.

        Raises:
            UnreadableDocument: See :meth:`find`.
        """
        kept = self.find(environment, service)
        if kept is None:
            try:  # deploys of it may have failed before; its releases are numbered on
                record = self.machine.documents.service(environment, service)
            except ServiceNotFound:
                record = ServiceRecord(service, environment)
            kept = self._kept[environment, service] = KeptService(self.machine, record)
            kept.recovered.set()
        return kept

    def drop_if_empty(self, kept: KeptService) -> None:
        """Forget a service of which nothing is left, or nothing ever came to be, unless somebody works on it."""
        record = kept.record
        if _is_empty(record) and not kept.users and not kept.owed:
            self._kept.pop(record.key, None)
            if not self.machine.documents.releases(*record.key):
                self.machine.documents.remove_service(record)


def _is_empty(record: ServiceRecord) -> bool:
    return record.active is None and not record.eternal and record.operation is None
