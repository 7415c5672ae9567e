"""From a Compose file to descriptors, one for each service.

Containers of well-known stores become resources of the service that uses them, and variables that name them become references.
What is written nowhere stays unwritten: a Compose file says neither who owns a service nor what happens without another one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from drystone.l00_kernel.yaml_text import tree
from drystone.l00_kernel.yaml_text.problems import quoted
from drystone.l00_kernel.yaml_text.tree import Span
from drystone.l25_deployer.exchange import images
from drystone.l25_deployer.exchange.compose_keys import FILE, STORE
from drystone.l25_deployer.exchange.compose_service import ComposeService
from drystone.l25_deployer.exchange.compose_values import environment
from drystone.l25_deployer.exchange.drafting import Files, Imported, document_of, named
from drystone.l25_deployer.exchange.errors import ImportRefused
from drystone.l25_deployer.exchange.interpolation import Interpolated, variables
from drystone.l25_deployer.exchange.remarks import Remarks
from drystone.l25_deployer.exchange.rewiring import Target
from drystone.l25_deployer.exchange.walk import Walk

MOST_SERVICES = 500
_MOST_BASES = 20


class Store(msgspec.Struct):
    """A container that becomes a resource.

    Attributes:
        host: How others call it.
        known: What takes its place.
        walk: What the file says of it.
        target: Where references lead once it has an owner.
    """

    host: str
    known: images.Known
    walk: Walk
    target: Target


def read(content: bytes, *, file: str, owner: str, files: Files) -> Imported:
    """Read a Compose file.

    Args:
        content: Its text.
        file: How it is called.
        owner: Who looks after the services.
        files: What lies beside it.

    Raises:
        ImportRefused: It is none, or cannot work.
    """
    remarks = Remarks(file)
    return _Reading(
        Walk(document_of(content, file, "Compose file"), (), remarks), owner, files
    ).all()


class _Reading:
    def __init__(self, root: Walk, owner: str, files: Files) -> None:
        self._root = root
        self._remarks = root.remarks
        self._owner = owner
        self._files = files
        self._known = variables(files(".env") or b"")

    def all(self) -> Imported:
        root, remarks = self._root, self._remarks
        services = root.below("services")
        if not services.keys:
            raise ImportRefused(
                f"{remarks.file} has no services; a Compose file has them under 'services'"
            )
        if len(services.keys) > MOST_SERVICES:
            raise ImportRefused(f"{remarks.file} has more than {MOST_SERVICES} services")
        version = root.text("version")
        if version and version.partition(".")[0] not in ("2", "3"):
            remarks.guess(
                root.place("version"),
                ("version",),
                f"version {quoted(version)} is none of Compose's; it is read as the present one",
            )
        walks = {host: self._extended(host, services) for host in services.keys}
        self._in_no_circle(walks)
        self._definitions()
        found = self._services(walks)
        self._shared(found)
        root.rest("a Compose file", FILE)
        drafts = tuple(one.draft() for one in found)
        return Imported(drafts, remarks.all())

    def _services(self, walks: Mapping[str, Walk]) -> list[ComposeService]:
        stores: dict[str, Store] = {}
        for host, walk in walks.items():
            store = self._store(host, walk, [one.target.name for one in stores.values()])
            if store is not None:
                stores[host] = store
        names: dict[str, str] = {}
        for host in walks:
            if host not in stores and not self._is_unprovided(host, walks[host]):
                names[host] = named(host, list(names.values()))
                if names[host] != host:
                    self._remarks.guess(
                        walks[host].span,
                        walks[host].path,
                        f"the service is called '{names[host]}': {quoted(host)} is no name of a service",
                    )
        if not names:
            raise ImportRefused(
                f"{self._remarks.file} has only stores, and nothing that uses them; a store is a resource of a service"
            )
        found = [
            ComposeService(name, walks[host], self._owner, self._known, self._files)
            for host, name in names.items()
        ]
        targets = {
            host: Target("dependencies", name, one.port)
            for (host, name), one in zip(names.items(), found, strict=True)
        }
        for service in found:
            service.know(
                {host: target for host, target in targets.items() if target.name != service.service}
            )
        for one in stores.values():
            self._give(one, found)
        for service in found:
            service.go()
        return found

    def _store(self, host: str, walk: Walk, taken: Sequence[str]) -> Store | None:
        image = Interpolated(walk.text("image"), self._known).text
        known = images.KNOWN.get(images.repository(image))
        if known is None or walk.has("build"):
            return None
        env = {name: value for name, value, _ in environment(walk, self._known)}
        user, usual = known.user
        name = env.get(user, usual)
        target = Target(
            "resources",
            named(host, taken),
            known.port,
            known,
            user=name,
            password=env.get(known.password, ""),
            database=env.get(known.database, name) if known.database else "",
        )
        for key in ("image", "expose", "healthcheck", "restart"):
            walk.node(key)
        self._set_up(walk, (user, known.password, known.database))
        return Store(host, known, walk, target)

    def _set_up(self, walk: Walk, replaced: Sequence[str]) -> None:
        """Tell what a store was told beside its users and passwords."""
        for name, _, span in environment(walk, self._known):
            if name not in replaced:
                why = "the platform sets the engine up"
                path = (*walk.path, "environment", name)
                self._remarks.lost(span, path, why, "see the keys of the resource")
        node = walk.node("volumes")
        for item in node.items if isinstance(node, tree.Sequence) else []:
            source = getattr(item, "text", "") or Walk(item, (), Remarks("")).text("source")
            if source.startswith((".", "/", "~", "$")):
                why = "files of the machine do not reach the engine"
                do = "do what they do in deploy.migrate"
                self._remarks.lost(item.span, (*walk.path, "volumes"), why, do)

    def _give(self, store: Store, services: Sequence[ComposeService]) -> None:
        """Make a store a resource of the first service that uses it."""
        walk, host = store.walk, store.host
        users = [one for one in services if one.uses(host)]
        if not users and len(services) == 1:
            users = list(services)
            self._remarks.guess(
                walk.span,
                walk.path,
                f"nothing names {quoted(host)}; '{users[0].service}' is taken to use it",
            )
        if not users:
            walk.lost(
                "image",
                f"nothing uses {quoted(host)}",
                "make it a resource of the service that does",
            )
            walk.rest("a service of Compose", STORE)
            return
        image = Interpolated(walk.text("image"), self._known).text
        keys = dict(store.known.keys)
        version = images.major(image)
        if store.known.type == "postgres" and version and version != "18":
            self._remarks.guess(
                walk.place("image"),
                (*walk.path, "image"),
                f"version {version} becomes the platform's own, 18",
                "say resources.<name>.version where engines of other versions run",
            )
        owner, *others = users
        owner.give(host, store.target, {"type": store.known.type, **keys})
        self._remarks.guess(
            walk.span,
            walk.path,
            f"the container becomes the resource '{store.target.name}' of '{owner.service}', "
            "with users and passwords that the platform makes up",
            "move the data: drystone migrate data",
        )
        for other in others:
            other.without(host)
            self._remarks.todo(
                other.place_of(host),
                (*walk.path,),
                f"'{other.service}' uses {quoted(host)} as well, which belongs to '{owner.service}'",
                f"let it call '{owner.service}', or give it a resource of its own",
            )
        walk.rest("a service of Compose", STORE)

    def _is_unprovided(self, host: str, walk: Walk) -> bool:
        image = Interpolated(walk.text("image"), self._known).text
        what = images.UNPROVIDED.get(images.repository(image))
        if what is None or walk.has("build"):
            return False
        self._remarks.lost(
            walk.span,
            walk.path,
            f"{what} has no counterpart: services are called by HTTP, and no resource replaces it",
            f"let it run elsewhere, and declare network.egress; or use postgres in place of {what}",
        )
        return True

    def _shared(self, services: Sequence[ComposeService]) -> None:
        """Tell of volumes that several services have: here each has one of its own."""
        first: dict[str, str] = {}
        for one in services:
            for name in one.volumes:
                if name in first:
                    what = f"'{first[name]}' and '{one.service}' share the volume '{name}'; here each has one of its own"
                    do = "let one of them have it, and the other call it"
                    self._remarks.todo(one.place_of(""), ("volumes", name), what, do)
                first.setdefault(name, one.service)

    def _definitions(self) -> None:
        for name, walk in self._root.below("volumes").each():
            if walk.keys:
                self._remarks.lost(
                    walk.span,
                    (*walk.path,),
                    f"how the volume {quoted(name)} is kept is the platform's business",
                    "nothing",
                )
        for name, walk in self._root.below("secrets").each():
            self._remarks.todo(
                walk.span,
                walk.path,
                f"the value of the secret {quoted(name)} is not imported",
                "set it where the platform keeps secrets",
            )

    def _extended(self, host: str, services: Walk) -> Walk:
        """Return a service with what it extends."""
        seen = [host]
        node = services.node(host)
        while isinstance(node, tree.Mapping) and "extends" in node.entries:
            extends = node.entries["extends"]
            base = (
                Walk(extends.node, (), Remarks(""))
                if isinstance(extends.node, tree.Mapping)
                else None
            )
            name = base.text("service") if base else getattr(extends.node, "text", "")
            without = {key: one for key, one in node.entries.items() if key != "extends"}
            where = (*services.path, host, "extends")
            if base is not None and base.has("file"):
                self._remarks.lost(
                    extends.key, where, "another file is not followed", "write its keys here"
                )
                node = msgspec.structs.replace(node, entries=without)
                break
            if name in seen or len(seen) > _MOST_BASES:
                raise ImportRefused(
                    f"{self._remarks.file}:{extends.key.line}: 'extends' goes in a circle, or over more than {_MOST_BASES} services: {' → '.join([*seen, name])[:500]}"
                )
            other = services.node(name) if name in services.keys else None
            if not isinstance(other, tree.Mapping):
                self._remarks.lost(
                    extends.key, where, f"there is no service {quoted(name)}", "name another one"
                )
                node = msgspec.structs.replace(node, entries=without)
                break
            seen.append(name)
            node = msgspec.structs.replace(node, entries={**other.entries, **_over(other, without)})
            if "extends" not in other.entries:
                node.entries.pop("extends", None)
        walk = Walk(node, (*services.path, host), self._remarks)
        walk.span = services.place(host)
        return walk

    def _in_no_circle(self, walks: Mapping[str, Walk]) -> None:
        """Refuse what Compose cannot start either.

        Raises:
            ImportRefused: Services wait for each other.
        """
        needs = {
            host: [name for name, _ in depends_on(walk) if name in walks]
            for host, walk in walks.items()
        }
        done: set[str] = set()
        for start in walks:
            stack: list[tuple[str, int]] = [(start, 0)]
            way: list[str] = []
            while stack:
                host, at = stack.pop()
                if at == 0:
                    if host in done:
                        continue
                    if host in way:
                        circle = [*way[way.index(host) :], host]
                        raise ImportRefused(
                            f"{self._remarks.file}: 'depends_on' goes in a circle, in which nothing can start: "
                            f"{' → '.join(circle)[:500]}"
                        )
                    way.append(host)
                if at < len(needs[host]):
                    stack += [(host, at + 1), (needs[host][at], 0)]
                else:
                    done.add(host)
                    way.pop()


def depends_on(walk: Walk) -> list[tuple[str, Span | None]]:
    """List the services that one waits for."""
    node = walk.node("depends_on")
    if isinstance(node, tree.Mapping):
        return [(name, entry.key) for name, entry in node.entries.items()]
    return list(walk.words("depends_on"))


def _over(base: tree.Mapping, entries: Mapping[str, tree.Entry]) -> dict[str, tree.Entry]:
    """Merge what a service says with what it extends: mappings key by key, everything else replaces."""
    found = {}
    for key, entry in entries.items():
        below = base.entries.get(key)
        if (
            below is not None
            and isinstance(below.node, tree.Mapping)
            and isinstance(entry.node, tree.Mapping)
        ):
            merged = msgspec.structs.replace(
                entry.node, entries={**below.node.entries, **entry.node.entries}
            )
            entry = tree.Entry(entry.key, merged)  # noqa: PLW2901 - the merged one takes its place
        found[key] = entry
    return found
