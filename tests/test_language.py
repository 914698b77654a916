import json
import unicodedata
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from py3langid.langid import MODEL_FILE, LanguageIdentifier

from transforms.language import (
    IDEOGRAPHS,
    LANGUAGE_ALIASES,
    MIN_LETTERS,
    MIN_PROBABILITY,
    detected_languages,
    language_code,
    languages,
    sample_languages,
)

CORPUS = Path(__file__).parent / "data" / "languages.jsonl"
STORY = (
    "The old bridge over the Lorn was closed on Friday morning after an inspection found "
    "cracks in two of its piers, the county said."
)


def strings(*texts: str | None) -> pa.Array:
    return pa.array(texts, pa.string())


@pytest.fixture(scope="module")
def identifier() -> LanguageIdentifier:
    library = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    library.set_languages(
        [label for label in library.labels if len(label) == 2 or label == "zxx"]
    )
    return library


def by_the_library(identifier: LanguageIdentifier, sample: str) -> str:
    """Tell a language as the library does, one text at a time."""
    letters = sum(map(str.isalpha, sample)) + 2 * len(IDEOGRAPHS.findall(sample))
    if letters < MIN_LETTERS:
        return "und"
    if 2 * sum(map(str.isupper, sample)) > letters:
        sample = sample.lower()
    label, probability = identifier.classify(sample)
    if label == "zxx" or probability < MIN_PROBABILITY:
        return "und"
    return LANGUAGE_ALIASES.get(label, label)


@pytest.mark.parametrize(
    ("given_code", "expected"),
    [
        ("en", "en"),
        ("EN-us", "en"),
        ("pt_BR", "pt"),
        (" zh-Hans ", "zh"),
        ("nb", "no"),
        ("iw", "he"),
        ("eng", None),
        ("English", None),
        ("", None),
        (None, None),
    ],
)
def test_given_language_is_normalised(given_code: str | None, expected: str | None) -> None:
    assert language_code(given_code) == expected


@pytest.mark.parametrize(
    ("title", "text", "expected"),
    [
        ("Bridge closed", STORY, "en"),
        (None, f"LOG IN\nWINDOW._DATA={{A:1}}\n{STORY.upper()}", "en"),
        ("Puente cerrado", "El puente sobre el río quedó cerrado el viernes.", "es"),
        (None, "Die Brücke über den Fluss ist seit Freitagmorgen gesperrt.", "de"),
        ("大桥关闭", "大桥于周五上午关闭，市政府表示维修将持续整个夏天。", "zh"),
        (None, "Sign in\nMenu\nLe pont est fermé depuis vendredi matin.", "fr"),
        (None, f"{'1234 ' * 90}\n{STORY}", "en"),
        ("Rain", "", "und"),
        (None, "12 345 678 901 / 42 --- 7:30 8:45", "und"),
    ],
)
def test_language_is_detected_or_undetermined(
    title: str | None, text: str, expected: str
) -> None:
    assert detected_languages(strings(title), strings(text)) == [expected]


def test_language_is_the_given_one_where_there_is_one() -> None:
    given_codes = strings("DE-at", None, "no code", "iw")
    found = languages(given_codes, strings(*"abcd"), strings(*[STORY] * 3, ""))
    assert found.to_pylist() == ["de", "en", "en", "he"]


def test_longest_line_is_the_first_with_the_most_characters_not_bytes() -> None:
    hindi = "पुराना पुल शुक्रवार की सुबह निरीक्षण के बाद बंद कर दिया गया।"
    english = "The bridge over the river Lorn was closed on Friday in the morning."
    assert len(hindi) < len(english) < len(hindi.encode())
    for lines in ([hindi, english], [english, hindi]):
        assert detected_languages(strings(None), strings("\n".join(lines))) == ["en"]


def test_answers_are_those_of_the_library(identifier: LanguageIdentifier) -> None:
    rows = [json.loads(line) for line in CORPUS.read_text("utf-8").splitlines()]
    samples = [
        part
        for row in rows
        for text in (row["text"], f"{row['title']}\n{row['text']}", row["text"].title())
        for cut in (25, 60, 400, 1_600)
        for part in (text[:cut], text[-cut:].upper(), f"NBA: {text[:cut]}")
    ]
    expected = [by_the_library(identifier, sample) for sample in samples]
    assert sample_languages(strings(*samples)) == expected
    assert len(set(expected)) > 10


@given(
    st.lists(st.text(max_size=60) | st.text("abcÄÖüЖж桥ǅ 𠀀\n", max_size=60), max_size=5)
)
def test_any_text_is_told_as_by_the_library(
    identifier: LanguageIdentifier, texts: list[str]
) -> None:
    samples = [unicodedata.normalize("NFC", text) for text in texts]
    expected = [by_the_library(identifier, sample) for sample in samples]
    assert sample_languages(strings(*samples)) == expected


def test_language_does_not_depend_on_the_batch() -> None:
    rows = [json.loads(line) for line in CORPUS.read_text("utf-8").splitlines()]
    titles, texts = (strings(*(row[name] for row in rows)) for name in ("title", "text"))
    together = detected_languages(titles, texts)
    alone = [
        detected_languages(titles.slice(row, 1), texts.slice(row, 1))[0]
        for row in range(len(rows))
    ]
    assert together == alone == [row["language"] for row in rows]
