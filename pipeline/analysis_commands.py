"""The commands for those who go on with what a run wrote: sql."""

import os
import sys

import click

_SQL_FORMATS = ("table", "csv", "jsonl")


@click.command(short_help="Ask the tables of a run, in SQL.")
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


def _print_answer(connection: object, statement: str, kind: str) -> None:
    from pipeline.querying import answer
    from pipeline.row_formats import print_table, write_csv, write_json_lines

    names, types, rows = answer(connection, statement)
    if kind == "table":
        print_table(names, types, rows)
    else:
        write = write_csv if kind == "csv" else write_json_lines
        write(names, rows, sys.stdout)


def _converse(connection: object, kind: str) -> None:
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
