from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from drystone.l00_kernel.home import Home, NoHome
from drystone.l25_deployer.backups.keys import KeyRing, read_key
from drystone.l85_surfaces.cli.commands.backup_key import backup_key
from drystone.l85_surfaces.cli.errors import Misuse
from drystone.l85_surfaces.cli.options import Shared


async def test_the_key_is_shown_and_read_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = Home.create(tmp_path / "h")

    await backup_key(shared=Shared(home=str(home.path)))

    said = capsys.readouterr()
    ring = KeyRing(home.path)
    assert read_key(said.out).secret == ring.all()[-1].secret
    assert ring.is_kept()
    assert said.out.strip() not in said.err


async def test_a_key_in_a_file_is_closed_to_others_and_never_written_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = Home.create(tmp_path / "h")
    file = tmp_path / "kept"

    await backup_key(to=str(file), shared=Shared(home=str(home.path), json=True))

    shown = msgspec.json.decode(capsys.readouterr().out)
    assert shown["key"] == ""
    assert read_key(file.read_text()).id == shown["id"]
    assert file.stat().st_mode & 0o077 == 0
    before = file.read_bytes()
    for taken in (file, tmp_path, tmp_path / "no" / "such"):
        with pytest.raises(Misuse, match="cannot be made"):
            await backup_key(to=str(taken), shared=Shared(home=str(home.path)))
    assert file.read_bytes() == before


async def test_a_rotation_names_the_keys_that_older_backups_need(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = Home.create(tmp_path / "h")
    old = KeyRing(home.path).newest(datetime.now(UTC))

    await backup_key(rotate=True, shared=Shared(home=str(home.path)))

    said = capsys.readouterr()
    new = read_key(said.out)
    assert new.id != old.id
    assert f"from before need {old.id}" in said.err
    assert [one.id for one in KeyRing(home.path).all()] == [old.id, new.id]


async def test_where_no_platform_is_no_key_is_made(tmp_path: Path) -> None:
    with pytest.raises(NoHome):
        await backup_key(shared=Shared(home=str(tmp_path)))
    assert list(tmp_path.iterdir()) == []
