"""Write docs/data-formats.md: the tables, column by column, from schemas/.

    python docs/make_data_formats.py

A column's description is the comment above its field.
"""

import importlib
import re
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "data-formats.md"

INTRODUCTION = """\
# Data formats

<!-- Written by docs/make_data_formats.py from schemas/; change those and run it. -->

## What is read

| file | one article is |
| --- | --- |
| `.jsonl`, `.ndjson`, `.json`, or those `.gz`, `.zst` | a line, or an object of one array |
| `.parquet` | a row |
| `.txt` | the file; its title is found where the first line is plainly one |
| `.html`, `.htm` | the file; text, title, date and site are extracted by trafilatura |

An array of objects may stand in one: `{"articles": [...]}`. In a pattern `**` stands for
any number of folders.

Fields are `id`, `url`, `source`, `published_at`, `title`, `text` or `html`, `language`,
none of them required but one of `title`, `text` and `html`. A field of another name is
found with `--field text=body`.

Fields besides these are dropped, but for those that are asked for, which are kept as a JSON
object in `extra` of `articles/`: `--field extra=author,section` keeps two of them,
`--field 'extra=*'` all. What is null is left out; the fields of an object called `extra`
are taken as they are, also when none is asked for.

* **id** missing: a hash of the url without its tracking parameters, else of the file's
  name and the content. An id is kept as given. The same id twice with the same content
  is a copy, `id#2`; with other content it stays with the earliest, without dates with the
  content that most of the rows have, and the others are rejected.
* **source** missing: the registrable domain of the url, else the site an HTML page names.
* **published_at**: any usual form with its zone, or seconds since 1970; no zone means
  UTC. A date before 1900 or after the day after tomorrow is dropped and noted, and the
  article kept.
* **language** missing: detected; `und` where the text is too short to tell.

## What is written

A run writes one folder a table, and `manifest.json` last. The manifest names the files in
force, the run, its settings and its counts. Files carry the schema's name and version in
their Parquet metadata.
"""

STREAM = """\
## What a stream writes

`newsdedup stream` writes to a folder of its own a few files every window, of all tables
above but `stories/`, and of four more. There is no manifest: a window counts once its file
of `placements/` is there, which is written last. Files are called
`<end of the window>-<number>-<language>-<digits>.parquet` and never written to again. The
ids in them are provisional: where an article stands now is its row of `placements/` with
the highest number; a row may be repeated as it was.
"""

STREAM_TABLES = (
    (
        "raw",
        "schemas.article",
        "RECEIVED",
        "One row an article as it was received: the input of a later run.",
    ),
    (
        "vectors",
        "schemas.past",
        "VECTORS",
        "One row an article that was embedded in a later window than it was placed in.",
    ),
    (
        "recurring",
        "schemas.past",
        "LEARNT",
        "One row a line and source, when it is learnt that it recurs, and now and then "
        "when it is seen again.",
    ),
    (
        "placements",
        "schemas.past",
        "PLACEMENTS",
        "One row each time that an article is placed, or comes to stand otherwise.",
    ),
)

TABLES = (
    ("articles", "schemas.story", "ARTICLES", "One row an article that was read."),
    (
        "stories",
        "schemas.story",
        "STORIES",
        "One row a story; an article without company is one.",
    ),
    (
        "matches",
        "schemas.match",
        "MATCH",
        "One row a pair that was accepted or came near it.",
    ),
    (
        "boilerplate",
        "schemas.story",
        "BOILERPLATE",
        "One row a source and line that was removed.",
    ),
    ("rejects", "schemas.article", "REJECT", "One row an input row that is no article."),
    (
        "changes",
        "schemas.story",
        "CHANGES",
        "One row an assignment; appended to, never changed.",
    ),
    (
        "index",
        "schemas.story",
        "INDEX",
        "One row an article: what the next run compares it by.",
    ),
    (
        "lines",
        "schemas.story",
        "LINES",
        "One row an article: what the next run learns of its lines, as they came.",
    ),
)


def comments(module: str) -> dict[str, str]:
    """Give the comment above each field of a schema module, by the field's name."""
    source = Path(sys.modules[module].__file__ or "").read_text("utf-8")
    found: dict[str, str] = {}
    for block, name in re.findall(
        r"((?:^ +# .*\n)+)^ +(?:\*?)pa\.field\(\s*\"(\w+)\"", source, re.MULTILINE
    ):
        lines = [line.strip().removeprefix("# ") for line in block.splitlines()]
        found.setdefault(name, " ".join(lines))
    return found


def page() -> str:
    """Make the page."""
    sys.path.insert(0, str(ROOT))
    parts = [INTRODUCTION]
    descriptions: dict[str, str] = {}
    for module in (
        "schemas.article",
        "schemas.fingerprint",
        "schemas.match",
        "schemas.story",
        "schemas.past",
    ):
        importlib.import_module(module)
        descriptions = comments(module) | descriptions
    for table, module, name, about in (*TABLES, *STREAM_TABLES):
        if table == STREAM_TABLES[0][0]:
            parts.append(STREAM)
        schema = getattr(sys.modules[module], name)
        version = schema.metadata[b"version"].decode()
        label = schema.metadata[b"schema"].decode()
        parts.append(f"### {table}/\n\n{about} `{label}` version {version}.\n")
        parts.append("| column | type | null | |\n| --- | --- | --- | --- |")
        own = descriptions | comments(module)
        for field in schema:
            kind = re.sub(r"(item|element|child \d+): ", "", str(field.type)).replace(
                " not null", ""
            )
            null = "yes" if field.nullable else ""
            parts.append(
                f"| `{field.name}` | {kind} | {null} | {own.get(field.name, '')} |"
            )
        parts.append("")
    return "\n".join(parts)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
