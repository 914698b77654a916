"""Credits: origins that a page names, and names that it merely mentions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.credits import credited_source, dateline_name, known_name, names_only
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
        (
            ["PARIS (Reuters) -", *BODY, "(Reporting by J. Doe; Editing by J. Roe)"],
            "Reuters",
        ),
        ([*BODY, "reuters.com/a", "(Reporting by J. Doe; Editing by J. Roe)"], "Reuters"),
        (["PORTO, May 17 (Valley Wire) - A bridge fell.", *BODY], "Valley Wire"),
        (["PORTO (Valley Wire) — A bridge fell.", *BODY], "Valley Wire"),
        (["来源：岚江日报", *BODY], "岚江日报"),
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
        "(Reporting by Jane Doe; Editing by John Roe)",
        "PORTO (27) - The bridge fell.",
        "The mayor (a Valley man) - he has cows - denied it.",
        "SPRINGFIELD (Ill.) - A bridge fell.",
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


def test_a_line_that_datelines_name_is_a_credit():
    lines = ["Valley Wire", *BODY]
    assert credited_source(lines, [None] * len(lines)) is None
    found = credited_source(lines, [None] * len(lines), agencies={"Valley Wire"})
    assert found == "Valley Wire"


def test_a_site_that_names_itself_names_no_origin():
    lines = [*BODY, "First published in the Pilot, steering since 1926"]
    reasons = [None] * len(BODY) + ["credit"]
    assert credited_source(lines, reasons) == "the Pilot"
    assert credited_source(lines, reasons, source="deccanpilot.example") is None
    assert credited_source(lines, reasons, source="valleypost.example") == "the Pilot"


def test_a_signature_credits_reuters_where_the_page_names_it():
    signature = "(Reporting by Jane Doe; Editing by John Roe)"
    told = [*BODY, "A source told Reuters so.", signature]
    reasons = [None] * (len(told) - 1) + ["credit"]
    assert credited_source(told, reasons) == "Reuters"
    assert credited_source(told[:-1], reasons[:-1]) is None


@given(st.text())
def test_any_text_has_a_dateline_name_or_none(text):
    name = dateline_name(text)
    assert name is None or name.strip()
