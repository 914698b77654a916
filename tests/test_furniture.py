"""Furniture: lines that give themselves away, and lines that only look like it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.furniture import (
    REASONS,
    cut_segments,
    has_dateline,
    is_caption,
    line_reason,
)

FURNITURE = {
    "ui": [
        "Log In",
        "Loading...",
        "What's Your Reaction?",
        "publisher logo",
        "Origin:",
        "Image 3 of 9",
        "字号：小 中 大",
        "12 Comments",
        "Leave a Reply Cancel reply",
        "window._q = window._q || []; _q.push({a: 1});",
    ],
    "date": [
        "Published 18 hours ago2 minute read",
        "Updated: 6:20 PM, May 2, 2021",
        "3 min read",
        "2 mai 2021 à 10h42",
        "Mittwoch, 4. März 2020, 18:05 Uhr",
        "2023年5月6日 12:30",
        "Actualizado hace 3 horas",
    ],
    "share": [
        "Follow us on:",
        "Share Tweet Email",
        "Facebook | Twitter | WhatsApp",
        "Teilen",
        "Síguenos en Facebook",
        "— Jane Doe (@janedoe) May 2, 2021",
    ],
    "related": [
        "You may also like...",
        "Also Read | Floods return to the valley",
        "RELATED: Bridge closed for a week",
        "Lesen Sie auch: Hochwasser im Tal",
        "Lire aussi : la crue du siècle",
        "Lee también: Vuelve la lluvia",
        "相关阅读",
        "1:06 Ferry runs aground off the coast",
    ],
    "advert": ["Advertisement", "Publicité", "Anzeige", "Реклама", "إعلان"],
    "prompt": [
        "Sign up for our daily newsletter.",
        "You have 3 free articles left this month.",
        "We use cookies to improve your experience.",
        "Subscribe for unlimited access. Try one month for $1!",
        "Melden Sie sich für unseren Newsletter an.",
        "Suscríbete a nuestro boletín",
    ],
    "rights": [
        "Copyright 2021 The Valley Herald. All rights reserved.",
        "© 2019 Valley Media",
        "Tous droits réservés",
    ],
    "credit": [
        "This article was prepared based on material from The Valley Post.",
        "The original article can be found here: The Valley Herald.",
        "All rights to the original text belong to the Post.",
        "Jane Doe in Paris contributed to this report.",
        "(Reporting by Jane Doe; Editing by John Roe)",
    ],
    "byline": [
        "By Jane Doe",
        "By JANE DOE and JOHN ROE, Associated Press",
        "Von Erika Mustermann",
        "jdoe@valleyherald.example, 555-010-7788",
        "Valley News March 3, 2021, 7:05 PM",
        "岚江日报记者 沈若溪",
    ],
    "caption": [
        "Rescuers at the bridge on Sunday. (Photo: Jane Doe/AP)",
        "Rescuers at the bridge. Jane Doe / Reuters",
        "Photo by Jane Doe",
        "Jane Doe, AFP/Getty Images",
        "In this May 1, 2021 photo, rescuers search the bridge.",
        "Helfer an der Brücke. (Symbolbild)",
    ],
    "weather": ["Mostly cloudy. High 84F. Winds SW at 10 to 20 mph."],
    "menu": [
        "Inicio | Local | Deportes | El tiempo",
        "الرئيسية | محليات | رياضة | الطقس",
        *(
            "Sports",
            "Home News Sports Weather Opinion",
            "Home > News > Floods in the valley",
        ),
        *("首页 > 本地新闻", "Startseite » Politik » Wahl im Tal"),
    ],
    "mark": ["* * *", "https://example.org/story?id=1", "@valleyherald", ""],
}

ARTICLE = [
    "Published accounts differ on what was said in the valley hall.",
    "Follow the money, the old rule says, and the bridge explains itself.",
    "“Sign up for the draft,” the mayor told the crowd.",
    "ST. LOUIS (AP) — Two people were hurt when a bridge fell (photo unavailable).",
    "The agency told Reuters that the bridge would stay closed.",
    "By Monday, the water had reached the second floor.",
    "More than 100 people were hurt",
    "A Fork in the Road",
    "Share prices fell on Monday",
    "Most residents support the new bridge",
    "Search for survivors enters third day",
    "The company said it uses cookies from a bakery in the valley.",
    "Read the letter aloud, he said, and she did.",
    "On March 4 the council met again.",
    "She was 27.",
    "Share this article: PARIS (Reuters) - A bridge fell on Sunday.",
    "“No,” he said.",
    "Background",
    "Im Tal steigt das Wasser seit Montag, sagte der Bürgermeister.",
    "Plus de cent personnes ont été évacuées",
    "El alcalde dijo que el puente seguirá cerrado.",
    "市长周一表示，大桥将继续关闭。",
    "记者周一从市长处获悉，大桥将继续关闭。",
    "Temperature > 30 degrees",
]


@pytest.mark.parametrize(
    ("reason", "line"),
    [(reason, line) for reason, lines in FURNITURE.items() for line in lines],
)
def test_furniture_is_known_by_its_reason(reason, line):
    assert line_reason(line) == reason


@pytest.mark.parametrize("line", ARTICLE)
def test_a_line_of_an_article_stays(line):
    assert line_reason(line) is None


@given(st.text(max_size=300))
def test_any_line_has_a_reason_or_none(line):
    reason = line_reason(line)
    assert reason is None or reason in REASONS


@given(
    st.sampled_from(["Log In", "Loading...", "Also read: floods"]), st.sampled_from("•*|>»")
)
def test_bullets_before_a_line_do_not_hide_it(line, bullet):
    assert line_reason(f"{bullet} {line}") == line_reason(line)


def test_a_long_paragraph_is_never_furniture():
    assert (
        line_reason("Sign up for our newsletter. " + "The river rose again. " * 40) is None
    )


def test_a_dateline_opens_an_article():
    assert has_dateline("KATY, Texas (AP) — A bridge fell.")
    assert not has_dateline("A bridge fell in Katy, Texas.")
    assert line_reason("KATY, Texas (AP) -") is None


def test_a_sentence_about_a_picture_is_no_caption():
    assert not is_caption("The picture shows what the river left of the bridge.")


def test_a_gallery_is_cut_out_of_the_paragraph_it_ran_into():
    line = "The river rose. Photos: The flood Hide Caption 2 of 22 It fell again."
    rest, segments = cut_segments(line)
    assert rest == "The river rose. It fell again."
    assert segments == [("Photos: The flood Hide Caption 2 of 22", "caption")]


def test_a_credit_is_cut_off_the_last_paragraph():
    rest, segments = cut_segments(
        "The river fell. (Reporting by Jane Doe; Editing by John Roe)"
    )
    assert rest == "The river fell."
    assert segments == [("(Reporting by Jane Doe; Editing by John Roe)", "credit")]
