"""Output folders made without a run: real Parquet tables of whatever a test needs."""

import datetime
import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa
from apache_beam.io.filesystems import FileSystems

from schemas.article import REJECT
from schemas.match import MATCH
from schemas.story import ARTICLES, BOILERPLATE, STORIES
from transforms.owners import own_staging
from transforms.parquet import commit, staging_folder, write_part

SCHEMAS = {
    "articles": ARTICLES,
    "stories": STORIES,
    "matches": MATCH,
    "boilerplate": BOILERPLATE,
    "rejects": REJECT,
}
DAY = datetime.datetime(2026, 5, 12, tzinfo=datetime.UTC)
_DEFAULTS = {
    pa.bool_(): False,
    pa.int32(): 0,
    pa.int64(): 0,
    pa.string(): "x",
}


def article(article_id: str, minute: int | None = None, **given: Any) -> dict[str, Any]:
    """Give a row of articles/, of a story of its own and with a date if told when."""
    return {
        "story_id": article_id,
        "duplicate_group_id": article_id,
        "relation": "canonical",
        "source": "tarn.example",
        "title": f"Title of {article_id}",
        "text": "The mill burnt down.",
        "language": "en",
        "published_at": None
        if minute is None
        else DAY + datetime.timedelta(minutes=minute),
        "word_count": 4,
        "notes": [],
        **given,
        "article_id": article_id,
    }


def stories_of(articles: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Give the rows of stories/ that articles belong to, their canonical ones first."""
    members: dict[str, list[Mapping[str, Any]]] = {}
    for row in articles:
        members.setdefault(row["story_id"], []).append(row)
    found = []
    for story_id, rows in members.items():
        rows.sort(key=lambda row: row["relation"] != "canonical")
        times = [row["published_at"] for row in rows if row["published_at"]]
        names = sorted({row["source"] for row in rows if row["source"]})
        found.append(
            {
                "story_id": story_id,
                "canonical_article_id": rows[0]["article_id"],
                "canonical_reason": f"earliest of {len(rows)}",
                "title": rows[0]["title"],
                "first_published_at": min(times, default=None),
                "last_published_at": max(times, default=None),
                "article_count": len(rows),
                "source_count": len(names),
                "independent_count": 1,
                "sources": names,
                "languages": ["en"],
                "keywords": rows[0].get("keywords", []),
                "members": [
                    {
                        name: row[name]
                        for name in ("article_id", "source", "published_at", "relation")
                    }
                    for row in rows
                ],
            }
        )
    return found


def write_run(output: str, articles: Sequence[Mapping[str, Any]], **tables: Any) -> str:
    """Write the tables of a run: of these articles, their stories, and what else is given.

    Columns that a row does not give are null, or empty where they must not be.
    """
    rows = {"articles": articles, "stories": stories_of(articles), **tables}
    staging = staging_folder(output)
    own_staging(staging)
    parts = []
    for name, schema in SCHEMAS.items():
        columns = {
            field.name: pa.array(
                [
                    row.get(field.name, None if field.nullable else _default(field.type))
                    for row in rows.get(name, [])
                ],
                field.type,
            )
            for field in schema
        }
        batch = pa.RecordBatch.from_pydict(columns, schema=schema)
        parts.append(write_part(name, 0, [batch], schema, staging=staging))
    commit(
        output,
        staging,
        parts,
        rows_read=sum(part.rows for part in parts if part.table in ("articles", "rejects")),
        schemas=SCHEMAS,
        settings={"run_id": "made", "config": {"min_words": 25}},
    )
    assert FileSystems.exists(FileSystems.join(output, "manifest.json"))
    return output


def _default(kind: pa.DataType) -> Any:
    return [] if pa.types.is_list(kind) else _DEFAULTS[kind]


def many_articles(count: int) -> Iterator[dict[str, Any]]:
    """Give articles as a busy week has them: every third a copy, sentences that differ.

    Half of them stand alone; the others are in stories of two to forty.
    """
    rng = random.Random(7)
    syllables = [a + b for a in "bdfgklmnprstvz" for b in ("a", "e", "i", "o", "an", "er")]
    lexicon = [
        "".join(rng.choices(syllables, k=rng.choice((1, 2, 2, 3)))) for _ in range(9000)
    ]
    sentences = [
        " ".join(rng.choices(lexicon, k=18)).capitalize() + "." for _ in range(6000)
    ]
    made = story = 0
    while made < count:
        size = min(count - made, rng.choice((1, 1, 1, 2, 2, 3, 5, 8, 40)))
        story += 1
        start = rng.randrange(7 * 1440)
        first = f"{rng.getrandbits(128):032x}"
        for number in range(size):
            copied = number and rng.random() < 0.5
            source = f"{lexicon[rng.randrange(600)]}.example"
            yield article(
                first if not number else f"{rng.getrandbits(128):032x}",
                start + number * rng.randrange(1, 90),
                story_id=first,
                relation="canonical"
                if not number
                else ("near_copy" if copied else "same_story"),
                matched_article_id=first if number else None,
                jaccard=0.8 if copied else None,
                containment=0.9 if copied else None,
                story_score=0.7 if number and not copied else None,
                source=source,
                url=f"https://{source}/2026/05/{rng.randrange(10**9)}",
                title=" ".join(rng.choices(lexicon, k=9)).capitalize(),
                text="\n".join(rng.choices(sentences, k=22)),
                word_count=400,
                removed_word_count=rng.randrange(60),
                keywords=rng.choices(lexicon, k=8),
            )
        made += size
