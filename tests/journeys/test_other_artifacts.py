"""Services that are no folder of code: static sites and images."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from drystone.testing.python_image import CODE, PYTHON, python_image
from journeys.place import EXAMPLES, SERVER, Place, small_service

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CONTAINER = EXAMPLES / "container"


async def test_a_site_routes_in_the_browser_and_keeps_the_assets_of_earlier_releases(
    platform: Place, tmp_path: Path
) -> None:
    site = tmp_path / "site"
    shutil.copytree(EXAMPLES / "static-site", site)
    said = await platform.deploy(site / "service.yaml")
    assert said.code == 0, said.err
    page = await platform.get("field-guide", "/")
    assert page.headers["cache-control"] == "public, max-age=0"
    asset = next(path.name for path in (site / "site/assets").glob("*.js"))
    answer = await platform.get("field-guide", f"/assets/{asset}")
    assert answer.headers["cache-control"].startswith("public, max-age=31536000")
    browser = {"accept": "text/html"}
    deep = await platform.get("field-guide", "/walls/of/wales", headers=browser)
    assert (deep.status_code, deep.text) == (200, page.text)

    (site / "site/assets" / asset).rename(site / "site/assets/app.0000000000.js")
    index = site / "site/index.html"
    index.write_text(index.read_text().replace(asset, "app.0000000000.js"))
    assert (await platform.deploy(site / "service.yaml")).code == 0
    assert "app.0000000000.js" in (await platform.get("field-guide", "/")).text
    assert (await platform.get("field-guide", f"/assets/{asset}")).text == answer.text
    assert (await platform.get("field-guide", "/assets/never-there.js")).status_code == 404


@pytest.fixture(scope="module")
def image() -> Iterator[str]:
    """An image of the small service."""
    if shutil.which("podman") is None:
        pytest.skip("podman is not installed here")
    with python_image(SERVER) as name:
        yield name


@pytest.mark.slow
async def test_an_image_is_deployed_twice_under_traffic_and_leaves_no_container(
    platform: Place, tmp_path: Path, image: str
) -> None:
    name = platform.name()
    changes = {"process": None, "image": image, "command": [PYTHON, CODE, "${port}"]}
    descriptor = small_service(tmp_path, name, **changes)
    said = await platform.deploy(descriptor, "--version", "1")
    assert said.code == 0, said.err
    async with platform.traffic(name) as stopped:
        said = await platform.deploy(descriptor, "--version", "2")
        report = await stopped()
    assert said.code == 0, said.err
    assert report.failed == (), report.text()
    assert list(report.versions()) == ["1", "2"]
    removed = await platform.drystone.run("destroy", name, "--env", "dev", "--yes", name)
    assert removed.code == 0, removed.err
    listed = subprocess.run(["podman", "ps", "-a"], capture_output=True, text=True, check=True)
    assert f"{name}-dev-" not in listed.stdout


ASK = """
import json, os, sys, urllib.error, urllib.request
for url in (os.environ["DRYSTONE_LIMITS_URL"], sys.argv[1]):
    asked = urllib.request.Request(url + "/rows/check", b'{"cost": 3}', {"content-type": "application/json"})
    try:
        print(json.load(urllib.request.urlopen(asked))["allowed"])
    except urllib.error.HTTPError as e:
        print(json.load(e)["type"])
"""


@pytest.mark.slow
async def test_an_image_asks_about_its_own_limits_and_about_no_others(
    platform: Place, tmp_path: Path, image: str
) -> None:
    name = platform.name()
    descriptor = small_service(
        tmp_path,
        name,
        process=None,
        image=image,
        command=[PYTHON, CODE, "${port}"],
        limits={"rows": {"rate": "5/h", "match": "none", "counted": "exact"}},
    )
    said = await platform.deploy(descriptor)
    assert said.code == 0, said.err
    ports = json.loads((platform.home / "ports.json").read_text())
    others = f"http://127.0.0.1:{ports[f'{name}.dev>limits']}/v1/limits/dev/others"
    ask = ("exec", name, "--", PYTHON, "-c", ASK, others)
    said_of = [(await platform.drystone.must(*ask)).out.split() for _ in range(2)]
    assert said_of == [["True", "mesh.NothingHere"], ["False", "mesh.NothingHere"]]
    (rows,) = json.loads((await platform.drystone.must("limits", name, "--json")).out)["limits"]
    assert (rows["admitted"], rows["over"], rows["nearest"][0]["left"]) == (1, 1, 2)


@pytest.mark.timeout(600)  # the base of the image is made from Debian packages, once
@pytest.mark.skipif(
    shutil.which("podman") is None or shutil.which("debootstrap") is None,
    reason="needs podman and debootstrap",
)
async def test_an_image_of_the_example_is_deployed_twice_under_traffic(platform: Place) -> None:
    for version in ("1", "2"):
        subprocess.run([CONTAINER / "build-image.sh", version], check=True, capture_output=True)
    assert (await platform.deploy(CONTAINER / "service.yaml", "--version", "1")).code == 0
    async with platform.traffic("container", "/version") as stopped:
        assert (await platform.deploy(CONTAINER / "service.yaml", "--version", "2")).code == 0
        report = await stopped()
    assert report.failed == (), report.text()
    assert set(report.versions()) == {"1", "2"}
