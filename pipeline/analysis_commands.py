"""The commands for those who go on with what a run wrote: sql, export."""

import os
import sys
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click

if TYPE_CHECKING:
    # It takes its time, and other commands do without.
    from duckdb import DuckDBPyConnection

_SQL_FORMATS = ("table", "csv", "jsonl")


class _SqlCommand(click.Command):
    """A command whose argument may begin with a comment: it is no option."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        given = [f"\n{text}" if text.startswith("-- ") else text for text in args]
        return super().parse_args(ctx, given)


@click.command(cls=_SqlCommand, short_help="Ask the tables of a run, in SQL.")
@click.argument("output", metavar="OUT")
@click.argument("statement", metavar="[SQL]", required=False)
@click.option(
    "--format",
    "kind",
    type=click.Choice(_SQL_FORMATS),
    default="table",
    show_default=True,
    help="how the rows are printed",
)
def sql(output: str, statement: str | None, kind: str) -> None:
    """Ask the tables of a run, in the SQL of DuckDB.

    \b
    newsdedup sql out "SELECT title, article_count FROM stories ORDER BY 2 DESC LIMIT 5"
    newsdedup sql out "DESCRIBE articles"
    newsdedup sql out --format csv < question.sql > answer.csv
    newsdedup sql out

    Every table is there under its name: articles, stories, matches, boilerplate, rejects,
    changes. Without SQL it is read from standard input; at a terminal, statements are
    asked for, each ended by a semicolon. Nothing can be written: OUT stays as it is.
    """
    from pipeline.querying import connected

    connection = connected(output)
    if statement is None and sys.stdin.isatty():
        _converse(connection, kind)
    else:
        text = sys.stdin.read() if statement is None else statement
        _print_answer(connection, text, kind)


def _print_answer(connection: "DuckDBPyConnection", statement: str, kind: str) -> None:
    from pipeline.querying import answer
    from pipeline.row_formats import print_table, write_csv, write_json_lines

    names, types, rows = answer(connection, statement)
    if kind == "table":
        print_table(names, types, rows)
    else:
        write = write_csv if kind == "csv" else write_json_lines
        write(names, rows, _standard_output())


def _standard_output() -> TextIO:
    """Give standard output, in UTF-8 whatever the terminal's own encoding is."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")
    return sys.stdout


def _converse(connection: "DuckDBPyConnection", kind: str) -> None:
    """Answer one statement after another until the input ends."""
    # Lines can be edited and called back once this is imported.
    import readline  # noqa: F401

    lines: list[str] = []
    while True:
        try:
            lines.append(input("...> " if lines else "sql> "))
        except EOFError:
            click.echo()
            return
        if not lines[-1].rstrip().endswith(";"):
            continue
        try:
            _print_answer(connection, "\n".join(lines), kind)
        except ValueError as error:
            click.echo(error, err=True)
        lines = []


def _columns(
    context: click.Context, option: click.Parameter, given: str | None
) -> list[str]:
    return [name.strip() for name in given.split(",")] if given else []


@click.command(short_help="Write the articles of a run as one file, copies or not.")
@click.argument("output", metavar="OUT")
@click.option(
    "--format",
    "kind",
    type=click.Choice(["jsonl", "csv", "parquet"]),
    default="jsonl",
    show_default=True,
    help="parquet needs --to",
)
@click.option(
    "--canonical-only",
    is_flag=True,
    help="leave out copies: of each copy group only the article that speaks for it",
)
@click.option(
    "--columns",
    callback=_columns,
    metavar="NAMES",
    help="columns of articles/, with commas between them; all by default",
)
@click.option(
    "--to",
    "path",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="file to write, replaced once all is written; standard output by default",
)
def export(
    output: str, kind: str, canonical_only: bool, columns: list[str], path: Path | None
) -> None:
    """Write the articles of a run as one file.

    \b
    newsdedup export out --canonical-only > corpus.jsonl
    newsdedup export out --canonical-only --columns article_id,title,text --format csv
    newsdedup export out --canonical-only --format parquet --to corpus.parquet

    Texts are without site furniture. For one article a story, and any other choice, there
    is newsdedup sql: "FROM articles WHERE relation = 'canonical'".
    """
    if kind == "parquet" and path is None:
        raise click.UsageError("--format parquet needs a file: --to FILE")
    from pipeline.exporting import exported, write_parquet, write_text

    schema, batches = exported(output, canonical_only=canonical_only, columns=columns)
    if path is None:
        write_text(kind, schema, batches, _standard_output())
        return
    waiting = path.with_name(f"{path.name}.part-{os.getpid()}")
    try:
        if kind == "parquet":
            write_parquet(schema, batches, waiting)
        else:
            with waiting.open("w", encoding="utf-8", newline="") as stream:
                write_text(kind, schema, batches, stream)
        waiting.replace(path)
    finally:
        waiting.unlink(missing_ok=True)
