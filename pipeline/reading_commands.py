"""The commands for what a run wrote: show, report."""

from pathlib import Path

import click


@click.command(short_help="Look at the stories of a run, at one story, or at one article.")
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


@click.command(short_help="Write what a run found as one page for a browser.")
@click.argument("output", metavar="OUT")
@click.option(
    "--html",
    "page",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="the page; one that is there is replaced",
)
def report(output: str, page: Path) -> None:
    """Write what a run wrote to OUT as one page for a browser.

    \b
    newsdedup report out --html report.html

    The file holds all that it shows and asks no other computer for anything: open it from
    disk, or send it to somebody.
    """
    from pipeline.report import write_report

    size = write_report(output, page)
    click.echo(f"{page}: {size / 1e6:,.1f} MB, open it in a browser")
