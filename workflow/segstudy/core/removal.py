"""Remove files and folders without ever following a symbolic link."""

from __future__ import annotations

import errno
import os
import shutil
import stat
from contextlib import suppress
from pathlib import Path

from segstudy.core.errors import StudyError


def remove_tree(path: str | Path) -> None:
    """Remove a folder with all that is in it, or a file; a link is removed as a link. Nothing there is no error."""
    path = Path(path)
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)  # removes links inside, and does not follow them
    else:
        path.unlink(missing_ok=True)


def link_below(root: Path, path: Path) -> Path | None:
    """Return the first folder between `root` and `path` that is a symbolic link; None where there is none.

    `root` and `path` themselves may be links.
    """
    folder = root
    for part in path.relative_to(root).parts[:-1]:
        folder = folder / part
        if folder.is_symlink():
            return folder
    return None


def remove_below(root: Path, path: Path) -> None:
    """Remove the file, link or folder `path` below `root`, then the folders between them that are empty now.

    Every folder on the way is opened from the one above it, and never through a link, so that no link which appears
    meanwhile leads out of `root`. `root` itself may be a link. What is gone already is no error.

    Raises:
        StudyError: a folder on the way is a link.
    """
    *folders, name = path.relative_to(root).parts
    opened: list[int] = []
    try:
        opened.append(os.open(root, os.O_RDONLY | os.O_DIRECTORY))
        for folder in folders:
            opened.append(os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=opened[-1]))
        if stat.S_ISDIR(os.stat(name, dir_fd=opened[-1], follow_symlinks=False).st_mode):
            shutil.rmtree(name, dir_fd=opened[-1])
        else:
            os.unlink(name, dir_fd=opened[-1])
        with suppress(OSError):  # not empty: so are those above
            for above, folder in reversed(list(zip(opened[:-1], folders, strict=True))):
                os.rmdir(folder, dir_fd=above)
    except FileNotFoundError:
        pass
    except OSError as error:
        if error.errno not in (errno.ELOOP, errno.ENOTDIR):
            raise
        raise StudyError(
            "a folder of this path has become a symbolic link: nothing is removed behind it",
            where=path,
            remedy="look at the link; then run the same command again",
        ) from None
    finally:
        for descriptor in opened:
            os.close(descriptor)
