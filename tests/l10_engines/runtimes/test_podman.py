from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Iterator

import pytest

from drystone.l10_engines.processes.proc_files import content
from drystone.l10_engines.runtimes.errors import ImageNotFound, SpecInvalid
from drystone.l10_engines.runtimes.podman import Podman, PodmanInstance
from drystone.l10_engines.runtimes.port import Exit, Instance, Mount
from drystone.l10_engines.runtimes.records import ENDED, write_record
from drystone.testing.bare_image import PYTHON, SHOWN, bare_image
from drystone.testing.conformance.engines import eventually
from drystone.testing.conformance.runtime_bench import Workbench
from drystone.testing.conformance.runtimes import Bench, RuntimeConformance


@pytest.fixture(scope="session")
def image() -> Iterator[str]:
    if (reason := asyncio.run(Podman().available())) is not None:
        pytest.skip(reason)
    with bare_image(f'CMD ["{PYTHON}", "-c", "print(1234)"]') as name:
        yield name


def monitor_of(instance: Instance) -> list[int]:
    assert isinstance(instance, PodmanInstance)
    return [instance.monitor.pid]


class TestPodman(RuntimeConformance):
    @pytest.fixture
    async def bench(self, image: str) -> Bench:
        return Bench(
            factory=Podman,
            python=str(PYTHON),
            watchers=monitor_of,
            # LC_CTYPE is Python's own doing (PEP 538), since this image sets no language.
            own_variables=frozenset({"PATH", "HOME", "HOSTNAME", "TERM", "container", "LC_CTYPE"}),
            image=await Podman().resolve_image(image),
            mounts=tuple(Mount(path, str(path), read_only=True) for path in SHOWN),
        )

    async def test_an_image_may_bring_its_own_command(self, work: Workbench) -> None:
        instance = await work.start(work.spec())
        assert (await instance.wait()).is_success
        assert instance.log.read_text() == "1234\n"

    async def test_a_container_whose_end_is_recorded_is_removed_by_whoever_looks_next(
        self, work: Workbench
    ) -> None:
        spec = work.spec()
        instance = await work.runtime.start(spec)
        # Whoever saw its end wrote that, and died before the container was removed.
        write_record(spec.state / ENDED, Exit(0))
        found = await work.runtime.find(spec.state)
        assert found is not None
        assert (await found.wait()).code == 0
        assert not instance.is_running()
        assert await work.runtime.strays(spec.home_label, frozenset()) == []

    async def test_an_image_is_resolved_to_an_id_that_stays(
        self, work: Workbench, image: str
    ) -> None:
        podman = Podman()
        pinned = await podman.resolve_image(image)
        assert len(pinned.removeprefix("sha256:")) == 64
        assert await podman.resolve_image(pinned) == pinned
        assert pinned == work.bench.image

    async def test_an_image_that_is_not_here_is_named_with_those_that_are(self, image: str) -> None:
        for reference in ("localhost/no-such:1", "--all"):
            with pytest.raises(ImageNotFound, match=r"podman pull") as refused:
                await Podman().resolve_image(reference)
            assert reference in str(refused.value)
            assert image in str(refused.value)

    async def test_an_image_that_went_away_is_refused_at_the_start(self, work: Workbench) -> None:
        with pytest.raises(ImageNotFound):
            await work.runtime.start(work.spec("true", image="0123456789ab" * 5 + "0123"))

    async def test_a_command_without_an_image_is_refused(self, work: Workbench) -> None:
        with pytest.raises(SpecInvalid, match="image"):
            await work.runtime.start(work.spec("true", image=None))

    async def test_a_secret_reaches_no_command_line_and_no_file_that_stays(
        self, work: Workbench
    ) -> None:
        secrets = {"TOKEN": "s3cret-value", "CERTIFICATE": "s3cret\nlines"}
        instance = await work.start(
            work.program("import os; print(len(os.environ['CERTIFICATE']))", environment=secrets)
        )
        await instance.wait()
        assert instance.log.read_text() == "12\n"
        left = [path for path in work.root.rglob("*") if path.is_file()]
        assert not [path for path in left if b"s3cret" in path.read_bytes()]

    async def test_a_variable_that_would_steer_podman_is_refused(self, work: Workbench) -> None:
        for name in ("LD_PRELOAD", "CONTAINERS_CONF", "https_proxy"):
            with pytest.raises(SpecInvalid, match=name):
                await work.runtime.start(work.spec("true", environment={name: "a\nb"}))

    async def test_the_root_is_read_only_and_tmp_is_not(self, work: Workbench) -> None:
        source = "import os; open('/tmp/here', 'w'); print(os.access('/etc', os.W_OK))"
        instance = await work.start(work.program(source))
        assert (await instance.wait()).is_success
        assert instance.log.read_text() == "False\n"

    async def test_what_a_dead_agent_was_starting_is_waited_for(self, work: Workbench) -> None:
        # It stands for a podman that has not yet made its container. A real one that is held up holds up all others.
        words = (
            '"$@" >/dev/null & echo $!',
            "sh",
            sys.executable,
            "-c",
            "import time; time.sleep(100)",
        )
        label = f"--label=drystone.home={work.label}"
        parent = await asyncio.create_subprocess_exec(
            *("sh", "-c", *words, label), stdout=asyncio.subprocess.PIPE
        )
        assert parent.stdout is not None
        podman = int(await parent.stdout.readline())
        await parent.wait()
        await eventually(lambda: label.encode() in (content(podman, "cmdline") or b""))
        looking = asyncio.create_task(work.runtime.strays(work.label, frozenset()))
        # A look that does not wait would have ended before this one, which began later.
        await Podman().strays("another-home", frozenset())
        try:
            assert not looking.done()
        finally:
            os.kill(podman, signal.SIGKILL)
        assert await looking == []
