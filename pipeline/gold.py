"""What people decided: articles with their stories, pairs of articles, segments of pages.

All three are JSON lines, plain or .gz. A mistake in them would pass for a mistake of the
run, so they are checked before anything runs.
"""

import hashlib
from collections.abc import Container, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import orjson

from pipeline.labelled import Labelled, fingerprint_corpus, halves, json_objects
from schemas.article import RAW
from schemas.batch import column, concatenate
from transforms.formats import FIELDS
from transforms.normalisation import clean_text, one_line
from transforms.parsing import site
from transforms.reading import MAX_ROW_BYTES, read_files

HALVES = ("all", "first", "second")

# What a person may have said of two articles: the same text, not the same text, one a
# short take inside the other; and two things that nobody could score.
SCORED_LABELS = ("dup", "not", "contained")
LABELS = (*SCORED_LABELS, "partial", "unclear")


_SOFT_HYPHEN = "\u00ad"


class Pair(NamedTuple):
    """Two articles and one of SCORED_LABELS."""

    a: str
    b: str
    label: str


class Page(NamedTuple):
    """The visible text of a web page, and pieces of it that must stay and must go."""

    page_id: str
    url: str | None
    text: str
    keep: list[str]
    drop: list[str]


def read_articles(path: Path | str) -> list[dict[str, Any]]:
    """Read articles, each with an id; the field `story` is the gold story or None.

    An article without an id is named after the file and its line. `lang` is read as
    `language`, as in `pipeline.labelled`.

    Raises:
      ValueError: if an id stands there twice, beside what `json_objects` refuses.
    """
    rows: list[dict[str, Any]] = []
    lines: dict[str, int] = {}
    for number, row in json_objects(path):
        if row.get("language") is None:
            row["language"] = row.get("lang")
        row["id"] = _identifier(row, path, number)
        if row["id"] in lines:
            raise ValueError(
                f"{path} must give each id once, {row['id']} stands on lines "
                f"{lines[row['id']]} and {number}"
            )
        lines[row["id"]] = number
        story = row.get("story")
        row["story"] = None if story is None else str(story)
        rows.append(row)
    if not rows:
        raise ValueError(f"{path} must hold articles, it holds none")
    return rows


def read_pairs(path: Path | str, known: Container[str]) -> tuple[list[Pair], int]:
    """Read labelled pairs.

    Args:
      path: JSON lines with `a`, `b` and `label`.
      known: ids of all articles that there are.

    Returns:
      Pairs that can be scored, and how many others there are.

    Raises:
      ValueError: if a label or an id is unknown, beside what `json_objects` refuses.
    """
    pairs: list[Pair] = []
    unscored = 0
    for number, row in json_objects(path):
        label = row.get("label")
        if label not in LABELS:
            raise ValueError(
                f"{path}, line {number}: label must be one of {', '.join(LABELS)}, got "
                f"{label}"
            )
        ids = [one_line(str(row.get(name) or "")) for name in ("a", "b")]
        for name, article_id in zip(("a", "b"), ids, strict=True):
            if article_id is None or article_id not in known:
                raise ValueError(
                    f"{path}, line {number}: {name} must be the id of an article that is "
                    f"given, got {row.get(name)}"
                )
        if ids[0] == ids[1]:
            raise ValueError(f"{path}, line {number}: a and b must differ, got {ids[0]}")
        if label in SCORED_LABELS:
            pairs.append(Pair(str(ids[0]), str(ids[1]), label))
        else:
            unscored += 1
    if not pairs:
        raise ValueError(
            f"{path} must hold pairs labelled {', '.join(SCORED_LABELS)}, it holds none"
        )
    return pairs, unscored


def read_pages(path: Path | str) -> list[Page]:
    """Read pages with the segments of their text that must stay and that must go.

    Args:
      path: JSON lines with `text`, `keep` and `drop`, and `id` and `url` where known.

    Raises:
      ValueError: if a page has no text, a segment is no text or does not stand on its
        page, or no page has any, beside what `json_objects` refuses.
    """
    pages: list[Page] = []
    for number, row in json_objects(path):
        place = f"{path}, line {number}"
        text = row.get("text")
        if not isinstance(text, str) or not text.strip():
            raise ValueError(f"{place}: a page must have a text, got {text!r:.60}")
        segments: dict[str, list[str]] = {}
        whole = folded(text)
        for name in ("keep", "drop"):
            segments[name] = row.get(name) or []
            for segment in segments[name]:
                if not isinstance(segment, str) or not segment.strip():
                    raise ValueError(
                        f"{place}: {name} must hold pieces of text, got {segment!r:.60}"
                    )
                if folded(segment) not in whole:
                    raise ValueError(
                        f"{place}: {name} must hold pieces of the page's text, "
                        f"{segment[:60]!r} does not stand in it"
                    )
        pages.append(Page(_identifier(row, path, number), row.get("url"), text, **segments))
    if not any(page.keep or page.drop for page in pages):
        raise ValueError(f"{path} must hold pages with keep or drop, it holds none")
    ids = [page.page_id for page in pages]
    if len(set(ids)) < len(ids):
        twice = next(one for i, one in enumerate(ids) if one in ids[:i])
        raise ValueError(f"{path} must give each id once, {twice} stands there twice")
    return pages


def write_articles(rows: Iterable[Mapping[str, Any]], path: Path) -> None:
    """Write articles as JSON lines that a run reads, without their gold stories."""
    with path.open("wb") as lines:
        for row in rows:
            own = {name: row[name] for name in FIELDS if name in row}
            lines.write(orjson.dumps(own) + b"\n")


def folded(text: str) -> str:
    """Give a text as it is compared: read as a run reads it, white space folded."""
    return " ".join(clean_text(text).replace(_SOFT_HYPHEN, "").split())


def half_of_articles(
    path: Path, stories: Sequence[str | None], half: str
) -> npt.NDArray[np.int64]:
    """Choose the articles of one half of a set, split as `newsdedup tune` splits it.

    Args:
      path: the whole set as `write_articles` wrote it.
      stories: the gold story of each article.
      half: "first", which `tune` fits to, or "second", which it only scores.

    Returns:
      Rows of the set, ascending; what a run would reject is in neither half.
    """
    read = read_files([str(path)], {}, batch_size=len(stories), max_row_bytes=MAX_ROW_BYTES)
    raw = [batch for kind, batch in read if kind == "raw" and not isinstance(batch, int)]
    prints = fingerprint_corpus(concatenate(raw, RAW))
    rows = column(prints, "position") - 1
    labelled = Labelled(path.stem, prints, np.array(stories, dtype=object)[rows])
    chosen = halves(labelled)[HALVES.index(half) - 1]
    return np.sort(column(chosen.fingerprints, "position") - 1)


def is_fitted_page(url: str | None, page_id: str) -> bool:
    """Say whether a page is of the half of all sites that page mode may be fitted to.

    Pages of one site are alike, so it is sites that are split: by the parity of a hash
    of the registrable domain, or of the page's id where there is none.
    """
    name = (site(url) if url else None) or url or page_id
    return hashlib.sha256(name.encode()).digest()[0] % 2 == 0


def _identifier(row: dict[str, Any], path: Path | str, number: int) -> str:
    given = row.get("id")
    named = one_line(str(given)) if given is not None else None
    return named or f"{Path(path).name.split('.')[0]}-{number}"
