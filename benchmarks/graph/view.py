"""The view of 2,000 components and 40,000 dependencies: ``python -m benchmarks.graph.view``.

Pages are in seconds of processor time of the server; the matrix in milliseconds a frame in a headless Chromium that draws by
software, beside the least that a frame of that size takes there (a canvas that is filled and put in place).
"""

from __future__ import annotations

import asyncio
import gzip
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from benchmarks.graph.reach import layered
from benchmarks.stand import table

from drystone.l05_graph.forms.survey_text import dump
from drystone.l05_graph.model import Model
from drystone.l80_governance.dependencies.app import PAGES, application
from drystone.l80_governance.dependencies.models import FileModels
from drystone.testing.asgi import App, ask, served
from drystone.testing.browser import Browser, Tab, binary

ZOOMS = 12
_LEAST = """(() => {
  const canvas = Object.assign(document.createElement("canvas"), {width: %d, height: %d});
  const paper = canvas.getContext("2d");
  const image = paper.createImageData(canvas.width, canvas.height);
  const times = [];
  for (let i = 0; i < 15; i++) {
    const start = performance.now();
    new Uint32Array(image.data.buffer).fill(0xffffffff - i);
    paper.putImageData(image, 0, 0);
    times.push(performance.now() - start);
  }
  return times.sort((a, b) => a - b)[7];
})()"""


def pages(model: Model, folder: Path) -> None:
    """Print what pages cost the server, the first time and from the same analysis."""
    name = model.components[len(model.components) // 2].name
    paths = [*PAGES, f"service?name={name}", "matrix.bin", "matrix.json"]
    paths = [path for path in paths if path != "service"]
    begun, first = _timed(application(FileModels(folder / "survey.yaml")), [""])
    rows = [["overview, the first of a model", f"{begun[0]:.3f}", *_sizes(first[0])]]
    app = application(FileModels(folder / "survey.yaml"))
    _timed(app, [""])
    took, bodies = _timed(app, [f"{path}{'&' if '?' in path else '?'}again=1" for path in paths])
    for path, seconds, body in zip(paths, took, bodies, strict=True):
        rows.append([path.partition("?")[0] or "overview", f"{seconds:.3f}", *_sizes(body)])
    print(
        table(
            "Pages of 2,000 components and 40,000 dependencies",
            ["page", "CPU s", "kB", "kB packed"],
            rows,
        )
    )


def _timed(app: App, paths: Sequence[str]) -> tuple[list[float], list[bytes]]:
    async def every() -> tuple[list[float], list[bytes]]:
        took, bodies = [], []
        for path in paths:
            before = time.process_time()
            answer = await ask(app, path, headers={"accept-encoding": "gzip"})
            took.append(time.process_time() - before)
            assert answer.status == 200
            bodies.append(answer.body)
        return took, bodies

    return asyncio.run(every())


def _sizes(body: bytes) -> list[str]:
    return [f"{len(body) / 1000:.0f}", f"{len(gzip.compress(body, 6)) / 1000:.0f}"]


def matrix(folder: Path) -> None:
    """Print what a frame of the matrix takes, and how much is transferred before and with the data."""
    rows: list[list[str]] = []
    received: dict[str, int] = {}
    app = application(FileModels(folder / "survey.yaml"))
    # A browser would not wait for the analysis on a busy machine.
    _timed(app, ["matrix"])
    with served(app) as place, Browser() as browser:
        for width, height in ((1440, 900), (2560, 1440)):
            tab = browser.tab(width=width, height=height)
            tab.open(f"{place}matrix")
            tab.until("document.getElementById('matrix').dataset.ready")
            size = tab.js(
                "[document.getElementById('matrix').width, document.getElementById('matrix').height]"
            )
            frames = _frames(tab)
            least = tab.js(_LEAST % tuple(size))
            rows.append(
                [
                    f"{size[0]} by {size[1]}",
                    f"{median(frames):.1f}",
                    f"{max(frames):.1f}",
                    f"{least:.1f}",
                ]
            )
            if width == 1440:
                received = tab.received
    print(
        table(
            "The matrix in Chromium, drawn by software",
            ["canvas", "ms a frame, median", "largest", "only filled, median"],
            rows,
        )
    )
    data = sum(
        size
        for address, size in received.items()
        if "matrix." in address and "static" not in address
    )
    before = sum(received.values()) - data
    print(f"\ntransferred: {before / 1000:.0f} kB before the data, {data / 1000:.0f} kB of data")


def _frames(tab: Tab) -> list[float]:
    """Zoom and pan over the matrix, and return how long each frame took in milliseconds."""
    tab.js("performance.clearMeasures(); document.getElementById('matrix').focus()")
    for step in range(ZOOMS):
        tab.press("+" if step < ZOOMS // 2 else "-")
        tab.press("PageDown" if step % 2 else "PageUp")
        tab.until(f"performance.getEntriesByName('matrix frame').length > {step}")
    found = tab.js("performance.getEntriesByName('matrix frame').map((one) => one.duration)")
    return [float(one) for one in found]


def main() -> None:
    """Print everything."""
    model = layered()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "survey.yaml").write_text(dump(model), encoding="utf-8")
        pages(model, folder)
        show(folder)


def show(folder: Path) -> None:
    """Measure what a browser does, if there is one."""
    if binary() is None:
        print("the matrix is not measured: Chromium is not installed")
    else:
        matrix(folder)


if __name__ == "__main__":
    main()
