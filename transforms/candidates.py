"""Candidate pairs: articles that share keys are worth comparing word by word.

Every article is reduced to keys of three kinds: the bands of its signature, which meet in
texts that are alike as wholes; its passage keys, which meet where a passage is shared; and
one key of all its words. Keys are sharded, each shard is sorted, and articles that stand
beside each other under one key are a pair. What each kind of key says of a pair is counted,
and a pair is compared when the counts say more than chance does.

How wrong it can be: a pair that shares a key and is filtered here is lost. On labelled news
no copy and no shared text was. A key that very many articles hold says nothing of two of
them and proposes neighbours in time alone; texts equal as wholes are linked all the same.

Keys travel as 30 bits beside the shard number that some of the rest chose. At ten million
articles a pair of strangers then shares a key by accident about once an article, and one
accident suffices for no text of more than a few dozen words.
"""

from collections.abc import Iterable, Iterator

import numba
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from schemas.batch import column, concatenate, list_array, list_column
from transforms.lsh import band_keys

WINDOW_DAYS = 30.0
# Holders of a key within the window above which it says nothing of two of them.
MAX_BUCKET = 64
HOT_NEIGHBOURS = 4
MIN_SHARED_PASSAGES = 0.2

# The keys of some articles that fall into one shard.
KEY_BLOCK = pa.schema(
    [
        pa.field("article_key", pa.uint64(), nullable=False),
        # Seconds since 1970, UTC; null when the article has no date.
        pa.field("published", pa.int64()),
        # All passage keys of the article, not of this shard alone.
        pa.field("passage_count", pa.uint16(), nullable=False),
        # The kind in the two high bits, 30 bits of the key below.
        pa.field("keys", pa.list_(pa.uint32()), nullable=False),
    ]
)

# Pairs with what they share. article_key < matched_key.
SHARED_KEYS = pa.schema(
    [
        pa.field("article_key", pa.uint64(), nullable=False),
        pa.field("matched_key", pa.uint64(), nullable=False),
        pa.field("bands", pa.uint16(), nullable=False),
        pa.field("passages", pa.uint16(), nullable=False),
        # 1 where the texts are linked as equal.
        pa.field("exact", pa.uint16(), nullable=False),
        # Passage keys of the article that has fewer.
        pa.field("passage_count", pa.uint16(), nullable=False),
    ]
)

# Pairs to be compared. article_key < matched_key.
PAIR = pa.schema(
    [
        pa.field("article_key", pa.uint64(), nullable=False),
        pa.field("matched_key", pa.uint64(), nullable=False),
    ]
)

_BAND, _PASSAGE, _EXACT = range(3)
_KIND_SHIFT = 30
_KEY_BITS = 32
# With fewer passage keys an article is short, and one of them says much of it.
_FEW_PASSAGES = 6
_UNDATED = np.iinfo(np.int64).max
_DIGIT_BITS = 11


def key_blocks(
    fingerprints: pa.RecordBatch, *, bands: int, rows: int, shards: int
) -> Iterator[tuple[int, pa.RecordBatch]]:
    """Give the keys of articles, a KEY_BLOCK for each shard that has any.

    Args:
      fingerprints: schema FINGERPRINT. An article without a signature has no keys: it is
        nobody's copy.
      bands: bands of the signature.
      rows: signature entries a band.
      shards: shards that keys are spread over.
    """
    needed = ["article_key", "published", "text_key", "signature", "passage_keys"]
    signed = column(fingerprints, "signature").any(axis=1)
    kept = fingerprints.select(needed).filter(pa.array(signed))
    if not kept.num_rows:
        return
    passages, offsets = list_column(kept, "passage_keys")
    counts, keys = _by_shard(
        band_keys(column(kept, "signature"), bands, rows),
        passages,
        offsets,
        column(kept, "text_key"),
        shards,
    )
    passage_count = np.minimum(np.diff(offsets), np.iinfo(np.uint16).max)
    articles = [
        kept.column("article_key"),
        kept.column("published"),
        pa.array(passage_count, pa.uint16()),
    ]
    ends = np.cumsum(counts.sum(axis=1))
    for shard in range(shards):
        (present,) = np.nonzero(counts[shard])
        if present.size:
            bounds = np.append(0, np.cumsum(counts[shard, present]))
            own = keys[ends[shard] - bounds[-1] : ends[shard]]
            chosen = [array.take(pa.array(present)) for array in articles]
            columns = [*chosen, list_array(own, bounds)]
            yield shard, pa.RecordBatch.from_arrays(columns, schema=KEY_BLOCK)


def shared_keys(
    blocks: Iterable[pa.RecordBatch],
    *,
    window_days: float = WINDOW_DAYS,
    max_bucket: int = MAX_BUCKET,
    hot_neighbours: int = HOT_NEIGHBOURS,
) -> tuple[pa.RecordBatch, int]:
    """Find the pairs that share keys of one shard, and count what they share.

    A key that more than `max_bucket` articles hold within the window is hot: it pairs an
    article with the next few by time alone. Articles with equal texts are linked to the
    first of them and to the one before, however many there are.

    Args:
      blocks: schema KEY_BLOCK, all of one shard.
      window_days: articles further apart are no pair. One without a date fits everywhere.
      max_bucket: articles within a window above which a key is hot.
      hot_neighbours: articles that a hot key pairs an article with, later ones.

    Returns:
      Schema SHARED_KEYS, a row per pair, and the number of hot keys.
    """
    block = concatenate(blocks, KEY_BLOCK)
    published = pc.fill_null(block.column("published"), _UNDATED).to_numpy()
    articles = column(block, "article_key")
    order = np.lexsort((articles, published))
    articles, published = articles[order], published[order]
    keys, offsets = list_column(block, "keys")
    packed = _packed(keys, offsets, order)
    packed = _radix_sorted(packed, 32, 32 + _KEY_BITS)
    window = int(window_days * 86_400)
    rank_bits = max(1, int(articles.size - 1).bit_length())
    rules = (window, max_bucket, hot_neighbours, rank_bits)
    size, hot = _propose(packed, published, *rules, None)
    codes = np.empty(size, np.uint64)
    _propose(packed, published, *rules, codes)
    codes = _radix_sorted(codes, 0, 2 * rank_bits + 2)
    left, right, counts = _counted(codes, rank_bits)
    passage_count = column(block, "passage_count")[order]
    columns = [
        np.minimum(articles[left], articles[right]),
        np.maximum(articles[left], articles[right]),
        *counts.T,
        np.minimum(passage_count[left], passage_count[right]),
    ]
    arrays = [pa.array(values) for values in columns]
    return pa.RecordBatch.from_arrays(arrays, schema=SHARED_KEYS), hot


def chosen_pairs(
    shared: Iterable[pa.RecordBatch], *, min_shared_passages: float = MIN_SHARED_PASSAGES
) -> pa.RecordBatch:
    """Add up what pairs share in all shards, and choose those worth comparing.

    Compared are pairs with equal texts; that share two bands, or a band and a passage key;
    or that share two passage keys and `min_shared_passages` of those of the article with
    fewer. An article of a few words has few keys, and there one is enough. One band alone
    is what one pair of strangers in a hundred thousand shares by chance.

    Args:
      shared: schema SHARED_KEYS; of a pair, all rows.
      min_shared_passages: share of the passage keys, 0 to 1.

    Returns:
      Schema PAIR, each pair once, ascending.
    """
    table = pa.Table.from_batches(shared, schema=SHARED_KEYS)
    totals = table.group_by(["article_key", "matched_key"], use_threads=False).aggregate(
        [("bands", "sum"), ("passages", "sum"), ("exact", "sum"), ("passage_count", "max")]
    )
    bands, passages = column(totals, "bands_sum"), column(totals, "passages_sum")
    least = column(totals, "passage_count_max")
    chosen = (
        (column(totals, "exact_sum") > 0)
        | (bands >= 2)
        | ((bands >= 1) & (passages >= 1))
        | ((passages >= 2) & (passages >= min_shared_passages * least))
        | ((passages >= 1) & (least < _FEW_PASSAGES))
    )
    pairs = totals.select(PAIR.names).filter(pa.array(chosen)).cast(PAIR)
    pairs = pairs.sort_by([(name, "ascending") for name in PAIR.names])
    return concatenate(pairs.to_batches(), PAIR)


@numba.njit(cache=True, nogil=True)
def _by_shard(
    bands: npt.NDArray[np.uint64],
    passages: npt.NDArray[np.uint64],
    offsets: npt.NDArray[np.int64],
    texts: npt.NDArray[np.uint64],
    shards: int,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint32]]:
    """Order the keys of n articles by shard, then article.

    Returns:
      counts: shape (shards, n). Keys of each article in each shard.
      keys: the keys, each with its kind.
    """
    n = offsets.size - 1
    counts = np.zeros((shards, n), np.int64)
    total = bands.size + offsets[n] + n
    keys = np.empty(total, np.uint32)
    begins = np.zeros(shards, np.int64)
    # First count how many keys each shard gets, then put each where it belongs.
    for put in range(2):
        if put:
            begin = 0
            for shard in range(shards):
                begins[shard] = begin
                begin += int(counts[shard].sum())
        for i in range(n):
            width = bands.shape[1]
            own = offsets[i + 1] - offsets[i]
            for k in range(width + own + 1):
                if k < width:
                    key, kind = bands[i, k], _BAND
                elif k < width + own:
                    key, kind = passages[offsets[i] + k - width], _PASSAGE
                else:
                    key, kind = texts[i], _EXACT
                shard = int((key >> np.uint64(32)) % np.uint64(shards))
                if put:
                    low = np.uint32(key) & np.uint32((1 << _KIND_SHIFT) - 1)
                    keys[begins[shard]] = low | np.uint32(kind << _KIND_SHIFT)
                    begins[shard] += 1
                else:
                    counts[shard, i] += 1
    return counts, keys


@numba.njit(cache=True, nogil=True)
def _packed(
    keys: npt.NDArray[np.uint32],
    offsets: npt.NDArray[np.int64],
    order: npt.NDArray[np.int64],
) -> npt.NDArray[np.uint64]:
    """Give each key, in the high half, with the rank of its article, in the low half."""
    packed = np.empty(keys.size, np.uint64)
    count = 0
    for rank in range(order.size):
        for place in range(offsets[order[rank]], offsets[order[rank] + 1]):
            packed[count] = np.uint64(keys[place]) << np.uint64(32) | np.uint64(rank)
            count += 1
    return packed


@numba.njit(cache=True, nogil=True)
def _radix_sorted(
    values: npt.NDArray[np.uint64], first_bit: int, last_bit: int
) -> npt.NDArray[np.uint64]:
    """Sort by the bits from first_bit up to last_bit, equal ones in their order.

    Several times faster than a comparing sort, and how fast does not depend on the keys.
    """
    digits = 1 << _DIGIT_BITS
    starts = np.empty(digits, np.int64)
    current, other = values.copy(), np.empty_like(values)
    for bit in range(first_bit, last_bit, _DIGIT_BITS):
        mask = np.uint64((1 << min(_DIGIT_BITS, last_bit - bit)) - 1)
        starts[:] = 0
        for value in current:
            starts[np.int64((value >> np.uint64(bit)) & mask)] += 1
        begin = 0
        for digit in range(digits):
            size = int(starts[digit])
            starts[digit] = begin
            begin += size
        for value in current:
            digit = int((value >> np.uint64(bit)) & mask)
            other[starts[digit]] = value
            starts[digit] += 1
        current, other = other, current
    return current


@numba.njit(cache=True, nogil=True)
def _propose(
    packed: npt.NDArray[np.uint64],
    published: npt.NDArray[np.int64],
    window: int,
    max_bucket: int,
    hot_neighbours: int,
    rank_bits: int,
    codes: npt.NDArray[np.uint64] | None,
) -> tuple[int, int]:
    """Walk over the keys, and count the pairs of each, or write them into `codes`.

    Args:
      packed: keys with ranks, ascending.
      published: shape (n,), by rank, ascending; _UNDATED, at the end, without a date.
      window: in seconds.
      max_bucket: as in `shared_keys`.
      hot_neighbours: as in `shared_keys`.
      rank_bits: bits that hold any rank.
      codes: where pairs are written: rank, rank, kind; None to count them only.

    Returns:
      The number of pairs and the number of hot keys.
    """
    low_half = np.uint64(0xFFFFFFFF)
    pairs = 0
    hot_keys = 0
    begin = 0
    while begin < packed.size:
        key = packed[begin] >> np.uint64(32)
        end = begin + 1
        while end < packed.size and packed[end] >> np.uint64(32) == key:
            end += 1
        size = end - begin
        if size == 1:  # as most are
            begin = end
            continue
        kind = key >> np.uint64(_KIND_SHIFT)
        hot = np.zeros(size if size > max_bucket else 0, np.bool_)
        if hot.size and kind != _EXACT:
            _mark_hot(packed[begin:end], published, window, max_bucket, hot)
            hot_keys += 1 if hot.any() else 0
        dated = size
        while dated and published[packed[begin + dated - 1] & low_half] == _UNDATED:
            dated -= 1
        anchor = 0
        for i in range(size):
            mine = packed[begin + i] & low_half
            j = i
            while j + 1 < size:
                j += 1
                theirs = packed[begin + j] & low_half
                if j < dated and published[theirs] - published[mine] > window:
                    # So are all later ones, down to those without a date.
                    if kind == _EXACT and i == anchor:
                        anchor = j
                    if kind == _EXACT or dated == size:
                        break
                    j = dated
                    theirs = packed[begin + j] & low_half
                if kind == _EXACT and i != anchor and j > i + 1:
                    break  # linked to the first of its time and to the next alone
                if hot.size and j > i + hot_neighbours and kind != _EXACT:
                    if hot[i]:
                        break
                    if hot[j]:
                        continue
                if codes is not None:
                    code = mine << np.uint64(rank_bits) | theirs
                    codes[pairs] = code << np.uint64(2) | kind
                pairs += 1
        begin = end
    return pairs, hot_keys


@numba.njit(cache=True, nogil=True)
def _mark_hot(
    members: npt.NDArray[np.uint64],
    published: npt.NDArray[np.int64],
    window: int,
    max_bucket: int,
    hot: npt.NDArray[np.bool_],
) -> None:
    """Mark the holders of a key of which more than `max_bucket` are within a window."""
    low_half = np.uint64(0xFFFFFFFF)
    undated = 0
    for member in members:
        undated += published[member & low_half] == _UNDATED
    dated = members.size - undated
    first = 0
    marked = 0
    for last in range(dated):
        latest = published[members[last] & low_half]
        while latest - published[members[first] & low_half] > window:
            first += 1
        if last - first + 1 + undated > max_bucket:
            hot[max(first, marked) : last + 1] = True
            marked = last + 1
    if undated > max_bucket or marked:
        hot[dated:] = True


@numba.njit(cache=True, nogil=True)
def _counted(
    codes: npt.NDArray[np.uint64], rank_bits: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.uint16]]:
    """Count the codes of each pair by kind; codes of a pair stand together."""
    left = np.empty(codes.size, np.int64)
    right = np.empty(codes.size, np.int64)
    counts = np.zeros((codes.size, 3), np.uint16)
    pairs = 0
    mask = np.uint64((1 << rank_bits) - 1)
    for k in range(codes.size):
        pair = codes[k] >> np.uint64(2)
        if k == 0 or pair != codes[k - 1] >> np.uint64(2):
            left[pairs] = pair >> np.uint64(rank_bits)
            right[pairs] = pair & mask
            pairs += 1
        counts[pairs - 1, codes[k] & np.uint64(3)] += np.uint16(1)
    return left[:pairs], right[:pairs], counts[:pairs]
