"""Story by story: who speaks for it, how each member stands to that article, and why.

The canonical article of a copy group is its origin where a copy credits one, else the
earliest whole text. The canonical article of a story is its medoid: the one that the
other members, one for each copy group, are closest to on average; if that is the rewrite
of another report, the report that it rewrites. Neither choice moves an id: a story and a
group are named after their first article, whoever speaks for them.

What this gets wrong: a medoid is the typical report, not the best one; and dates are
taken at their word, so a site that back-dates its copies becomes the earliest.
"""

import dataclasses
import datetime
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from transforms.relations import (
    FollowUpRule,
    RewriteRule,
    align,
    chain,
    content_sentences,
    is_wire_rewrite,
    may_be_rewrite,
    novelty,
)

# The closest relation first: of two matches, an article is shown with the closer.
_COPY_RELATIONS = ("exact_copy", "near_copy", "partial_reprint")
_LATEST = datetime.datetime.max.replace(tzinfo=datetime.UTC)
_LETTERS = re.compile(r"[\W_]+")
# Agencies whose name is not in their domain.
_DOMAIN_NAMES = {"associatedpress": "apnews", "agencefrancepresse": "afp"}

Row = Mapping[str, Any]


class SentenceEncoder(Protocol):
    """Embeds n sentences as unit vectors of shape (n, d)."""

    def glance(self, sentences: Sequence[str]) -> npt.NDArray[np.float32]:
        """Embed them cheaply, well enough to see which texts are worth reading."""

    def read(self, sentences: Sequence[str]) -> npt.NDArray[np.float32]:
        """Embed them by what they mean."""


@dataclasses.dataclass(frozen=True)
class CopyEdge:
    """Two articles that were compared word by word, as in schemas/match.py."""

    shorter: int
    longer: int
    relation: str
    jaccard: float
    containment: float


@dataclasses.dataclass(frozen=True)
class StoryEdge:
    """Two representatives with their story score, as in schemas/match.py."""

    left: int
    right: int
    story_score: float
    cosine: float | None


@dataclasses.dataclass
class Standing:
    """How an article stands in its story, the part of its row that is decided here."""

    relation: str
    matched: int | None = None
    jaccard: float | None = None
    containment: float | None = None
    cosine: float | None = None
    story_score: float | None = None


@dataclasses.dataclass
class Resolved:
    """A story with its canonical article and how its members stand to it."""

    canonical: int
    reason: str
    standings: dict[int, Standing]
    independent_count: int


def first_key(article: Row) -> tuple[datetime.datetime, str]:
    """Order articles by time, those without a date last, then by id."""
    return article["published_at"] or _LATEST, article["article_id"]


def is_credited(source: str | None, credited_source: str | None) -> bool:
    """Tell whether a source is the one that another article credits.

    >>> is_credited("reuters.com", "Reuters"), is_credited("apnews.com", "Associated Press")
    (True, True)
    >>> is_credited("washingtonpost.com", "The Washington Post")
    True
    >>> is_credited("harborledger.example", "Reuters")
    False
    """
    if not source or not credited_source:
        return False
    credited = _LETTERS.sub("", credited_source.lower().removeprefix("the "))
    name = _DOMAIN_NAMES.get(credited, credited)
    return len(name) > 1 and _LETTERS.sub("", source.lower()).startswith(name)


def copy_canonical(articles: Sequence[Row], edges: Sequence[CopyEdge]) -> tuple[int, str]:
    """Choose the article that speaks for a copy group.

    Args:
      articles: the members.
      edges: between members, as positions in `articles`.

    Returns:
      Its position and the reason, for a person.
    """
    if len(articles) == 1:
        return 0, "the only report"
    whole = _whole_texts(len(articles), edges)
    credited = [
        sum(
            is_credited(article["source"], other["credited_source"])
            for j, other in enumerate(articles)
            if j != i
        )
        for i, article in enumerate(articles)
    ]
    origins = [i for i in whole if credited[i]]

    def preference(i: int) -> tuple[Any, ...]:
        article = articles[i]
        return (
            article["published_at"] or _LATEST,
            -article["word_count"],
            article["removed_word_count"],
            not article["title"],
            article["article_id"],
        )

    best = min(origins or whole, key=preference)
    if origins:
        return best, f"origin, credited by {credited[best]} of {len(articles)} copies"
    dates = {articles[i]["published_at"] for i in whole}
    if None in dates or len(dates) < len(whole):
        # Who came first is not known: the fullest of the earliest that are dated.
        return best, f"earliest and fullest known of {len(articles)} copies"
    return best, f"earliest whole text of {len(articles)} copies"


def _whole_texts(count: int, edges: Sequence[CopyEdge]) -> list[int]:
    """Give the members that are part of no other, nor a copy of such a part."""
    unit = list(range(count))
    for edge in edges:
        if edge.relation != "partial_reprint":
            old, new = unit[edge.shorter], unit[edge.longer]
            unit = [new if number == old else number for number in unit]
    parts = {
        unit[edge.shorter]
        for edge in edges
        if edge.relation == "partial_reprint" and unit[edge.shorter] != unit[edge.longer]
    }
    return [i for i in range(count) if unit[i] not in parts] or list(range(count))


def story_canonical(
    speakers: Sequence[Row], scores: npt.NDArray[np.float64]
) -> tuple[int, str]:
    """Choose the article that speaks for a story: the medoid, ties to the earliest.

    Args:
      speakers: the canonical article of each of n copy groups.
      scores: shape (n, n), symmetric. Story scores, 0 where a pair was not scored.

    Returns:
      Its position and the reason, for a person.
    """
    means = scores.sum(axis=1) / max(len(speakers) - 1, 1)
    # Float32 scores that agree to six digits are equal to a reader.
    best = min(
        range(len(speakers)),
        key=lambda i: (-round(float(means[i]), 6), first_key(speakers[i])),
    )
    if len(speakers) == 2:
        dates = [speaker["published_at"] for speaker in speakers]
        known = None not in dates and dates[0] != dates[1]
        return best, "earlier of two reports" if known else "one of two reports, by id"
    return (
        best,
        f"closest to the {len(speakers) - 1} other reports, mean score {means[best]:.2f}",
    )


def resolve_story(
    articles: Sequence[Row],
    copy_edges: Sequence[CopyEdge],
    story_edges: Sequence[StoryEdge],
    *,
    encoder: SentenceEncoder | None,
    rewrite: RewriteRule,
    follow_up: FollowUpRule,
) -> Resolved:
    """Choose the canonical article of a story and say how each member stands.

    Args:
      articles: the members, with the columns of CLEANED, `group_key`, `terms` and
        `lead_terms`.
      copy_edges: accepted edges between members, as positions in `articles`.
      story_edges: scored edges between members, as positions in `articles`.
      encoder: embeds sentences; without it no rewrite is recognised.
      rewrite: what makes two reports rewrites of one.
      follow_up: what makes a report a follow-up.
    """
    groups: dict[int, list[int]] = defaultdict(list)
    for i, article in enumerate(articles):
        groups[article["group_key"]].append(i)
    standings: dict[int, Standing] = {}
    speakers: list[int] = []
    reasons: list[str] = []
    group_of: dict[int, int] = {}
    for number, members in enumerate(
        sorted(
            groups.values(), key=lambda group: min(first_key(articles[i]) for i in group)
        )
    ):
        group_of |= dict.fromkeys(members, number)
        place = {i: position for position, i in enumerate(members)}
        inside = [
            dataclasses.replace(
                edge, shorter=place[edge.shorter], longer=place[edge.longer]
            )
            for edge in copy_edges
            if edge.shorter in place and edge.longer in place
        ]
        best, reason = copy_canonical([articles[i] for i in members], inside)
        speakers.append(members[best])
        reasons.append(reason)
        for position, i in enumerate(members):
            if position != best:
                standings[i] = _copy_standing(position, best, inside, members)
    scores, cosines = _group_scores(story_edges, group_of, len(speakers))
    if len(speakers) == 1:
        leader, reason = 0, reasons[0]
    else:
        leader, reason = story_canonical([articles[i] for i in speakers], scores)
    rewrites = (
        _rewrites([articles[i] for i in speakers], encoder, rewrite) if encoder else {}
    )
    if leader in rewrites:
        leader = _origin(leader, rewrites)
        family = sum(_origin(i, rewrites) == leader for i in rewrites)
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


def _copy_standing(
    position: int, canonical: int, edges: Sequence[CopyEdge], members: Sequence[int]
) -> Standing:
    """Take the edge to the canonical article, else the closest one to another member."""

    def closeness(edge: CopyEdge) -> tuple[Any, ...]:
        other = edge.longer if edge.shorter == position else edge.shorter
        return (
            other != canonical,
            _COPY_RELATIONS.index(edge.relation),
            -edge.containment,
            -edge.jaccard,
            other,
        )

    own = [
        edge
        for edge in edges
        if edge.shorter == position
        # The longer text is no reprint of the shorter.
        or (edge.longer == position and edge.relation != "partial_reprint")
    ]
    if not own:
        raise ValueError(
            f"a member of a copy group must have an edge, got none at {position}"
        )
    edge = min(own, key=closeness)
    other = edge.longer if edge.shorter == position else edge.shorter
    return Standing(edge.relation, members[other], edge.jaccard, edge.containment)


def _group_scores(
    edges: Iterable[StoryEdge], group_of: Mapping[int, int], count: int
) -> tuple[npt.NDArray[np.float64], dict[tuple[int, int], float]]:
    scores = np.zeros((count, count))
    cosines: dict[tuple[int, int], float] = {}
    for edge in edges:
        left, right = group_of[edge.left], group_of[edge.right]
        scores[left, right] = scores[right, left] = edge.story_score
        if edge.cosine is not None:
            cosines[left, right] = cosines[right, left] = edge.cosine
    return scores, cosines


def _origin(report: int, rewrites: Mapping[int, int]) -> int:
    """Follow a rewrite to the report that is none."""
    while report in rewrites:
        report = rewrites[report]
    return report


def _rewrites(
    speakers: Sequence[Row], encoder: SentenceEncoder, rule: RewriteRule
) -> dict[int, int]:
    """Find the reports that retell another of the story; each with the one it retells.

    Of two that retell each other the later is the rewrite.
    """
    order = sorted(range(len(speakers)), key=lambda i: first_key(speakers[i]))
    sentences = [
        content_sentences(speaker["text"])[: rule.max_sentences] for speaker in speakers
    ]
    glanced = [encoder.glance(own) for own in sentences]
    read: dict[int, npt.NDArray[np.float32]] = {}
    found: dict[int, int] = {}
    for place, i in enumerate(order):
        # Rather of an origin than of another rewrite, then of the nearest.
        best = (False, 0.0)
        for j in order[: min(place, rule.max_reports)]:
            gap = _gap_hours(speakers[i], speakers[j])
            if gap is not None and gap > rule.max_gap_hours:
                continue
            if speakers[i]["source"] and speakers[i]["source"] == speakers[j]["source"]:
                # Nobody rewrites his own report a day later; a daily column repeats itself.
                continue
            if not may_be_rewrite(align(glanced[i], glanced[j], min_cosine=0.0), rule):
                continue
            for k in (i, j):
                if k not in read:
                    read[k] = encoder.read(sentences[k])
            alignment = align(read[i], read[j], min_cosine=rule.min_cosine)
            related = chain(read[i], read[j], related_cosine=rule.related_cosine)
            near = (j not in found, related.strength)
            if is_wire_rewrite(alignment, related, rule) and near > best:
                best, found[i] = near, j
    return found


def _gap_hours(left: Row, right: Row) -> float | None:
    if left["published_at"] is None or right["published_at"] is None:
        return None
    gap: datetime.timedelta = left["published_at"] - right["published_at"]
    return abs(gap.total_seconds()) / 3_600


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
    group_of: Mapping[int, int],
    speakers: Sequence[int],
    rewrites: Mapping[int, int],
) -> int:
    """Count the origins of a story: copies and rewrites belong to what they retell."""
    origins: list[str] = []
    for number, speaker in enumerate(speakers):
        credited = Counter(
            articles[i]["credited_source"]
            for i, group in group_of.items()
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
    origins = [origins[_origin(number, rewrites)] for number in range(len(speakers))]
    return len({_LETTERS.sub("", origin.lower()) or origin for origin in origins})
