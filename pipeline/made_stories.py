"""Made stories: the story that three hundred sites report, out of a real one of three.

Labelled stories are small: of two or three articles, seldom of twenty. A large one is
therefore made: each of its members mixes the evidence of two real members and a little of
a stranger, as another site's rewrite would. Fits and measurements need such stories,
because what is fitted to small ones alone takes a large one apart.
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.labelled import Labelled
from schemas.batch import column, concatenate, list_array, list_column

# What the name of a made story begins with.
MADE = "made of "

# Lists of a fingerprint that belong together: keys, counts, and the same of the lead.
_TERMS = ("terms", "term_counts", "lead_terms", "lead_term_counts")
_NAMES = ("names", "name_counts", "lead_names", "lead_name_counts")


def enlarged(
    labelled: Labelled,
    story: str,
    size: int,
    *,
    seed: int,
    kept: float = 0.95,
    joined: float = 0.35,
    strange: float = 0.1,
    apart: float = 0.6,
) -> Labelled:
    """Make a story of `size` members out of the evidence of a real one.

    Every member takes most of the terms, names, dates and ages of one real member, some
    of those of another and a few of a stranger's. Its signature is noise: a rewrite
    shares no runs of words.

    Args:
      labelled: the set that the story is of.
      story: its name.
      size: members to make.
      seed: chooses what is mixed.
      kept: share of the first member's evidence, 0 to 1.
      joined: of the second member's.
      strange: of the stranger's.
      apart: length of the noise added to a vector of length 1.

    Returns:
      The made members alone, their story named after the real one.
    """
    random = np.random.default_rng(seed)
    prints = labelled.fingerprints
    members = np.flatnonzero(labelled.stories == story)
    own = random.choice(members, size)
    other = random.choice(members, size)
    stranger = random.integers(len(labelled.stories), size=size)
    columns: dict[str, pa.Array] = {}
    for names in (_TERMS, _NAMES):
        columns |= _mixed(
            prints, names, (own, other, stranger), (kept, joined, strange), random
        )
    for name in ("event_days", "ages"):
        columns[name] = _thinned(prints, name, own, kept, random)
    ages = [set(row) for row in columns["ages"].to_pylist()]
    lead_ages = prints.column("lead_ages").take(pa.array(own)).to_pylist()
    columns["lead_ages"] = pa.array(
        [
            [age for age in row if age in known]
            for row, known in zip(lead_ages, ages, strict=True)
        ],
        pa.list_(pa.uint8()),
    )
    later = pa.array(random.integers(2, size=size), pa.int64())
    keys = pa.array(random.integers(2**63, size=size).astype(np.uint64))
    columns |= {
        "article_key": keys,
        "text_key": keys,
        "article_id": pa.array([f"{story}-made-{number}" for number in range(size)]),
        "source": pa.array([f"made-{number}.example" for number in range(size)]),
        "signature": pa.FixedSizeListArray.from_arrays(
            pa.array(random.integers(1, 2**32, size * 128).astype(np.uint32)), 128
        ),
        "day": pc.add(
            prints.column("day").take(pa.array(own)).cast(pa.int64()), later
        ).cast(pa.int32()),
        "published": pc.add(
            prints.column("published").take(pa.array(own)),
            pc.multiply(later, 86400),
        ),
    }
    if "vector" in prints.schema.names:
        vectors = column(prints, "vector").astype(np.float64)
        mixed = (
            (kept + joined) / 2 * vectors[own]
            + joined * vectors[other]
            + strange * vectors[stranger]
        )
        # Mixed vectors are more alike than those of real rewrites; noise sets them apart.
        mixed = _unit(mixed) + apart * _unit(random.normal(size=mixed.shape))
        columns["vector"] = pa.FixedSizeListArray.from_arrays(
            pa.array(_unit(mixed).astype(np.float16).reshape(-1)), vectors.shape[1]
        )
    arrays = [
        columns.get(field.name, prints.column(field.name).take(pa.array(own))).cast(
            field.type
        )
        for field in prints.schema
    ]
    return Labelled(
        labelled.name,
        pa.RecordBatch.from_arrays(arrays, schema=prints.schema),
        np.array([MADE + story] * size, dtype=object),
    )


def _unit(vectors: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, 1e-9), np.float64)


def _thinned(
    prints: pa.RecordBatch,
    name: str,
    rows: npt.NDArray[np.integer],
    share: float,
    random: np.random.Generator,
) -> pa.Array:
    lists = prints.column(name).take(pa.array(rows)).to_pylist()
    return pa.array(
        [[value for value in row if random.random() < share] for row in lists],
        prints.schema.field(name).type,
    )


def _mixed(
    prints: pa.RecordBatch,
    names: tuple[str, str, str, str],
    rows: tuple[npt.NDArray[np.integer], ...],
    shares: tuple[float, ...],
    random: np.random.Generator,
) -> dict[str, pa.Array]:
    """Take a share of the terms of several articles together, with those of their leads."""
    keys, offsets = list_column(prints, names[0])
    counts, _ = list_column(prints, names[1])
    lead_keys, lead_offsets = list_column(prints, names[2])
    lead_counts, _ = list_column(prints, names[3])
    made: dict[str, list[npt.NDArray[np.generic]]] = {name: [] for name in names}
    for sources in zip(*rows, strict=True):
        parts, weights, leads, lead_weights = [], [], [], []
        for row, share in zip(sources, shares, strict=True):
            own = slice(offsets[row], offsets[row + 1])
            chosen = random.random(own.stop - own.start) < share
            parts.append(keys[own][chosen])
            weights.append(counts[own][chosen])
            lead = slice(lead_offsets[row], lead_offsets[row + 1])
            both = np.isin(lead_keys[lead], parts[-1])
            leads.append(lead_keys[lead][both])
            lead_weights.append(lead_counts[lead][both])
        for name, counted, found, number in (
            (names[0], names[1], parts, weights),
            (names[2], names[3], leads, lead_weights),
        ):
            distinct, first = np.unique(np.concatenate(found), return_index=True)
            made[name].append(distinct)
            made[counted].append(np.concatenate(number)[first])
    arrays = {}
    for name, lists in made.items():
        ends = np.concatenate([[0], np.cumsum([len(one) for one in lists])])
        arrays[name] = list_array(np.concatenate(lists), ends)
    return arrays


def with_made_stories(labelled: Labelled, sizes: Sequence[int]) -> Labelled:
    """Put large made stories in the place of some real ones of the set.

    A story is made of one of at least three members, or of two where none has three: of
    the largest, and of others in steps down to the smallest.
    """
    counted = Counter(story for story in labelled.stories if story is not None)
    least = 3 if max(counted.values()) >= 3 else 2
    large = sorted(
        (story for story, count in counted.items() if count >= least),
        key=lambda story: (-counted[story], story),
    )
    chosen = [large[len(large) * step // len(sizes)] for step in range(len(sizes))]
    made = [
        enlarged(labelled, story, size, seed=seed)
        for seed, (story, size) in enumerate(zip(chosen, sizes, strict=True))
    ]
    rest = labelled.take(np.flatnonzero(~np.isin(labelled.stories.astype(str), chosen)))
    parts = [rest, *made]
    return Labelled(
        labelled.name,
        concatenate([part.fingerprints for part in parts], labelled.fingerprints.schema),
        np.concatenate([part.stories for part in parts]),
    )
