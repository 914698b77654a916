"""Storage: every path that is read or written, of this machine or of a bucket.

A path that begins with `gs://` names objects of a bucket, any other one files of this
machine, which Beam's file systems know. Whoever reads or writes need not ask which.

In a bucket nothing is moved: it is copied and deleted, one object after another. So what
must change at once is one object, which is `replace`d on condition that nobody else did
meanwhile; on a disk that is a file that is renamed.
"""

import contextlib
import io
import os
import re
import tempfile
import uuid
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, cast

from apache_beam.io.filesystem import CompressionTypes, FileSystem
from apache_beam.io.filesystems import FileSystems

from transforms.buckets import (
    Found,
    OvertakenError,
    asked_for,
    copy_object,
    delete_object,
    fetch,
    listed,
    object_exists,
    open_object,
    side_by_side,
    upload,
)

# What is written to a bucket waits in memory up to this size, on disk beyond it.
_WAITING_BYTES = 16 << 20


def is_stored(path: str) -> bool:
    """Tell whether a path names objects of a bucket."""
    return path.startswith("gs://")


def join(folder: str, *names: str) -> str:
    """Give the path of what is called so in a folder."""
    if not is_stored(folder):
        return str(FileSystems.join(folder, *names))
    return "/".join([folder.rstrip("/"), *(name.strip("/") for name in names)])


def folder_of(path: str) -> str:
    """Give the folder that a file is in, by one name however it is reached."""
    if is_stored(path):
        return path.rpartition("/")[0]
    return str(Path(path).resolve().parent)


def exists(path: str) -> bool:
    """Tell whether there is such a file; or folder, on this machine: a bucket has none."""
    if not is_stored(path):
        return bool(FileSystems.exists(path))
    return object_exists(path)


def holds(folder: str) -> bool:
    """Tell whether there is such a folder; of a bucket, whether anything lies in it."""
    return bool(files(folder)) if is_stored(folder) else exists(folder)


def existing(paths: Iterable[str]) -> set[str]:
    """Give those of some files that exist."""
    asked = list(paths)
    return {
        path
        for path, is_there in zip(asked, side_by_side(exists, asked), strict=True)
        if is_there
    }


def opened(path: str) -> IO[bytes]:
    """Open a file to be read, as it is: decompressed only what the store compressed.

    Raises:
      OSError: if it cannot be read.
    """
    if not is_stored(path):
        return cast(
            IO[bytes],
            FileSystems.open(path, compression_type=CompressionTypes.UNCOMPRESSED),
        )
    return open_object(path)


def content_of(path: str, start: int = 0, length: int | None = None) -> bytes:
    """Read a file, or so many of its bytes."""
    if not is_stored(path) or length is None:
        with opened(path) as stream:
            stream.seek(start)
            return bytes(stream.read() if length is None else stream.read(length))
    return fetch(path, start, length)


@contextlib.contextmanager
def created(path: str) -> Iterator[IO[bytes]]:
    """Open a file to be written. In a bucket it appears when all of it is written."""
    if not is_stored(path):
        with FileSystems.create(
            path, "application/octet-stream", CompressionTypes.UNCOMPRESSED
        ) as stream:
            yield stream
        return
    with tempfile.SpooledTemporaryFile(max_size=_WAITING_BYTES) as waiting:
        yield cast(IO[bytes], waiting)
        upload(cast(IO[bytes], waiting), path)


def write(path: str, content: bytes) -> None:
    """Write a small file."""
    with created(path) as stream:
        stream.write(content)


def current(path: str) -> tuple[bytes, int] | None:
    """Read a file that may be replaced at any time.

    Returns:
      Its content and its version, for `replace`; None if there is none.
    """
    if not is_stored(path):
        return (content_of(path), 0) if exists(path) else None
    while found := asked_for(path):
        # It may be replaced between the two questions.
        with contextlib.suppress(OvertakenError, FileNotFoundError):
            return found.part(0, found.size), found.version
    return None


def replace(path: str, content: bytes, *, version: int) -> None:
    """Write a file in the place of another in one step: readers see either.

    Args:
      path: of the file.
      content: all of it.
      version: as of `current`; 0 where there was none. Not looked at on this machine.

    Raises:
      OvertakenError: if there is another version by now, in a bucket.
    """
    if is_stored(path):
        upload(io.BytesIO(content), path, version)
        return
    folder, name = os.path.split(path)
    waiting = os.path.join(folder, f".{name}-{uuid.uuid4().hex}")
    write(waiting, content)
    FileSystems.rename([waiting], [path])


def check_writable(folder: str) -> None:
    """Try whether files of a bucket may be written and deleted; do nothing elsewhere.

    Raises:
      OSError: if not.
    """
    if is_stored(folder):
        path = join(folder, f"_staging-probe-{uuid.uuid4().hex[:8]}")
        write(path, b"")
        delete([path])


def make_folder(path: str) -> None:
    """Make a folder, if there is none; a bucket needs none."""
    if not is_stored(path) and not FileSystems.exists(path):
        FileSystems.mkdirs(path)


def move(pairs: Sequence[tuple[str, str]]) -> None:
    """Move files, each to its new path.

    To a bucket they are copied, all of them before the first is deleted there; those that
    come from this machine stay.
    """
    local = [pair for pair in pairs if not is_stored(pair[1])]
    if local:
        FileSystems.rename(*map(list, zip(*local, strict=True)))
    stored = [pair for pair in pairs if is_stored(pair[1])]
    side_by_side(_copy, stored)
    delete([source for source, _ in stored if is_stored(source)])


def _copy(pair: tuple[str, str]) -> None:
    source, target = pair
    if is_stored(source):
        copy_object(source, target)
    else:
        with open(source, "rb") as stream:
            upload(stream, target)


def delete(paths: Iterable[str]) -> None:
    """Delete files; those that are gone already are none."""
    asked = list(paths)
    local = [path for path in asked if not is_stored(path) and FileSystems.exists(path)]
    if local:
        FileSystems.delete(local)
    side_by_side(delete_object, [path for path in asked if is_stored(path)])


def delete_folder(folder: str) -> None:
    """Delete all that lies in a folder, and the folder."""
    if is_stored(folder):
        delete(file.path for file in files(folder))
    elif FileSystems.exists(folder):
        FileSystems.delete([folder])


def files(folder: str, *, deep: bool = True) -> list[Found]:
    """List what lies in a folder, or what lies deeper, too.

    Raises:
      OSError: if the folder cannot be listed.
    """
    if is_stored(folder):
        return listed(folder.rstrip("/") + "/", deep=deep)
    return matching(join(folder, "**" if deep else "*"))


def matching(pattern: str) -> list[Found]:
    """List the files that a pattern fits: "*" within a folder, "**" across folders.

    Raises:
      OSError: if they cannot be listed.
    """
    if is_stored(pattern):
        fits = re.compile(FileSystem.translate_pattern(pattern)).match
        start = re.split(r"[*?\[]", pattern, maxsplit=1)[0]
        rest = pattern.removeprefix(start)
        deep = "/" in rest or "**" in rest
        return [found for found in listed(start, deep=deep) if fits(found.path)]
    (matched,) = FileSystems.match([pattern])
    return [Found(found.path, found.size_in_bytes) for found in matched.metadata_list]


@contextlib.contextmanager
def written_folder(folder: str) -> Iterator[Path]:
    """Give a folder of this machine to write in; what is in it is in `folder` afterwards.

    A folder of this machine is given itself, and made if there is none.
    """
    if not is_stored(folder):
        Path(folder).mkdir(parents=True, exist_ok=True)
        yield Path(folder)
        return
    with tempfile.TemporaryDirectory(prefix="newsdedup-") as temporary:
        yield Path(temporary)
        move(
            [
                (str(path), join(folder, path.relative_to(temporary).as_posix()))
                for path in sorted(Path(temporary).rglob("*"))
                if path.is_file()
            ]
        )
