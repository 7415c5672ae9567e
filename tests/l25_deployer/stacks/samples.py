"""Stacks that tests of several modules use: made of descriptors, and made by chance."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import hypothesis.strategies as st

from drystone.l25_deployer.descriptor import Merged, read, resolve
from drystone.l25_deployer.stacks import model
from drystone.l25_deployer.stacks.compile import compile_stacks
from drystone.l25_deployer.stacks.limits import Limit
from drystone.l25_deployer.stacks.smoke import Smoke

ROOT = Path(__file__).parents[3]
HEAD = "schema: 1\nservice: orders\nowner: commerce\n"
MINIMAL = HEAD + "process: {command: [python, -m, orders]}\n"


def merged(text: str, environment: str = "dev", region: str | None = None) -> Merged:
    reading = read(text)
    assert reading.descriptor is not None, reading.report()
    return resolve(reading, environment, region)


def stacks(text: str, *, version: str = "1", environment: str = "dev") -> model.Stacks:
    return compile_stacks(merged(text, environment), version=version)


NAMES = st.sampled_from(["a", "b", "c-d"])
VARIABLES = st.sampled_from(["A", "B", "C_D"])
SPANS = st.sampled_from(
    [timedelta(0), timedelta(milliseconds=250), timedelta(seconds=90), timedelta(days=3)]
)
TEMPLATES = st.lists(
    st.sampled_from(["x", "", "y z"])
    | st.builds(model.Reference, st.just("resources"), NAMES, st.just("url")),
    max_size=3,
).map(tuple)
COMMANDS = st.lists(TEMPLATES, max_size=3).map(tuple)
RESOURCES = (
    st.builds(
        model.Postgres,
        version=st.sampled_from(["17", "18"]),
        connections=st.integers(1, 3),
        extensions=st.lists(NAMES, max_size=2).map(tuple),
        protect=st.booleans(),
    )
    | st.builds(model.Bucket, protect=st.booleans())
    | st.builds(
        model.Cache,
        memory=st.integers(1, 3),
        eviction=st.sampled_from(["lru", "lfu"]),
        protect=st.booleans(),
    )
    | st.builds(model.Volume, protect=st.booleans())
)
ARTIFACTS = (
    st.builds(model.ImageArtifact, ref=NAMES)
    | st.builds(
        model.ProcessArtifact, dir=NAMES, runtime=st.none() | st.just("python"), setup=st.just(())
    )
    | st.builds(
        model.StaticArtifact,
        dir=NAMES,
        index=NAMES,
        spa=st.booleans(),
        keep_assets=st.integers(0, 2),
        cache=st.dictionaries(st.sampled_from(["*.js", "a/*"]), SPANS, max_size=2),
        headers=st.dictionaries(st.sampled_from(["X-A", "X-B"]), NAMES, max_size=2),
        csp=st.none() | NAMES,
    )
    | st.builds(model.EmbeddedArtifact, module=NAMES)
)
HEALTH = st.builds(
    model.Health,
    path=NAMES,
    interval=SPANS,
    timeout=SPANS,
    healthy=st.integers(1, 3),
    unhealthy=st.integers(1, 3),
    grace=SPANS,
    port=st.none() | st.integers(1, 3),
)
GROUPS = st.builds(
    model.Group,
    command=COMMANDS,
    instances=st.integers(0, 3),
    cpu=st.sampled_from([0.5, 1.0]),
    memory=st.integers(1, 3),
    stop=st.builds(model.Stop, drain=SPANS, grace=SPANS, signal=st.sampled_from(["TERM", "INT"])),
    serves=st.booleans(),
    env=st.dictionaries(VARIABLES, TEMPLATES, max_size=2),
    port=st.none() | st.integers(1, 3),
    health=st.none() | HEALTH,
)
DEPENDENCIES = st.builds(
    model.Dependency,
    needs=st.sampled_from(["hard", "soft"]),
    at=st.lists(NAMES, max_size=2).map(tuple),
    timeout=SPANS,
    environment=st.none() | NAMES,
)
LIMITS = st.builds(
    Limit,
    count=st.integers(1, 3),
    period=SPANS,
    match=st.sampled_from(["*", "GET /a"]),
    per=st.sampled_from(["caller", "ip"]),
    counted=st.sampled_from(["local", "exact"]),
    algorithm=st.sampled_from(["gcra", "token-bucket"]),
    shadow=st.booleans(),
    burst=st.none() | st.integers(1, 3),
    header=st.none() | NAMES,
    when_down=st.none() | st.just("open"),
)
STACKS = st.builds(
    model.Stacks,
    eternal=st.builds(model.Eternal, st.dictionaries(NAMES, RESOURCES, max_size=3)),
    resources=st.builds(
        model.ReleaseResources,
        version=st.sampled_from(["1", "2"]),
        artifact=ARTIFACTS,
        env=st.dictionaries(VARIABLES, TEMPLATES, max_size=2),
        settings=st.builds(
            model.Settings,
            secrets=st.lists(VARIABLES).map(tuple),
            config=st.lists(NAMES).map(tuple),
        ),
    ),
    deployment=st.builds(
        model.Deployment, st.dictionaries(st.sampled_from(["web", "a"]), GROUPS, max_size=2)
    ),
    environment=st.builds(
        model.EnvironmentStack,
        service=st.just("orders"),
        name=st.just("dev"),
        owner=NAMES,
        tier=st.integers(0, 4),
        hosts=st.lists(NAMES, max_size=2).map(tuple),
        timeout=SPANS,
        public=st.booleans(),
        description=st.none() | NAMES,
        region=st.none() | NAMES,
        layer=st.none() | st.integers(0, 3),
        dependencies=st.dictionaries(NAMES, DEPENDENCIES, max_size=2),
        limits=st.dictionaries(NAMES, LIMITS, max_size=2),
    ),
    route=st.builds(
        model.Route,
        strategy=st.sampled_from(["blue-green", "cutover"]),
        keep_warm=SPANS,
        keep=st.integers(1, 3),
        migrate=COMMANDS,
        smoke=st.lists(
            st.builds(Smoke, st.just("GET"), st.sampled_from(["/", "/a"])), max_size=2
        ).map(tuple),
    ),
)
