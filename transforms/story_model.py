"""Story model: the weights, thresholds and backgrounds that decide what a story is.

A folder that `pipeline.tune` wrote: one JSON file that a person can read, and Parquet files
of backgrounds. A file whose names are not those computed here is refused. A model is read
once a process.
"""

import dataclasses
import functools
import json
import pathlib
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from transforms import storage
from transforms.background import Background, read_background
from transforms.blocking import Neighbours
from transforms.context import CONTEXT_FEATURES
from transforms.main_content import model_path
from transforms.pair_features import EMBEDDED_FEATURES, PAIR_FEATURES
from transforms.rarity import RaritySettings

SCHEMA = "newsdedup.story_model"
VERSION = 1


@dataclasses.dataclass(frozen=True)
class Weights:
    """One logistic regression: a bias and a weight for each named number."""

    bias: float
    weights: Mapping[str, float]

    def vector(self, names: tuple[str, ...]) -> npt.NDArray[np.float64]:
        """Give the weights in the order of `names`.

        Raises:
          ValueError: if the weights are not those of exactly these names.
        """
        if set(self.weights) != set(names):
            missing = sorted(set(names) - set(self.weights))
            unknown = sorted(set(self.weights) - set(names))
            raise ValueError(
                "a story model must weigh exactly the numbers computed here, "
                f"got missing={missing} and unknown={unknown}"
            )
        return np.array([self.weights[name] for name in names], np.float64)


@dataclasses.dataclass(frozen=True)
class StoryModel:
    """All that decides whether two articles tell the same event.

    Attributes:
      pair: the first score of two articles of which one at least is not embedded.
      embedded: the first score of two that are; its numbers are EMBEDDED_FEATURES.
      context: the second score; its numbers are CONTEXT_FEATURES, and "x_" and a name
        of PAIR_FEATURES.
      threshold: mean root of the score from which two groups are one story.
      crowded: expected partners from which the second score may not lower the first.
      rarity: how terms were weighed when the weights were fitted.
      neighbours: how pairs were proposed then.
      backgrounds: by language.
      made_from: what the model was fitted on, for a person.
    """

    pair: Weights
    embedded: Weights
    context: Weights
    threshold: float
    crowded: float
    rarity: RaritySettings
    neighbours: Neighbours
    backgrounds: Mapping[str, Background]
    made_from: Mapping[str, object]


def context_names(model: Weights) -> tuple[str, ...]:
    """Give the names that the second score weighs, in the order of its columns.

    Raises:
      ValueError: if a name is neither of CONTEXT_FEATURES nor "x_" and one of
        PAIR_FEATURES.
    """
    own = tuple(name for name in PAIR_FEATURES if f"x_{name}" in model.weights)
    names = (*CONTEXT_FEATURES, *(f"x_{name}" for name in own))
    model.vector(names)
    return names


def read_story_model(folder: pathlib.Path | str) -> StoryModel:
    """Read a model and its backgrounds from a folder that `pipeline.tune` wrote.

    Raises:
      ValueError: if the file is not a story model of this version, or weighs other
        numbers than are computed here.
    """
    path = storage.join(str(folder), "story_model.json")
    stored = json.loads(storage.content_of(path))
    found = (stored.get("schema"), stored.get("version"))
    if found != (SCHEMA, VERSION):
        raise ValueError(
            f"{path} must hold {SCHEMA} version {VERSION}, "
            f"got {found[0]} version {found[1]}"
        )
    model = StoryModel(
        pair=Weights(**stored["pair"]),
        embedded=Weights(**stored["embedded"]),
        context=Weights(**stored["context"]),
        threshold=stored["threshold"],
        crowded=stored["crowded"],
        rarity=RaritySettings(**stored["rarity"]),
        neighbours=Neighbours(**stored["neighbours"]),
        backgrounds={
            language: read_background(storage.join(str(folder), name))
            for language, name in stored["backgrounds"].items()
        },
        made_from=stored["made_from"],
    )
    model.pair.vector(PAIR_FEATURES)
    model.embedded.vector(EMBEDDED_FEATURES)
    context_names(model.context)
    return model


@functools.cache
def shared_story_model(folder: str) -> StoryModel:
    """Read the model of a folder, as of `model_path`, once a process."""
    return read_story_model(model_path(folder))
