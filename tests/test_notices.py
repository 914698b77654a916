import re

import numpy as np
import pytest

from pipeline.notices import OF_EACH_KIND, TEMPLATES, filled, notices


def test_notices_of_a_kind_differ_and_share_their_words():
    rows = notices(seed=1)
    assert len(rows) == len(TEMPLATES) * OF_EACH_KIND
    assert len({row["text"] for row in rows}) == len(rows)
    for kind in TEMPLATES:
        one, other = (
            set(row["text"].split()) for row in rows if row["id"] in _ids(kind, 0, 1)
        )
        assert len(one & other) > len(one) / 3


def _ids(kind, *numbers):
    return {f"notice-{kind}-{number}" for number in numbers}


def test_a_kind_is_met_within_a_site_and_across_sites():
    for kind in TEMPLATES:
        sites = [row["source"] for row in notices(seed=1) if f"-{kind}-" in row["id"]]
        assert len(set(sites)) == 4
        assert sites.count(f"{kind}-main.example") == OF_EACH_KIND // 2


def test_the_same_seed_gives_the_same_notices():
    assert notices(seed=3, of_each=2) == notices(seed=3, of_each=2)
    assert notices(seed=3, of_each=2) != notices(seed=4, of_each=2)


def test_every_fact_of_a_template_is_drawn():
    for row in notices(seed=1):
        assert not re.search(r"[\[\]]", row["title"] + row["text"])


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("[number 3 3] of [amount 2 2]", "3 of 2.000"),
        ("[a = number 4 4][a][one x x]", "44x"),
        ("[one = one\nx x] [one]", "x x"),
    ],
)
def test_a_fact_is_drawn_once_and_told_again_by_its_name(template, text):
    assert filled(template, np.random.default_rng(0)) == text
