"""The commands that read articles: run, watch, stream."""

import time
from collections.abc import Sequence
from typing import Any

import click

from pipeline.flags import BeamCommand, config_of, config_options


def _fields(
    context: click.Context, option: click.Parameter, given: Sequence[str]
) -> dict[str, str]:
    fields = {}
    for text in given:
        ours, equals, theirs = text.partition("=")
        if not (ours and equals and theirs):
            raise click.BadParameter(f"must be OUR_FIELD=YOUR_FIELD, got {text}")
        fields[ours] = theirs
    return fields


_LOOKBACK = click.option(
    "--lookback",
    type=float,
    default=7.0,
    show_default=True,
    metavar="DAYS",
    help="days within which a new article can join a story that has begun",
)
_INDEX_DAYS = click.option(
    "--index-days",
    type=float,
    default=90.0,
    show_default=True,
    metavar="DAYS",
    help="days before the newest article for which later runs know fingerprints",
)
_DRY_RUN = click.option(
    "--dry-run",
    "--dry_run",
    is_flag=True,
    help="check everything and build the job, and run nothing",
)
_FIELD = click.option(
    "--field",
    "fields",
    multiple=True,
    callback=_fields,
    metavar="OURS=YOURS",
    help="name of a field in the input: --field text=body; further ones are kept with "
    "--field extra=author,section or, all of them, --field 'extra=*'",
)


@click.command(
    cls=BeamCommand,
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
    short_help="Read articles, find copies and stories, write Parquet.",
)
@click.option(
    "--input",
    "inputs",
    multiple=True,
    required=True,
    metavar="GLOB",
    help="files or folders to read: .jsonl, .json, .txt, .html, all of them also .gz or "
    ".zst, and .parquet; may be repeated",
)
@click.option("--output", required=True, metavar="DIR", help="folder of the tables")
@click.option(
    "--overwrite", is_flag=True, help="replace an earlier run once this one is complete"
)
@click.option(
    "--incremental", is_flag=True, help="add to what the folder holds, if it holds a run"
)
@click.option(
    "--rebuild",
    is_flag=True,
    help="with --incremental: decide all anew, by settings that may be others; ids stay",
)
@_LOOKBACK
@_INDEX_DAYS
@_FIELD
@click.option(
    "--keep-ids",
    metavar="DIR",
    help="folder of a stream, whose ids are kept where this run agrees with it",
)
@click.option(
    "--run-id", metavar="ID", help="name of the run; by default made of its input"
)
@click.option("--quiet", is_flag=True, help="no progress, no summary")
@_DRY_RUN
@config_options
@click.pass_context
def run(
    context: click.Context,
    /,
    inputs: Sequence[str],
    output: str,
    overwrite: bool,
    incremental: bool,
    rebuild: bool,
    lookback: float,
    index_days: float,
    fields: dict[str, str],
    keep_ids: str | None,
    run_id: str | None,
    quiet: bool,
    dry_run: bool,
    **options: Any,
) -> None:
    """Read articles, find copies and stories, write Parquet.

    \b
    newsdedup run --input 'news/*.jsonl.gz' --output out
    newsdedup run --input 'pages/*.html' --input 'wire/*.parquet' --output out
    newsdedup run --input dump.jsonl --field text=body --output out
    newsdedup run --input 'today/*.jsonl' --output out --incremental
    newsdedup run --input 'gs://news/today/*.jsonl' --output gs://news/out --incremental

    Flags of Apache Beam (--runner, --direct_num_workers, ...) pass through unchanged: with
    --runner DataflowRunner, --project, --region and --temp_location it is a job there.
    """
    config = config_of(options)
    from pipeline import batch
    from pipeline.incremental import Additions
    from pipeline.launching import graph_told
    from pipeline.progress import shown
    from pipeline.show import print_summary
    from transforms.parquet import read_manifest

    if incremental and overwrite:
        raise click.UsageError("--incremental and --overwrite exclude each other")
    if rebuild and not incremental:
        raise click.UsageError("--rebuild goes with --incremental")

    started = time.monotonic()
    additions = Additions(lookback, index_days, rebuild) if incremental else None
    with shown(quiet=quiet):
        job = batch.prepare(
            inputs,
            output,
            config,
            fields=fields,
            overwrite=overwrite,
            additions=additions,
            keep_ids=keep_ids,
            run_id=run_id,
            beam_flags=context.args,
            dry_run=dry_run,
        )
        if job is not None and not dry_run:
            batch.finish(job)
    if quiet:
        return
    if job is None:
        click.echo("nothing new: an earlier run did this, or read every file of it")
    elif dry_run:
        click.echo(graph_told(job.pipeline))
    elif job.target.leaves:
        click.echo("the job is a template now, and writes the manifest when it is done")
    elif manifest := read_manifest(output):
        print_summary(output, manifest, seconds=time.monotonic() - started)


@click.command(
    cls=BeamCommand,
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
    short_help="Add the files of a folder to a run as they arrive.",
)
@click.argument("folder", metavar="DIR")
@click.option("--output", required=True, metavar="OUT", help="folder of the tables")
@click.option(
    "--seconds",
    type=click.FloatRange(min=0.1),
    default=10.0,
    show_default=True,
    help="between two looks at the folder",
)
@_LOOKBACK
@_INDEX_DAYS
@_FIELD
@config_options
@click.pass_context
def watch(
    context: click.Context,
    /,
    folder: str,
    output: str,
    seconds: float,
    lookback: float,
    index_days: float,
    fields: dict[str, str],
    **options: Any,
) -> None:
    """Add the files of DIR to what OUT holds as they arrive, until interrupted.

    \b
    newsdedup watch incoming --output out
    newsdedup watch gs://news/incoming --output gs://news/out

    A file is read once it has not changed between two looks, and once only: a watch may be
    stopped and started again.
    """
    config = config_of(options)
    from pipeline.incremental import Additions
    from pipeline.watch import watch as watched

    for manifest in watched(
        folder,
        output,
        config,
        fields=fields,
        additions=Additions(lookback, index_days),
        seconds=seconds,
        beam_flags=context.args,
    ):
        run, counts = manifest["runs"][-1], manifest["statistics"]
        click.echo(
            f"{run['finished_at']}  {run['articles']:,} of {run['rows_read']:,} rows "
            f"added, {counts.get('stories', 0):,} stories"
        )


@click.command(
    cls=BeamCommand,
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
    short_help="Place what comes over Pub/Sub in stories, window by window.",
)
@click.option(
    "--subscription",
    required=True,
    metavar="NAME",
    help="projects/PROJECT/subscriptions/NAME; a message is a JSON object as in files",
)
@click.option("--output", required=True, metavar="DIR", help="folder of the stream")
@click.option(
    "--window",
    "window_seconds",
    type=click.IntRange(min=1),
    default=300,
    show_default=True,
    metavar="SECONDS",
    help="articles that come within it are placed at once",
)
@click.option(
    "--lookback",
    type=float,
    default=7.0,
    show_default=True,
    metavar="DAYS",
    help="days that an article is remembered",
)
@click.option(
    "--remember",
    "most",
    type=click.IntRange(min=1),
    default=100_000,
    show_default=True,
    metavar="N",
    help="articles of a language that are remembered at most, the newest",
)
@click.option(
    "--dead-letter",
    metavar="TOPIC",
    help="projects/PROJECT/topics/NAME: messages that cannot be read are sent on there",
)
@_FIELD
@_DRY_RUN
@config_options
@click.pass_context
def stream(
    context: click.Context,
    /,
    subscription: str,
    output: str,
    window_seconds: int,
    lookback: float,
    most: int,
    dead_letter: str | None,
    fields: dict[str, str],
    dry_run: bool,
    **options: Any,
) -> None:
    """Place what comes over Pub/Sub in stories, window by window, until interrupted.

    \b
    newsdedup stream --subscription projects/p/subscriptions/news --output live
    newsdedup run --input 'live/raw/*' --output out --incremental --keep-ids live

    The stream places articles within minutes; a scheduled run over what it received has
    the last word. A stream may be stopped and started again, and loses nothing. Flags of
    Apache Beam pass through: with --runner DataflowRunner it is a job there.
    """
    config = config_of(options)
    from pipeline.launching import graph_told
    from pipeline.streaming import carry_out, prepare

    job = prepare(
        subscription,
        output,
        config,
        fields=fields,
        window_seconds=window_seconds,
        lookback=lookback,
        most=most,
        dead_letter=dead_letter,
        beam_flags=context.args,
        dry_run=dry_run,
    )
    if dry_run:
        click.echo(graph_told(job.pipeline()))
        return
    for counts in carry_out(job):
        told = [
            f"{counts.get(name, 0):,} {name}"
            for name in ("placed", "repeated", "rejected", "embedded", "forgotten")
        ]
        remembered, standings, recurring, rejects = (
            f"{counts.get(f'remembered_{name}', 0):,} {what}"
            for name, what in (
                ("articles", "remembered"),
                ("standings", "known"),
                ("recurring", "recurring lines"),
                ("rejects", "rejects"),
            )
        )
        size = f"{counts.get('remembered_bytes', 0) / 1e6:,.1f} MB"
        told += [f"{remembered} in {size} ({standings}, {recurring}, {rejects})"]
        click.echo(", ".join(told))
