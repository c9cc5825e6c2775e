"""Replacing a file: the old one or the new one, whole, whatever happens.

Written beside its place, made to last, and moved there: whoever reads meanwhile, and whoever comes
back after a power cut, finds one of the two. A boot partition's FAT can do that too, but has no
owners and no permissions.
"""

import contextlib
import os
import stat
import tempfile
from pathlib import Path


def replace(path: Path, content: bytes, like: os.stat_result | None = None) -> None:
    """Let `path` have that content, and the mode and owner of `like`. Raises OSError."""
    fd, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    new = Path(name)
    try:
        with os.fdopen(fd, "wb") as stream:
            stream.write(content)
            if like is not None:
                with contextlib.suppress(OSError):
                    os.fchown(fd, like.st_uid, like.st_gid)
                    os.fchmod(fd, stat.S_IMODE(like.st_mode))
            stream.flush()
            os.fsync(fd)
        new.replace(path)
    except BaseException:
        new.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make its entries last, as a file's own sync need not. Raises OSError."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
