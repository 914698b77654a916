"""Credits: origins that a page names, and names that it merely mentions."""

import pytest

from transforms.credits import credited_source, known_name, names_only
from transforms.furniture import line_reason

BODY = ["A bridge fell on Sunday in the valley.", "Nobody was hurt, the mayor said."]


def credit(*lines: str) -> str | None:
    return credited_source(lines, [line_reason(line) for line in lines])


@pytest.mark.parametrize(
    ("lines", "name"),
    [
        (["ISTANBUL, May 16 (Reuters) - A bridge fell.", *BODY], "Reuters"),
        (["ST. LOUIS (KMOX/AP) — A bridge fell.", *BODY], "Associated Press"),
        (["(CNN) — A bridge fell.", *BODY], "CNN"),
        (["Reuters - A bridge fell.", *BODY], "Reuters"),
        (["By The Associated Press", *BODY], "Associated Press"),
        (["By JANE DOEAssociated Press", *BODY], "Associated Press"),
        (["The Associated Press", *BODY], "Associated Press"),
        ([*BODY, "The river fell again. — AFP"], "AFP"),
        ([*BODY, "Source: Xinhua"], "Xinhua"),
        ([*BODY, "Quelle: dpa"], "dpa"),
        ([*BODY, "via AFP"], "AFP"),
        ([*BODY, "Origin:", "publisher logo", "Valley News", "Loading..."], "Valley News"),
        ([*BODY, "Origin: Valley News"], "Valley News"),
        (
            [*BODY, "This article was based on materials published by The Valley Post."],
            "The Valley Post",
        ),
        ([*BODY, "This story was originally published by Grist on May 4."], "Grist"),
        (
            [*BODY, "Copyright 2021 The Associated Press. All rights reserved."],
            "Associated Press",
        ),
        ([*BODY, "(Reporting by Jane Doe; Editing by John Roe)"], "Reuters"),
    ],
)
def test_an_origin_is_read_under_one_name(lines, name):
    assert credit(*lines) == name


@pytest.mark.parametrize(
    "line",
    [
        "A source told Reuters that the bridge was closed.",
        "The mayor, speaking to The Washington Post, denied it.",
        "Rescuers at the bridge. (Photo: Jane Doe/AP)",
        "The Associated Press contributed to this report.",
        "Copyright 2021 Valley Herald. All rights reserved.",
    ],
)
def test_a_mention_is_no_credit(line):
    assert credit(BODY[0], line, BODY[1]) is None


def test_an_agency_is_known_however_it_is_written():
    assert known_name("AP") == known_name("the associated press") == "Associated Press"
    assert known_name("Jane Doe") is None
    assert names_only("AFP")
    assert not names_only("AFP reported")
