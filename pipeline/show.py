"""What a run wrote, for a person at a terminal: stories, one story, one article."""

import datetime
import sys
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from apache_beam.io.filesystems import FileSystems
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from transforms.parquet import MANIFEST, read_manifest, table_files

LARGEST = "largest"
_EVIDENCE_ROWS = 12
_PIPED_WIDTH = 140
_PASSAGE_CHARACTERS = 300


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
      ValueError: if no run has finished there.
    """
    manifest = read_manifest(output)
    if manifest is None:
        raise ValueError(f"{output} holds no finished run: it has no {MANIFEST}")
    tables = []
    for path in table_files(output, manifest, name):
        with FileSystems.open(path, compression_type="uncompressed") as stream:
            tables.append(pq.read_table(stream, columns=columns, filters=filters))
    return pa.concat_tables(tables)


def print_summary(output: str, manifest: dict[str, Any], *, seconds: float) -> None:
    """Print what a run found: counts, and how long it took."""
    statistics = manifest["statistics"]
    rejects = sum(part["rows"] for part in manifest["tables"]["rejects"])
    table = _table("", "")
    table.show_header = False
    table.columns[1].justify = "right"
    counts = [
        ("articles", f"{statistics['articles']:,}"),
        ("rejects", f"{rejects:,}"),
        ("copy groups", f"{statistics['copy_groups']:,}"),
        ("stories", f"{statistics['stories']:,}"),
        ("stories of several articles", f"{statistics['stories_of_several']:,}"),
        ("largest story", f"{statistics['largest_story']:,} articles"),
        ("words of furniture removed", f"{statistics['removed_words']:,}"),
    ]
    if statistics["dropped_dates"]:
        counts.append(("dates dropped", f"{statistics['dropped_dates']:,}"))
    for label, value in (*counts, ("seconds", f"{seconds:,.1f}")):
        table.add_row(label, value)
    console = _console()
    console.print(table)
    console.print(Text(f"newsdedup show {output}", style="bold"))


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
    table = _table("articles", "independent", "first", "title", "story")
    for row in stories.take(order.slice(0, limit)).to_pylist():
        table.add_row(
            f"{row['article_count']}",
            f"{row['independent_count']}",
            _time(row["first_published_at"]),
            Text(row["title"]),
            Text(row["story_id"], style="dim", overflow="fold"),
        )
    console = _console()
    console.print(table)
    console.print(f"{min(limit, stories.num_rows):,} of {stories.num_rows:,} stories")


def show_story(output: str, story_id: str) -> None:
    """Print one story: its canonical article, its members and how they stand to it.

    Raises:
      ValueError: if there is no such story.
    """
    stories = read_table(output, "stories")
    if story_id == LARGEST:
        best = pc.index(
            stories.column("article_count"), pc.max(stories.column("article_count"))
        )
        chosen = stories.slice(best.as_py(), 1).to_pylist()
    else:
        chosen = stories.filter(pc.field("story_id") == story_id).to_pylist()
    if not chosen:
        raise ValueError(f"{output} holds no story {story_id}")
    (story,) = chosen
    articles = read_table(
        output, "articles", filters=pc.field("story_id") == story["story_id"]
    )
    by_id = {row["article_id"]: row for row in articles.to_pylist()}
    canonical = by_id[story["canonical_article_id"]]
    console = _console()
    console.print(Text(story["title"], style="bold"))
    about = [_count(story["article_count"], "article")]
    if story["source_count"]:
        about.append(_count(story["source_count"], "source"))
    about.append(f"{story['independent_count']} independent")
    if story["first_published_at"]:
        first, last = story["first_published_at"], story["last_published_at"]
        about.append(f"{_time(first)} to {_time(last)}")
    console.print(Text(", ".join(about)))
    console.print(
        Text(
            f"canonical: {canonical['article_id']} of "
            f"{canonical['source'] or 'unknown source'}, {story['canonical_reason']}"
        )
    )
    console.print(Text(f"keywords: {', '.join(story['keywords'])}"))
    numbers = {member["article_id"]: i for i, member in enumerate(story["members"], 1)}
    table = _table(
        "", "published", "source", "relation", "share", "score", "title", "article"
    )
    for member in story["members"]:
        row = by_id[member["article_id"]]
        relation = row["relation"].replace("_", " ")
        if row["matched_article_id"] not in (None, story["canonical_article_id"]):
            relation += f" of {numbers[row['matched_article_id']]}"
        table.add_row(
            f"{numbers[row['article_id']]}",
            _time(row["published_at"]),
            Text(row["source"] or "—"),
            relation,
            _number(row["containment"]),
            _number(row["story_score"]),
            Text(row["title"] or _beginning(row["text"], 60)),
            Text(row["article_id"], style="dim", overflow="fold"),
        )
    console.print(table)


def show_article(output: str, article_id: str) -> None:
    """Print one article and why it is where it is: scores, rules, shared passages.

    Raises:
      ValueError: if there is no such article.
    """
    found = read_table(output, "articles", filters=pc.field("article_id") == article_id)
    if not found.num_rows:
        raise ValueError(f"{output} holds no article {article_id}")
    (row,) = found.to_pylist()
    console = _console()
    console.print(Text(row["title"] or _beginning(row["text"], 100), style="bold"))
    console.print(
        Text(
            f"{row['source'] or 'unknown source'}, {_time(row['published_at'])}, "
            f"{row['language']}, {_count(row['word_count'], 'word')}, "
            f"{row['removed_word_count']} of furniture removed"
        )
    )
    if row["credited_source"]:
        console.print(Text(f"credits {row['credited_source']}"))
    for note in row["notes"]:
        console.print(Text(f"note: {note.replace('_', ' ')}"))
    console.print(Text(f"story {row['story_id']}, copy group {row['duplicate_group_id']}"))
    relation = row["relation"].replace("_", " ")
    towards = f" of {row['matched_article_id']}" if row["matched_article_id"] else ""
    console.print(Text(f"{relation}{towards}", style="bold"))
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
    table = _table(
        "", "asked", "other article", "jaccard", "share", "cosine", "score", "rule"
    )
    for match in matches[:_EVIDENCE_ROWS]:
        other = _other(match, article_id)
        table.add_row(
            "✓" if match["accepted"] else "✗",
            match["question"],
            Text(other, overflow="fold"),
            _number(match["jaccard"]),
            _number(match["containment"]),
            _number(match["cosine"]),
            _number(match["story_score"]),
            Text(match["rule"]),
        )
    console.print(table)
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
            console.print(Text(f"longest passage shared with {other}:", style="bold"))
            console.print(Text(_beginning(row["text"][start:end], _PASSAGE_CHARACTERS)))
            return


def _other(match: dict[str, Any], article_id: str) -> str:
    if match["article_id"] == article_id:
        return str(match["matched_article_id"])
    return str(match["article_id"])


def _console() -> Console:
    """Write as wide as the terminal is; into a file or pipe, wide enough for any row."""
    return Console() if sys.stdout.isatty() else Console(width=_PIPED_WIDTH)


def _table(*headers: str) -> Table:
    return Table(*headers, box=box.SIMPLE, pad_edge=False)


def _time(moment: datetime.datetime | None) -> str:
    return moment.strftime("%Y-%m-%d %H:%M") if moment else "—"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _beginning(text: str, characters: int) -> str:
    text = " ".join(text.split())
    return text if len(text) <= characters else text[:characters].rstrip() + "…"
