"""A batch run on files: what is checked first, what runs, what is left when it ends."""

import contextlib
import dataclasses
import datetime
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import apache_beam as beam
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.config import Config
from pipeline.deduplicate import TABLES, Deduplicate
from pipeline.incremental import EMBEDDING_MODEL, Additions, earlier_runs
from pipeline.launching import Target, run_to_end, target
from pipeline.show import read_table
from transforms import storage
from transforms.buckets import UnreachableError
from transforms.embedding_model import load_model, model_digest
from transforms.listing import absolute, content_identity, file_identities, matched_files
from transforms.main_content import model_path, page_model
from transforms.owners import owned, refuse_others
from transforms.parquet import (
    COMMITTING,
    MANIFEST,
    PART_NAME,
    STAGING,
    read_manifest,
    remove_leftovers,
    staging_folder,
)
from transforms.reading import ReadArticles, checked_fields
from transforms.recurrence import remembered_lines
from transforms.story_model import shared_story_model
from transforms.windows import placement_files

_SECONDS_BETWEEN_LOOKS = 0.1
_LOOKS_AT_A_WITHDRAWAL = 50


def check_output(output: str, *, overwrite: bool) -> None:
    """Refuse an output folder that holds something that a run must not touch.

    Raises:
      ValueError: if it holds an earlier run and `overwrite` is off, anything that is not
        ours, a link, or the staging folder of a run that is still at work; or if it
        cannot be the name of a folder.
    """
    if not output.strip() or set(output) & set("*?[]") or output.endswith("://"):
        raise ValueError(
            f"output must name a folder, without any of * ? [ ], got {output!r}"
        )
    try:
        is_file = not storage.is_stored(output) and Path(output).is_file()
        found = storage.files(output)
    except OSError as error:
        raise ValueError(f"output folder {output} cannot be listed: {error}") from error
    if is_file:
        raise ValueError(f"output must name a folder, {output} is a file")
    check_links(output)
    root = output.rstrip("/") + "/"
    for file in found:
        name = file.path.removeprefix(root)
        top, _, rest = name.partition("/")
        ours = top.startswith((STAGING, f".{MANIFEST}")) or name == MANIFEST
        if not ours and not (top in TABLES and PART_NAME.fullmatch(rest)):
            raise ValueError(
                f"output folder {output} must be empty or hold an earlier run, found {name}"
            )
    refuse_others(output)
    if read_manifest(output) is not None and not overwrite:
        raise ValueError(
            f"output folder {output} holds an earlier run already; --overwrite replaces it"
        )


def check_links(output: str) -> None:
    """Refuse a local output folder with links in it: what is replaced would lie elsewhere.

    Raises:
      ValueError: if it holds one, or a folder of it does.
    """
    if "://" in output:
        return
    folders = [output]
    while folders and os.path.isdir(folder := folders.pop()):
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_symlink():
                    raise ValueError(
                        f"output folder must hold no links, {entry.path} is one"
                    )
                if entry.is_dir():
                    folders.append(entry.path)


def file_contents(files: Sequence[str]) -> dict[str, str]:
    """Give 16 hexadecimal digits for each file, which say its name and content.

    See `file_identities`.
    """
    return {file: _digits(identity) for file, identity in file_identities(files).items()}


def _digits(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def model_contents(config: Config) -> dict[str, str]:
    """Give 16 hexadecimal digits for each model, whatever folder it is in."""
    folders = {"page model": config.page_model_folder}
    if config.stories:
        folders["story model"] = config.story_model_folder
    found = {}
    for kind, folder in folders.items():
        path = model_path(folder)
        if storage.is_stored(path):
            files = [file.path for file in storage.files(path, deep=False)]
        else:
            files = [file.path for file in os.scandir(path)]
        contents = sorted(_digits(content_identity(file)) for file in files)
        found[kind] = _digits(json.dumps(contents))
    if config.uses_model:
        found[EMBEDDING_MODEL] = model_digest(config.embedding_model_folder)
    return found


def run_identifier(
    contents: Iterable[str],
    models: Mapping[str, str],
    config: Config,
    fields: Mapping[str, str],
) -> str:
    """Name a run after its input and settings: the same again is the same run.

    Args:
      contents: of the input, as of `file_contents`.
      models: as of `model_contents`.
      config: settings.
      fields: our field -> its name in the input.
    """
    named = [
        config.digest(),
        sorted(fields.items()),
        sorted(models.items()),
        sorted(contents),
    ]
    return hashlib.sha256(json.dumps(named).encode()).hexdigest()[:12]


def _first_inside(files: Sequence[str], output: str) -> str | None:
    """Give a file that lies in the output folder, by whatever path it is reached."""
    remote = "://" in output
    root = output.rstrip("/") if remote else os.path.realpath(output)
    for file in files:
        path = file if "://" in file else os.path.realpath(file)
        if remote == ("://" in file) and path.startswith(f"{root}/"):
            return file
    return None


def check_models(config: Config) -> None:
    """Read the models that newsdedup tune makes, so that a worker finds nothing amiss."""
    named: dict[str, tuple[str, str, Callable[[str], object]]] = {
        "page model": (config.page_model, config.page_model_folder, page_model)
    }
    if config.stories:
        named["story model"] = (
            config.story_model,
            config.story_model_folder,
            shared_story_model,
        )
    for kind, (name, folder, read) in named.items():
        try:
            read(folder)
        except OSError as error:
            if error.filename is None:
                raise ValueError(f"{kind} {name} cannot be read: {error}") from error
            raise ValueError(
                f"{kind} {name} must be a folder that newsdedup tune wrote, found no "
                f"{error.filename}"
            ) from error
        except json.JSONDecodeError as error:
            raise ValueError(f"{kind} {name} must hold JSON: {error}") from error


def remembered_furniture(folders: Iterable[str]) -> pa.RecordBatch | None:
    """Read which lines recurred in earlier runs; None for none but "none".

    Raises:
      ValueError: if no run has finished in one of the folders.
    """
    found = []
    for folder in folders:
        if folder == "none":
            continue
        try:
            recurs = pc.field("reason") == "recurs"
            found.append(read_table(folder, "boilerplate", ["source", "line"], recurs))
        except OSError as error:
            raise ValueError(f"known furniture {folder} cannot be read: {error}") from error
    if not found:
        return None
    rows = pa.concat_tables(found)
    columns = [rows.column(name).combine_chunks() for name in ("source", "line")]
    return remembered_lines(*columns)


class Job(NamedTuple):
    """A run that is ready to begin: checked and built, nothing written so far.

    Attributes:
      pipeline: that does all of it, and puts it in force last.
      output: folder of the tables.
      staging: folder inside it that belongs to this attempt.
      working: folder that it writes to before anything is in force: that one, or where
        nobody else needs it and that one is in a bucket, one of this machine.
      target: where it runs.
    """

    pipeline: beam.Pipeline
    output: str
    staging: str
    working: str
    target: Target


def run(
    patterns: Sequence[str], output: str, config: Config, **given: Any
) -> dict[str, Any]:
    """Read articles, find copies and stories, write the tables; give the manifest.

    Everything that can be refused is refused before anything is written.

    Args:
      patterns: globs of input files.
      output: folder of the tables.
      config: settings.
      given: as of `prepare`.

    Raises:
      ValueError: if a setting, the input, the output folder or the model is refused.
      RuntimeError: if the run failed.
    """
    job = prepare(patterns, output, config, **given)
    if job is not None:
        finish(job)
    manifest = read_manifest(output)
    if manifest is None:
        raise ValueError(f"a finished run must leave {MANIFEST} in {output}, found none")
    return manifest


def prepare(
    patterns: Sequence[str],
    output: str,
    config: Config,
    *,
    fields: Mapping[str, str],
    overwrite: bool = False,
    additions: Additions | None = None,
    keep_ids: str | None = None,
    run_id: str | None = None,
    beam_flags: Sequence[str] = (),
    batch_size: int = 2_000,
    dry_run: bool = False,
) -> Job | None:
    """Check a run and build its job; None if the output folder holds all of it already.

    Args:
      patterns: globs of input files.
      output: folder of the tables.
      config: settings.
      fields: our field -> its name in the input.
      overwrite: replace an earlier run in `output` once this one is complete.
      additions: how to add to what `output` holds, of files that no earlier run read;
        None: the run stands alone.
      keep_ids: folder of a stream, whose ids are kept where the run agrees with it.
      run_id: name of the run; by default made of the input and the settings.
      beam_flags: flags for Beam itself.
      batch_size: articles that move together; changes no result.
      dry_run: the job is not going to be run.

    Raises:
      ValueError: if a setting, the input, the output folder or the model is refused.
    """
    checked_fields(fields)
    paths = {"--input": patterns, "--output": [output]}
    if keep_ids is not None:
        paths["--keep-ids"] = [keep_ids]
    to = target(beam_flags, paths, dry_run=dry_run)
    files = matched_files(patterns)
    check_output(output, overwrite=overwrite or additions is not None)
    if inside := _first_inside(files, output):
        raise ValueError(f"input must not lie inside the output folder, {inside} does")
    check_models(config)
    placements = [] if keep_ids is None else placement_files(absolute(keep_ids))
    if placements and not config.stories:
        raise ValueError("ids of a stream are kept by runs with stories, got none")
    previous = read_manifest(output)
    earlier, begun = None, []
    contents, models = file_contents(files), model_contents(config)
    # Workers may stand in another folder.
    output = absolute(output)
    if additions is not None and previous is not None:
        earlier = earlier_runs(output, previous, config, models, additions)
        read = {content for run in earlier.runs for content in run["files"]}
        files = [file for file in files if contents[file] not in read]
        runs = [run["run_id"] for run in earlier.runs]
        if run_id in runs or not (files or additions.rebuild):
            return None
        # The same rebuild later is another run.
        begun = runs if additions.rebuild else []
    read_files = sorted({contents[file] for file in files})
    run_id = run_id or run_identifier([*read_files, *begun], models, config, fields)
    remembered = remembered_furniture([config.known_furniture, *([output] * bool(earlier))])
    if to.is_local and config.uses_model:
        # In this process the workers find it loaded.
        load_model(config.embedding_model_folder)
    staging = staging_folder(output)
    working = staging
    if to.is_local and storage.is_stored(staging):
        # From a bucket every text would be fetched again, several times.
        working = os.path.join(
            tempfile.gettempdir(), f"newsdedup-{staging.rpartition('-')[2]}"
        )
    pipeline = to.pipeline(f"newsdedup-{run_id}")
    read = pipeline | "Read" >> ReadArticles(
        files=files, fields=dict(fields), batch_size=batch_size
    )
    read | "Deduplicate" >> Deduplicate(
        config=config,
        output=output,
        staging=working,
        run_id=run_id,
        latest=datetime.datetime.now(datetime.UTC),
        settings={
            "run_id": run_id,
            "config": dataclasses.asdict(config),
            "models": models,
        },
        replaces=(previous or {}).get("commit"),
        remembered=remembered,
        earlier=earlier,
        read_files=read_files,
        placements=placements,
    )
    return Job(pipeline, output, staging, working, to)


def finish(job: Job) -> None:
    """Carry a job out; of one that is a template, hand it over.

    Raises:
      ValueError: if the output folder cannot be written, or another run works there.
      RuntimeError: if the run failed.
    """
    with contextlib.ExitStack() as stack:
        stack.enter_context(owned(job.output, job.staging, job=job.target.owner))
        stack.enter_context(_withdrawn(job.output, job.staging))
        if job.working != job.staging:
            stack.enter_context(_local_folder(job.working))
        run_to_end(job.pipeline)


@contextlib.contextmanager
def _withdrawn(output: str, staging: str) -> Iterator[None]:
    """Remove what was written if it comes to nothing."""
    try:
        yield
    except BaseException:
        # A worker that goes on by itself must not begin to commit any more.
        with COMMITTING:
            _withdraw(output, staging)
            raise


@contextlib.contextmanager
def _local_folder(path: str) -> Iterator[None]:
    """Have a folder of this machine as long as it is needed."""
    os.mkdir(path, 0o700)
    try:
        yield
    finally:
        shutil.rmtree(path, ignore_errors=True)


def _withdraw(output: str, staging: str) -> None:
    """Remove what a run has written, and what a worker that goes on is still writing."""
    for _ in range(_LOOKS_AT_A_WITHDRAWAL):
        try:
            remove_leftovers(output)
            time.sleep(_SECONDS_BETWEEN_LOOKS)
            if not storage.holds(staging):
                return
        except UnreachableError:
            # The next run removes it.
            return
        except OSError:
            # A file that appears in a folder keeps the folder from being removed.
            time.sleep(_SECONDS_BETWEEN_LOOKS)
