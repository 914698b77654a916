import datetime
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import xxhash
from hypothesis import given
from hypothesis import strategies as st

from schemas.article import ARTICLE, REJECT
from schemas.batch import concatenate
from transforms.repeated_ids import (
    INSTANCE,
    SettleRepeatedIds,
    id_parts,
    pack_instances,
    settle_ids,
    settlements,
)
from transforms.spilling import Spilled, read_back

MAY_16 = datetime.datetime(2025, 5, 16, 9, 30, tzinfo=datetime.UTC)


def key(text: str) -> int:
    return xxhash.xxh3_64_intdigest(text.encode())


def article(
    article_id: str, text: str, day: int | None = None, **others: Any
) -> dict[str, Any]:
    published = None if day is None else MAY_16 + datetime.timedelta(days=day)
    return {
        "article_key": key(article_id),
        "article_id": article_id,
        "published_at": published,
        "text": text,
        "language": "en",
        "content_key": key(text),
        "file": "in.jsonl",
        "notes": [],
        **others,
    }


def batch(rows: Sequence[dict[str, Any]]) -> pa.RecordBatch:
    numbered = [{"position": place} | row for place, row in enumerate(rows, 1)]
    return pa.RecordBatch.from_pylist(numbered, schema=ARTICLE)


def settled(*rows: dict[str, Any]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    articles = batch(rows)
    kept, rejects = settle_ids(articles, [settlements(pack_instances(articles))])
    assert kept.schema.equals(ARTICLE)
    assert rejects.schema.equals(REJECT)
    return kept.to_pylist(), rejects.to_pylist()


def test_ids_that_do_not_repeat_are_left_alone() -> None:
    rows = [article("a", "x"), article("b", "x"), article("a#2", "y"), article("a#3", "z")]
    kept, rejects = settled(*rows)
    assert kept == batch(rows).to_pylist()
    assert rejects == []


def test_copy_is_kept_under_a_number_and_noted() -> None:
    kept, rejects = settled(
        article("a", "x", day=1),
        article("a", "x", day=0, notes=["repaired_encoding"]),
        article("a", "x"),
    )
    assert [row["article_id"] for row in kept] == ["a#2", "a", "a#3"]
    assert [row["article_key"] for row in kept] == [key("a#2"), key("a"), key("a#3")]
    assert [row["notes"] for row in kept] == [
        ["repeated_id"],
        ["repaired_encoding"],
        ["repeated_id"],
    ]
    assert rejects == []


def test_other_content_is_rejected_in_favour_of_the_earliest() -> None:
    kept, (later, undated) = settled(
        article("a", "later", day=2),
        article("a", "first", day=0),
        article("a", "undated"),
    )
    assert [row["text"] for row in kept] == ["first"]
    assert (later["reason"], later["article_id"], later["position"]) == (
        "repeated_id",
        "a",
        1,
    )
    assert later["detail"] == undated["detail"]
    assert later["detail"] == (
        "other content has this id: kept the article of 2025-05-16 09:30 UTC, "
        "find it by the id"
    )


def test_without_dates_the_content_that_most_rows_have_keeps_the_id() -> None:
    few, many = sorted(["x", "y"], key=key)
    rows = [article("a", few), *(article("a", many) for _ in range(2))]
    # The same content under another id, or with another number, says nothing of this one.
    rows += [article(other, few) for other in ("b", "b", "b", "a#7")]
    kept, rejects = settled(*rows)
    texts = {row["article_id"]: row["text"] for row in kept}
    assert texts["a"] == texts["a#2"] == many
    assert texts["a#7"] == few
    assert [(row["article_id"], row["position"]) for row in rejects] == [("a", 1)]


def test_the_earliest_keeps_the_id_against_any_number() -> None:
    rows = [article("a", "often", day=1)] * 3 + [article("a", "early", day=0)]
    kept, rejects = settled(*rows)
    assert [row["text"] for row in kept] == ["early"]
    assert len(rejects) == 3


def test_at_one_time_the_content_that_most_rows_have_keeps_the_id() -> None:
    few, many = sorted(["x", "y"], key=key)
    rows = [article("a", few, day=0), article("a", many, day=0), article("a", many)]
    kept, _ = settled(*rows)
    assert {row["text"] for row in kept} == {many}


def test_among_equally_many_the_smallest_content_key_wins() -> None:
    texts = ["x", "y", "z"]
    kept, rejects = settled(*(article("a", text) for text in texts))
    assert [row["text"] for row in kept] == [min(texts, key=key)]
    assert all("kept the article without a date" in row["detail"] for row in rejects)


def test_number_that_the_input_uses_is_not_given_twice() -> None:
    kept, _ = settled(
        article("a", "x"), article("a", "x"), article("a#2", "y"), article("a#2", "y")
    )
    assert sorted(row["article_id"] for row in kept) == ["a", "a#2", "a#3", "a#4"]


def test_number_is_split_off_only_where_it_would_be_written_so() -> None:
    assert id_parts("a#2") == ("a", 2)
    assert id_parts("a#2#3") == ("a#2", 3)
    for whole in ("a", "a#", "a#02", "a#0", "a#x", "#", "a#2 ", "a#9999999999"):
        assert id_parts(whole) == (whole, 0)


def test_rows_that_differ_in_further_fields_alone_are_told_apart() -> None:
    packed = pack_instances(
        batch([article("a", "x") | {"extra": extra} for extra in (None, "{}", "[]", "{}")])
    )
    keys = packed.column("row_key").to_pylist()
    assert len(set(keys)) == 3
    assert keys[1] == keys[3]
    # Whether others have any changes nothing.
    alone = pack_instances(batch([article("a", "x")]))
    assert keys[0] == alone.column("row_key")[0].as_py()


def test_packed_rows_are_stable_across_releases() -> None:
    """Which instance keeps an id hangs on these hashes."""
    (row,) = pack_instances(batch([article("a#2", "x", day=0)])).to_pylist()
    assert row == {
        "base_key": 16629034431890738719,
        "number": 2,
        "published": 1747387800000000,
        "content_key": 16929150178197425425,
        "row_key": 5888852712863115380,
        "instance_key": 3028570297182394965,
    }


ROWS = st.lists(
    st.builds(
        article,
        st.sampled_from(["a", "b", "a#2", "a#3", "b#02"]),
        st.sampled_from(["x", "y"]),
        st.sampled_from([None, 0, 1]),
        url=st.sampled_from([None, "u"]),
    ),
    min_size=1,
    max_size=14,
)


@given(ROWS, st.randoms(use_true_random=False))
def test_result_does_not_depend_on_the_order(
    rows: list[dict[str, Any]], order: random.Random
) -> None:
    kept, rejects = settled(*rows)
    assert len(kept) + len(rejects) == len(rows)
    ids = [row["article_id"] for row in kept]
    assert len(set(ids)) == len(ids)
    assert {row["article_id"] for row in rows} <= set(ids)

    shuffled = order.sample(rows, len(rows))
    kept_again, rejects_again = settled(*shuffled)

    def without_place(found: list[dict[str, Any]]) -> list[str]:
        return sorted(str({**row, "position": 0}) for row in found)

    assert without_place(kept_again) == without_place(kept)
    assert without_place(rejects_again) == without_place(rejects)


def test_no_article_needs_no_settling() -> None:
    assert settlements(concatenate([], INSTANCE)).num_rows == 0


def test_transform_agrees_with_function_across_batches(
    apply: Callable[..., dict[str, list[Any]]], tmp_path: Path
) -> None:
    rows = [article(f"id{number % 40}", f"text{number % 3}") for number in range(120)]
    rows += [article(f"only{number}", "x") for number in range(30)]
    numbered = [{**row, "position": place} for place, row in enumerate(rows, 1)]
    outputs = apply(
        SettleRepeatedIds(str(tmp_path)),
        [batch(numbered[i : i + 50]) for i in (0, 50, 100)],
    )
    kept, rejects = settled(*numbered)
    for name, expected in (("articles", kept), ("rejects", rejects)):
        batches = outputs[name]
        if name == "articles":
            batches = [read_back(Spilled(*waiting)) for waiting in batches]
        found = [row for batch in batches for row in batch.to_pylist()]
        assert sorted(found, key=lambda row: row["position"]) == expected
