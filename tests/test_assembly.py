"""Assembly: many texts are put together as each of them alone."""

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.line_rules import read_rules
from transforms.stripping import strip, strip_texts
from transforms.tokens import count_words

PARAGRAPH = (
    "The river bridge in Ashford collapsed on Sunday and two drivers were hurt when "
    "their cars went down with it, the mayor of the small market town said in a short "
    "statement that was read aloud in front of the town hall in the evening."
)
LINES = st.sampled_from(
    [
        *("Log In", "", PARAGRAPH, "A  river.", "Share this", "Bridge falls", "Été"),
        "Rescuers search the bridge in Ashford on Sunday. (Photo: Jane Doe/AP)",
        "The river fell. (Reporting by Jane Doe; Editing by John Roe)",
        f"{PARAGRAPH} (Reporting by Jane Doe; Editing by John Roe)",
    ]
)


@settings(max_examples=60)
@given(
    st.lists(st.lists(LINES, max_size=8).map("\n".join), min_size=1, max_size=4),
    st.sampled_from(["Bridge falls", "Été", None]),
)
def test_a_batch_is_stripped_text_by_text(texts, title):
    column, titles = pa.array(texts), pa.array([title] * len(texts), pa.string())
    ruled = read_rules(column, titles)
    flags = np.zeros(ruled.keys.size, np.uint8)
    together = strip_texts(column, titles, [None] * len(texts), ruled, flags)
    removed = list(
        zip(together.removed.to_pylist(), together.reasons.to_pylist(), strict=True)
    )
    for number, text in enumerate(texts):
        alone = strip(text, title)
        assert together.texts[number].as_py() == alone.text
        assert together.words[number] == count_words(pa.array([alone.text]))[0]
        assert together.titled[number] == alone.titled
        assert together.credited_sources[number].as_py() == alone.credited_source
        own = np.flatnonzero(together.articles == number)
        assert [removed[row] for row in own] == alone.removed


def test_no_texts_give_none():
    nothing = pa.array([], pa.string())
    ruled = read_rules(nothing, nothing)
    stripped = strip_texts(nothing, nothing, [], ruled, np.zeros(0, np.uint8))
    assert len(stripped.texts) == len(stripped.removed) == 0
