"""The commands for what somebody labelled: tune, evaluate."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from pipeline.config import Config
from pipeline.flags import BeamCommand, config_of, config_options


class _Stored(click.Path):
    """A path of this machine, checked; or of a bucket, which is asked when it is read."""

    name = "path"

    def convert(
        self,
        value: str | os.PathLike[str],
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> str | Path:
        """Give a path of a bucket as it is."""
        if isinstance(value, str) and value.startswith("gs://"):
            return value
        return Path(os.fsdecode(super().convert(value, param, ctx)))


_FILE = _Stored(exists=True, dir_okay=False)


@click.command(short_help="Fit the models to what you labelled.")
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
@click.option("--output", required=True, metavar="DIR", help="folder of the models")
@click.option(
    "--embedding-model",
    default=Config.embedding_model,
    show_default=True,
    help="as for run; none fits no weights for embeddings",
)
def tune(
    gold: Sequence[Path | str],
    background: Sequence[Path | str],
    pages: Path | str | None,
    output: str,
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


@click.command(
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
    type=_Stored(dir_okay=False),
    metavar="FILE",
    help="write the scores and all mistakes there",
)
@click.option("--quiet", is_flag=True, help="no progress; the scores are printed")
@config_options
@click.pass_context
def evaluate(
    context: click.Context,
    /,
    gold: Path | str | None,
    background: Sequence[Path | str],
    pairs: Path | str | None,
    pages: Path | str | None,
    half: str,
    baselines: bool,
    planted: int | None,
    output: str | None,
    overwrite: bool,
    result_file: Path | str | None,
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
