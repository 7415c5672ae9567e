"""Free the beginning of a file while others append to it, and keep room for them (fallocate(2), lseek(2))."""

from __future__ import annotations

import ctypes
import errno
import os

BLOCK = 4096
_KEEP_SIZE, _PUNCH_HOLE = 0x01, 0x02
_UNSUPPORTED = {errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL}


def punch_head(descriptor: int, end: int) -> bool:
    """Give the disk space of a file's first bytes back; offsets, size and the rest stay as they are.

    Args:
        descriptor: The file, open for writing.
        end: Where to stop; rounded down to a whole block.

    Returns:
        False when the file system cannot do it.

    Raises:
        OSError: It can, but failed.
    """
    length = end - end % BLOCK
    return length <= 0 or _fallocate(descriptor, _PUNCH_HOLE | _KEEP_SIZE, 0, length)


def set_aside(descriptor: int, length: int) -> bool:
    """Give a file disk space beyond its end, which its size does not show; what is there already stays.

    Args:
        descriptor: The file, open for writing.
        length: How many bytes can then be appended, however full the disk is.

    Returns:
        False when the file system cannot do it.

    Raises:
        OSError: It can, but failed; the disk is full, most of all.
    """
    return _fallocate(descriptor, _KEEP_SIZE, os.fstat(descriptor).st_size, length)


def _fallocate(descriptor: int, mode: int, offset: int, length: int) -> bool:
    fallocate = ctypes.CDLL(None, use_errno=True).fallocate
    fallocate.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64]
    if fallocate(descriptor, mode, offset, length) == 0:
        return True
    number = ctypes.get_errno()
    if number in _UNSUPPORTED:
        return False
    raise OSError(number, os.strerror(number))


def first_data(descriptor: int) -> int:
    """Return where a file's data begin; its size when it is empty or all of it is a hole."""
    try:
        return os.lseek(descriptor, 0, os.SEEK_DATA)
    except OSError as e:
        if e.errno == errno.ENXIO:
            return os.fstat(descriptor).st_size
        raise
