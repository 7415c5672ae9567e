"""The fault points of making a backup and of bringing one back."""

from __future__ import annotations

from drystone.l00_kernel.fault_points import FaultPoint

COPYING = FaultPoint("backup.parts.begun", "the parts of a backup are next", writes=True)
PARTS_WRITTEN = FaultPoint("backup.parts.written", "its files are there, and it has no name yet")
PUBLISHED = FaultPoint("backup.folder.named", "a backup is whole and has its name")
VERIFIED = FaultPoint("backup.parts.verified", "every file of a backup is what was written")
LAID_OUT = FaultPoint("backup.data.laid-out", "its data lies beside what is in use, compared")
STOPPED = FaultPoint("backup.service.stopped", "the service stands still for its data to change")
INTENDED = FaultPoint("backup.return.written", "it is written down which backup comes back")
IN_PLACE = FaultPoint("backup.data.in-place", "the data of the backup is in use")
RETURNED = FaultPoint("backup.return.done", "nothing is written down to come back any more")
RECOVERY_WRITTEN = FaultPoint("backup.recovery.written", "the new home says what it becomes")
HOME_UNPACKED = FaultPoint(
    "backup.home.unpacked", "all of a home is there, and no platform starts in it"
)
HOME_NAMED = FaultPoint(
    "backup.home.named", "a platform can start in the new home; it has no data yet"
)
