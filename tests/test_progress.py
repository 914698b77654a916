"""How far a run is: a line for every stage where there is no terminal."""

import re

import pyarrow as pa

from pipeline.progress import CountArticles, shown


def batch(rows):
    return pa.RecordBatch.from_pydict({"n": list(range(rows))})


def test_every_stage_is_a_line_with_articles_and_rate(apply, capsys):
    with shown(quiet=False):
        apply(CountArticles("read"), [batch(3), batch(4)])
        apply(CountArticles("strip furniture"), [batch(5)])
    lines = capsys.readouterr().err.splitlines()
    assert [re.sub(r"[\d,]+/s", "N/s", line) for line in lines] == [
        "read: 7 articles, N/s",
        "strip furniture: 5 articles, N/s",
    ]


def test_a_quiet_run_writes_nothing(apply, capsys):
    with shown(quiet=True):
        apply(CountArticles("read"), [batch(3)])
    assert capsys.readouterr().err == ""


def test_batches_pass_unchanged(apply):
    assert apply(CountArticles("read"), [batch(3)]) == [batch(3)]
