"""A run as one page: a file that opens from disk, shows everything, and asks nobody.

Tables become plain data, and the data stands in the page as JSON: what the first screen
says as it is, columns, texts and evidence compressed. Charts are drawn by Vega, whose code
comes with vl-convert and stands in the page, too. What is written is fixed by the tables.

Titles and texts are other people's words. Nothing of them is ever read as markup: JSON is
written without `<`, `>` and `&`, the page makes text nodes of it, and its content policy
lets no script run but those that were written here, and no request leave.
"""

import base64
import functools
import hashlib
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2
import orjson
import vl_convert
from markupsafe import Markup

from pipeline.config import Config
from pipeline.overview import overview
from pipeline.show import read_table
from pipeline.story_columns import (
    COMPARISONS,
    LINES,
    TEXT_CHARACTERS,
    article_columns,
    in_story_order,
    pack,
    removed_lines,
    source_names,
    story_columns,
    story_parts,
)
from schemas.story import RELATIONS
from transforms.parquet import read_manifest

# Of the page, up to which texts are put in.
PAGE_CHARACTERS = 13_000_000

_FOLDER = Path(__file__).parent / "data" / "report"
# In the order in which they are read: each uses what stands before it.
_SCRIPTS = (
    "words.js",
    "elements.js",
    "tables.js",
    "charts.js",
    "overview.js",
    "stories.js",
    "story.js",
    "compare.js",
    "sources.js",
    "main.js",
)
_ESCAPES = {ord(mark): f"\\u{ord(mark):04x}" for mark in "<>&\u2028\u2029"}


def write_report(output: str, page: Path) -> int:
    """Write what a run found as one page.

    Args:
      output: folder that a run wrote.
      page: file that is written, or replaced once the new one is complete.

    Returns:
      The bytes of the page.

    Raises:
      ValueError: if no run has finished there, or a file of it is gone or broken, or the
        page's folder is not there.
    """
    if not page.parent.is_dir():
        raise ValueError(f"the page must go to a folder that is there, got {page}")
    encoded = report_page(output).encode()
    # Beside the page: a file can be put in another's place on one disk alone.
    handle, written = tempfile.mkstemp(dir=page.parent, prefix=f".{page.name}.")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(encoded)
        os.chmod(written, 0o644)
        os.replace(written, page)
    except BaseException:
        os.unlink(written)
        raise
    return len(encoded)


def report_page(output: str) -> str:
    """Give the page that tells what a run found.

    Raises:
      ValueError: if no run has finished there, or a file of it is gone or broken.
    """
    data, parts = report_data(output)
    return _render(data, parts)


def report_data(
    output: str, *, characters: int = PAGE_CHARACTERS
) -> tuple[dict[str, Any], dict[str, str]]:
    """Read the tables of a run and give what the page holds of them.

    Args:
      output: folder that a run wrote.
      characters: of the page, up to which texts are put in.

    Returns:
      What the first screen says, and the packed parts by name: `tables`, `removed` and
      `part-0`, `part-1`, ...
    """
    articles = read_table(output, "articles")
    stories, articles = in_story_order(read_table(output, "stories"), articles)
    boilerplate = read_table(output, "boilerplate")
    manifest = read_manifest(output)
    assert manifest is not None
    sources = source_names(articles, boilerplate)
    removed = pack(removed_lines(boilerplate, articles, sources))
    columns: dict[str, Any] = {
        "sources": sources,
        "articles": article_columns(articles, sources),
        "stories": story_columns(stories),
    }
    # A run without articles has no settings of its own.
    min_words = manifest["config"].get("min_words", Config.min_words)
    rejects = read_table(output, "rejects")
    data = {
        **overview(articles, stories, rejects, min_words=min_words),
        "relations": list(RELATIONS),
        "run": {"id": manifest["run_id"], "finished": manifest["finished_at"]},
    }
    fixed = [removed, pack(columns), script_json(data), _vega()]
    matches = read_table(output, "matches")
    left = max(0, characters - sum(len(text.encode()) for text in fixed))
    found = story_parts(stories, articles, matches, characters=left)
    columns["stories"]["part"] = found.part_of.tolist()
    data["held"] = {
        "texts": found.texts,
        "cut": found.cut,
        "characters": TEXT_CHARACTERS,
        "comparisons": found.comparisons,
        "per_article": COMPARISONS,
        "lines": LINES,
        "min_words": min_words,
    }
    parts = {f"part-{number}": part for number, part in enumerate(found.parts)}
    return data, {"tables": pack(columns), "removed": removed, **parts}


def script_json(value: Any) -> Markup:
    r"""Give a value as JSON that ends no script and opens no comment.

    >>> script_json({"title": "</script>"})
    Markup('{"title":"\\u003c/script\\u003e"}')
    """
    return Markup(orjson.dumps(value).decode().translate(_ESCAPES))


@functools.cache
def _vega() -> str:
    """Give the code of Vega, Vega-Lite and Vega-Embed, which vl-convert carries.

    Raises:
      ValueError: if it held the end of a script, which would end the one it stands in.
    """
    code = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
    if "</script" in code or "<!--" in code:
        raise ValueError("the code of Vega must hold no tag that ends or hides a script")
    # Its names stay its own, but for what is set on the window.
    return f"(() => {{{code}\n}})();"


def _render(data: Mapping[str, Any], parts: Mapping[str, str]) -> str:
    scripts = [Markup(_vega())]
    scripts += [Markup((_FOLDER / name).read_text("utf-8")) for name in _SCRIPTS]
    hashes = [
        base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        for script in scripts
    ]
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html").render(
        data=script_json(data),
        parts=parts,
        run=data["run"],
        counts=data["counts"],
        style=Markup((_FOLDER / "page.css").read_text("utf-8")),
        scripts=scripts,
        hashes=hashes,
    )
