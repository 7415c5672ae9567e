"""The fault points of making and dropping a database.

They are apart from the statements, which an agent loads only with its first database: faults are armed before.
"""

from __future__ import annotations

from drystone.l00_kernel.fault_points import FaultPoint

ROLE_MADE = FaultPoint("postgres.role.made", "a role exists that may log in; its database may not")
DATABASE_MADE = FaultPoint(
    "postgres.database.made", "a database exists; what its role may do in it is not said"
)
DATABASE_GONE = FaultPoint("postgres.database.gone", "a database is gone; its role is not")
SCRATCH_GONE = FaultPoint(
    "backup.scratch.gone", "nothing is left of an earlier attempt to lay a copy out"
)
SCRATCH_LOADED = FaultPoint(
    "backup.scratch.loaded", "a copy is laid out beside the database that is in use"
)
SWAPPED = FaultPoint(
    "backup.names.swapped", "the copy has the database's name; the former one still takes room"
)
