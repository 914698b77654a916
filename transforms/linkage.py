"""Linkage: which groups of articles are one story, given scored pairs.

Of single links a chain of half-right pairs is made, and the largest "story" of 1,350
articles then holds 592. Average linkage joins, again and again, the two groups whose
pairs score highest in the mean, until no mean reaches the threshold. A pair that was
never scored counts as a small constant.

The nearest-neighbour chain does this without comparing all groups: it walks from a group
to its nearest until two are each other's nearest and joins them. Average linkage is
reducible (joining two groups never brings the union nearer to a third than the nearer
one was), so the result is that of the greedy method, and a group none of whose means
reaches the threshold never will. Only groups with a scored pair between them are looked
at: time and memory follow the number of scored pairs.

The mean over all pairs asks too much of a large story. Of three hundred reports each has
some others that tell it in its own terms, and many that tell another side of it; and in
a story of ten thousand most pairs are never scored. So large groups are then linked by
the nearest: of each article only its `nearest` likeliest partners in the other group
count. Small groups, of which there are labelled examples, are not touched by this.

What is then left beside a large story are parts of it: two or three reports that most of
the others have little in common with, and a few nearly everything. Such a part is asked
alone: it goes to the large story in which its articles have likely partners, whatever
most articles of that say. A few likely partners are no proof, as any round-up has them:
they must be a fifth of the story. Two stories of like size are never joined so.

F. Murtagh, "A survey of recent advances in hierarchical clustering algorithms", 1983.
"""

import numba
import numpy as np
import numpy.typing as npt

# Similarities are counted in these steps.
STEPS = 1 << 20


def average_link(
    pairs: npt.NDArray[np.int32],
    similarities: npt.NDArray[np.floating],
    articles: int,
    *,
    threshold: float,
    absent: float,
    together: npt.NDArray[np.int32] | None = None,
) -> npt.NDArray[np.int32]:
    """Group articles by average linkage over a sparse graph.

    Args:
      pairs: shape (m, 2). Row numbers, first below second, distinct, ascending.
      similarities: shape (m,). Of each pair, 0 to 1.
      articles: n, above every row number.
      threshold: lowest mean similarity of two groups that are joined.
      absent: similarity of a pair that is not in `pairs`; below threshold.
      together: shape (n,). Equal for articles that are in one group from the start; None:
        none are.

    Returns:
      Array of shape (n,): the lowest row number of each article's group.

    Raises:
      ValueError: if absent reaches the threshold: everything would be one group.
    """
    if absent >= threshold:
        raise ValueError(
            f"absent must be below threshold, got absent={absent} and threshold={threshold}"
        )
    # Whole numbers add up to the same sum in any order; fractions do not.
    steps = np.round(np.asarray(similarities, np.float64) * STEPS).astype(np.int64)
    limits = (threshold * STEPS, round(absent * STEPS))
    if together is None:
        ones = (np.ones(len(pairs), np.int64), np.ones(articles, np.int64))
        return _average_link(pairs, steps, *ones, *limits)
    _, _firsts, groups, sizes = np.unique(
        together, return_index=True, return_inverse=True, return_counts=True
    )
    # The pairs of two groups are one, with the sum of their similarities.
    ends = np.sort(groups[pairs].astype(np.int64), axis=1)
    apart = ends[:, 0] != ends[:, 1]
    codes, places, counts = np.unique(
        (ends[:, 0] * len(sizes) + ends[:, 1])[apart],
        return_inverse=True,
        return_counts=True,
    )
    sums = np.zeros(len(codes), np.int64)
    np.add.at(sums, places, steps[apart])
    linked = np.stack(np.divmod(codes, max(len(sizes), 1)), axis=1).astype(np.int32)
    joined = _average_link(
        linked, sums, counts.astype(np.int64), sizes.astype(np.int64), *limits
    )[groups]
    lowest = np.full(len(sizes), articles)
    np.minimum.at(lowest, joined, np.arange(articles))
    return lowest[joined].astype(np.int32)


@numba.njit(cache=True, nogil=True)
def _root(parents: npt.NDArray[np.int32], article: int) -> int:
    while parents[article] != article:
        parents[article] = parents[parents[article]]
        article = parents[article]
    return article


@numba.njit(cache=True, nogil=True)
def _average_link(
    pairs: npt.NDArray[np.int32],
    similarities: npt.NDArray[np.int64],
    linked: npt.NDArray[np.int64],
    members: npt.NDArray[np.int64],
    threshold: float,
    absent: int,
) -> npt.NDArray[np.int32]:
    """Link groups of some members, given the sums and counts of the pairs between them."""
    edges, articles = len(pairs), len(members)
    parents = np.arange(articles).astype(np.int32)
    sizes = members.copy()
    # Each group's pairs as a linked list: entries 2 m and 2 m + 1 are pair m seen from
    # its first and its second article. Joined groups' lists are hung together, and
    # entries towards the same group are added up when the list is next read.
    heads = np.full(articles, -1, np.int64)
    tails = np.full(articles, -1, np.int64)
    after = np.full(2 * edges, -1, np.int64)
    towards = np.zeros(2 * edges, np.int32)
    sums = np.zeros(2 * edges, np.int64)
    counts = np.zeros(2 * edges, np.int64)
    for edge in range(edges):
        for side in range(2):
            entry = 2 * edge + side
            own = pairs[edge, side]
            towards[entry] = pairs[edge, 1 - side]
            sums[entry] = similarities[edge]
            counts[entry] = linked[edge]
            if heads[own] < 0:
                heads[own] = entry
            else:
                after[tails[own]] = entry
            tails[own] = entry
    entry_of = np.full(articles, -1, np.int64)
    finished = np.zeros(articles, np.bool_)
    chain = np.zeros(articles + 1, np.int32)
    for start in range(articles):
        if parents[start] != start or finished[start]:
            continue
        length = 1
        chain[0] = start
        while length:
            group = chain[length - 1]
            # Add up the entries of the group's list, one for each neighbouring group.
            entry = heads[group]
            last = -1
            while entry >= 0:
                following = after[entry]
                other = _root(parents, towards[entry])
                if other != group:
                    known = entry_of[other]
                    if known >= 0:
                        sums[known] += sums[entry]
                        counts[known] += counts[entry]
                    else:
                        towards[entry] = other
                        entry_of[other] = entry
                        if last < 0:
                            heads[group] = entry
                        else:
                            after[last] = entry
                        last = entry
                entry = following
            if last < 0:
                heads[group] = -1
            else:
                after[last] = -1
            tails[group] = last
            # The nearest; the one the chain came from wins ties, then the lowest.
            previous = chain[length - 2] if length > 1 else -1
            nearest = -1
            highest = -1.0
            entry = heads[group]
            while entry >= 0:
                other = towards[entry]
                entry_of[other] = -1
                possible = sizes[group] * sizes[other]
                mean = (sums[entry] + absent * (possible - counts[entry])) / possible
                if mean > highest or (
                    mean == highest
                    and nearest != previous
                    and (other == previous or other < nearest)
                ):
                    highest = mean
                    nearest = other
                entry = after[entry]
            if nearest < 0 or highest < threshold:
                finished[group] = True
                length -= 1
            elif nearest == previous:
                low, high = min(group, nearest), max(group, nearest)
                parents[high] = low
                sizes[low] += sizes[high]
                if heads[low] < 0:
                    heads[low] = heads[high]
                    tails[low] = tails[high]
                elif heads[high] >= 0:
                    after[tails[low]] = heads[high]
                    tails[low] = tails[high]
                length -= 2
                if not length:
                    chain[0] = low
                    length = 1
            else:
                chain[length] = nearest
                length += 1
    for article in range(articles):
        parents[article] = _root(parents, article)
    return parents


def nearest_link(
    groups: npt.NDArray[np.int32],
    pairs: npt.NDArray[np.int32],
    similarities: npt.NDArray[np.floating],
    *,
    threshold: float,
    absent: float,
    nearest: int,
    small: int,
) -> npt.NDArray[np.int32]:
    """Join large groups whose articles have likely partners in each other.

    Of two groups, each article's `nearest` highest similarities to the other group are
    averaged (all of them, if the other is smaller), then the articles of a group, then
    the two groups. Pairs of groups that reach the threshold and are each other's most
    similar are joined, until none are left.

    Args:
      groups: shape (n,). The lowest row number of each article's group.
      pairs: shape (m, 2). Row numbers, first below second, distinct, ascending.
      similarities: shape (m,). Of each pair, 0 to 1.
      threshold: lowest similarity of two groups that are joined.
      absent: similarity of a pair that is not in `pairs`.
      nearest: partners of an article that count.
      small: two groups of at most this many articles together are not looked at.

    Returns:
      Array of shape (n,): the lowest row number of each article's group.
    """
    steps = np.round(np.asarray(similarities, np.float64) * STEPS).astype(np.int64)
    floor = round(absent * STEPS)
    while True:
        apart = groups[pairs[:, 0]] != groups[pairs[:, 1]]
        pairs, steps = pairs[apart], steps[apart]
        one, other = groups[pairs[:, 0]], groups[pairs[:, 1]]
        sizes = np.bincount(groups, minlength=len(groups))
        large = np.flatnonzero(sizes[one] + sizes[other] > small)
        if not len(large):
            return groups
        # Each pair as seen from either article: the article, the other's group.
        articles = pairs[large].T.reshape(-1)
        own = np.concatenate([one[large], other[large]])
        towards = np.concatenate([other[large], one[large]])
        scores = np.concatenate([steps[large], steps[large]])
        order = np.lexsort((-scores, articles, towards, own))
        lower, upper, means = _nearest_means(
            articles[order],
            own[order],
            towards[order],
            scores[order],
            sizes,
            floor,
            nearest,
            0.0,
        )
        joined = _mutual(lower, upper, means, threshold * STEPS)
        if not len(joined):
            return groups
        names = np.arange(len(groups), dtype=np.int32)
        names[joined[:, 1]] = joined[:, 0]
        groups = names[groups]


@numba.njit(cache=True, nogil=True)
def _nearest_means(
    articles: npt.NDArray[np.int32],
    own: npt.NDArray[np.int32],
    towards: npt.NDArray[np.int32],
    scores: npt.NDArray[np.int64],
    sizes: npt.NDArray[np.int64],
    absent: int,
    nearest: int,
    share: float,
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32], npt.NDArray[np.float64]]:
    """Give for each ordered pair of groups the mean of its articles' nearest.

    As many count as `share` of the other group's articles, and at least `nearest`.
    """
    count = 0
    first = np.zeros(len(own), np.int32)
    second = np.zeros(len(own), np.int32)
    means = np.zeros(len(own), np.float64)
    entry = 0
    while entry < len(own):
        group, other = own[entry], towards[entry]
        wanted = min(max(nearest, int(share * sizes[other] + 0.5)), sizes[other])
        total = 0
        taken = 0
        rank = 0
        article = -1
        while entry < len(own) and own[entry] == group and towards[entry] == other:
            if articles[entry] != article:
                article = articles[entry]
                rank = 0
            if rank < wanted:
                total += scores[entry]
                taken += 1
                rank += 1
            entry += 1
        possible = wanted * sizes[group]
        first[count] = group
        second[count] = other
        means[count] = (total + absent * (possible - taken)) / possible
        count += 1
    return first[:count], second[:count], means[:count]


def _mutual(
    first: npt.NDArray[np.int32],
    second: npt.NDArray[np.int32],
    means: npt.NDArray[np.float64],
    threshold: float,
) -> npt.NDArray[np.int32]:
    """Give the pairs of groups that are each other's most similar, lower first."""
    # Sorted by the second group, entry (b, a) stands where (a, b) stood.
    means = (means + means[np.lexsort((first, second))]) / 2
    high = means >= threshold
    first, second, means = first[high], second[high], means[high]
    order = np.lexsort((second, -means, first))
    opens = np.ones(len(order), np.bool_)
    opens[1:] = first[order][1:] != first[order][:-1]
    first, second = first[order][opens], second[order][opens]
    # Every group in `second` is in `first`, too: the mirrored entry is as high.
    back = second[np.searchsorted(first, second)]
    mutual = (first < second) & (back == first)
    return np.stack([first[mutual], second[mutual]], axis=1)


def absorb_parts(
    groups: npt.NDArray[np.int32],
    pairs: npt.NDArray[np.int32],
    similarities: npt.NDArray[np.floating],
    *,
    threshold: float,
    absent: float,
    large: int,
    share: float,
    partners: float,
) -> npt.NDArray[np.int32]:
    """Join small groups to large ones in which their articles have likely partners.

    Of each article of the small group the highest similarities to the large one are
    averaged, as many as are `partners` of its articles, then the articles. It joins the
    large group where that is highest, if it reaches the threshold; again, until none does.

    Args:
      groups: shape (n,). The lowest row number of each article's group.
      pairs: shape (m, 2). Row numbers, first below second, distinct, ascending.
      similarities: shape (m,). Of each pair, 0 to 1.
      threshold: lowest similarity of a group to the one that it joins.
      absent: similarity of a pair that is not in `pairs`.
      large: articles from which a group is large.
      share: of its articles that a group which joins it has at most, below 1.
      partners: share of its articles in which those of a group that joins it have likely
        partners.

    Returns:
      Array of shape (n,): the lowest row number of each article's group.
    """
    steps = np.round(np.asarray(similarities, np.float64) * STEPS).astype(np.int64)
    floor = round(absent * STEPS)
    while True:
        sizes = np.bincount(groups, minlength=len(groups))
        # Each pair as seen from either article: the article, the other's group.
        articles = pairs.T.reshape(-1)
        own, towards = groups[articles], groups[pairs[:, ::-1].T.reshape(-1)]
        asked = np.flatnonzero(
            (own != towards)
            & (sizes[towards] >= large)
            & (sizes[own] <= share * sizes[towards])
        )
        articles, own, towards = articles[asked], own[asked], towards[asked]
        scores = np.concatenate([steps, steps])[asked]
        order = np.lexsort((-scores, articles, towards, own))
        part, whole, means = _nearest_means(
            *(articles[order], own[order], towards[order], scores[order]),
            *(sizes, floor, 1, partners),
        )
        # Each part's likeliest whole, of equal ones the lowest.
        order = np.lexsort((whole, -means, part))
        order = order[means[order] >= threshold * STEPS]
        part, first = np.unique(part[order], return_index=True)
        whole = whole[order][first]
        # What is itself absorbed takes nothing in before the next round.
        settled = ~np.isin(whole, part)
        part, whole = part[settled], whole[settled]
        if not len(part):
            return groups
        names = np.arange(len(groups), dtype=np.int32)
        names[part] = whole
        groups = names[groups]
        lowest = names.copy()
        np.minimum.at(lowest, groups, np.arange(len(groups), dtype=np.int32))
        groups = lowest[groups]


# Root of the story score of a pair that was not scored.
ABSENT = 0.1

# Partners of an article in another group that count where groups are large, and the
# size up to which stories are small: of those there are examples to fit scores to.
NEAREST, SMALL = 3, 40

# Articles of a story from which it takes in parts of itself; and of its articles the share
# that a part has at most, and the share that must be likely partners.
LARGE, PART, PARTNERS = 20, 0.15, 0.2


def link_stories(
    pairs: npt.NDArray[np.int32],
    similarities: npt.NDArray[np.floating],
    articles: int,
    *,
    threshold: float,
    absent: float = ABSENT,
    nearest: int = NEAREST,
    small: int = SMALL,
    together: npt.NDArray[np.int32] | None = None,
    large: int = LARGE,
    part: float = PART,
    partners: float = PARTNERS,
) -> npt.NDArray[np.int32]:
    """Group articles by average linkage, then large groups by the nearest and by parts.

    Arguments, result and errors as of `average_link`, `nearest_link` and `absorb_parts`,
    of which `part` is the share.
    """
    groups = average_link(
        pairs,
        similarities,
        articles,
        threshold=threshold,
        absent=absent,
        together=together,
    )
    groups = nearest_link(
        groups,
        pairs,
        similarities,
        threshold=threshold,
        absent=absent,
        nearest=nearest,
        small=small,
    )
    return absorb_parts(
        groups,
        pairs,
        similarities,
        threshold=threshold,
        absent=absent,
        large=large,
        share=part,
        partners=partners,
    )
