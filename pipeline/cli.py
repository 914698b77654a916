"""The command line: a command parses, builds a Config and calls one function."""

import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn


def interrupted() -> NoReturn:
    """Say that the program was interrupted and end it."""
    print("newsdedup: interrupted", file=sys.stderr, flush=True)
    # The thread that does the work goes on until the process ends.
    os._exit(130)


try:
    import click

    from pipeline.config import Config
    from pipeline.flags import BeamCommand, config_of, config_options
except KeyboardInterrupt:
    # These take seconds to import, and there is no main() yet to hear of it.
    interrupted()


_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


class _Commands(click.Group):
    """Commands in the order in which a newcomer meets them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="newsdedup")
def newsdedup() -> None:
    """Turn scraped news into stories.

    Strips site furniture, finds the copies, reprints and rewrites of each article, groups
    what tells the same event, and writes Parquet.

    \b
    Begin with:
      newsdedup run --input 'examples/articles/*' --output out
      newsdedup show out
    """


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
_FIELD = click.option(
    "--field",
    "fields",
    multiple=True,
    callback=_fields,
    metavar="OURS=YOURS",
    help="name of a field in the input: --field text=body",
)


@newsdedup.command(
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
@_LOOKBACK
@_INDEX_DAYS
@_FIELD
@click.option(
    "--run-id", metavar="ID", help="name of the run; by default made of its input"
)
@click.option("--quiet", is_flag=True, help="no progress, no summary")
@config_options
@click.pass_context
def run(
    context: click.Context,
    /,
    inputs: Sequence[str],
    output: str,
    overwrite: bool,
    incremental: bool,
    lookback: float,
    index_days: float,
    fields: dict[str, str],
    run_id: str | None,
    quiet: bool,
    **options: Any,
) -> None:
    """Read articles, find copies and stories, write Parquet.

    \b
    newsdedup run --input 'news/*.jsonl.gz' --output out
    newsdedup run --input 'pages/*.html' --input 'wire/*.parquet' --output out
    newsdedup run --input dump.jsonl --field text=body --output out
    newsdedup run --input 'today/*.jsonl' --output out --incremental

    Flags of Apache Beam (--runner, --direct_num_workers, ...) pass through unchanged.
    """
    config = config_of(options)
    from pipeline import batch
    from pipeline.incremental import Additions
    from pipeline.progress import shown
    from pipeline.show import print_summary
    from transforms.parquet import read_manifest

    if incremental and overwrite:
        raise click.UsageError("--incremental and --overwrite exclude each other")

    started = time.monotonic()
    before = read_manifest(output) if incremental else None
    with shown(quiet=quiet):
        manifest = batch.run(
            inputs,
            output,
            config,
            fields=fields,
            overwrite=overwrite,
            additions=Additions(lookback, index_days) if incremental else None,
            run_id=run_id,
            beam_flags=context.args,
        )
    if quiet:
        return
    if manifest == before:
        click.echo("nothing new: an earlier run did this, or read every file of it")
        return
    print_summary(output, manifest, seconds=time.monotonic() - started)


@newsdedup.command(
    cls=BeamCommand,
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
    short_help="Add the files of a folder to a run as they arrive.",
)
@click.argument("folder", metavar="DIR", type=click.Path(exists=True, file_okay=False))
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


@newsdedup.command(
    short_help="Look at the stories of a run, at one story, or at one article."
)
@click.argument("output", metavar="OUT")
@click.option(
    "--story", metavar="ID", help="one story with its members and relations, or: largest"
)
@click.option("--article", metavar="ID", help="one article and why it is where it is")
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=20,
    show_default=True,
    help="stories listed, the largest first",
)
def show(output: str, story: str | None, article: str | None, limit: int) -> None:
    """Look at what a run wrote to OUT.

    \b
    newsdedup show out
    newsdedup show out --story ID
    newsdedup show out --article ID
    """
    from pipeline.show import show_article, show_stories, show_story

    if story is not None and article is not None:
        raise click.UsageError("--story and --article exclude each other, got both")
    if story is not None:
        show_story(output, story)
    elif article is not None:
        show_article(output, article)
    else:
        show_stories(output, limit)


@newsdedup.command(short_help="Print how likely a pair of a given similarity is proposed.")
@config_options
def curve(**options: Any) -> None:
    """Print how likely a pair is proposed as a copy, by its Jaccard similarity.

    A pair that no band proposes is never compared. With the bands usually chosen for a
    threshold of 0.7, a pair of similarity 0.7 is proposed 44 times in 100.

    \b
    newsdedup curve
    newsdedup curve --bands 14 --band-rows 9
    """
    config = config_of(options)
    click.echo("jaccard  proposed")
    for twentieths in range(21):
        jaccard = twentieths / 20
        click.echo(f"{jaccard:7.2f}  {config.candidate_probability(jaccard):8.3f}")


@newsdedup.command(short_help="Fit the models to what you labelled.")
@click.option(
    "--gold",
    multiple=True,
    type=_FILE,
    help="JSON lines with a field story, one set a file; may be repeated",
)
@click.option(
    "--background",
    multiple=True,
    type=_FILE,
    help="JSON lines of ordinary articles of the same languages; may be repeated",
)
@click.option(
    "--pages",
    type=_FILE,
    help="JSON lines with the text of a page and its segments to keep and to drop",
)
@click.option(
    "--output", required=True, type=Path, metavar="DIR", help="folder of the models"
)
@click.option(
    "--embedding-model",
    default=Config.embedding_model,
    show_default=True,
    help="as for run; none fits no weights for embeddings",
)
def tune(
    gold: Sequence[Path],
    background: Sequence[Path],
    pages: Path | None,
    output: Path,
    embedding_model: str,
) -> None:
    """Fit the models to what you labelled, and score them on the half held back.

    Articles with their stories, and ordinary ones as a background, make a story model;
    pages with segments to keep and to drop make a page model.

    \b
    newsdedup tune --gold mine.jsonl --background archive.jsonl --output model
    newsdedup run --story-model model --input 'news/*.jsonl' --output out
    newsdedup tune --pages pages.jsonl --output model
    newsdedup run --page-model model --input 'pages/*.jsonl' --output out
    """
    from pipeline.page_fitting import fit_page_model
    from pipeline.tune import tune as fit

    if bool(gold) != bool(background) or not (gold or pages):
        raise click.UsageError("--gold with --background, or --pages, must be given")
    if pages is not None:
        scored = fit_page_model(pages, output)["kept_out"]
        click.echo(
            f"of {scored['pages']} pages held back {scored['kept']:.3f} of what must stay "
            f"stays, {scored['removed']:.3f} of what must go goes"
        )
    if not gold:
        return
    model = None if embedding_model == "none" else embedding_model
    scores = fit(gold, background, output, embedding_model=model)
    click.echo(f"{'scored on':<16}{'set':<16}{'precision':>10}{'recall':>8}{'F1':>8}")
    for protocol, sets in scores.items():
        for name, score in sets.items():
            click.echo(
                f"{protocol:<16}{name:<16}{score['precision']:>10.3f}"
                f"{score['recall']:>8.3f}{score['f1']:>8.3f}"
            )


@newsdedup.command(
    cls=BeamCommand,
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
    short_help="Score a run on articles that you labelled.",
)
@click.option(
    "--gold",
    type=_FILE,
    metavar="FILE",
    help="JSON lines with a field story; null: not scored",
)
@click.option(
    "--background",
    multiple=True,
    type=_FILE,
    metavar="FILE",
    help="JSON lines of more articles of the same run, not scored; may be repeated",
)
@click.option(
    "--pairs",
    type=_FILE,
    metavar="FILE",
    help="JSON lines with a, b and label: dup, not or contained",
)
@click.option(
    "--pages",
    type=_FILE,
    metavar="FILE",
    help="JSON lines with the text of a page and its segments to keep and to drop",
)
@click.option(
    "--half",
    type=click.Choice(["all", "first", "second"]),
    default="all",
    show_default=True,
    help="only the stories and sites that tune fits to (first) or only scores (second)",
)
@click.option("--baselines", is_flag=True, help="score simple methods beside, too")
@click.option(
    "--planted",
    type=click.IntRange(min=1),
    default=None,
    metavar="N",
    help="plant N copies of each of five kinds, and see which are found",
)
@click.option("--output", metavar="DIR", help="keep the tables and evaluation.json there")
@click.option("--overwrite", is_flag=True, help="replace an earlier evaluation in DIR")
@click.option(
    "--json",
    "result_file",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="write the scores and all mistakes there",
)
@click.option("--quiet", is_flag=True, help="no progress; the scores are printed")
@config_options
@click.pass_context
def evaluate(
    context: click.Context,
    /,
    gold: Path | None,
    background: Sequence[Path],
    pairs: Path | None,
    pages: Path | None,
    half: str,
    baselines: bool,
    planted: int | None,
    output: str | None,
    overwrite: bool,
    result_file: Path | None,
    quiet: bool,
    **options: Any,
) -> None:
    """Run on articles that you labelled; print scores and the worst mistakes.

    \b
    newsdedup evaluate --gold mine.jsonl
    newsdedup evaluate --gold mine.jsonl --pairs pairs.jsonl --baselines --output scored
    newsdedup evaluate --pages pages.jsonl --json pages-scores.json

    Settings are those of run, and change what is scored: --min-containment 0.8.
    """
    config = config_of(options)
    from pipeline.evaluate import evaluate as score
    from pipeline.evaluate import write_result
    from pipeline.scorecard import print_evaluation

    result = score(
        gold=gold,
        background=background,
        pairs=pairs,
        pages=pages,
        half=half,
        baselines=baselines,
        planted=planted or 0,
        config=config,
        output=output,
        overwrite=overwrite,
        beam_flags=context.args,
        quiet=quiet,
    )
    if result_file is not None:
        write_result(result, result_file)
    print_evaluation(result)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; give the exit status.

    A mistake of the caller is one sentence on standard error and status 2; an interrupted
    run leaves nothing behind and status 130.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        newsdedup.main(args=arguments, prog_name="newsdedup", standalone_mode=False)
    except click.exceptions.Exit as error:
        return error.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return 2
    except click.ClickException as error:
        return _fail(error.format_message().rstrip("."))
    except (ValueError, OSError) as error:
        return _fail(str(error))
    except (KeyboardInterrupt, click.Abort):
        interrupted()
    return 0


def _fail(sentence: str) -> int:
    print(f"newsdedup: error: {sentence}", file=sys.stderr)
    return 2
