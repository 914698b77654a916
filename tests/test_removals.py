"""Removals: what went is counted by source, and the counts add up."""

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from schemas.article import REMOVED
from schemas.batch import column, concatenate
from schemas.story import BOILERPLATE
from transforms.removals import SummariseBoilerplate, summarise_removed


def removed(rows: list[tuple[int, str | None, str]]) -> pa.RecordBatch:
    """Give removals of (article, source, line)."""
    values = [
        {
            **{"article_key": key, "article_id": f"a{key}", "source": source},
            **{"reason": "ui", "line": line, "word_count": len(line.split())},
        }
        for key, source, line in rows
    ]
    return pa.RecordBatch.from_pylist(values, schema=REMOVED)


def test_lines_that_differ_in_numbers_are_one():
    rows = [(1, "valley", "3 min read"), (2, "valley", "4 min read")]
    rows += [(3, "valley", "4 min read"), (3, "valley", "Log in")]
    summary = summarise_removed(removed(rows), "run")
    assert summary.schema.equals(BOILERPLATE)
    assert summary.to_pylist() == [
        {
            **{"source": "valley", "reason": "ui", "line": "4 min read"},
            **{"article_count": 3, "removed_word_count": 9},
            **{"example_article_id": "a1", "run_id": "run"},
        },
        {
            **{"source": "valley", "reason": "ui", "line": "Log in"},
            **{"article_count": 1, "removed_word_count": 2},
            **{"example_article_id": "a3", "run_id": "run"},
        },
    ]


def test_lines_beyond_the_commonest_are_summed():
    rows = [(key, "valley", f"line {letter}") for key, letter in enumerate("abcde")]
    summary = summarise_removed(removed(rows), "run", lines_per_source=2).to_pylist()
    assert [row["line"] for row in summary] == ["line a", "line b", ""]
    assert summary[-1]["article_count"] == 3
    assert summary[-1]["removed_word_count"] == 6


def test_no_removals_give_no_rows():
    assert summarise_removed(removed([]), "run").num_rows == 0


ROWS = st.lists(
    st.tuples(
        st.integers(0, 5),
        st.sampled_from(["valley", "hills", None]),
        st.sampled_from(["Log in", "3 min read", "5 min read", "Share this page"]),
    )
)


@given(ROWS, st.integers(1, 3))
def test_the_words_add_up(rows, lines_per_source):
    batch = removed(rows)
    summary = summarise_removed(batch, "run", lines_per_source=lines_per_source)
    total = column(summary, "removed_word_count").sum()
    assert total == column(batch, "word_count").sum()


@given(ROWS, st.randoms(use_true_random=False))
def test_the_order_of_removals_does_not_matter(rows, random):
    shuffled = random.sample(rows, len(rows))
    assert summarise_removed(removed(rows), "r").equals(
        summarise_removed(removed(shuffled), "r")
    )


def test_the_transform_agrees_with_the_function(apply):
    rows = [(1, "valley", "Log in"), (2, "hills", "Log in"), (3, None, "Share this")]
    batch = removed(rows)
    batches = apply(SummariseBoilerplate("run"), [batch.slice(0, 1), batch.slice(1)])
    together = concatenate(batches, BOILERPLATE).sort_by([("source", "ascending")])
    assert together.equals(summarise_removed(batch, "run"))
