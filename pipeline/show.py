"""What a run wrote, for a person at a terminal: stories, one story, one article."""

import datetime
import os
import sys
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipeline.terminal import visible
from transforms import storage
from transforms.parquet import MANIFEST, read_manifest, table_files

LARGEST = "largest"
_EVIDENCE_ROWS = 12
_PIPED_WIDTH = 140
# A title in fewer columns is a tower of words.
_NARROWEST_TEXT = 20
_PASSAGE_CHARACTERS = 300


def manifest_of(output: str) -> dict[str, Any]:
    """Read the manifest of an output folder.

    Raises:
      ValueError: if no run has finished there.
    """
    manifest = read_manifest(output)
    if manifest is None:
        raise ValueError(f"{output} holds no finished run: it has no {MANIFEST}")
    return manifest


def read_table(
    output: str, name: str, columns: list[str] | None = None, filters: Any = None
) -> pa.Table:
    """Read a table in force in an output folder, its rows in their order.

    Args:
      output: folder that a run wrote.
      name: of the table.
      columns: to read; all if null.
      filters: a pyarrow expression; rows that do not satisfy it are not read.

    Raises:
      ValueError: if no run has finished there, or a file of it is gone or broken.
    """
    manifest = manifest_of(output)
    while True:
        try:
            tables = [
                _read_file(path, columns, filters)
                for path in table_files(output, manifest, name)
            ]
        except ValueError:
            # Files go when another run is put in force, perhaps while they are read.
            before, manifest = manifest, manifest_of(output)
            if manifest == before:
                raise
        else:
            # A file of an earlier version of a schema may lack columns: they are null.
            return pa.concat_tables(tables, promote_options="default")


def _read_file(path: str, columns: list[str] | None, filters: Any) -> pa.Table:
    try:
        with storage.opened(path) as stream:
            return pq.read_table(stream, columns=columns, filters=filters)
    except (OSError, pa.ArrowException) as error:
        raise ValueError(f"{path} must be a file of the run, got {error}") from error


def print_summary(output: str, manifest: dict[str, Any], *, seconds: float) -> None:
    """Print what a run found: counts, why rows were rejected, and how long it took."""
    rejects = sum(part["rows"] for part in manifest["tables"]["rejects"])
    table = Table(box=box.SIMPLE, pad_edge=False, show_header=False)
    table.add_column()
    table.add_column(justify="right")
    # A run without articles has no statistics.
    found = defaultdict(int, manifest["statistics"])
    counts = [("articles", f"{found['articles']:,}")]
    if len(manifest["runs"]) > 1:
        counts.append(("added by this run", f"{manifest['runs'][-1]['articles']:,}"))
    counts += [
        ("rejects", f"{rejects:,}"),
        ("copy groups", f"{found['copy_groups']:,}"),
        ("stories", f"{found['stories']:,}"),
        ("stories of several articles", f"{found['stories_of_several']:,}"),
        ("largest story", _count(found["largest_story"], "article")),
        ("words of furniture removed", f"{found['removed_words']:,}"),
    ]
    if found["embedded_articles"]:
        counts.append(("articles embedded", f"{found['embedded_articles']:,}"))
    if found["dropped_dates"]:
        counts.append(("dates dropped", f"{found['dropped_dates']:,}"))
    for label, value in (*counts, ("seconds", f"{seconds:,.1f}")):
        table.add_row(label, value)
    console = terminal()
    console.print(table)
    if rejects:
        reasons = Counter(read_table(output, "rejects", ["reason"])["reason"].to_pylist())
        counted = ", ".join(f"{number:,} {name}" for name, number in reasons.most_common())
        _say(console, f"rejected: {counted}; the details are in {output}/rejects")
    _say(console, f"newsdedup show {output}", style="bold", whole=True)


def show_stories(output: str, limit: int) -> None:
    """List the stories of a run, the largest first."""
    stories = read_table(
        output,
        "stories",
        [
            "story_id",
            "title",
            "first_published_at",
            "article_count",
            "source_count",
            "independent_count",
            "keywords",
        ],
    )
    order = pc.sort_indices(
        stories,
        sort_keys=[
            ("article_count", "descending", "at_end"),
            ("first_published_at", "ascending", "at_end"),
        ],
    )
    limit = min(limit, stories.num_rows)
    rows = [
        (
            f"{row['article_count']}",
            f"{row['independent_count']}",
            _time(row["first_published_at"]),
            row["title"],
            row["story_id"],
        )
        for row in stories.take(order.slice(0, limit)).to_pylist()
    ]
    console = terminal()
    _print_rows(
        console, ("articles", "independent", "first", "title", "story"), rows, text=3, key=4
    )
    console.print(f"{limit:,} of {stories.num_rows:,} stories")


def show_story(output: str, story_id: str) -> None:
    """Print one story: its canonical article, its members and how they stand to it.

    Args:
      output: folder that a run wrote.
      story_id: of the story, or LARGEST.

    Raises:
      ValueError: if there is no such story.
    """
    stories = read_table(output, "stories")
    chosen = stories.filter(pc.field("story_id") == story_id).to_pylist()
    if not chosen and story_id == LARGEST and stories.num_rows:
        counts = stories.column("article_count")
        chosen = stories.slice(pc.index(counts, pc.max(counts)).as_py(), 1).to_pylist()
    if not chosen:
        raise ValueError(f"{output} holds no story {story_id}")
    (story,) = chosen
    articles = read_table(
        output, "articles", filters=pc.field("story_id") == story["story_id"]
    )
    by_id = {row["article_id"]: row for row in articles.to_pylist()}
    canonical = by_id[story["canonical_article_id"]]
    console = terminal()
    _say(console, story["title"], style="bold")
    about = [_count(story["article_count"], "article")]
    if story["source_count"]:
        about.append(_count(story["source_count"], "source"))
    about.append(f"{story['independent_count']} independent")
    if story["first_published_at"]:
        first, last = story["first_published_at"], story["last_published_at"]
        about.append(f"{_time(first)} to {_time(last)}")
    _say(console, ", ".join(about))
    _say(
        console,
        f"canonical: {canonical['article_id']} of "
        f"{canonical['source'] or 'unknown source'}, {story['canonical_reason']}",
        whole=True,
    )
    _say(console, f"keywords: {', '.join(story['keywords'])}")
    numbers = {member["article_id"]: i for i, member in enumerate(story["members"], 1)}
    rows = []
    for member in story["members"]:
        row = by_id[member["article_id"]]
        relation = row["relation"].replace("_", " ")
        if row["matched_article_id"] not in (None, story["canonical_article_id"]):
            relation += f" of {numbers[row['matched_article_id']]}"
        rows.append(
            (
                f"{numbers[row['article_id']]}",
                _time(row["published_at"]),
                row["source"] or "—",
                relation,
                _number(row["containment"]),
                _number(row["story_score"]),
                row["title"] or _beginning(row["text"], 60),
                row["article_id"],
            )
        )
    headers = ("", "published", "source", "relation", "share", "score", "title", "article")
    _print_rows(console, headers, rows, text=6, key=7)


def show_article(output: str, article_id: str) -> None:
    """Print one article and why it is where it is: scores, rules, shared passages.

    Raises:
      ValueError: if there is no such article.
    """
    found = read_table(output, "articles", filters=pc.field("article_id") == article_id)
    if not found.num_rows:
        raise ValueError(f"{output} holds no article {article_id}")
    (row,) = found.to_pylist()
    console = terminal()
    _say(console, row["title"] or _beginning(row["text"], 100), style="bold")
    _say(
        console,
        f"{row['source'] or 'unknown source'}, {_time(row['published_at'])}, "
        f"{row['language']}, {_count(row['word_count'], 'word')}, "
        f"{row['removed_word_count']} of furniture removed",
    )
    if row["credited_source"]:
        _say(console, f"credits {row['credited_source']}")
    for note in row["notes"]:
        _say(console, f"note: {note.replace('_', ' ')}")
    _say(
        console,
        f"story {row['story_id']}, copy group {row['duplicate_group_id']}",
        whole=True,
    )
    relation = row["relation"].replace("_", " ")
    towards = f" of {row['matched_article_id']}" if row["matched_article_id"] else ""
    _say(console, f"{relation}{towards}", style="bold", whole=True)
    matches = read_table(
        output,
        "matches",
        filters=(pc.field("article_id") == article_id)
        | (pc.field("matched_article_id") == article_id),
    ).to_pylist()
    if not matches:
        console.print("no other article came near")
        return
    matches.sort(
        key=lambda match: (
            not match["accepted"],
            match["question"],
            -(match["containment"] or match["story_score"] or 0),
        )
    )
    rows = [
        (
            "✓" if match["accepted"] else "✗",
            match["question"],
            _other(match, article_id),
            _number(match["jaccard"]),
            _number(match["containment"]),
            _number(match["cosine"]),
            _number(match["story_score"]),
            match["rule"],
        )
        for match in matches[:_EVIDENCE_ROWS]
    ]
    headers = ("", "asked", "other article", "jaccard", "share", "cosine", "score", "rule")
    _print_rows(console, headers, rows, text=7, key=2)
    if len(matches) > _EVIDENCE_ROWS:
        console.print(f"{_EVIDENCE_ROWS} of {_count(len(matches), 'comparison')}")
    _print_passage(console, row, matches)


def _print_passage(
    console: Console, row: dict[str, Any], matches: list[dict[str, Any]]
) -> None:
    """Print the longest passage shared with the closest copy, from this article's text."""
    for match in matches:
        if match["passages"]:
            first = match["article_id"] == row["article_id"]
            names = ("start", "end") if first else ("matched_start", "matched_end")
            start, end = (match["passages"][0][name] for name in names)
            other = _other(match, row["article_id"])
            _say(console, f"longest passage shared with {other}:", style="bold", whole=True)
            _say(console, _beginning(row["text"][start:end], _PASSAGE_CHARACTERS))
            return


def _other(match: dict[str, Any], article_id: str) -> str:
    if match["article_id"] == article_id:
        return str(match["matched_article_id"])
    return str(match["article_id"])


def terminal() -> Console:
    """Write as wide as the terminal is, or as COLUMNS says; into a pipe, wide enough."""
    if sys.stdout.isatty() or os.environ.get("COLUMNS"):
        return Console()
    return Console(width=_PIPED_WIDTH)


def _print_rows(
    console: Console,
    headers: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    text: int,
    key: int,
) -> None:
    """Print rows as a table or, where it would not fit, as a block each.

    Args:
      console: where to.
      headers: of the columns.
      rows: a text for each header.
      text: the column whose texts may be broken into lines.
      key: the column of ids, which are never broken: they are wanted for the next look.
    """
    columns = list(zip(headers, *rows, strict=True))
    widths = [max(cell_len(visible(cell)) for cell in column) for column in columns]
    widths[text] = min(widths[text], _NARROWEST_TEXT)
    # Three between two columns, one at either end.
    if sum(widths) + 3 * len(widths) - 1 <= console.width:
        table = Table(box=box.SIMPLE, pad_edge=False)
        for number, header in enumerate(headers):
            style = "dim" if number == key else None
            table.add_column(header, style=style, no_wrap=number != text)
        for row in rows:
            table.add_row(*(Text(visible(cell)) for cell in row))
        console.print(table)
        return
    for row in rows:
        about = [
            f"{header} {cell}".strip()
            for number, (header, cell) in enumerate(zip(headers, row, strict=True))
            if cell and number not in (text, key)
        ]
        console.print()
        _say(console, ", ".join(about))
        _say(console, row[text])
        _say(console, row[key], style="dim", whole=True)
    console.print()


def _say(console: Console, text: str, *, style: str = "", whole: bool = False) -> None:
    """Print a line; a whole one is broken by the terminal alone, and so no id in it is."""
    console.print(Text(visible(text), style=style), soft_wrap=whole)


def _time(moment: datetime.datetime | None) -> str:
    return moment.strftime("%Y-%m-%d %H:%M") if moment else "—"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _beginning(text: str, characters: int) -> str:
    text = " ".join(text.split())
    return text if len(text) <= characters else text[:characters].rstrip() + "…"
