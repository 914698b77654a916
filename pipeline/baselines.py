"""What simpler methods make of the same articles.

* MinHash alone: 128 permutations over shingles of three words of the raw text, LSH for a
  Jaccard similarity of 0.7, and everything connected is one group. Most deduplication of
  web text is done so.
* Cosine of MiniLM vectors of title and lead, average link.
* Cosine of TF-IDF vectors of title and cleaned text, average link.

Neither of the cosines knows a threshold, so each gets the one that is best for the very
labels it is scored on: what they reach on other articles is lower. They know no dates.

Average link is exact, over all pairs: n * n * 8 bytes while it works.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from datasketch import MinHash, MinHashLSH
from scipy.cluster.hierarchy import fcluster, linkage
from sklearn.feature_extraction.text import TfidfVectorizer

from pipeline.agreement import adjusted_rand, bcubed, group_sizes, pairwise
from pipeline.copy_agreement import score_pairs
from pipeline.gold import Pair
from transforms.components import connected_components
from transforms.embedding import embed, embedding_text

MOST_ARTICLES = 10_000

SHINGLE_WORDS = 3
PERMUTATIONS = 128
MINHASH_JACCARD = 0.7

# Cosine from which two articles are usually taken for one text.
COPY_COSINE = 0.9
COSINES = np.round(np.arange(0.02, 1.0, 0.01), 2)

_WORD = re.compile(r"\w+")
_ROWS_AT_A_TIME = 500


def minhash_groups(texts: Sequence[str]) -> npt.NDArray[np.int64]:
    """Group texts by MinHash alone.

    Returns:
      Array of shape (n,): equal numbers for texts of one group. A text shorter than a
      shingle is alone.
    """
    index = MinHashLSH(threshold=MINHASH_JACCARD, num_perm=PERMUTATIONS)
    groups = np.arange(len(texts), dtype=np.int64)
    pairs: list[tuple[int, int]] = []
    for row, text in enumerate(texts):
        words = _WORD.findall(text.lower())
        shingles = {
            " ".join(words[start : start + SHINGLE_WORDS]).encode()
            for start in range(len(words) - SHINGLE_WORDS + 1)
        }
        if not shingles:
            continue
        signature = MinHash(num_perm=PERMUTATIONS)
        signature.update_batch(sorted(shingles))
        pairs += [(other, row) for other in index.query(signature)]
        index.insert(row, signature)
    if pairs:
        ends = np.array(pairs, np.uint64)
        nodes, labels = connected_components(ends[:, 0], ends[:, 1])
        groups[nodes] = labels.astype(np.int64) + len(texts)
    return groups


def tfidf_vectors(texts: Sequence[str]) -> Any:
    """Give a sparse matrix of n rows of length 1, or 0 for a text without words."""
    return TfidfVectorizer(sublinear_tf=True, token_pattern=r"\w+").fit_transform(texts)


def all_vectors(
    articles: Sequence[Mapping[str, Any]],
    embedded: Mapping[str, npt.NDArray[np.floating]],
    *,
    model: str,
    tokens: int,
) -> npt.NDArray[np.float32]:
    """Embed the articles that the run has not embedded; give the vectors of all, (n, d).

    Args:
      articles: article_id, title and text of each.
      embedded: article -> its vector.
      model: as in `transforms.embedding`.
      tokens: tokens of an article that are embedded.
    """
    missing = [article for article in articles if article["article_id"] not in embedded]
    texts = [
        embedding_text(article["title"], article["text"], max_tokens=tokens)
        for article in missing
    ]
    both = dict(embedded)
    if missing:
        made = embed(texts, model=model, max_tokens=tokens)
        both |= {row["article_id"]: one for row, one in zip(missing, made, strict=True)}
    vectors = np.stack([both[article["article_id"]] for article in articles])
    # Those of the run are stored as half-precision floats.
    lengths = np.linalg.norm(vectors.astype(np.float32), axis=1, keepdims=True)
    return (vectors / np.maximum(lengths, 1e-9)).astype(np.float32)


def cosine_distances(vectors: Any) -> npt.NDArray[np.float64]:
    """Give 1 - cosine of all pairs, in the order of scipy's pdist.

    Args:
      vectors: n rows of length 1, dense or sparse.

    Returns:
      Array of shape (n * (n - 1) / 2,), 0 to 2.
    """
    count = vectors.shape[0]
    distances = np.empty(count * (count - 1) // 2)
    filled = 0
    for start in range(0, count, _ROWS_AT_A_TIME):
        block = _dense(vectors[start : start + _ROWS_AT_A_TIME] @ vectors[start:].T)
        for row in range(len(block)):
            cosines = block[row, row + 1 :]
            distances[filled : filled + len(cosines)] = 1 - cosines
            filled += len(cosines)
    return np.clip(distances, 0.0, 2.0)


def pair_cosines(
    vectors: Any, rows: Mapping[str, int], pairs: Sequence[Pair]
) -> dict[tuple[str, str], float]:
    """Give the cosine of each pair, by its ids.

    Args:
      vectors: n rows of length 1, dense or sparse.
      rows: article -> its row; a pair with another article has a cosine of 0.
      pairs: to look at.
    """
    found = {}
    for pair in pairs:
        one, other = rows.get(pair.a), rows.get(pair.b)
        cosine = 0.0
        if one is not None and other is not None:
            cosine = float(_dense(vectors[[one]] @ vectors[[other]].T)[0, 0])
        found[pair.a, pair.b] = cosine
    return found


def best_cut(
    vectors: Any, gold: Sequence[str | None]
) -> tuple[float, npt.NDArray[np.int64]]:
    """Group vectors by average link at the cosine that is best for the gold stories.

    Returns:
      The mean cosine down to which groups are joined, and the group of each row: those of
      the highest B-cubed F1, of equal ones the highest cosine.
    """
    if vectors.shape[0] < 2:
        return 1.0, np.zeros(vectors.shape[0], np.int64)
    tree = linkage(cosine_distances(vectors), method="average")
    cuts = {
        float(cosine): fcluster(tree, 1 - cosine, criterion="distance").astype(np.int64)
        for cosine in COSINES
    }
    best = max(cuts, key=lambda cosine: (bcubed(gold, list(cuts[cosine])).f1, cosine))
    return best, cuts[best]


def baseline_scores(
    articles: Sequence[Mapping[str, Any]],
    raw_texts: Sequence[str],
    pairs: Sequence[Pair],
    *,
    embedded: Mapping[str, npt.NDArray[np.floating]],
    embedding_model: str | None,
    embedding_tokens: int,
) -> dict[str, Any]:
    """Score the simple methods on the articles of a run.

    Args:
      articles: id, title, cleaned text and gold story of each.
      raw_texts: the text of each as it was read.
      pairs: labelled pairs; may be empty.
      embedded: article -> its vector, of those that the run has embedded.
      embedding_model: of the others, as in `transforms.embedding`; None: MiniLM is left
        out.
      embedding_tokens: tokens of an article that are embedded.

    Returns:
      By method: `stories` if an article has a gold story, `pairs` if there are any. Or
      only `skipped`, a sentence.
    """
    if len(articles) > MOST_ARTICLES:
        return {
            "skipped": f"{len(articles):,} articles are more than the {MOST_ARTICLES:,} of "
            "which all pairs are compared"
        }
    gold = [article["story"] for article in articles]
    rows = {article["article_id"]: row for row, article in enumerate(articles)}
    scored = any(story is not None for story in gold)
    groups = minhash_groups(raw_texts)
    minhash: dict[str, Any] = {}
    if scored:
        minhash["stories"] = story_scores(gold, groups.tolist())
    if pairs:
        minhash["pairs"] = score_pairs(
            pairs,
            lambda a, b: a in rows and b in rows and groups[rows[a]] == groups[rows[b]],
        )
    scores = {"MinHash": minhash}
    vectors: dict[str, Callable[[], Any]] = {
        "TF-IDF": lambda: tfidf_vectors(
            [f"{article['title'] or ''}\n{article['text']}" for article in articles]
        )
    }
    if embedding_model is not None:
        model = embedding_model
        vectors["MiniLM"] = lambda: all_vectors(
            articles, embedded, model=model, tokens=embedding_tokens
        )
    for name, make in sorted(vectors.items()):
        scores[name] = cosine_scores(make(), gold if scored else None, rows, pairs)
    return scores


def story_scores(gold: Sequence[str | None], groups: Sequence[object]) -> dict[str, Any]:
    """Give all scores of one grouping of articles into stories."""
    found = list(groups)
    return {
        "bcubed": vars(bcubed(gold, found)),
        "adjusted_rand": adjusted_rand(gold, found),
        "pairwise": vars(pairwise(gold, found)),
        "found": vars(group_sizes(gold, found)),
    }


def cosine_scores(
    vectors: Any,
    gold: Sequence[str | None] | None,
    rows: Mapping[str, int],
    pairs: Sequence[Pair],
) -> dict[str, Any]:
    """Score vectors: stories at their best cosine, pairs at theirs and at COPY_COSINE."""
    scores: dict[str, Any] = {}
    if gold is not None:
        cosine, groups = best_cut(vectors, gold)
        scores["stories"] = {"best_cosine": cosine, **story_scores(gold, groups.tolist())}
    if pairs:
        cosines = pair_cosines(vectors, rows, pairs)

        def above(cosine: float) -> dict[str, Any]:
            return score_pairs(pairs, lambda a, b: cosines[a, b] >= cosine)

        best = max((float(one) for one in COSINES), key=lambda one: (_f1(above(one)), one))
        scores["pairs"] = {"cosine": COPY_COSINE, **above(COPY_COSINE)}
        scores["pairs_at_best"] = {"best_cosine": best, **above(best)}
    return scores


def _f1(scores: Mapping[str, Any]) -> float:
    wrong = scores["false"] + scores["missed"]
    return 2 * scores["right"] / max(2 * scores["right"] + wrong, 1)


def _dense(matrix: Any) -> npt.NDArray[np.floating]:
    return np.asarray(matrix.toarray() if hasattr(matrix, "toarray") else matrix)
