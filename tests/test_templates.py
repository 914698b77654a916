"""Short texts that share their phrases and not their numbers are strangers."""

import datetime
import random

import numpy as np
import pyarrow as pa
import pytest

from schemas.article import CLEANED
from schemas.batch import column
from transforms.fingerprint import fingerprint_articles
from transforms.templates import TemplateRule, are_one_template

NOTICE = (
    "The winning numbers in {day} drawing of the Harbour Nine were {numbers}. The "
    "estimated jackpot was {jackpot} crowns and nobody matched them all. Tickets must be "
    "bought before the drawing and players have until the end of the year to claim a "
    "prize at any kiosk."
)
MONDAY = NOTICE.format(day="Monday's", numbers="4, 11, 23 and 37", jackpot="9,500,000")
FRIDAY = NOTICE.format(day="Friday's", numbers="2, 19, 28 and 35", jackpot="12,750,000")
RETOLD = (
    "Nobody matched all of the Harbour Nine's winning numbers on Monday: 4, 11, 23 and 37. "
    "That leaves 9,500,000 crowns in the jackpot, the lottery said after the drawing."
)


def fingerprints(*texts):
    rows = [
        {
            "article_key": number,
            "article_id": str(number),
            "url": None,
            "source": "x.example",
            "published_at": datetime.datetime(2026, 5, 4, tzinfo=datetime.UTC),
            "title": "Winning numbers",
            "text": text,
            "language": "en",
            "content_key": number,
            "file": "made.jsonl",
            "position": number,
            "notes": [],
            "credited_source": None,
            "word_count": len(text.split()),
            "removed_word_count": 0,
            "thin": False,
            "alien": False,
        }
        for number, text in enumerate(texts)
    ]
    return fingerprint_articles(pa.RecordBatch.from_pylist(rows, schema=CLEANED))


def judged(*texts, rule=None):
    pairs = np.array([[0, 1]], np.int32)
    return bool(are_one_template(fingerprints(*texts), pairs, rule or TemplateRule())[0])


def test_two_notices_with_other_numbers_are_strangers():
    assert judged(MONDAY, FRIDAY)


@pytest.mark.parametrize("other", [MONDAY, RETOLD, MONDAY.replace("kiosk", "shop")])
def test_reports_that_agree_on_the_numbers_are_not(other):
    assert not judged(MONDAY, other)


def report(seed, figures):
    """A report that is full of figures and shares a sixth of its runs with another."""
    dice = random.Random(seed)
    own = [f"{dice.choice('bdklmnprst')}{dice.randint(100, 999)}e" for _ in range(90)]
    own = [word.translate(str.maketrans("0123456789", "abcdefghij")) for word in own]
    same = (
        "At the close the index of the thirty largest firms stood higher than it had stood "
        "for weeks on end and the bond paid less"
    )
    numbers = [str(random.Random(one).randint(20, 99_999)) for one in figures]
    return " ".join([*own[:45], same, *own[45:], *numbers])


def test_texts_full_of_other_numbers_need_share_fewer_phrases():
    monday, friday = report(1, range(13)), report(2, range(13, 26))
    assert judged(monday, friday)
    assert not judged(monday, friday, rule=TemplateRule(many_numbers=100))
    assert not judged(monday, report(2, range(13)))


def test_long_texts_are_no_notices():
    rest = " ".join(f"word{i}" for i in range(250))
    assert not judged(MONDAY + rest, FRIDAY + rest)


def test_texts_of_few_numbers_are_not_told_apart():
    assert not judged(
        NOTICE.format(day="Monday's", numbers="drawn late", jackpot="9"),
        NOTICE.format(day="Friday's", numbers="drawn early", jackpot="8"),
    )


def test_no_pairs_are_no_templates():
    none = np.zeros((0, 2), np.int32)
    assert are_one_template(fingerprints(MONDAY), none, TemplateRule()).tolist() == []


def test_the_numbers_are_in_the_fingerprint():
    batch = fingerprints(MONDAY, "Nothing here.")
    assert np.diff(batch.column("numbers").offsets.to_numpy()).tolist() == [5, 0]
    assert column(batch, "word_count")[1] == 2
