import itertools
import random

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.candidates import PAIR
from transforms.verification import COMPARED, CopyThresholds, copy_edges, read_texts

DAY = 86_400
# Made words, none of them a number or a name.
WORDS = ["".join(letters) for letters in itertools.product("bdklmnprst", "aeiou", "lnrst")]
NAMES = ["Marlow", "Okafor", "Delgado", "Whitfield", "Ingram", "Petrov", "Hale", "Quinn"]
TOWNS = ["Ashby", "Calder", "Dunmore", "Farrow", "Greyton", "Holt", "Larne", "Oakham"]


def words(count, seed=0):
    return random.Random(seed).choices(WORDS, k=count)


def edited(own, share, seed=1):
    """The words with some of them, evenly spread, replaced by others."""
    dice = random.Random(seed)
    return [dice.choice(WORDS) if dice.random() < share else word for word in own]


def article(key, text, **given_fields):
    row = {"article_key": key, "text": text if isinstance(text, str) else " ".join(text)}
    empty = dict.fromkeys(["title", "source", "credited_source", "published"])
    return empty | {"alien": False} | row | given_fields


def compare(*articles, pairs=None, thresholds=None, **settings):
    keys = sorted(own["article_key"] for own in articles)
    rows = pairs or itertools.combinations(keys, 2)
    edges = copy_edges(
        read_texts(pa.RecordBatch.from_pylist(list(articles), schema=COMPARED)),
        pa.RecordBatch.from_pylist(
            [dict(zip(PAIR.names, row, strict=True)) for row in rows], schema=PAIR
        ),
        thresholds or CopyThresholds(),
        **settings,
    )
    return edges.to_pylist()


def only_edge(*articles, **settings):
    (edge,) = compare(*articles, **settings)
    return edge


def test_equal_words_are_an_exact_copy():
    text = words(60)
    edge = only_edge(article(1, text), article(2, ", ".join(text).upper() + "!"))
    assert edge == {
        "article_key": 1,
        "matched_key": 2,
        "relation": "exact_copy",
        "rule": "equal words",
        "jaccard": 1.0,
        "containment": 1.0,
    }


def test_one_word_in_a_thousand_leaves_a_copy_exact():
    text = words(1_000)
    edge = only_edge(article(1, text), article(2, [*text[:500], "other", *text[501:]]))
    assert edge["relation"] == "exact_copy"
    assert edge["rule"] == "five-word overlap 0.990 >= 0.98"


@pytest.mark.parametrize("share", [0.05, 0.1, 0.12])
def test_a_text_edited_here_and_there_is_a_near_copy(share):
    text = words(400)
    edge = only_edge(article(1, text), article(2, edited(text, share)))
    assert edge["relation"] == "near_copy"


def test_even_edits_are_told_by_the_order_of_words():
    text = words(400)
    edge = only_edge(article(1, text), article(2, edited(text, 0.13)))
    assert edge["containment"] < CopyThresholds().min_containment
    assert edge["rule"].startswith("words in one order 0.8")
    # The same share of runs, but the rest another text: no copy.
    kept = round(400 * edge["containment"])
    pieced = [*text[:kept], *words(400 - kept, seed=9)]
    edge = only_edge(article(1, text), article(2, pieced))
    assert edge["relation"] is None


@pytest.mark.parametrize(
    ("share", "relation"), [(0.6, "near_copy"), (0.2, "partial_reprint")]
)
def test_a_cut_text_is_a_copy_and_a_short_piece_a_reprint(share, relation):
    text = words(400)
    edge = only_edge(article(1, text), article(2, text[: int(share * 400)]))
    assert (edge["article_key"], edge["matched_key"]) == (2, 1)
    assert edge["relation"] == relation
    assert edge["containment"] == 1


def test_a_brief_inside_a_long_text_is_a_partial_reprint():
    brief = words(80, seed=3)
    edge = only_edge(
        article(1, [*words(300), *brief, *words(300, seed=4)]), article(2, brief)
    )
    assert edge["relation"] == "partial_reprint"


def test_a_few_words_in_common_are_no_reprint():
    brief = words(20, seed=3)
    edge = only_edge(article(1, [*words(300), *brief]), article(2, brief))
    assert edge["relation"] is None
    assert edge["rule"].startswith("18 three-word runs < 23")


def test_texts_with_little_in_common_have_no_edge():
    assert compare(article(1, words(100)), article(2, words(100, seed=1))) == []


def test_near_misses_are_kept_without_a_relation():
    text = words(300)
    edge = only_edge(article(1, text), article(2, [*text[:180], *words(120, seed=5)]))
    assert edge["relation"] is None
    assert edge["rule"] == "containment 0.60 < 0.70"


@pytest.mark.parametrize(
    ("days", "share", "relation"),
    [(7, 0.05, "near_copy"), (8, 0.05, None), (30, 0, "exact_copy"), (31, 0, None)],
)
def test_copies_are_of_one_time(days, share, relation):
    text = words(300)
    edge = only_edge(
        article(1, text, published=0), article(2, edited(text, share), published=days * DAY)
    )
    assert edge["relation"] == relation
    assert relation or edge["rule"].startswith(f"{days}.0 days apart")


def test_an_article_without_a_date_fits_every_time():
    text = words(300)
    edge = only_edge(article(1, text, published=0), article(2, edited(text, 0.05)))
    assert edge["relation"] == "near_copy"


def test_a_page_under_two_titles_it_does_not_hold_is_furniture():
    page = words(60)
    first = article(1, page, title="Harbour bridge closes")
    second = article(2, page, title="Mayor opens library")
    edge = only_edge(first, second)
    assert edge["relation"] is None
    assert edge["rule"].startswith("neither title is that of the text")
    # Unless one of the titles is its own, or both say the same, or one says nothing.
    for title in (
        "Mayor of " + " ".join(page[:3]),
        "Harbour bridge closed",
        "Library",
        None,
    ):
        assert only_edge(first, second | {"title": title})["relation"] == "exact_copy"


def test_a_text_without_a_word_of_its_title_is_copied_under_the_same_title_alone():
    first = article(1, words(60), title="Harbour bridge closes") | {"alien": True}
    for title, relation in (
        ("Harbour bridge closes", "exact_copy"),
        ("Harbour bridge closes again tomorrow", None),
        ("Bridge of " + " ".join(words(60)[:3]), None),
    ):
        edge = only_edge(first, article(2, words(60), title=title))
        assert edge["relation"] == relation


def test_a_word_of_the_title_is_found_in_another_form():
    page = [*words(60), "preshooting", "the", "shootings", "bridges", "harbours"]
    first = article(1, page, title="Shooting on harbour bridge")
    assert only_edge(first, first | {"article_key": 2})["relation"] == "exact_copy"


def notice(number):
    dice = random.Random(number)
    town, name = dice.choice(TOWNS), dice.choice(NAMES)
    age, block, hour = dice.randint(18, 80), dice.randint(1, 99), dice.randint(1, 11)
    return (
        f"Police in {town} ask for help after a man of {age} was hurt in a robbery in the "
        f"{block}00 block of {name} Street on {dice.choice(['Monday', 'Friday'])} night. "
        f"Officers were called at about {hour}:{dice.randint(10, 59)} p.m. and found the "
        "victim, who was taken to hospital and is expected to live. Nobody has been "
        "arrested and the investigation goes on. Whoever knows something is asked to call "
        f"555-{dice.randint(1000, 9999)}. Callers need not give a name and may be given "
        "a reward if what they say leads to an arrest. The office is open all night."
    )


def test_notices_of_one_template_are_no_copies():
    edges = compare(*(article(number, notice(number)) for number in range(1, 31)))
    assert len(edges) > 300
    assert {edge["relation"] for edge in edges} == {None}
    assert any(edge["rule"].startswith("notices of one template") for edge in edges)


def test_lists_of_drawn_numbers_are_no_copies():
    def drawn(number):
        numbers = ", ".join(map(str, random.Random(number).sample(range(1, 60), 6)))
        text = "The numbers drawn on Friday evening in the lottery of the state were"
        return f"{text} {numbers}. " + " ".join(words(60))

    edges = compare(*(article(number, drawn(number)) for number in range(1, 16)))
    assert edges
    assert {edge["relation"] for edge in edges} == {None}


def test_a_notice_with_one_fact_corrected_is_a_copy():
    corrected = notice(1).replace("all night", "until 9")
    edge = only_edge(article(1, notice(1)), article(2, corrected.replace("555", "556")))
    assert edge["relation"] == "near_copy"


def test_a_list_of_figures_of_which_another_site_edits_a_few_is_a_copy():
    dice = random.Random(0)
    entries = [f"{dice.choice(NAMES)} {dice.randint(20, 900)}" for _ in range(40)]
    own = "; ".join(entries)
    changed = list(entries)
    for place in (5, 15, 25, 35):
        changed[place] = f"Someone {place}"
    first = article(1, own, source="a.example")
    edge = only_edge(first, article(2, "; ".join(changed), source="b.example"))
    assert edge["relation"] == "near_copy"
    # Its own source prints the same list again with what is new.
    edge = only_edge(first, article(2, "; ".join(changed), source="a.example"))
    assert edge["relation"] is None
    assert edge["rule"].startswith("notices of one template with 4 other facts")


def test_a_source_that_reuses_its_own_text_writes_a_follow_up():
    text = words(200)
    longer = [*edited(text, 0.03), *words(400, seed=8)]
    first = article(1, text, source="a.example", published=0)
    later = article(2, longer, source="a.example", published=DAY)
    edge = only_edge(first, later)
    assert edge["relation"] is None
    assert edge["rule"].startswith("reused by its source 1.0 days later")
    reprint = "partial_reprint"
    assert only_edge(first, later | {"published": 0})["relation"] == reprint
    assert only_edge(first, later | {"source": "b.example"})["relation"] == reprint
    assert (
        only_edge(first | {"source": None}, later | {"source": None})["relation"] == reprint
    )
    # A portal shows texts of many: what it credits to two of them is not its own.
    credited = later | {"credited_source": "Beacon"}
    assert only_edge(first | {"credited_source": "Herald"}, credited)["relation"] == reprint


@given(st.randoms())
def test_order_of_articles_and_pairs_changes_nothing(shuffler):
    texts = [words(80), edited(words(80), 0.04), words(80)[:40], words(90, seed=2)]
    articles = [article(key, text) for key, text in enumerate(texts)]
    expected = compare(*articles)
    pairs = list(itertools.combinations(range(4), 2))
    shuffler.shuffle(articles)
    shuffler.shuffle(pairs)
    assert compare(*articles, pairs=pairs) == expected


def test_members_are_compared_with_the_medoid_of_their_group():
    text = words(200)
    texts = [text, text[:150], text[40:], text[20:180], text[10:]]
    articles = [article(key, own) for key, own in enumerate(texts)]
    chain = [(0, 1), (0, 2), (0, 3), (3, 4)]
    found = {
        (edge["article_key"], edge["matched_key"])
        for edge in compare(*articles, pairs=chain)
    }
    assert {tuple(sorted(pair)) for pair in found} == {*chain, (0, 4)}
    plain = compare(*articles, pairs=chain, link_medoids=False)
    assert len(plain) == len(chain)


def test_thresholds_decide():
    text = words(300)
    pair = article(1, text), article(2, [*text[:180], *words(120, seed=5)])
    lower = CopyThresholds(min_containment=0.55)
    assert only_edge(*pair, thresholds=lower)["relation"] == "near_copy"


def test_scripts_without_spaces_have_copies_too():
    dice = random.Random(0)
    text = "".join(chr(dice.randint(0x4E00, 0x5E00)) for _ in range(200))
    edge = only_edge(article(1, text), article(2, text[:150] + "。"))
    assert edge["relation"] == "near_copy"


def test_both_articles_of_a_pair_must_be_given():
    with pytest.raises(ValueError, match="got 1 keys without an article, the first 7"):
        compare(article(1, "a"), pairs=[(1, 7)])


def test_an_article_must_be_given_once():
    with pytest.raises(ValueError, match="got 2 of which 1 are distinct"):
        compare(article(1, "a"), article(1, "a"))
