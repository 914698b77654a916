"""The report in a real browser: Debian's Chromium, driven by Playwright's core library.

Where no Chromium is installed (`apt-get install chromium`), these are skipped.
"""

import json
import re
import shutil

import pytest

import made_run
from pipeline.report import write_report

playwright = pytest.importorskip("playwright.sync_api")
expect = playwright.expect

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="no Chromium here: apt-get install chromium"
)

ARABIC = "اندلع حريق في المطحنة القديمة على ضفاف النهر مساء الاثنين."
EVIL = "<script>alert(1)</script> & <b>bold</b>"
VIEWS = (
    "#/",
    "#/stories",
    "#/sources",
    "#/story/mill",
    "#/source/tarn.example",
    "#/story/no",
)


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """The report of a small run, as an address of a file."""
    article = made_run.article
    text = "😀 The mill burnt down on Monday. Nobody was hurt.\nIt will not be built again."
    rows = [
        article(
            "mill",
            600,
            title="Mill burns down",
            text=text,
            url="https://tarn.example/1",
            keywords=["Tarn", "fire"],
            removed_word_count=3,
        ),
        article(
            "copy",
            700,
            story_id="mill",
            relation="near_copy",
            matched_article_id="mill",
            source="copier.example",
            title="Fire takes the mill",
            text=f"TARN: {text}",
            url="javascript:alert(3)",
            jaccard=0.9,
            containment=0.97,
        ),
        article(
            "later",
            3000,
            story_id="mill",
            relation="follow_up",
            matched_article_id="mill",
            source="fjord.example",
            title="Mill's owner speaks",
        ),
        article("arabic", 900, title="حريق في المطحنة", text=ARABIC, language="ar"),
        article("evil", 60, title=EVIL, text="Before </script><script>alert(2)</script>"),
        article("wiped", source="wiped.example", word_count=2, removed_word_count=80),
    ]
    start = text.index("The mill")
    passages = [
        {
            "start": start,
            "end": len(text),
            "matched_start": start + 6,
            "matched_end": len(text) + 6,
        }
    ]
    folder = tmp_path_factory.mktemp("browsed")
    made_run.write_run(
        str(folder / "out"),
        rows,
        matches=[
            {
                "article_id": "mill",
                "matched_article_id": "copy",
                "question": "copy",
                "accepted": True,
                "relation": "near_copy",
                "rule": "containment 0.97 >= 0.70",
                "jaccard": 0.9,
                "containment": 0.97,
                "passages": passages,
            },
            {
                "article_id": "evil",
                "matched_article_id": "mill",
                "question": "story",
                "accepted": False,
                "rule": "other story, story score 0.10",
                "story_score": 0.1,
            },
        ],
        boilerplate=[
            {
                "source": "tarn.example",
                "reason": "ui",
                "line": "Log in to read",
                "article_count": 2,
                "removed_word_count": 8,
                "example_article_id": "mill",
            }
        ],
        rejects=[{"file": "f.jsonl", "position": 9, "reason": "no_text", "detail": EVIL}],
    )
    write_report(str(folder / "out"), folder / "report.html")
    return (folder / "report.html").as_uri()


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as driver:
        # Root runs tests in containers, where Chromium's own sandbox cannot be.
        flags = ["--no-sandbox", "--disable-dev-shm-usage"]
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield browser
        browser.close()


@pytest.fixture
def visit(browser):
    """Give a function that opens an address; it fails a test where a page complains."""
    complaints, requests, contexts = [], [], []

    def open_page(address, *, width=1280, scheme="light"):
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme
        )
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: complaints.append(dialog.message))
        page.on("request", lambda request: requests.append(request.url))
        page.goto(address)
        expect(page.locator("html[data-ready]")).to_be_attached(timeout=60_000)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []
    # The file itself, and nothing else; its icon is empty data.
    assert {url.split("#")[0] for url in requests} <= {
        *(url for url in requests if url.startswith("file:") and "report.html" in url),
        "data:,",
    }


def show(page, address, view):
    """Go to a view of the page that is open."""
    page.goto(address + view)
    expect(page.locator(f"html[data-ready='{view}']")).to_be_attached()


def test_the_first_screen_says_what_was_found_and_draws_it(address, visit):
    page = visit(address)
    tiles = page.locator(".tile")
    assert [text.split("\n")[0] for text in tiles.all_inner_texts()] == (
        ["6", "1", "4", "3", "83"]
    )
    expect(page.locator("h1")).to_have_text("12 May 2026 to 14 May 2026")
    expect(page.locator(".alarm")).to_contain_text("wiped.example")
    # Charts of Vega: articles over time, and who copies whom.
    expect(page.locator(".timeline svg [aria-label*='1 article']").first).to_be_attached()
    cell = page.locator("[aria-label='copier.example copies tarn.example: 1 near copy']")
    expect(cell.first).to_be_attached()
    expect(page.locator(".lane a")).to_have_text(["Mill burns down"])
    expect(page.locator("#rejects + .hint")).to_have_text(
        "1 row could not become an article."
    )
    expect(page.locator("#held")).to_contain_text("2 comparisons and up to 40")
    cell.first.click(force=True)
    expect(page.locator(".status")).to_contain_text("copier.example copies tarn.example")
    expect(page.locator(".story .title")).to_have_text(["Mill burns down"])


def test_stories_are_found_by_words_and_filters(address, visit):
    page = visit(f"{address}#/stories")
    for query, titles in [
        ("q=owner+speaks", ["Mill burns down"]),
        ("q=FJORD", ["Mill burns down"]),
        ("q=المطحنة", ["حريق في المطحنة"]),
        ("q=nosuchword", []),
        ("source=copier", ["Mill burns down"]),
        ("from=2026-05-13", ["Mill burns down"]),
        ("to=2026-05-12&q=script", [EVIL]),
        ("least=2", ["Mill burns down"]),
        ("relation=follow_up", ["Mill burns down"]),
        ("relation=copy&from=2026-05-15", []),
    ]:
        page.goto(f"{address}#/stories?{query}")
        expect(page.locator(".story .title")).to_have_text(titles)


def test_typing_searches_and_the_address_remembers(address, visit):
    page = visit(f"{address}#/stories")
    expect(page.locator(".story")).to_have_count(4)
    page.get_by_label("Words").fill("mill")
    expect(page.locator(".status")).to_have_text("1 story, 3 articles")
    assert page.url.endswith("#/stories?q=mill")
    page.get_by_label("Holds").select_option("near_copy")
    expect(page.locator(".story")).to_have_count(1)
    page.get_by_label("Words").fill("zebra")
    expect(page.locator(".status")).to_contain_text("No story is like that")


def test_a_story_shows_its_articles_and_marks_what_two_texts_share(address, visit):
    page = visit(f"{address}#/stories")
    page.get_by_role("link", name="Mill burns down").click()
    expect(page.locator("h1")).to_have_text("Mill burns down")
    expect(page.locator(".canonical-note")).to_contain_text("Chosen as earliest of 3")
    expect(page.locator("#members ~ * tbody tr")).to_have_count(3)
    expect(
        page.locator("svg [aria-label*='copier.example, near copy']").first
    ).to_be_attached()
    marks = page.locator("mark")
    expect(marks).to_have_count(2)
    for mark in marks.all():
        words = " ".join(mark.inner_text().split()).removeprefix("1 ").removeprefix("1")
        assert words.startswith("The mill burnt down on Monday.")
        assert words.endswith("It will not be built again.")
    expect(page.locator(".verdict")).to_contain_text("containment 0.97 >= 0.70")
    expect(page.locator(".struck del").first).to_have_text("Log in to read")
    expect(page.locator(".text .body").first).to_contain_text("😀 ")
    # A page of a publisher is a link, a script is not.
    links = page.get_by_role("link", name="original").all()
    assert {link.get_attribute("href") for link in links} == {"https://tarn.example/1"}
    page.get_by_role("combobox", name="Right").select_option(
        label="3 fjord.example, 2026-05-14 02:00"
    )
    expect(page.locator(".verdict")).to_contain_text("These two were not compared")
    expect(marks).to_have_count(0)
    assert "b=later" in page.url
    page.get_by_text("Near misses (1)").click()
    page.get_by_role("link", name="alert(1)").click()
    expect(page.locator("h1")).to_have_text(EVIL)


def test_what_articles_say_stays_text(address, visit):
    page = visit(f"{address}#/story/evil")
    expect(page.locator("h1")).to_have_text(EVIL)
    expect(page.locator(".text .body")).to_have_text(
        "Before </script><script>alert(2)</script>"
    )
    assert page.locator("main script, main b").count() == 0


def test_the_keyboard_goes_everywhere(address, visit):
    page = visit(address)
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    for name in ("newsdedup", "Overview", "Stories"):
        page.keyboard.press("Tab")
        expect(page.get_by_role("link", name=name, exact=True)).to_be_focused()
    page.keyboard.press("Enter")
    # A new view begins at its heading.
    expect(page.get_by_role("heading", name="Stories")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_label("Words")).to_be_focused()
    page.keyboard.type("burns")
    expect(page.locator(".status")).to_have_text("1 story, 3 articles")
    page.get_by_role("link", name="Mill burns down").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_be_focused()
    page.get_by_role("button", name="Shared passage 1: go to it in the right text").focus()
    page.keyboard.press("Enter")
    back = page.get_by_role("button", name="Shared passage 1: go to it in the left text")
    expect(back).to_be_focused()


def test_a_screen_reader_is_told_what_everything_is(address, visit):
    page = visit(address)
    named = "[aria-label], [aria-labelledby]"
    for view in VIEWS:
        show(page, address, view)
        for landmark in ("banner", "main", "contentinfo"):
            expect(page.get_by_role(landmark)).to_have_count(1)
        expect(page.get_by_role("heading", level=1)).to_have_count(1)
        assert page.locator(f"section:not({named}), nav:not({named})").count() == 0
        controls = page.locator("main input, main select")
        assert set(controls.evaluate_all("all => all.map((e) => e.labels.length)")) <= {1}
        for table in page.locator("table").all():
            expect(table.locator("caption")).to_have_count(1)
            assert table.locator("thead th:not([scope=col])").count() == 0
            assert table.locator("tbody th:not([scope=row])").count() == 0
        assert page.locator(".chart:not([aria-label])").count() == 0
        ids = page.locator("[id]").evaluate_all("all => all.map((e) => e.id)")
        assert len(ids) == len(set(ids))


def test_a_phone_shows_all_of_it_without_scrolling_sideways(address, visit):
    page = visit(address, width=390)
    for view in VIEWS:
        show(page, address, view)
        for chart in page.locator(".chart").all():
            expect(chart.locator("svg")).to_be_attached()
        assert page.evaluate("document.documentElement.scrollWidth") == 390


def test_light_and_dark_follow_the_system_and_the_button(address, visit):
    def ground(page):
        return page.evaluate("getComputedStyle(document.body).backgroundColor")

    page = visit(address, scheme="dark")
    assert ground(page) == "rgb(23, 22, 20)"
    button = page.get_by_role("button", name="Dark")
    expect(button).to_have_attribute("aria-pressed", "true")
    button.click()
    assert ground(page) == "rgb(255, 255, 255)"
    expect(button).to_have_attribute("aria-pressed", "false")
    # Charts are drawn again in the colours of the page.
    label = page.locator(".matrix svg text", has_text="copier.example").first
    expect(label).to_have_attribute("fill", "#1c1b19")


def test_arabic_runs_from_right_to_left(address, visit):
    page = visit(f"{address}#/story/arabic")
    for place in ("h1", ".text .body"):
        direction = page.locator(place).evaluate("(e) => getComputedStyle(e).direction")
        assert direction == "rtl"


def test_thirty_thousand_articles_open_and_are_searched(large_page, visit):
    page = visit(large_page.as_uri())
    assert page.locator(".tile .value").first.inner_text() == "30,000"
    title = page.locator(".lane a").first.inner_text()
    page.get_by_role("link", name="Stories", exact=True).click()
    expect(page.locator(".story")).to_have_count(40)
    page.get_by_label("Words").fill(title)
    expect(page.locator(".story .title")).to_have_text([title])
    page.locator(".story .title").click()
    expect(page.locator("h1")).to_have_text(title)
    expect(page.locator(".text .body").first).not_to_be_empty()
    (report,) = page.locator("#report").all_text_contents()
    said = page.locator("#held").inner_text()
    texts = json.loads(report)["held"]["texts"]
    assert re.search(rf"The texts of {texts:,} of 30,000 articles are in this file", said)
