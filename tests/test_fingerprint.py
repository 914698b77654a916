import datetime

import datasketch
import numpy as np
import pyarrow as pa
import pytest

from schemas.article import CLEANED
from schemas.batch import column, list_column
from schemas.fingerprint import FINGERPRINT, NUM_PERM
from transforms.fingerprint import FingerprintArticles, fingerprint_articles
from transforms.minhash import SEED, SHINGLE_SIZE
from transforms.tokens import shingle_hashes, tokenize

TEXT = (
    "DOVER, Ohio — A 21-year-old man was hurt when the old mill burnt down on Monday. "
    "Maria Lopez, 44, who lives beside the mill, saw the flames at midnight on Nov. 3. "
    "Firemen from Akron came too late, and nothing is left but one wall and the wheel."
)


def cleaned(*articles):
    rows = [
        {
            "article_key": number,
            "article_id": f"a{number}",
            "url": None,
            "source": "example.org",
            "published_at": datetime.datetime(2015, 11, 18, 23, 59, 59, 999999),
            "title": "Old mill burns",
            "text": TEXT,
            "language": "en",
            "content_key": number,
            "file": "made.jsonl",
            "position": number,
            "notes": [],
            "credited_source": None,
            "word_count": len(article.get("text", TEXT).split()),
            "removed_word_count": 5,
            "thin": False,
            "alien": False,
        }
        | article
        for number, article in enumerate(articles, 1)
    ]
    return pa.RecordBatch.from_pylist(rows, schema=CLEANED)


def test_every_column_is_filled():
    batch = fingerprint_articles(cleaned({"credited_source": "Reuters"}))
    assert batch.schema.equals(FINGERPRINT, check_metadata=True)
    (row,) = batch.to_pylist()
    today = (datetime.date(2015, 11, 18) - datetime.date(1970, 1, 1)).days
    assert row["article_key"] == 1
    assert row["article_id"] == "a1"
    assert row["source"] == "example.org"
    assert row["credited_source"] == "Reuters"
    assert row["removed_word_count"] == 5
    assert row["published"] == today * 86400 + 86399
    assert row["day"] == today
    assert row["has_title"] is True
    assert row["event_days"] == [today - 15, today - 2, today - 1, today]
    assert row["ages"] == row["lead_ages"] == [21, 44]
    for name in ("passage_keys", "terms", "lead_terms", "names", "lead_names"):
        assert row[name] == sorted(set(row[name])) != []
    for name in ("term", "lead_term", "name", "lead_name"):
        assert len(row[f"{name}_counts"]) == len(row[f"{name}s"])


def test_a_stored_signature_opens_in_datasketch():
    (row,) = fingerprint_articles(cleaned({})).to_pylist()
    shingles, _ = shingle_hashes(tokenize(pa.array([TEXT])), SHINGLE_SIZE)
    sketch = datasketch.MinHash(
        NUM_PERM, seed=SEED, scheme="affine32", hashfunc=lambda value: value
    )
    sketch.update_batch(shingles.astype(np.uint32).tolist())
    np.testing.assert_array_equal(sketch.hashvalues, row["signature"])


@pytest.mark.parametrize("article", [{"thin": True}, {"text": ""}, {"text": "—!"}])
def test_a_thin_article_is_nobodys_copy(article):
    batch = fingerprint_articles(cleaned({}, article, {}))
    signatures = column(batch, "signature")
    assert not signatures[1].any()
    assert signatures[0].any()
    np.testing.assert_array_equal(signatures[0], signatures[2])
    keys, offsets = list_column(batch, "passage_keys")
    assert offsets[1] == offsets[2]
    np.testing.assert_array_equal(keys[: offsets[1]], keys[offsets[2] :])


def test_a_text_under_a_title_of_its_own_has_keys_and_no_terms():
    batch = fingerprint_articles(cleaned({}, {"alien": True, "thin": True}))
    signatures = column(batch, "signature")
    np.testing.assert_array_equal(signatures[0], signatures[1])
    first, second = batch.column("event_days").to_pylist()
    assert len(second) < len(first)


def test_text_keys_see_words_alone():
    texts = [{"text": TEXT}, {"text": TEXT.upper().replace(",", " ;")}, {"text": TEXT[:-9]}]
    first, second, third = column(fingerprint_articles(cleaned(*texts)), "text_key")
    assert first == second != third


def test_an_article_of_which_little_is_known_is_kept():
    row = {"title": None, "published_at": None, "source": None, "text": "", "thin": True}
    (found,) = fingerprint_articles(cleaned(row)).to_pylist()
    assert found["published"] is None
    assert found["day"] is None
    assert found["has_title"] is False
    assert found["event_days"] == found["terms"] == found["ages"] == []


def test_time_before_1970_is_a_whole_second():
    early = {"published_at": datetime.datetime(1969, 12, 31, 23, 59, 59, 500000)}
    (row,) = fingerprint_articles(cleaned(early)).to_pylist()
    assert (row["published"], row["day"]) == (-1, -1)


def test_no_article_gives_no_fingerprint():
    batch = fingerprint_articles(cleaned())
    assert batch.num_rows == 0
    assert batch.schema.equals(FINGERPRINT)


def test_a_slice_of_a_batch_gives_the_same_fingerprints():
    batch = cleaned({}, {"text": TEXT + " More was lost."}, {"language": "de"}, {})
    whole = fingerprint_articles(batch)
    assert fingerprint_articles(batch.slice(1, 2)).equals(whole.slice(1, 2))


def test_settings_reach_their_stage():
    batch = cleaned({})
    default = fingerprint_articles(batch)
    changed = {
        "signature": {"seed": 2},
        "passage_keys": {"passage_words": 5},
        "terms": {"max_words": 5},
        "lead_terms": {"lead_sentences": 1},
    }
    for name, setting in changed.items():
        other = fingerprint_articles(batch, **setting)
        assert not other.column(name).equals(default.column(name))
        assert other.column("text_key").equals(default.column("text_key"))
    assert not (
        fingerprint_articles(batch, shingle_size=5)
        .column("signature")
        .equals(default.column("signature"))
    )
    assert len(fingerprint_articles(batch, window=4).column("passage_keys")[0]) > len(
        default.column("passage_keys")[0]
    )


def test_without_stories_only_what_copies_need_is_read():
    batch = cleaned({}, {"thin": True})
    whole, some = (fingerprint_articles(batch, stories=given) for given in (True, False))
    names = FINGERPRINT.names
    copies = names[: names.index("terms")]
    copies.remove("day")
    assert some.schema.equals(FINGERPRINT)
    assert some.select(copies).equals(whole.select(copies))
    for row in some.to_pylist():
        assert row["day"] is None
        assert all(row[name] == [] for name in names[names.index("terms") :])


def test_transform_agrees_with_function(apply):
    batch = cleaned({}, {"thin": True}, {"language": "und"})
    (found,) = apply(FingerprintArticles(seed=7), [batch])
    expected = fingerprint_articles(batch, seed=7)
    assert found.select(expected.schema.names).to_pylist() == expected.to_pylist()
    assert found.column("text").equals(batch.column("text"))
