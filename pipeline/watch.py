"""Watching a folder: new files are added to an output folder as they arrive.

The streaming of a laptop: the folder is looked at again and again, and whenever it holds
files that no run has read, an incremental run reads them. Nothing is kept in memory
between two runs, so a watch may be stopped and started at any moment; what was read is in
the manifest. A file that is still being written is left for the next look.
"""

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from pipeline import batch
from pipeline.config import Config
from pipeline.incremental import Additions
from transforms import storage
from transforms.listing import matched_files
from transforms.parquet import read_manifest


def settled_files(
    folder: str, before: Mapping[str, tuple[int, object]]
) -> tuple[list[str], dict[str, tuple[int, object]]]:
    """Find the files of a folder that did not change since the last look.

    Args:
      folder: of this machine or of a bucket.
      before: size of each file at the last look, and when it was written or, in a bucket,
        what tells its content.

    Returns:
      The files that are as they were, and what to hand in at the next look.
    """
    try:
        files = matched_files([folder])
    except ValueError:
        # The folder is empty, so far.
        return [], {}
    now: dict[str, tuple[int, object]] = {}
    stored = storage.files(folder) if storage.is_stored(folder) else []
    contents = {found.path: (found.size, found.content) for found in stored}
    for file in files:
        if file in contents:
            now[file] = contents[file]
        elif not storage.is_stored(file):
            found = os.stat(file)
            now[file] = (found.st_size, found.st_mtime)
    return [file for file in files if file in now and before.get(file) == now[file]], now


def watch(
    folder: str,
    output: str,
    config: Config,
    *,
    fields: Mapping[str, str],
    additions: Additions,
    seconds: float,
    beam_flags: Sequence[str] = (),
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[dict[str, Any]]:
    """Add the files of a folder to an output folder as they arrive, for ever.

    Args:
      folder: of this machine or of a bucket; folders in it are looked through, too.
      output: folder of the tables.
      config: settings.
      fields: our field -> its name in the input.
      additions: how runs add to what is there.
      seconds: between two looks.
      beam_flags: flags for Beam itself.
      sleep: waits.

    Yields:
      The manifest of every run that read something.

    Raises:
      ValueError: if `folder` is no folder, or as of `batch.run`.
    """
    if storage.is_stored(folder):
        # A bucket that does not answer is told of now, not taken for an empty folder.
        storage.holds(folder)
    elif not os.path.isdir(folder):
        raise ValueError(f"a folder must be given to be watched, got {folder}")
    seen: dict[str, tuple[int, object]] = {}
    while True:
        files, seen = settled_files(folder, seen)
        before = read_manifest(output)
        if files:
            manifest = batch.run(
                files,
                output,
                config,
                fields=fields,
                additions=additions,
                beam_flags=beam_flags,
            )
            if manifest != before:
                yield manifest
        sleep(seconds)
