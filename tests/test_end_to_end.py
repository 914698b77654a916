"""The whole batch run on the example articles, against their gold answer."""

import gzip
import json
from collections import defaultdict
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline import batch
from pipeline.agreement import bcubed
from pipeline.config import Config
from pipeline.deduplicate import TABLES
from pipeline.show import read_table
from transforms.minhash import check_comparable
from transforms.parquet import read_manifest

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "examples" / "articles"
WITHOUT_MODEL = Config(embedding="none")


def gold():
    lines = (ROOT / "examples" / "gold.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines]


@pytest.fixture(scope="module")
def output(examples_output):
    return examples_output


@pytest.fixture(scope="module")
def by_gold_id(output):
    """Give the row of every article by its id in the gold answer: a file's is its name."""
    index = read_table(output, "articles").to_pylist()
    found = {row["article_id"]: row for row in index}
    files = ids_of_files()
    return {line["id"]: found[files.get(line["id"], line["id"])] for line in kept(gold())}


def kept(lines):
    return [line for line in lines if not line.get("rejected")]


def ids_of_files():
    """Read the example files that hold one article each, for the ids they are given."""
    import datetime

    from transforms.parsing import parse_articles
    from transforms.reading import MAX_ROW_BYTES, read_files

    files = [
        str(path) for path in sorted(EXAMPLES.iterdir()) if path.suffix in {".txt", ".html"}
    ]
    ids = {}
    for name, rows in read_files(files, {}, batch_size=100, max_row_bytes=MAX_ROW_BYTES):
        if name == "raw":
            latest = datetime.datetime(2030, 1, 1, tzinfo=datetime.UTC)
            articles, _ = parse_articles(rows, latest=latest)
            for row in articles.to_pylist():
                ids[Path(row["file"]).name] = row["article_id"]
    return ids


def test_every_row_read_is_an_article_or_a_reject(output):
    manifest = json.loads(Path(output, "manifest.json").read_text())
    assert manifest["rows_read"] == len(gold())
    assert read_table(output, "articles").num_rows == len(kept(gold()))


def test_rejects_say_why_and_where(output):
    found = {
        (row["reason"], row["position"])
        for row in read_table(output, "rejects").to_pylist()
    }
    expected = {
        (line["rejected"], line["position"]) for line in gold() if line.get("rejected")
    }
    assert found == expected


def test_tables_have_their_schemas(output):
    for name, schema in TABLES.items():
        for path in Path(output, name).glob("*.parquet"):
            assert pq.read_schema(path).equals(schema)
            assert pq.read_schema(path).metadata.items() >= schema.metadata.items()


def test_copy_groups_are_those_of_the_gold_answer(by_gold_id):
    expected, found = defaultdict(set), defaultdict(set)
    for line in kept(gold()):
        row = by_gold_id[line["id"]]
        found[row["duplicate_group_id"]].add(line["id"])
        expected[line["copy_group"] or line["id"]].add(line["id"])
    assert sorted(map(sorted, found.values())) == sorted(map(sorted, expected.values()))


def test_a_sign_in_page_is_nobodys_copy_and_joins_no_story_by_its_text(output, by_gold_id):
    pages = [line["id"] for line in gold() if "sign-in" in line["case"]]
    assert len(pages) == 2
    one, other = (by_gold_id[page] for page in pages)
    assert one["text"] == other["text"]
    assert one["story_id"] != other["story_id"]
    assert one["thin"]
    assert other["thin"]
    matches = read_table(output, "matches").to_pylist()
    copies = [match for match in matches if match["question"] == "copy"]
    assert not [match for match in copies if match["article_id"] in pages]


def test_five_rewrites_of_one_wire_report_are_one_story(by_gold_id):
    rewrites = [
        line["id"] for line in gold() if line.get("story") == story_of("mw-20260514-0077")
    ]
    assert len(rewrites) == 6
    assert len({by_gold_id[name]["story_id"] for name in rewrites}) == 1
    assert len({by_gold_id[name]["duplicate_group_id"] for name in rewrites}) == 6


def story_of(article_id):
    (line,) = [line for line in gold() if line["id"] == article_id]
    return line["story"]


def test_stories_agree_with_the_gold_answer(by_gold_id):
    told = [line for line in kept(gold()) if line["story"]]
    found = bcubed(
        [line["story"] for line in told],
        [by_gold_id[line["id"]]["story_id"] for line in told],
    )
    assert found.precision > 0.9
    assert found.recall > 0.85


def test_notices_of_one_template_are_neither_copies_nor_one_story(by_gold_id):
    families = [("hl-31866", "hl-31941"), ("co-2026-05-12-bills", "co-2026-05-19-bills")]
    families += [("mc-2181", "mc-2204", "mc-2243", "cb-9060"), ("cb-9135", "kzsf-0513-w")]
    for family in families:
        assert len({by_gold_id[name]["story_id"] for name in family}) == len(family)


def test_every_article_is_in_the_story_that_lists_it(output):
    stories = read_table(output, "stories").to_pylist()
    listed = {
        member["article_id"]: (story["story_id"], member["relation"])
        for story in stories
        for member in story["members"]
    }
    articles = read_table(output, "articles").to_pylist()
    assert listed == {
        row["article_id"]: (row["story_id"], row["relation"]) for row in articles
    }
    assert len({story["story_id"] for story in stories}) == len(stories)
    for story in stories:
        relations = [member["relation"] for member in story["members"]]
        assert relations[0] == "canonical"
        assert relations.count("canonical") == 1
        assert story["members"][0]["article_id"] == story["canonical_article_id"]
        assert 1 <= story["independent_count"] <= story["article_count"]


def test_a_story_is_named_after_its_first_article(output):
    first = {}
    for row in read_table(output, "articles").to_pylist():
        key = (row["published_at"] is None, row["published_at"], row["article_id"])
        first[row["story_id"]] = min(first.get(row["story_id"], key), key)
    assert all(key[2] == story_id for story_id, key in first.items())


def test_the_passages_of_a_copy_are_the_same_words_in_both_texts(output):
    texts = {
        row["article_id"]: row["text"] for row in read_table(output, "articles").to_pylist()
    }
    matches = read_table(output, "matches").to_pylist()
    shown = [
        match for match in matches if match["question"] == "copy" and match["accepted"]
    ]
    assert len(shown) >= 10
    for match in shown:
        assert match["passages"]
        left, right = texts[match["article_id"]], texts[match["matched_article_id"]]
        for passage in match["passages"]:
            one = left[passage["start"] : passage["end"]]
            other = right[passage["matched_start"] : passage["matched_end"]]
            assert words(one) == words(other)


def words(text):
    folded = "".join(c if c.isalnum() else " " for c in text.lower().replace("’", "'"))
    return folded.split()


def test_removed_words_are_counted_alike_by_article_and_by_source(output):
    by_article = sum(
        read_table(output, "articles").column("removed_word_count").to_pylist()
    )
    by_line = sum(
        read_table(output, "boilerplate").column("removed_word_count").to_pylist()
    )
    assert by_article == by_line > 2_000


def test_an_article_without_a_plausible_date_is_kept_and_noted(by_gold_id):
    (line,) = [line for line in gold() if "0019" in line["case"]]
    row = by_gold_id[line["id"]]
    assert row["published_at"] is None
    assert row["notes"] == ["implausible_date"]


def test_a_stored_signature_says_how_it_was_made_and_opens_in_datasketch(output):
    import datasketch

    (path,) = Path(output, "index").glob("*.parquet")
    made = pq.read_schema(path).metadata

    index = read_table(output, "index", ["article_id", "signature", "thin"]).to_pylist()
    by_id = {row["article_id"]: row for row in index}
    one, other = (
        datasketch.MinHash(
            seed=int(made[b"minhash.seed"]),
            scheme=made[b"minhash.scheme"].decode(),
            hashvalues=by_id[name]["signature"],
        )
        for name in ("mw-20260513-0102", "nqt-88147")
    )
    assert one.jaccard(other) > 0.4
    check_comparable(made, made)
    with pytest.raises(ValueError, match=r"minhash.seed 1 and 2"):
        check_comparable(made, {**made, b"minhash.seed": b"2"})


@pytest.fixture(scope="module")
def reversed_output(tmp_path_factory):
    """Run on the same rows in the opposite order, in batches of another size."""
    folder = tmp_path_factory.mktemp("reversed")
    (folder / "in").mkdir()
    for path in EXAMPLES.iterdir():
        target = folder / "in" / path.name
        if path.suffix == ".jsonl":
            target.write_bytes(b"\n".join(reversed(path.read_bytes().splitlines())))
        elif path.suffix == ".gz":
            lines = gzip.decompress(path.read_bytes()).splitlines()
            target.write_bytes(gzip.compress(b"\n".join(reversed(lines))))
        elif path.suffix == ".parquet":
            table = pq.read_table(path)
            pq.write_table(table.take(pa.array(range(table.num_rows))[::-1]), target)
        else:
            target.write_bytes(path.read_bytes())
    output = str(folder / "out")
    batch.run(
        [f"{folder}/in/*.{kind}" for kind in ("txt", "zst", "parquet", "jsonl*", "html")],
        output,
        WITHOUT_MODEL,
        fields={},
        run_id="test",
        batch_size=7,
    )
    return output


@pytest.mark.parametrize("table", [name for name in TABLES if name != "rejects"])
def test_the_order_of_the_input_does_not_change_a_row(table, output, reversed_output):
    assert read_table(reversed_output, table).equals(read_table(output, table))


def test_an_earlier_run_is_replaced_only_when_told(output, tmp_path):
    source = tmp_path / "in.jsonl"
    source.write_text(
        '{"id": "a", "title": "Dam breaks", "text": "The dam broke at noon."}\n'
    )
    folder = str(tmp_path / "out")
    for overwrite in (False, True):
        batch.run([str(source)], folder, WITHOUT_MODEL, fields={}, overwrite=overwrite)
    with pytest.raises(ValueError, match="--overwrite replaces it"):
        batch.run([str(source)], folder, WITHOUT_MODEL, fields={})
    assert read_table(folder, "articles").num_rows == 1


def test_a_field_of_another_name_is_found_and_nobody_is_warned(tmp_path, caplog):
    source = tmp_path / "in.jsonl"
    source.write_text(
        '{"key": "a", "headline": "Dam breaks", "body": "It broke at noon."}\n'
    )
    fields = {"id": "key", "title": "headline", "text": "body"}
    batch.run([str(source)], str(tmp_path / "out"), WITHOUT_MODEL, fields=fields)
    (row,) = read_table(str(tmp_path / "out"), "articles").to_pylist()
    assert (row["article_id"], row["title"]) == ("a", "Dam breaks")
    assert [record.getMessage() for record in caplog.records] == []


def test_input_without_a_single_article_gives_empty_tables(tmp_path):
    source = tmp_path / "in.jsonl"
    source.write_text("not json\n")
    batch.run([str(source)], str(tmp_path / "out"), WITHOUT_MODEL, fields={})
    assert read_table(str(tmp_path / "out"), "articles").num_rows == 0
    assert read_table(str(tmp_path / "out"), "rejects").num_rows == 1


SLOGAN = "You are reading the free valley edition of this paper"


def valley_reports(folder, numbers):
    """Write reports of one site, each with other words, all with its slogan."""
    names = ("ferry", "orchard", "windmill", "railway", "library", "harbour", "museum")
    rows = [
        {
            "id": f"v{number}",
            "source": "valley.example",
            "published_at": f"2026-05-{number + 1:02}T08:00:00Z",
            "title": f"The {names[number]} of Larra opens again",
            "text": SLOGAN
            + "\n"
            + " ".join(
                f"The {names[number]} has a {names[number]}{word} since {1900 + word}."
                for word in range(12)
            ),
        }
        for number in numbers
    ]
    folder.mkdir()
    (folder / "in.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return [str(folder / "in.jsonl")]


def test_furniture_that_an_earlier_run_learnt_is_known_from_the_first_article(tmp_path):
    earlier, alone, after = (str(tmp_path / name) for name in ("earlier", "alone", "after"))
    copies = Config(stories=False)
    batch.run(valley_reports(tmp_path / "many", range(6)), earlier, copies, fields={})
    first = valley_reports(tmp_path / "one", [6])
    batch.run(first, alone, copies, fields={})
    known = Config(stories=False, known_furniture=earlier)
    batch.run(first, after, known, fields={})
    texts = [
        read_table(folder, "articles").column("text").to_pylist()[0]
        for folder in (alone, after)
    ]
    assert texts[0] == f"{SLOGAN}\n{texts[1]}"
    (row,) = read_table(after, "boilerplate").to_pylist()
    assert (row["line"], row["reason"]) == (SLOGAN, "recurs")
    with pytest.raises(ValueError, match="holds no finished run"):
        batch.run(
            first,
            str(tmp_path / "none"),
            Config(known_furniture=str(tmp_path / "one")),
            fields={},
        )


@pytest.mark.model
def test_when_asked_to_the_real_model_embeds_one_article_of_each_copy_group(tmp_path):
    output = str(tmp_path / "out")
    config = Config(embedding="all")
    batch.run([f"{EXAMPLES}/*"], output, config, fields={}, run_id="test")
    vectors = read_table(output, "index", ["vector"]).column("vector")
    articles = read_table(output, "articles").to_pylist()
    groups = {row["duplicate_group_id"] for row in articles}
    assert len(vectors) - vectors.null_count == len(groups)
    assert "wire_rewrite" in {row["relation"] for row in articles}


@pytest.mark.model
def test_by_default_the_real_model_embeds_what_is_undecided_and_nothing_else(
    default_output,
):
    output = default_output
    manifest = read_manifest(output)
    index = read_table(output, "index", ["article_id", "vector"]).to_pylist()
    embedded = {row["article_id"] for row in index if row["vector"] is not None}
    articles = read_table(output, "articles").to_pylist()
    groups = {row["duplicate_group_id"] for row in articles}
    assert manifest["statistics"]["embedded_articles"] == len(embedded)
    assert 0 < len(embedded) < len(groups)
    # Between two articles of one copy group nothing is undecided.
    group = {row["article_id"]: row["duplicate_group_id"] for row in articles}
    assert len({group[name] for name in embedded}) == len(embedded)
    cosines = {row["article_id"] for row in articles if row["cosine"] is not None}
    assert cosines & embedded
