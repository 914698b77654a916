"""The fit: labelled pairs to weights, their scores to a threshold.

The weights are logistic regressions: of the first score on all proposed pairs, of the
second on the same pairs seen through their neighbours, with the graph as the first score
makes it. The threshold is the one that gives the best mean B-cubed F1 over the training
sets. Each set is one batch, as it would be in a run.
"""

import dataclasses
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from sklearn.linear_model import LogisticRegression

from pipeline.agreement import Agreement, bcubed
from pipeline.labelled import Labelled, in_pieces
from pipeline.made_stories import MADE, with_made_stories
from schemas.batch import column, with_column
from transforms.background import Background
from transforms.blocking import Neighbours, candidate_pairs
from transforms.clustering import NODE, group_stories
from transforms.context import CONTEXT_FEATURES, context_features, score_graph
from transforms.linkage import ABSENT, link_stories
from transforms.pair_features import (
    EMBEDDED_FEATURES,
    PAIR_FEATURES,
    Facts,
    article_facts,
    pair_features,
)
from transforms.pair_scoring import GRAPH_FLOOR, first_scores
from transforms.rarity import RaritySettings, WeighedArticles, weigh_articles
from transforms.story_model import StoryModel, Weights
from transforms.story_scoring import (
    MIN_SCORE,
    block_background,
    context_columns,
    score_block,
    second_scores,
)
from transforms.undecided import undecided_keys

# The pair's own numbers that the second score weighs again.
AGAIN = ("term_cosine", "rare_term_share", "undated", "publication_gap", "shared_ages")


# Sizes of the large stories that are made for each set, see `pipeline.made_stories`.
MADE_SIZES = (15, 50, 150)

# Articles of the short runs that each set is cut into besides. A run may get the news of a
# year or of an hour, and where few articles are compared, two like events have no others
# between them that are more alike.
PIECES = (1000, 300, 100, 30)

# What a pair of a made story counts in the second score: as if each member had this many
# others. Little: with more, small stories of sibling events run together. In the first
# score they count nothing, for a pair there does not know how large its story is.
MADE_PARTNERS = 0.3

# How far from the best a threshold may score.
TOLERANCE = 0.01

# Below a half, groups would be joined whose pairs score a quarter in the mean.
THRESHOLDS = np.round(np.arange(0.5, 0.86, 0.02), 2)


@dataclasses.dataclass(frozen=True)
class Setting:
    """What stays fixed while weights are fitted.

    Attributes:
      backgrounds: by language.
      rarity: how terms are weighed.
      neighbours: how pairs are proposed.
      again: numbers of PAIR_FEATURES that the second score weighs once more.
      strength: inverse of the penalty on large weights.
      crowded: expected partners from which the second score may not lower the first.
    """

    backgrounds: Mapping[str, Background]
    rarity: RaritySettings = dataclasses.field(default_factory=RaritySettings)
    neighbours: Neighbours = dataclasses.field(default_factory=Neighbours)
    again: Sequence[str] = AGAIN
    strength: float = 1.0
    crowded: float = 12.0


@dataclasses.dataclass(frozen=True)
class Prepared:
    """A labelled set, its terms weighed and its pairs proposed."""

    labelled: Labelled
    articles: WeighedArticles
    facts: Facts
    proposed: npt.NDArray[np.int32]
    setting: Setting

    def weigh_again(self, counts: npt.NDArray[np.float64]) -> WeighedArticles:
        """Weigh the same articles where each counts what it is given."""
        fingerprints = self.labelled.fingerprints
        return weigh_articles(
            fingerprints,
            block_background(fingerprints, self.setting.backgrounds),
            self.setting.rarity,
            counts=counts,
            before=self.articles,
        )

    def targets(self, pairs: npt.NDArray[np.int32]) -> npt.NDArray[np.bool_]:
        """Give for each pair whether it is of one story."""
        stories = self.labelled.stories
        return np.asarray(stories[pairs[:, 0]] == stories[pairs[:, 1]], np.bool_)

    def weights(
        self, pairs: npt.NDArray[np.int32], *, partners: float
    ) -> npt.NDArray[np.float64]:
        """Give what each pair counts: nothing without a gold story, less in a made one.

        Args:
          pairs: shape (m, 2). Row numbers.
          partners: what all pairs of one member of a made story count together.
        """
        stories = self.labelled.stories
        known = np.array([story is not None for story in stories])
        sizes = Counter(stories)
        share = np.array(
            [
                min(1.0, partners / sizes[story]) if str(story).startswith(MADE) else 1.0
                for story in stories
            ]
        )
        one, other = pairs[:, 0], pairs[:, 1]
        return (known[one] & known[other]) * np.minimum(share[one], share[other])


def prepare(labelled: Labelled, setting: Setting) -> Prepared:
    """Weigh the terms of a set and propose its pairs, as a run would."""
    order = np.argsort(column(labelled.fingerprints, "article_key"), kind="stable")
    labelled = labelled.take(order)
    background = block_background(labelled.fingerprints, setting.backgrounds)
    articles = weigh_articles(labelled.fingerprints, background, setting.rarity)
    facts = article_facts(labelled.fingerprints)
    return Prepared(
        labelled,
        articles,
        facts,
        candidate_pairs(articles, facts.vectors, neighbours=setting.neighbours),
        setting,
    )


def training_sets(
    labelled: Iterable[Labelled], setting: Setting
) -> tuple[list[Prepared], list[Prepared]]:
    """Prepare the sets to fit to: whole, with large stories, in their midst, in pieces.

    Returns:
      The sets without vectors, and those with vectors that have any.
    """
    plain, embedded = [], []
    for one in labelled:
        variants = [one, with_made_stories(one, MADE_SIZES)]
        if one.midst is not None:
            variants.append(one.in_midst())
        for size in PIECES:
            variants += in_pieces(one, size)
        for variant in variants:
            plain.append(prepare(variant.without_vectors(), setting))
            if "vector" in one.fingerprints.schema.names:
                embedded.append(prepare(variant, setting))
    return plain, embedded


def regression(
    features: Iterable[npt.NDArray[np.floating]],
    targets: Iterable[npt.NDArray[np.bool_]],
    weights: Iterable[npt.NDArray[np.float64]],
    names: tuple[str, ...],
    *,
    strength: float,
) -> Weights:
    """Fit a logistic regression; columns are scaled while fitting, not in the result.

    Args:
      features: of each set, shape (m, f).
      targets: of each set, shape (m,).
      weights: of each set, shape (m,). What each row counts.
      names: of the columns.
      strength: inverse of the penalty on large weights.
    """
    counts = np.concatenate(list(weights))
    counted = counts > 0
    columns = np.concatenate(list(features))[counted].astype(np.float64)
    means = columns.mean(axis=0)
    spreads = np.maximum(columns.std(axis=0), 1e-6)
    fitted = LogisticRegression(C=strength, solver="newton-cholesky", tol=1e-8).fit(
        (columns - means) / spreads,
        np.concatenate(list(targets))[counted],
        sample_weight=counts[counted],
    )
    scaled = fitted.coef_[0] / spreads
    bias = float(fitted.intercept_[0] - scaled @ means)
    return Weights(
        round(bias, 4),
        {name: round(float(w), 4) for name, w in zip(names, scaled, strict=True)},
    )


def _pair_weights(
    sets: Sequence[Prepared], names: tuple[str, ...], strength: float
) -> Weights:
    return regression(
        [
            pair_features(one.proposed, one.articles, one.facts)[:, : len(names)]
            for one in sets
        ],
        [one.targets(one.proposed) for one in sets],
        [one.weights(one.proposed, partners=0.0) for one in sets],
        names,
        strength=strength,
    )


def fit_model(
    labelled: Iterable[Labelled],
    setting: Setting,
    *,
    made_from: Mapping[str, object] | None = None,
) -> StoryModel:
    """Fit both scores and the threshold.

    Args:
      labelled: what is fitted to; each set is one batch.
      setting: see there.
      made_from: for a person.
    """
    plain, with_vectors = training_sets(labelled, setting)
    pair = _pair_weights(plain, PAIR_FEATURES, setting.strength)
    embedded = Weights(pair.bias, {**pair.weights, EMBEDDED_FEATURES[-1]: 0.0})
    if with_vectors:
        embedded = _pair_weights(with_vectors, EMBEDDED_FEATURES, setting.strength)
    own = tuple(name for name in PAIR_FEATURES if name in setting.again)
    names = (*CONTEXT_FEATURES, *(f"x_{name}" for name in own))
    sets = plain + with_vectors
    scored = [
        first_scores(
            one.proposed,
            one.articles,
            one.facts,
            pair,
            embedded,
            one.weigh_again,
            own=own,
        )
        for one in sets
    ]
    columns = []
    for one, (pairs, features, first) in zip(sets, scored, strict=True):
        graph = score_graph(pairs, first, len(one.articles.densities), above=GRAPH_FLOOR)
        context, _ = context_features(pairs, first, graph, crowd=setting.crowded)
        columns.append(context_columns(context, features))
    model = StoryModel(
        pair=pair,
        embedded=embedded,
        context=regression(
            columns,
            [one.targets(pairs) for one, (pairs, _, _) in zip(sets, scored, strict=True)],
            [
                one.weights(pairs, partners=MADE_PARTNERS)
                for one, (pairs, _, _) in zip(sets, scored, strict=True)
            ],
            names,
            strength=setting.strength,
        ),
        threshold=0.5,
        crowded=setting.crowded,
        rarity=setting.rarity,
        neighbours=setting.neighbours,
        backgrounds=setting.backgrounds,
        made_from=made_from or {},
    )
    curves = []
    for one, (pairs, features, first) in zip(sets, scored, strict=True):
        size = len(one.articles.densities)
        second = second_scores(pairs, features, first, size, model)
        roots = np.sqrt(np.maximum(second, np.float32(MIN_SCORE)))
        curves.append(
            [
                bcubed(
                    list(one.labelled.stories),
                    list(link_stories(pairs, roots, size, threshold=threshold)),
                ).f1
                for threshold in THRESHOLDS
            ]
        )
    return dataclasses.replace(model, threshold=best_threshold(np.mean(curves, axis=0)))


def best_threshold(means: npt.NDArray[np.floating]) -> float:
    """Give the lowest of THRESHOLDS whose mean F1 is within .01 of the best.

    On articles that were fitted to the best is higher and narrower than it is on others,
    where the mean hardly changes from .48 to .76. The lower end of that range keeps
    large stories together, of which the training sets have few.

    Args:
      means: shape (len(THRESHOLDS),).
    """
    return float(THRESHOLDS[means >= means.max() - TOLERANCE].min())


def as_embedded(fingerprints: pa.RecordBatch, model: StoryModel) -> pa.RecordBatch:
    """Give articles with the vectors that a run would make: those of undecided ones.

    Args:
      fingerprints: FINGERPRINT rows, and `vector` where embedded.
      model: see there.
    """
    if "vector" not in fingerprints.schema.names:
        return fingerprints
    names = [name for name in fingerprints.schema.names if name != "vector"]
    plain = fingerprints.select(names)
    edges = score_block(plain, model, min_score=MIN_SCORE)
    undecided = undecided_keys(edges, threshold=model.threshold)
    seen = np.isin(column(fingerprints, "article_key"), undecided)
    vectors = column(fingerprints, "vector")
    return with_column(plain, "vector", np.where(seen[:, None], vectors, 0))


def predict(fingerprints: pa.RecordBatch, model: StoryModel) -> npt.NDArray[np.uint64]:
    """Group articles by all that is known of them; the key of each one's story, (n,)."""
    stories = group_stories(
        fingerprints.select(NODE.names),
        score_block(fingerprints, model, min_score=MIN_SCORE),
        threshold=model.threshold,
        absent=ABSENT,
    )
    keys = column(fingerprints, "article_key")
    members = column(stories, "article_key")
    places = np.minimum(np.searchsorted(members, keys), max(0, len(members) - 1))
    if not len(members):
        return keys
    found = column(stories, "story_key")[places]
    return np.where(members[places] == keys, found, keys)


def agreement(labelled: Labelled, model: StoryModel) -> Agreement:
    """Group a labelled set as a run does and compare the groups with its gold stories."""
    groups = predict(as_embedded(labelled.fingerprints, model), model)
    return bcubed(list(labelled.stories), list(groups))


def agreement_of_pieces(pieces: Sequence[Labelled], model: StoryModel) -> Agreement:
    """Group every piece as a run of its own does; compare with its own gold stories."""
    gold: list[str | None] = []
    found: list[str] = []
    for number, piece in enumerate(pieces):
        groups = predict(as_embedded(piece.fingerprints, model), model)
        found += [f"{number}/{group}" for group in groups]
        gold += [story if story is None else f"{number}/{story}" for story in piece.stories]
    return bcubed(gold, found)
