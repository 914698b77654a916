"""Labelled articles, pairs and pages through the pipeline as it is, and how well it did.

Everything that is scored went through a whole run with the settings given, so the score
is of what a user gets: articles in one run with their background, pages as articles in
another, planted copies among the articles in a third.
"""

import dataclasses
import json
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline import batch
from pipeline.agreement import group_sizes
from pipeline.baselines import baseline_scores, story_scores
from pipeline.config import Config
from pipeline.copy_agreement import pair_mistakes, pair_scores, read_copies
from pipeline.gold import (
    HALVES,
    Page,
    Pair,
    half_of_articles,
    is_fitted_page,
    read_articles,
    read_pages,
    read_pairs,
    write_articles,
)
from pipeline.mistakes import Evidence, described_mistake, story_mistakes, two_articles
from pipeline.notices import notices
from pipeline.page_agreement import page_mistakes, page_scores
from pipeline.planted import SEED, planted_copies, planted_mistakes, planted_scores
from pipeline.progress import shown
from pipeline.show import read_table
from transforms import storage

SCHEMA, VERSION = "newsdedup.evaluation", 1
RESULT = "evaluation.json"

_SHOWN = ("article_id", "story_id", "source", "published_at", "title", "text")
_PLANTED_FROM = (
    "article_id",
    "duplicate_group_id",
    "published_at",
    "title",
    "text",
    "language",
    "word_count",
    "thin",
)
_DIGITS = 4

Row = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class _Runs:
    """Runs of the pipeline on rows that are written down for it."""

    folder: str
    inputs: Path
    config: Config
    overwrite: bool
    beam_flags: Sequence[str]
    quiet: bool

    def check(self, *names: str) -> None:
        """Refuse folders that a run must not touch, before the first run begins."""
        for name in names:
            batch.check_output(storage.join(self.folder, name), overwrite=self.overwrite)

    def run(self, name: str, rows: Iterable[Row], *, stories: bool = True) -> str:
        """Run the pipeline on articles; give the folder of its tables."""
        file = self.inputs / f"{name}.jsonl"
        write_articles(rows, file)
        output = storage.join(self.folder, name)
        config = self.config
        if not stories:
            config = dataclasses.replace(config, stories=False)
        if not self.quiet:
            print(f"{name}:", file=sys.stderr, flush=True)
        with shown(quiet=self.quiet):
            batch.run(
                [str(file)],
                output,
                config,
                fields={},
                overwrite=self.overwrite,
                beam_flags=self.beam_flags,
            )
        return output


@dataclasses.dataclass(frozen=True)
class _Material:
    """Articles to run: the labelled ones first; and pairs of them to score."""

    rows: list[Row]
    labelled: int
    pairs: list[Pair]
    counts: dict[str, int]


def evaluate(
    *,
    gold: Path | str | None = None,
    background: Sequence[Path | str] = (),
    pairs: Path | str | None = None,
    pages: Path | str | None = None,
    half: str = "all",
    baselines: bool = False,
    planted: int = 0,
    config: Config,
    output: str | None = None,
    overwrite: bool = False,
    beam_flags: Sequence[str] = (),
    quiet: bool = False,
) -> dict[str, Any]:
    """Run the pipeline on what people labelled, and score it.

    Args:
      gold: articles with a field `story`, null where nobody knows.
      background: more articles of the same run, that are not scored.
      pairs: labelled pairs of these articles.
      pages: whole web pages with segments to keep and to drop.
      half: one of HALVES: all, or the half of stories and sites that `newsdedup tune`
        fits to ("first") or only scores ("second").
      baselines: score simple methods on the same articles, too.
      planted: copies of each kind to plant among the articles.
      config: settings of the runs.
      output: folder that keeps the tables of the runs and the result; None: neither.
      overwrite: replace an earlier evaluation there.
      beam_flags: flags for Beam itself.
      quiet: draw no progress.

    Returns:
      The scores and the mistakes, as they are written to `RESULT`; see docs/evaluate.md.

    Raises:
      ValueError: if nothing is given that can be scored, or a file, setting or folder is
        refused.
    """
    if gold is None and pages is None:
        raise ValueError("gold or pages must be given, got neither")
    if gold is None and (background or pairs or planted or baselines):
        raise ValueError("background, pairs, planted and baselines need gold articles")
    if half not in HALVES:
        raise ValueError(f"half must be one of {', '.join(HALVES)}, got {half}")
    result: dict[str, Any] = {
        "schema": SCHEMA,
        "version": VERSION,
        "half": half,
        "config": dataclasses.asdict(config),
    }
    with tempfile.TemporaryDirectory(prefix="newsdedup-") as temporary:
        inputs = Path(temporary, "inputs")
        inputs.mkdir()
        folder = temporary if output is None else output
        runs = _Runs(folder, inputs, config, overwrite, beam_flags, quiet)
        runs.check("articles", "pages", "planted")
        judged = None if pages is None else _half_of_pages(read_pages(pages), half, pages)
        if gold is not None:
            material = _material(gold, background, pairs, half, inputs, scores=planted > 0)
            result |= _evaluate_articles(material, runs, baselines=baselines)
            if planted:
                result["planted"] = _evaluate_planted(material, planted, runs)
        if judged is not None:
            result["pages"] = _evaluate_pages(judged, runs)
        result = _rounded(result)
        if output is not None:
            write_result(result, storage.join(folder, RESULT))
    return result


def write_result(result: Mapping[str, Any], path: Path | str) -> None:
    """Write an evaluation as JSON."""
    text = json.dumps(result, indent=1, ensure_ascii=False) + "\n"
    try:
        if storage.is_stored(str(path)):
            storage.write(str(path), text.encode())
        else:
            # Of a folder that is not there the name is likely misspelt.
            Path(path).write_text(text, encoding="utf-8")
    except OSError as error:
        raise ValueError(f"{path} cannot be written: {error}") from error


def _material(
    gold: Path | str,
    background: Sequence[Path | str],
    pairs: Path | str | None,
    half: str,
    inputs: Path,
    *,
    scores: bool,
) -> _Material:
    """Read and check what is labelled, and take the half that is asked for.

    A set without stories is refused unless something else `scores` it.
    """
    labelled = read_articles(gold)
    known = {row["id"] for row in labelled}
    others: list[Row] = []
    for path in background:
        fresh = [row for row in read_articles(path) if row["id"] not in known]
        known |= {row["id"] for row in fresh}
        others += [{**row, "story": None} for row in fresh]
    judged, unscored = read_pairs(pairs, known) if pairs is not None else ([], 0)
    if not (judged or scores) and all(row["story"] is None for row in labelled):
        raise ValueError(f"{gold} must hold articles with a field story, it holds none")
    if half != "all":
        whole = inputs / "whole.jsonl"
        write_articles(labelled, whole)
        stories = [row["story"] for row in labelled]
        labelled = [labelled[row] for row in half_of_articles(whole, stories, half)]
        if not labelled:
            raise ValueError(f"the {half} half of {gold} must hold articles, it holds none")
    here = {row["id"] for row in (*labelled, *others)}
    inside = [pair for pair in judged if pair.a in here and pair.b in here]
    if judged and not inside:
        raise ValueError(f"{pairs} must hold pairs of the {half} half, it holds none")
    return _Material(
        labelled + others,
        len(labelled),
        inside,
        {
            "labelled": len(labelled),
            "background": len(others),
            "pairs_unscored": unscored,
            "pairs_outside_half": len(judged) - len(inside),
        },
    )


def _evaluate_articles(
    material: _Material, runs: _Runs, *, baselines: bool
) -> dict[str, Any]:
    """Run the articles; score stories, pairs and the simple methods."""
    output = runs.run("articles", material.rows)
    found = {row["article_id"]: row for row in _table(output, "articles", _SHOWN)}
    evidence = Evidence(_table(output, "matches", None))
    gold = [row for row in material.rows[: material.labelled] if row["story"] is not None]
    scored = [row for row in gold if row["id"] in found]
    articles = material.counts | {
        "scored": len(scored),
        "rejected": len(material.rows) - sum(row["id"] in found for row in material.rows),
    }
    result: dict[str, Any] = {"articles": articles}
    if scored:
        stories = [row["story"] for row in scored]
        ours = [found[row["id"]]["story_id"] for row in scored]
        ids = [row["id"] for row in scored]
        result["stories"] = {
            "gold": vars(group_sizes(stories, stories)),
            **story_scores(stories, ours),
            "mistakes": [
                described_mistake(one, ids, stories, found, evidence)
                for one in story_mistakes(stories, ours)
            ],
        }
    if material.pairs:
        copies = read_copies(output)
        result["pairs"] = {
            **pair_scores(material.pairs, copies),
            "mistakes": [
                {"kind": kind, **two_articles(pair.a, pair.b, found, evidence)}
                for kind, pair in pair_mistakes(material.pairs, copies)
            ],
        }
    if baselines:
        kept = [row for row in material.rows if row["id"] in found]
        result["baselines"] = baseline_scores(
            [{**found[row["id"]], "story": row["story"]} for row in kept],
            [str(row.get("text") or row.get("html") or "") for row in kept],
            material.pairs,
            embedded=_vectors(output),
            embedding_model=runs.config.embedding_model if runs.config.uses_model else None,
            embedding_tokens=runs.config.embedding_tokens,
        )
    return result


def _evaluate_planted(material: _Material, number: int, runs: _Runs) -> dict[str, Any]:
    """Run the articles with copies and notices among them."""
    articles = _table(storage.join(runs.folder, "articles"), "articles", _PLANTED_FROM)
    rows, planted = planted_copies(articles, number)
    alike = notices(seed=SEED)
    output = runs.run("planted", [*material.rows, *rows, *alike], stories=False)
    found = {row["article_id"]: row for row in _table(output, "articles", _SHOWN)}
    evidence = Evidence(_table(output, "matches", None))
    copies = read_copies(output)
    ids = [row["id"] for row in alike]
    return {
        **planted_scores(planted, ids, copies),
        "mistakes": [
            {"kind": kind, **two_articles(a, b, found, evidence)}
            for kind, a, b in planted_mistakes(planted, ids, copies)
        ],
    }


def _half_of_pages(pages: list[Page], half: str, path: Path | str) -> list[Page]:
    if half == "all":
        return pages
    first = half == "first"
    chosen = [page for page in pages if is_fitted_page(page.url, page.page_id) == first]
    if not chosen:
        raise ValueError(f"the {half} half of {path} must hold pages, it holds none")
    return chosen


def _evaluate_pages(pages: Sequence[Page], runs: _Runs) -> dict[str, Any]:
    """Run pages as articles, all together, and look at the segments in their texts."""
    rows = [{"id": page.page_id, "url": page.url, "text": page.text} for page in pages]
    output = runs.run("pages", rows, stories=False)
    found = _table(output, "articles", ("article_id", "source", "text"))
    texts = {row["article_id"]: row["text"] for row in found}
    removed: dict[str | None, list[tuple[str, str]]] = defaultdict(list)
    for row in _table(output, "boilerplate", ("source", "reason", "line")):
        removed[row["source"]].append((row["reason"], row["line"]))
    sources = {row["article_id"]: row["source"] for row in found}
    urls = {page.page_id: page.url for page in pages}
    return {
        **page_scores(pages, texts),
        "mistakes": [
            {
                "kind": one.kind,
                "page": one.page_id,
                "url": urls[one.page_id],
                "segment": one.segment,
                "rule": one.reason,
            }
            for one in page_mistakes(pages, texts, removed, sources)
        ],
    }


def _vectors(output: str) -> dict[str, npt.NDArray[np.float16]]:
    """Give the vectors of the articles that a run has embedded."""
    rows = _table(output, "index", ("article_id", "vector"))
    return {
        row["article_id"]: np.array(row["vector"], np.float16)
        for row in rows
        if row["vector"] is not None
    }


def _table(output: str, name: str, columns: Sequence[str] | None) -> list[Row]:
    names = None if columns is None else list(columns)
    rows: list[Row] = read_table(output, name, names).to_pylist()
    return rows


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, _DIGITS)
    if isinstance(value, dict):
        return {key: _rounded(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_rounded(one) for one in value]
    return value
