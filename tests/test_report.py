"""The report as it is written: what it holds, what it leaves out, and that it is safe."""

import base64
import gzip
import hashlib
import json
import re
from html.parser import HTMLParser

import pytest

import made_run
from pipeline.cli import main
from pipeline.report import _FOLDER, _SCRIPTS, report_data, report_page, script_json
from pipeline.show import read_table

EVIL = "<script>alert(1)</script> & <b>bold</b>"
BREAKOUT = "Before </script><script>alert(2)</script><!-- after \u2028 \u2029 ]]>"


class Page(HTMLParser):
    """The tags of a page with their attributes, and the text of its scripts."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.tags, self.scripts = [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag == "script":
            self.scripts.append((dict(attributes), ""))

    def handle_data(self, data):
        if self.tags and self.tags[-1][0] == "script" and data.strip():
            attributes, text = self.scripts[-1]
            self.scripts[-1] = (attributes, text + data)


def unpacked(part):
    return json.loads(gzip.decompress(base64.b64decode(part)))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A run with a copy, other people's markup, other scripts, a wipe-out and rejects."""
    article = made_run.article
    rows = [
        article("a", 400, text="😀 The mill burnt down. Nobody was hurt.", url="http://a"),
        article(
            "b",
            520,
            story_id="a",
            source="copier.example",
            relation="near_copy",
            matched_article_id="a",
            jaccard=0.5,
            containment=0.996,
            text="Fire! 😀 The mill burnt down.",
        ),
        article("x", 90, title=EVIL, text=BREAKOUT, url="javascript:alert(3)"),
        article("z", title="停运十一年", text="索道", source=None, language="zh"),
        article("w", 30, source="wiped.example", word_count=3, removed_word_count=90),
        article("l", 31, text="long " * 5000, source="<i>&amp;.example"),
    ]
    passage = {"start": 2, "end": 22, "matched_start": 8, "matched_end": 28}
    return made_run.write_run(
        str(tmp_path_factory.mktemp("made")),
        rows,
        matches=[
            {
                "article_id": "a",
                "matched_article_id": "b",
                "question": "copy",
                "accepted": True,
                "rule": "containment 0.99 >= 0.70",
                "containment": 0.996,
                "passages": [passage],
            }
        ],
        boilerplate=[
            {
                "source": "tarn.example",
                "reason": "ui",
                "line": f"Log in {number}",
                "article_count": 100 - number,
                "removed_word_count": 2,
                "example_article_id": "a",
            }
            for number in range(60)
        ],
        rejects=[
            {"file": "f.jsonl", "position": n, "reason": "no_text", "detail": BREAKOUT}
            for n in range(7)
        ],
    )


@pytest.fixture(scope="module")
def page(made):
    return report_page(made)


def test_what_articles_say_is_never_markup(page):
    found = Page(page)
    template = Page((_FOLDER / "page.html").read_text("utf-8"))
    ours = [tag for tag, _ in template.tags if tag not in ("script", "style")]
    assert [tag for tag, _ in found.tags if tag not in ("script", "style")] == ours
    # The data, its packed parts, Vega, and the scripts of the page.
    assert len(found.scripts) == 1 + 3 + 1 + len(_SCRIPTS)


def test_json_holds_no_character_that_ends_a_script():
    written = str(script_json({"title": EVIL, "text": BREAKOUT, "中": "中 عربي"}))
    assert not set(written) & set("<>&\u2028\u2029")
    assert json.loads(written) == {"title": EVIL, "text": BREAKOUT, "中": "中 عربي"}


def test_no_script_runs_but_those_that_were_written_here(page):
    found = Page(page)
    (policy,) = [
        attributes["content"]
        for tag, attributes in found.tags
        if tag == "meta" and attributes.get("http-equiv") == "Content-Security-Policy"
    ]
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe-eval" not in policy
    runs = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    hashes = [
        base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in runs
    ]
    assert re.findall(r"'sha256-([^']+)'", policy) == hashes


def test_nothing_is_loaded_from_elsewhere(page):
    for tag, attributes in Page(page).tags:
        assert "src" not in attributes
        assert not [name for name in attributes if name.startswith("on")]
        if tag == "link":
            assert attributes["href"] == "data:,"
        elif "href" in attributes:
            assert attributes["href"].startswith("#")
    style = (_FOLDER / "page.css").read_text("utf-8")
    assert not re.search(r"url\(|@import", style)


def test_the_columns_are_those_of_the_tables(made):
    _, parts = report_data(made)
    tables = unpacked(parts["tables"])
    columns, sources = tables["articles"], tables["sources"]
    by_id = {row["article_id"]: row for row in read_table(made, "articles").to_pylist()}
    assert sorted(columns["id"]) == sorted(by_id)
    for place, article_id in enumerate(columns["id"]):
        row = by_id[article_id]
        assert columns["title"][place] == row["title"]
        assert columns["words"][place] == row["word_count"]
        assert columns["removed"][place] == row["removed_word_count"]
        source = columns["source"][place]
        assert (sources[source] if source >= 0 else None) == row["source"]
        minute = columns["minute"][place]
        published = row["published_at"]
        assert minute == (published and published.timestamp() / 60)
    copy = columns["id"].index("b")
    assert columns["id"][columns["matched"][copy]] == "a"
    assert (columns["jaccard"][copy], columns["containment"][copy]) == (50, 100)
    stories = read_table(made, "stories").to_pylist()
    counts = {row["story_id"]: row["article_count"] for row in stories}
    ordered = tables["stories"]
    assert dict(zip(ordered["id"], ordered["articles"], strict=True)) == counts
    assert ordered["articles"] == sorted(counts.values(), reverse=True)
    # The articles of a story follow one another, its canonical one first.
    assert columns["id"][:2] == ["a", "b"]


def test_passages_are_counted_as_a_browser_counts(made):
    _, parts = report_data(made)
    story = unpacked(parts["part-0"])["0"]
    (flat,) = story["matches"]["passages"]
    texts = [text.encode("utf-16-le") for text in story["texts"]]
    for text, start, end in ((texts[0], *flat[:2]), (texts[1], *flat[2:])):
        assert text[2 * start : 2 * end].decode("utf-16-le") == "The mill burnt down."


def test_a_long_text_is_cut_and_that_is_said(made):
    data, parts = report_data(made)
    tables = unpacked(parts["tables"])
    story = tables["stories"]["id"].index("l")
    entry = unpacked(parts["part-0"])[str(story)]
    assert [len(text) for text in entry["texts"]] == [20_000]
    assert entry["lengths"] == [25_000]
    assert (data["held"]["texts"], data["held"]["cut"]) == (6, 1)


def test_where_the_page_is_full_texts_are_left_out_and_evidence_is_not(made):
    data, parts = report_data(made, characters=0)
    assert data["held"]["texts"] == 0
    assert data["held"]["comparisons"] == 1
    entry = unpacked(parts["part-0"])
    assert list(entry) == ["0"]
    assert list(entry["0"]) == ["matches"]
    assert unpacked(parts["tables"])["stories"]["part"] == [0, -1, -1, -1, -1]


def test_the_commonest_removed_lines_of_a_source_are_held(made):
    _, parts = report_data(made)
    removed = unpacked(parts["removed"])
    sources = unpacked(parts["tables"])["sources"]
    assert len(removed) == len(sources) + 1
    lines, more = removed[sources.index("tarn.example")]
    assert [line[1] for line in lines] == [f"Log in {number}" for number in range(40)]
    assert more == 20


def test_the_same_tables_give_the_same_page(made, page):
    assert report_page(made) == page


def test_a_run_without_articles_has_a_page(tmp_path):
    out = made_run.write_run(str(tmp_path / "empty"), [])
    data, parts = report_data(out)
    assert data["counts"]["articles"] == 0
    assert list(parts) == ["tables", "removed"]


def test_the_command_writes_the_page_and_replaces_an_earlier_one(
    made, page, tmp_path, capsys
):
    path = tmp_path / "report.html"
    path.write_text("earlier")
    assert main(["report", made, "--html", str(path)]) == 0
    assert path.read_text("utf-8") == page
    assert [entry.name for entry in tmp_path.iterdir()] == ["report.html"]
    assert capsys.readouterr().out == f"{path}: 1.0 MB, open it in a browser\n"


@pytest.mark.parametrize(
    ("output", "page", "sentence"),
    [
        ("nowhere", "report.html", "holds no finished run"),
        ("made", "nowhere/report.html", "the page must go to a folder that is there, got"),
        ("made", None, "Missing option '--html'"),
    ],
)
def test_a_wrong_command_is_one_sentence(output, page, sentence, made, tmp_path, capsys):
    folder = made if output == "made" else str(tmp_path / output)
    flags = ["--html", str(tmp_path / page)] if page else []
    assert main(["report", folder, *flags]) == 2
    error = capsys.readouterr().err
    assert sentence in error
    assert len(error.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_thirty_thousand_articles_are_under_15_megabytes(large_page):
    assert large_page.stat().st_size < 15e6
    data = json.loads(Page(large_page.read_text("utf-8")).scripts[0][1])
    assert data["counts"]["articles"] == 30_000
    # Not all texts, but thousands.
    assert 3_000 < data["held"]["texts"] < 30_000


THEME = re.compile(r"--([\w]+): (#[0-9a-f]{6});")


def contrast(one, other):
    def luminance(colour):
        channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [
            c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels
        ]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", [0, 1, 2], ids=["light", "dark by system", "dark chosen"])
def test_every_text_colour_has_the_contrast_of_wcag_aa(theme):
    style = (_FOLDER / "page.css").read_text("utf-8")
    blocks = [dict(THEME.findall(block)) for block in re.findall(r"\{([^{}]*)\}", style)]
    themes = [block for block in blocks if "paper" in block]
    assert len(themes) == 3
    assert themes[1] == themes[2]
    colours = themes[theme]
    relations = {"canonical", "exact_copy", "near_copy", "partial_reprint"} | {
        *("wire_rewrite", "same_story", "follow_up")
    }
    for name in {"ink", "quiet", "link", "alarm"} | relations:
        assert contrast(colours[name], colours["paper"]) >= 4.5, name
    for text, ground in [
        *(("ink", ground) for ground in ("wash", "mark", "mark_now", "heat", "alarm_wash")),
        *(("quiet", "wash"), ("alarm", "alarm_wash"), ("link", "alarm_wash")),
        *(("follow_up", "wash"), ("alarm", "wash"), ("paper", "ink"), ("paper", "alarm")),
    ]:
        assert contrast(colours[text], colours[ground]) >= 4.5, (text, ground)
