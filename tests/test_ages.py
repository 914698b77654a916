import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.ages import ages_of
from transforms.fact_words import read_facts
from transforms.marks import mark_tokens
from transforms.tokens import tokenize


def facts(*texts):
    array = pa.array(texts, pa.string())
    return read_facts(mark_tokens(array, tokenize(array)))


def ages_in(text, title=None, **settings):
    (ages, offsets), _ = ages_of(facts(title), facts(text), **settings)
    assert offsets.tolist() == [0, len(ages)]
    return ages.tolist()


@pytest.mark.parametrize(
    "text",
    [
        "A 21-year-old man was hurt.",
        "The 21-year old was hurt.",
        "She was 21 years old.",
        "a 21\u2011year\u2011old man",
        "Maria Lopez, 21, was hurt.",
        "John Lopez Jr., 21, was hurt.",
        "with him was Maria Lopez, 21.",
        "Maria Lopez, 21",
        "Maria Lopez, age 21, was hurt",
        "a woman aged 21 was hurt",
        "Maria Lopez (21) was hurt",
        "Carl and Maria Lopez, both 21, were hurt",
        "Der 21-Jährige wurde verletzt",
        "eine 21-jährige Frau",
        "ein 21jähriger Mann",
        "Sie war 21 Jahre alt",
        "im Alter von 21 gestorben",
        "un homme de 21 ans",
        "une femme âgée de 21 ans",
        "Marie Petit, 21 ans, était là",
        "una mujer de 21 años",
        "María Gil, de 21 años, estaba allí",
        "de 21 años de edad",
        "un uomo di 21 anni",
        "il 21enne di Bari",
        "een 21-jarige man",
        "en 21-årig mand",
        "21-летний мужчина",
        "يبلغ من العمر 21 عاما",
        "يقول كريم المنصوري (21 عاما) الذي كسر كاحله",
        "البالغة 21 عاما",
        "一名21岁的男子",
        "21歳の男",
        "21세 남성",
    ],
)
def test_an_age_is_read_from(text):
    assert ages_in(text) == [21]


@pytest.mark.parametrize(
    "text",
    [
        "They won 21-14 and scored 21 points.",
        "It costs $21, or 21 percent.",
        "a 21-month-old baby and a 21-day-old lamb",
        "sentenced to 21 years in prison",
        "the law is 21 years of work",
        "adults ages 21 to 30 and age 21 and older",
        "aged 21-30, under age 21, over age 21",
        "condenado a 21 años de prisión",
        "السجن 21 عاما",
        "condamné à 21 ans de prison",
        "il y a 21 ans",
        "hace 21 años",
        "on Friday, 21, and on March, 21,",
        "Lots, 21, 22, 23",
        "21 Jahre Haft, seit 21 Jahren",
        "Call 21, then (21) again.",
        "the 21st of May, 21 May",
        "aged 121 and 0-year-old, 5000-year-old",
    ],
)
def test_no_age_is_read_from(text):
    assert ages_in(text) == []


def test_every_age_of_a_list_is_read():
    assert ages_in("The victims, ages 13, 17 and 19, survived 4 hours") == [13, 17, 19]
    assert ages_in("boys aged 13, 17, and 19 ran 4 miles") == [13, 17, 19]
    assert ages_in("aged 13 and 4 others") == [13]


def test_ages_ascend_and_are_distinct():
    text = "Al Ek, 40, met Bo Ek, 7, and a 40-year-old man."
    assert ages_in(text, title="A 3-year-old wins") == [3, 7, 40]


def test_greatest_age_is_a_setting():
    assert ages_in("a 119-year-old woman") == []
    assert ages_in("a 119-year-old woman", max_age=120) == [119]


def test_lead_ages_are_those_of_title_and_first_sentences():
    text = "Al Ek, 40, fell. He lay there. Bo Ek, 7, ran. A 50-year-old came."
    _, (ages, offsets) = ages_of(
        facts("Girl, a 3-year-old, wins", None), facts(text, text), lead_sentences=3
    )
    assert ages.tolist() == [3, 7, 40, 7, 40]
    assert offsets.tolist() == [0, 3, 5]


@given(st.lists(st.text(alphabet="0123456789 -,.()AB年岁\nageds", max_size=60)))
def test_any_text_gives_ascending_ages_and_the_lead_gives_some_of_them(texts):
    (ages, offsets), (lead, lead_offsets) = ages_of(facts(*texts), facts(*texts))
    for i in range(len(texts)):
        all_ages = ages[offsets[i] : offsets[i + 1]].astype(int)
        assert np.all(np.diff(all_ages) > 0)
        assert set(lead[lead_offsets[i] : lead_offsets[i + 1]]) <= set(all_ages)
