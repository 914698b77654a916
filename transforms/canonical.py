"""Story by story: who speaks for it, how each member stands to that article, and why.

The canonical article of a copy group is its speaker (see `speakers`). The canonical
article of a story is its medoid: the speaker that the articles of the story are closest to
on average; if that is the rewrite of another report, the report that it rewrites. Neither
choice moves an id: a story and a group are named after their first article, whoever speaks
for them.

What this gets wrong: a medoid is the typical report, not the best one.
"""

import dataclasses
import datetime
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from transforms.relations import FollowUpRule, novelty
from transforms.rewrites import Rewrites, origin
from transforms.speakers import is_credited

_LATEST = datetime.datetime.max.replace(tzinfo=datetime.UTC)
_LETTERS = re.compile(r"[\W_]+")

Row = Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class StoryEdge:
    """Two representatives with their story score, as in schemas/match.py."""

    left: int
    right: int
    story_score: float
    cosine: float | None


@dataclasses.dataclass
class Standing:
    """How the speaker of a copy group stands in its story."""

    relation: str
    matched: int | None = None
    cosine: float | None = None
    story_score: float | None = None


@dataclasses.dataclass
class Resolved:
    """A story with its canonical article and how the speakers stand to it."""

    canonical: int
    reason: str
    standings: dict[int, Standing]
    independent_count: int


def first_key(article: Row) -> tuple[datetime.datetime, str]:
    """Order articles by time, those without a date last, then by id."""
    return article["published_at"] or _LATEST, article["article_id"]


def story_canonical(
    speakers: Sequence[Row],
    scores: npt.NDArray[np.float64],
    sizes: npt.NDArray[np.integer],
) -> tuple[int, str]:
    """Choose the article that speaks for a story: the medoid, of two the earlier.

    A text counts as often as it was printed: what five sites print is what they tell of
    the event, and a report of its aftermath is not.

    Args:
      speakers: the canonical article of each of n copy groups.
      scores: shape (n, n), symmetric. Story scores, 0 where a pair was not scored.
      sizes: shape (n,). Articles of each group.

    Returns:
      Its position and the reason, for a person.
    """
    if len(speakers) == 2:
        dates = [speaker["published_at"] for speaker in speakers]
        known = None not in dates and dates[0] != dates[1]
        first = min(range(2), key=lambda i: first_key(speakers[i]))
        return first, "earlier of two reports" if known else "one of two reports, by id"
    others = int(sizes.sum()) - 1
    means = (scores @ sizes + sizes - 1) / max(others, 1)
    # Float32 scores that agree to six digits are equal to a reader.
    best = min(
        range(len(speakers)),
        key=lambda i: (-round(float(means[i]), 6), first_key(speakers[i])),
    )
    kind = "reports" if others == len(speakers) - 1 else "articles"
    return best, f"closest to the {others} other {kind}, mean score {means[best]:.2f}"


def resolve_story(
    articles: Sequence[Row],
    group_of: Sequence[int],
    speakers: Sequence[int],
    story_edges: Sequence[StoryEdge],
    rewrites: Rewrites,
    *,
    follow_up: FollowUpRule,
) -> Resolved:
    """Choose the canonical article of a story and say how the others stand.

    Args:
      articles: the members, with the columns of CLEANED, `terms` and `lead_terms`.
      group_of: the number of each member's copy group; groups are numbered by their
        first articles. Two groups at least.
      speakers: the member that speaks for each group.
      story_edges: scored edges between members, as positions in `articles`.
      rewrites: which group retells which, by number.
      follow_up: what makes a report a follow-up.
    """
    standings: dict[int, Standing] = {}
    scores, cosines = _group_scores(story_edges, group_of, len(speakers))
    leader, reason = story_canonical(
        [articles[i] for i in speakers], scores, np.bincount(group_of)
    )
    if leader in rewrites:
        leader = origin(leader, rewrites)
        family = sum(origin(i, rewrites) == leader for i in rewrites)
        reason = f"origin, retold by {family} of the {len(speakers) - 1} other reports"
    standings[speakers[leader]] = Standing("canonical")
    for number, i in enumerate(speakers):
        if number == leader:
            continue
        towards = rewrites.get(number, leader)
        if number not in rewrites and not scores[number, leader] and scores[number].any():
            towards = int(scores[number].argmax())
        if number in rewrites:
            relation = "wire_rewrite"
        elif _is_follow_up(articles[i], [articles[j] for j in speakers], follow_up):
            relation = "follow_up"
        else:
            relation = "same_story"
        standings[i] = Standing(
            relation,
            speakers[towards],
            cosine=cosines.get((number, towards)),
            story_score=float(scores[number, towards]) or None,
        )
    return Resolved(
        speakers[leader],
        reason,
        standings,
        _independent_count(articles, group_of, speakers, rewrites),
    )


def _group_scores(
    edges: Iterable[StoryEdge], group_of: Sequence[int], count: int
) -> tuple[npt.NDArray[np.float64], dict[tuple[int, int], float]]:
    scores = np.zeros((count, count))
    cosines: dict[tuple[int, int], float] = {}
    for edge in edges:
        left, right = group_of[edge.left], group_of[edge.right]
        # Who stands for a group may change from run to run.
        if edge.story_score <= scores[left, right]:
            continue
        scores[left, right] = scores[right, left] = edge.story_score
        if edge.cosine is not None:
            cosines[left, right] = cosines[right, left] = edge.cosine
    return scores, cosines


def _is_follow_up(article: Row, speakers: Sequence[Row], rule: FollowUpRule) -> bool:
    dated = [other for other in speakers if other["published_at"]]
    if not dated or article["published_at"] is None:
        return False
    first = min(dated, key=first_key)
    gap = article["published_at"] - first["published_at"]
    if gap < datetime.timedelta(hours=rule.hours):
        return False
    lead, known = (
        np.asarray(terms, np.uint64) for terms in (article["lead_terms"], first["terms"])
    )
    return novelty(lead, known) >= rule.min_novelty


def _independent_count(
    articles: Sequence[Row],
    group_of: Sequence[int],
    speakers: Sequence[int],
    rewrites: Mapping[int, int],
) -> int:
    """Count the origins of a story: copies and rewrites belong to what they retell."""
    origins: list[str] = []
    for number, speaker in enumerate(speakers):
        credited = Counter(
            articles[i]["credited_source"]
            for i, group in enumerate(group_of)
            if group == number and articles[i]["credited_source"]
        )
        # Most often credited, ties by name; an outlet and the credit to it are one origin.
        name = min(credited, key=lambda name: (-credited[name], name), default=None)
        article = articles[speaker]
        outlets = sorted(
            {
                other["source"]
                for other in articles
                if is_credited(other["source"], name or article["source"])
            }
        )
        origins.append(
            outlets[0] if outlets else name or article["source"] or article["article_id"]
        )
    origins = [origins[origin(number, rewrites)] for number in range(len(speakers))]
    return len({_LETTERS.sub("", origin.lower()) or origin for origin in origins})
