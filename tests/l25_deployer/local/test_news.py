from __future__ import annotations

from drystone.l00_kernel.shortage import room_at
from drystone.l10_engines.loopback_ports import free_port
from drystone.l25_deployer.local.news import News
from l25_deployer.small_platform import by_hand, deploy, descriptor, folder_of, short_folder


async def test_a_disk_on_the_verge_of_being_full_is_told_once() -> None:
    with short_folder() as folder:
        async with by_hand(folder / "h", free_port()) as p:
            await deploy(p.deployer, descriptor("shop"), folder_of(folder / "source"))
            news = News(p.services)
            for _ in range(5):
                news.of_disks([room_at(folder)])
                news.of_disks([])
            (kept,) = p.services.all()
            told = [event.event for event in kept.machine.documents.history("dev", "shop")]
            assert told.count("disk full") == told.count("disk has room") == 1
            await kept.suspend()
