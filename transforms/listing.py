"""Listing: patterns become the files they match, with their formats and what tells them.

What is there and is not read is listed too, since it must end as a reject: a link that
leads nowhere and, with "/" at its end, a folder that cannot be looked into or a link to
one. Beam's own listing of local files leaves them out, so local folders are listed here;
those of a bucket know nothing of the kind.
"""

import contextlib
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

import xxhash
from apache_beam.io.filesystem import FileSystem

from transforms import storage
from transforms.buckets import Found

FORMATS = {
    ".jsonl": "lines",
    ".ndjson": "lines",
    ".json": "json",
    ".parquet": "parquet",
    ".txt": "text",
    ".html": "html",
    ".htm": "html",
}
CODECS = {".gz": "gzip", ".zst": "zstd"}

_MARKS = re.compile(r"[*?\[]")


def matched_files(patterns: Iterable[str]) -> list[str]:
    """Find the input files: sorted, distinct, relative where the pattern is relative.

    Args:
      patterns: files, globs ("*" within a folder, "**" across folders) or folders, of
        this machine or of a bucket. Of a folder every file of a known format is
        taken, at any depth; a glob matches files, and folders with "/" at its end
        ("gs://bucket/day=*/"). Both skip names that begin with a dot. Links to folders
        are followed as far as the pattern goes, not below it and not within "**".

    Raises:
      ValueError: if a pattern matches nothing, or a file whose format is not known.
    """
    files: set[str] = set()
    for pattern in patterns:
        of_folders, found = _matched(pattern)
        if of_folders:
            found = [
                file for file in found if _suffixes(file)[0] in FORMATS or is_folder(file)
            ]
        if not found:
            wanted = (
                f"a file of a known format, {_known_formats()}" if of_folders else "a file"
            )
            hint = ""
            if not of_folders and _MARKS.search(pattern) and _matched(f"{pattern}/")[1]:
                hint = ", which matches folders: end it with /"
            raise ValueError(f"input must match {wanted}, got {pattern}{hint}")
        for file in found:
            if not is_folder(file):
                file_format(file)
        files.update(found)
    return sorted(files)


def absolute(path: str) -> str:
    """Give the path of a file or folder to a process that stands in another folder."""
    return path if "://" in path else os.path.abspath(path)


def is_folder(path: str) -> bool:
    """Tell whether what was listed is a folder that was not looked into."""
    return path.endswith("/")


def _matched(pattern: str) -> tuple[bool, list[str]]:
    """Give whether the pattern means folders, and the files it matches."""
    if not pattern:
        raise ValueError("input must name a file, a folder or a glob, got an empty text")
    try:
        match = _matched_remote if "://" in pattern else _matched_local
        of_folders, found = match(pattern)
    except OSError as error:
        # Beam packs what happened into a dict.
        details = getattr(error, "exception_details", None) or {}
        cause = next(iter(details.values()), error)
        raise ValueError(f"input must be listed, got {pattern}: {cause}") from error
    return of_folders, _visible(found, pattern)


def _matched_remote(pattern: str) -> tuple[bool, list[str]]:
    of_folders = pattern.endswith("/")
    if not _MARKS.search(pattern):
        below = [found.path for found in storage.files(pattern)]
        if below or of_folders:
            return True, below
    if of_folders:
        return True, _remote_files(f"{pattern}**")
    # A name may hold the marks of a glob.
    if storage.exists(pattern):
        return False, [pattern]
    return False, _remote_files(pattern)


def _remote_files(pattern: str) -> list[str]:
    # Beam wants a folder where "**" stands; everybody else takes it for any number.
    patterns = sorted({pattern, pattern.replace("/**/", "/")})
    return [found.path for one in patterns for found in storage.matching(one)]


def _matched_local(pattern: str) -> tuple[bool, list[str]]:
    if os.path.isdir(pattern):
        return True, list(_files_below(pattern.rstrip("/") + "/"))
    # A name may hold the marks of a glob.
    if os.path.lexists(pattern):
        return False, [pattern]
    mark = _MARKS.search(pattern)
    if not mark:
        return False, []
    of_folders = pattern.endswith("/")
    start = pattern.rfind("/", 0, mark.start()) + 1
    parts = f"{pattern[start:]}{'**' if of_folders else ''}".split("/")
    return of_folders, list(_files_that_fit(pattern[:start] or "./", parts))


def _files_below(folder: str) -> Iterator[str]:
    """List a local folder, at any depth.

    Raises:
      OSError: if the folder itself cannot be listed.
    """
    refused: list[OSError] = []
    for where, folders, names in os.walk(folder, onerror=refused.append):
        for name in folders:
            if os.path.islink(path := os.path.join(where, name)):
                yield f"{path}/"
        yield from (os.path.join(where, name) for name in names)
    for error in refused:
        if error.filename == folder:
            raise error
        yield f"{error.filename}/"


def _files_that_fit(folder: str, parts: Sequence[str]) -> Iterator[str]:
    """List the local files whose path below a folder fits a glob, given in its parts."""
    first, *rest = parts
    if "**" in first:
        fits = re.compile(FileSystem.translate_pattern("/".join(parts))).match
        for path in _files_below(folder):
            if is_folder(path) or fits(path.removeprefix(folder)):
                yield path
        if first == "**" and rest:
            yield from _files_that_fit(folder, rest)
        return
    fits = re.compile(FileSystem.translate_pattern(first)).match
    for name in os.listdir(folder) if os.path.isdir(folder) else ():
        path = f"{folder}{name}"
        if fits(name) and bool(rest) == os.path.isdir(path):
            yield from _files_that_fit(f"{path}/", rest) if rest else [path]


def _visible(found: Iterable[str], pattern: str) -> list[str]:
    """Leave out what lies in a name with a leading dot that the pattern does not name."""
    named = {".", *pattern.split("/")}
    return [
        _tidied(path)
        for path in found
        if not any(part.startswith(".") for part in set(path.split("/")) - named)
    ]


def _tidied(path: str) -> str:
    # Two spellings of one local path are one file. "gs://" must keep both its slashes.
    if "://" in path:
        return path
    path = re.sub("/+", "/", path)
    return re.sub(r"(?:^|(?<=/))\./", "", path)


def _base_name(path: str) -> str:
    return path.rpartition("/")[2]


def _suffixes(path: str) -> tuple[str, str]:
    """Give the suffix that names the format and the one that names the compression."""
    name, compression = _base_name(path).lower(), ""
    stem, dot, last = name.rpartition(".")
    if dot + last in CODECS:
        name, compression = stem, dot + last
    _, dot, last = name.rpartition(".")
    return dot + last if dot else "", compression


def _known_formats() -> str:
    return f"{', '.join(FORMATS)} (but for .parquet also with {' or '.join(CODECS)})"


def file_format(path: str) -> tuple[str, str | None]:
    """Give a file's format (a value of FORMATS) and its compression (of CODECS, or None).

    >>> file_format("news/2025-05-16.jsonl.gz")
    ('lines', 'gzip')

    Raises:
      ValueError: if the name's extension is not a known one.
    """
    suffix, compression = _suffixes(path)
    if suffix not in FORMATS or (suffix == ".parquet" and compression):
        raise ValueError(f"input must be one of {_known_formats()}, got {path}")
    return FORMATS[suffix], CODECS.get(compression)


def file_groups(
    sizes: Mapping[str, int], *, group_bytes: int, group_files: int
) -> list[list[str]]:
    """Put files that are next to each other together until they are worth a batch.

    >>> file_groups({"a": 3, "b": 4, "c": 9, "d": 1}, group_bytes=8, group_files=9)
    [['a', 'b'], ['c'], ['d']]
    """
    groups: list[list[str]] = []
    size = 0
    for file in sorted(sizes):
        size += sizes[file]
        if not groups or size > group_bytes or len(groups[-1]) >= group_files:
            groups.append([])
            size = sizes[file]
        groups[-1].append(file)
    return groups


def file_sizes(files: Iterable[str]) -> dict[str, int]:
    """Look up the sizes of files in bytes, 0 where unknown."""
    files = list(files)
    remote = _remote_metadata(files)
    sizes = {}
    for file in files:
        if "://" in file:
            sizes[file] = remote[file].size if file in remote else 0
        else:
            sizes[file] = os.path.getsize(file) if os.path.exists(file) else 0
    return sizes


def file_identities(files: Iterable[str]) -> dict[str, str]:
    """Give a text for each file that changes when its content does.

    A file counts by its name, without its folder, and its content: a local one by a hash
    of its bytes, read at gigabytes a second, one of a bucket by the hash that the store
    keeps, which one question tells of all files of a folder. What cannot be read, and what
    would block, as a pipe does, counts by its name.
    """
    files = list(files)
    remote = _remote_metadata(files)
    return {
        file: f"{_base_name(file)} {remote[file].content}"
        if file in remote
        else content_identity(file)
        for file in files
    }


def content_identity(file: str) -> str:
    """Give the name of a file and a hash of its bytes, the same wherever it is."""
    name = _base_name(file)
    if "://" in file or os.path.isfile(file):
        with contextlib.suppress(OSError):
            return f"{name} {_content_digest(file)}"
    return name


def _content_digest(file: str) -> str:
    digest = xxhash.xxh3_128()
    with storage.opened(file) as stream:
        while chunk := stream.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def _remote_metadata(files: Iterable[str]) -> dict[str, Found]:
    """Look up files that are not local.

    A bucket is asked once per folder: asking once per file takes minutes for thousands.
    """
    folders = {storage.folder_of(file) for file in files if "://" in file}
    return {
        found.path: found
        for folder in sorted(folders)
        for found in storage.files(folder, deep=False)
    }
