"""Large stories: what becomes of an event that three hundred sites report.

No labelled set has such a story, so they are made: of a real story by mixing the evidence
of its members (see `pipeline.made_stories`), as many members as asked for, put among the
other articles of the set in place of the real one, and grouped as a run does. Their pairs
are about as alike as those of the real story: see `pair_similarity`.
"""

import dataclasses
import itertools
from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from pipeline.agreement import bcubed
from pipeline.fitting import as_embedded, predict
from pipeline.labelled import Labelled
from pipeline.made_stories import enlarged
from schemas.batch import concatenate
from transforms.context import article_counts
from transforms.pair_features import article_facts, pair_features
from transforms.pair_scoring import GRAPH_FLOOR, LARGE, pair_probabilities
from transforms.rarity import weigh_articles
from transforms.story_model import StoryModel
from transforms.story_scoring import block_background

SIZES = (30, 100, 300)

# Made stories of all seeds start here, away from those that weights are fitted on.
SEED = 100


@dataclasses.dataclass(frozen=True)
class LargeStory:
    """One made story and what became of it.

    Attributes:
      story: name of the real story that it was made of.
      members: of that.
      size: made members.
      recall: B-cubed recall of the made members, 0 to 1.
      parts: groups that they are in.
      strangers: articles of other stories in the group that holds most of them.
      rest: B-cubed F1 of the other articles beside it, less that without it.
    """

    story: str
    members: int
    size: int
    recall: float
    parts: int
    strangers: int
    rest: float


def source_stories(labelled: Labelled, count: int) -> list[str]:
    """Choose stories of at least three members, from the largest down in even steps.

    Raises:
      ValueError: if there are fewer than `count`.
    """
    sizes = Counter(story for story in labelled.stories if story is not None)
    large = sorted(
        (story for story, size in sizes.items() if size >= 3),
        key=lambda story: (-sizes[story], story),
    )
    if len(large) < count:
        raise ValueError(
            f"{labelled.name} must have at least {count} stories of three articles, "
            f"got {len(large)}"
        )
    return [large[len(large) * step // count] for step in range(count)]


def with_large_story(labelled: Labelled, story: str, size: int, seed: int) -> Labelled:
    """Put a made story in the place of the real one; its members come last."""
    made = enlarged(labelled, story, size, seed=seed)
    rest = labelled.take(np.flatnonzero(labelled.stories != story))
    return Labelled(
        labelled.name,
        concatenate([rest.fingerprints, made.fingerprints], rest.fingerprints.schema),
        np.concatenate([rest.stories, made.stories]),
    )


def measure_large_stories(
    labelled: Labelled,
    model: StoryModel,
    *,
    sizes: Sequence[int] = SIZES,
    sources: int = 5,
    embedding: str = "undecided",
) -> list[LargeStory]:
    """Make stories of several sizes of several real ones, and group each among the rest.

    Args:
      labelled: a set, of articles that the model was not fitted to.
      model: see there.
      sizes: members to make.
      sources: real stories to make them of.
      embedding: which articles have a vector, as in `pipeline.config`.

    Raises:
      ValueError: if the set has fewer stories of three articles than `sources`.
    """
    before = _grouped(labelled, model, embedding)
    found = []
    for size, (seed, story) in itertools.product(
        sizes, enumerate(source_stories(labelled, sources), SEED)
    ):
        mixed = with_large_story(labelled, story, size, seed)
        groups = _grouped(mixed, model, embedding)
        made, others = groups[-size:], groups[:-size]
        parts = Counter(made.tolist())
        largest = min(parts, key=lambda group: (-parts[group], group))
        real = labelled.stories == story
        known = labelled.stories.copy()
        known[real] = None
        found.append(
            LargeStory(
                story=story,
                members=int(real.sum()),
                size=size,
                recall=sum(count * count for count in parts.values()) / size**2,
                parts=len(parts),
                strangers=int((others == largest).sum()),
                rest=bcubed(list(mixed.stories[:-size]), list(others)).f1
                - bcubed(list(known), list(before)).f1,
            )
        )
    return found


def _grouped(
    labelled: Labelled, model: StoryModel, embedding: str
) -> npt.NDArray[np.uint64]:
    if embedding == "none":
        return predict(labelled.without_vectors().fingerprints, model)
    prints = labelled.fingerprints
    return predict(prints if embedding == "all" else as_embedded(prints, model), model)


def pair_similarity(
    labelled: Labelled, rows: npt.NDArray[np.integer], model: StoryModel
) -> npt.NDArray[np.float32]:
    """Give the first score of all pairs of some articles of a set, shape (m,).

    Args:
      labelled: a set.
      rows: shape (k,). Articles of one story of it, which is counted as a few articles
        in the frequencies whatever its size: real and made stories then compare.
      model: see there.
    """
    background = block_background(labelled.fingerprints, model.backgrounds)
    pairs = np.array(list(itertools.combinations(np.sort(rows), 2)), np.int32)
    counts = article_counts(
        pairs,
        np.ones(len(pairs), np.float32),
        len(labelled.stories),
        above=GRAPH_FLOOR,
        large=LARGE,
    )
    articles = weigh_articles(
        labelled.fingerprints, background, model.rarity, counts=counts
    )
    features = pair_features(pairs, articles, article_facts(labelled.fingerprints))
    return pair_probabilities(features, model.pair, model.embedded)
