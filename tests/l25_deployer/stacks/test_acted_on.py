"""Nothing of a descriptor is ignored in silence."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from drystone.l00_kernel.yaml_text.tree import Path
from drystone.l25_deployer.descriptor.compiled import Keyed, Tagged, shape_of
from drystone.l25_deployer.descriptor.schema.descriptor import Descriptor
from drystone.l25_deployer.descriptor.shapes import Either, Named, Shape
from drystone.l25_deployer.stacks.acted_on import KEYS, RESOURCES, not_acted_on, sentence_for
from drystone.l25_deployer.stacks.wiring.shape import NOW
from l25_deployer.stacks.samples import HEAD, MINIMAL, merged


def keys_below(shape: Shape, pattern: Path) -> Iterator[tuple[Path, Shape]]:
    """Give the keys directly below a shape, names of the author's as ``*`` and resources by their type."""
    match shape:
        case Tagged():
            for tag, keyed in shape.shapes.items():
                yield ("resources", tag), keyed
        case Keyed():
            for name, field in shape.fields.items():
                yield (*pattern, name), field.shape
        case Named() if isinstance(shape.value, Tagged):
            yield from keys_below(shape.value, pattern)
        case Named() if isinstance(shape.value, Keyed):
            yield (*pattern, "*"), shape.value
        case Either():
            for option in shape.options:
                yield from keys_below(option, pattern)
        case _:
            pass


def paths_to_decide(shape: Shape, pattern: Path) -> Iterator[Path]:
    """Every key for which the table must say something: all keys of a block that is acted on itself."""
    for path, below in keys_below(shape, pattern):
        yield path
        if sentence_for(path) == NOW:
            yield from paths_to_decide(below, path)


def test_the_table_decides_every_key_of_the_schema_and_no_other() -> None:
    decided = set(paths_to_decide(shape_of(Descriptor), ()))
    assert [path for path in sorted(decided) if sentence_for(path) is None] == []
    known = {tuple(key.split(".")) for key in KEYS} | {
        ("resources", *key.split(".")) for key in RESOURCES
    }
    assert sorted(known - decided) == []


def test_a_descriptor_that_says_only_what_is_acted_on_has_no_notices() -> None:
    text = HEAD + (
        "description: x\ntier: 1\nlayer: 50\nprocess: {command: [a], dir: b, runtime: python, setup: [c]}\n"
        "health: {path: /up, interval: 1s, timeout: 1s, healthy: 1, unhealthy: 1, grace: 1s}\n"
        "size: {cpu: 1, memory: 1Gi}\nscale: {min: 2}\nstop: {drain: 1s, grace: 1s, signal: INT}\n"
        "workers: {w: {command: [x], scale: {min: 1}, env: {A: 1}, size: {cpu: 1}}}\n"
        "env: {A: '${resources.db.url}', B: '${dependencies.billing.url}'}\n"
        "resources:\n  db: {type: postgres, version: 18, connections: 5, extensions: [pg_trgm], protect: false}\n"
        "  files: {type: bucket}\n  pages: {type: cache, memory: 64Mi, eviction: noeviction, engine: redis}\n"
        "  data: {type: volume}\n"
        "dependencies: {billing: hard}\nnetwork: {}\nproxy: {timeout: 5s}\n"
        "deploy: {strategy: cutover, migrate: [m], smoke: [GET /], keep_warm: 1m, keep: 2}\n"
        "environments: {dev: {scale: 3}}\nx-note: {anything: true}\n"
    )
    assert not_acted_on(merged(text)) == []


@pytest.mark.parametrize(
    ("addition", "path", "sentence"),
    [
        ("deepcheck: /deep", "deepcheck", "only health is asked"),
        (
            "scale: {min: 2, cpu: 50%}",
            "scale.cpu",
            "the number of instances stays at min; 'max' lets it grow",
        ),
        (
            "deploy: {strategy: progressive}",
            "deploy.strategy",
            "acts as blue-green without the orchestrator: all traffic moves at once",
        ),
        (
            "proxy: {body: 5Mi}",
            "proxy.body",
            "a body whose length nobody says beforehand may have 4 MiB at most, since it is held back until its end",
        ),
        (
            "deploy: {hold: 1m}",
            "deploy.hold",
            "only the orchestrator moves traffic by degrees",
        ),
        (
            "resources: {q: {type: asap-key, audience: [x]}}",
            "resources.q",
            "nothing provides this type of resource yet; variables that refer to it are left out",
        ),
        (
            "resources: {b: {type: bucket, expire: 1d}}",
            "resources.b.expire",
            "objects stay until they are removed",
        ),
        (
            "resources: {m: {type: cache, engine: memcached}}",
            "resources.m",
            "memcached is not provided yet; variables that refer to it are left out",
        ),
        (
            "resources: {s: {type: dataset}}",
            "resources.s",
            "nothing provides this type of resource yet; variables that refer to it are left out",
        ),
        (
            "workers: {w: {command: [x], size: {disk: 1Gi}}}",
            "workers.w.size.disk",
            "temporary files are not limited yet",
        ),
        ("env: {B: '${build}'}", "env.B", "is left out: nothing puts in ${build} yet"),
        (
            "workers: {w: {command: [x, '${build}']}}",
            "workers.w.command[1]",
            "cannot be run: nothing puts in ${build} yet",
        ),
        (
            "environments: {dev: {logs: {keep: 1d}}}",
            "logs",
            "lines are kept as they are, within a bound",
        ),
    ],
)
def test_what_is_not_acted_on_is_listed_with_its_line(
    addition: str, path: str, sentence: str
) -> None:
    (notice,) = not_acted_on(merged(MINIMAL + addition + "\n"))
    assert (notice.path, notice.line, notice.sentence) == (path, 5, sentence)


def test_what_another_environment_says_is_not_listed() -> None:
    assert not_acted_on(merged(MINIMAL + "environments: {prod: {logs: {keep: 1d}}}\n", "dev")) == []
