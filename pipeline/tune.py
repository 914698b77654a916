"""Labelled articles and a background -> the data files that decide what a story is.

Half of every set, chosen by story, is kept out of the fit and only scored, so that what
is reported was never fitted to: by the median date of a story where the stories are
dated, else by a hash of its topic. Another fit for each set leaves that set out
altogether.

Labelled articles are a thin sample of the news of their days, and in a whole day's news
an article has more likely partners. A set whose stream is at hand is therefore fitted to
and scored alone and in the midst of what was published on the same days.
"""

import dataclasses
import json
import pathlib
from collections import Counter
from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from pipeline.fitting import Setting, agreement, agreement_of_pieces, fit_model
from pipeline.labelled import (
    Labelled,
    days_around,
    fingerprint_corpus,
    halves,
    in_pieces,
    published_on,
    read_labelled,
)
from schemas.batch import column, concatenate
from schemas.fingerprint import FINGERPRINT
from transforms import storage
from transforms.background import Background, make_background, write_background
from transforms.rarity import RaritySettings
from transforms.story_model import SCHEMA, VERSION, StoryModel

# Languages of which the background has fewer articles get none.
LEAST_BACKGROUND = 1000
MOST_BACKGROUND = 14_000
# Articles of a short run that a model is scored on.
_SHORT = 100


def split_scores(
    sets: Sequence[Labelled], setting: Setting
) -> dict[str, dict[str, dict[str, float]]]:
    """Score each set by models that were not fitted to what they are scored on.

    Returns:
      By protocol, then by set: precision, recall, f1. "second halves" and "first
      halves" are by a model fitted to the other halves of all sets; "second in midst" and
      "first in midst" by the same, of the halves among the articles around them; "second
      in hundreds" and "first in hundreds" of the halves cut into runs of a hundred
      articles, each scored alone; "left out" by a model fitted to the other sets.
    """
    scores: dict[str, dict[str, dict[str, float]]] = {}
    split = [halves(one) for one in sets]
    for name, fitted, scored in (("second halves", 0, 1), ("first halves", 1, 0)):
        model = fit_model([half[fitted] for half in split], setting)
        scores[name] = {
            half[scored].name: dataclasses.asdict(agreement(half[scored], model))
            for half in split
        }
        around = [half[scored] for half in split if half[scored].midst is not None]
        if around:
            scores[f"{name.split()[0]} in midst"] = {
                one.name: dataclasses.asdict(agreement(one.in_midst(), model))
                for one in around
            }
        short = {half[scored].name: in_pieces(half[scored], _SHORT) for half in split}
        scores[f"{name.split()[0]} in hundreds"] = {
            name: dataclasses.asdict(agreement_of_pieces(pieces, model))
            for name, pieces in short.items()
            if pieces
        }
    if len(sets) > 1:
        scores["left out"] = {
            one.name: dataclasses.asdict(
                agreement(
                    one,
                    fit_model([other for other in sets if other is not one], setting),
                )
            )
            for one in sets
        }
    return {
        protocol: {
            name: {key: round(value, 4) for key, value in score.items()}
            for name, score in by_set.items()
        }
        for protocol, by_set in scores.items()
    }


def make_backgrounds(
    fingerprints: pa.RecordBatch, rarity: RaritySettings
) -> dict[str, Background]:
    """Make a background of each language that has enough articles.

    One random half of the articles is taken, by the parity of their keys, and of it the
    MOST_BACKGROUND lowest keys: the other half is left to be scored on.
    """
    keys = column(fingerprints, "article_key")
    languages = np.array(fingerprints.column("language").to_pylist())
    backgrounds = {}
    for language in sorted(set(languages) - {"und"}):
        rows = np.flatnonzero((languages == language) & (keys % np.uint64(2) == 0))
        if len(rows) < LEAST_BACKGROUND:
            continue
        rows = rows[np.argsort(keys[rows])][:MOST_BACKGROUND]
        backgrounds[language] = make_background(
            fingerprints.take(pa.array(rows)),
            min_documents=4,
            vector_terms=64,
            min_share=rarity.min_share,
        )
    return backgrounds


def write_story_model(model: StoryModel, folder: pathlib.Path) -> None:
    """Write a model and its backgrounds; equal models give equal bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    names = {}
    for language, background in sorted(model.backgrounds.items()):
        names[language] = f"background_{language}.parquet"
        write_background(background, folder / names[language])
    stored = {
        "schema": SCHEMA,
        "version": VERSION,
        "made_from": model.made_from,
        "threshold": model.threshold,
        "crowded": model.crowded,
        "rarity": dataclasses.asdict(model.rarity),
        "neighbours": dataclasses.asdict(model.neighbours),
        "backgrounds": names,
        "pair": dataclasses.asdict(model.pair),
        "embedded": dataclasses.asdict(model.embedded),
        "context": dataclasses.asdict(model.context),
    }
    text = json.dumps(stored, indent=2, sort_keys=False) + "\n"
    (folder / "story_model.json").write_text(text, encoding="utf-8")


def tune_sets(
    sets: Sequence[Labelled], background: pa.RecordBatch, output: pathlib.Path | str
) -> dict[str, dict[str, dict[str, float]]]:
    """Fit a model to the first halves of labelled sets, score it and write it.

    Args:
      sets: of distinct names.
      background: FINGERPRINT rows of ordinary articles.
      output: folder for the data files.

    Returns:
      What `split_scores` gives; it is stored in the model, too.
    """
    rarity = RaritySettings()
    backgrounds = make_backgrounds(background, rarity)
    setting = Setting(backgrounds, rarity)
    scores = split_scores(sets, setting)
    split = [halves(one)[0] for one in sets]
    made_from = {
        "fitted_to": {
            half.name: {
                "articles": len(half.stories),
                "stories": len({story for story in half.stories if story is not None}),
                "of_articles": len(one.stories),
            }
            for one, half in zip(sets, split, strict=True)
        },
        "halves": "by median day of the story where dated, else by a hash of its topic; "
        "only the first was fitted to",
        "background_articles": {
            language: one.documents for language, one in backgrounds.items()
        },
        "bcubed": scores,
    }
    model = fit_model(split, setting, made_from=made_from)
    with storage.written_folder(str(output)) as folder:
        write_story_model(model, folder)
    return scores


def tune(
    gold_files: Sequence[pathlib.Path | str],
    background_files: Sequence[pathlib.Path | str],
    output: pathlib.Path | str,
    *,
    embedding_model: str | None,
    embedding_tokens: int = 128,
) -> dict[str, dict[str, dict[str, float]]]:
    """Fit the story model to labelled articles and write its data files.

    Args:
      gold_files: JSON lines with a field `story`, one set a file; a set is named after
        its folder, or its file where two share one.
      background_files: JSON lines of ordinary articles of the same languages. Those of a
        file in the folder of a labelled set are the stream that the set is of, and its
        stories are to be found in their midst, too.
      output: folder for the data files, that `run` takes.
      embedding_model: as in `transforms.embedding_model`; None: weights for vectors are not
        fitted.
      embedding_tokens: tokens of an article that are embedded.

    Returns:
      B-cubed scores on what was not fitted to: protocol, set, number.

    Raises:
      ValueError: if a file holds something else, or no set is given.
    """
    if not gold_files:
        raise ValueError("at least one file of labelled articles must be given, got none")
    storage.check_writable(str(output))
    whole = [storage.folder_of(str(path)) for path in gold_files]
    folders = Counter(folder.rpartition("/")[2] for folder in whole)
    sets = []
    for path, inside in zip(gold_files, whole, strict=True):
        folder = inside.rpartition("/")[2]
        raw, stories = read_labelled(path)
        sizes = Counter(story for story in stories if story is not None)
        if not sizes or max(sizes.values()) < 2:
            raise ValueError(
                f"{path} must have stories of several articles, by the field story, got "
                f"{len(sizes)} stories of one in {len(stories)} lines"
            )
        prints = fingerprint_corpus(
            raw, embedding_model=embedding_model, embedding_tokens=embedding_tokens
        )
        places = column(prints, "position") - 1
        sets.append(
            Labelled(
                folder if folders[folder] == 1 else pathlib.Path(path).name.split(".")[0],
                prints.drop_columns(["position"]),
                np.array(stories, dtype=object)[places],
            )
        )
    background = []
    for path in background_files:
        own = [
            number
            for number, folder in enumerate(whole)
            if folder == storage.folder_of(str(path))
        ]
        days = [days_around(sets[number].fingerprints) for number in own]
        prints = fingerprint_corpus(
            read_labelled(path)[0],
            embedding_model=embedding_model if own else None,
            embedding_tokens=embedding_tokens,
            days=np.concatenate(days) if own else None,
        ).drop_columns(["position"])
        for number, near in zip(own, days, strict=True):
            midst = published_on(prints, near)
            if midst.num_rows:
                sets[number] = dataclasses.replace(sets[number], midst=midst)
        background.append(prints.select(FINGERPRINT.names))
    return tune_sets(sets, concatenate(background, FINGERPRINT), output)
