"""Copies and stories in Spanish, German, French, Chinese and Arabic, beside English.

`data/languages.jsonl` holds 13 invented articles of each language: an apartment fire told
by three outlets, with an exact copy in another site's furniture and a near copy; another
fire in another town on the next day; an arrest; a derailed train; and one find that
nobody else reports. The English ones are the yardstick.

A multilingual model is measured where the variable NEWSDEDUP_MULTILINGUAL_MODEL names the
folder of one, such as paraphrase-multilingual-MiniLM-L12-v2.
"""

import itertools
import json
import os
from collections import defaultdict
from pathlib import Path

import pytest

from pipeline import batch
from pipeline.agreement import bcubed
from pipeline.config import Config
from pipeline.show import read_table

CORPUS = Path(__file__).parent / "data" / "languages.jsonl"
LANGUAGES = ("en", "es", "de", "fr", "zh", "ar")
MULTILINGUAL = os.environ.get("NEWSDEDUP_MULTILINGUAL_MODEL")


def corpus(language=None):
    rows = map(json.loads, CORPUS.read_text("utf-8").splitlines())
    return [row for row in rows if language in (None, row["language"])]


def run(folder, config):
    batch.run([str(CORPUS)], str(folder / "out"), config, fields={}, run_id="test")
    rows = read_table(str(folder / "out"), "articles").to_pylist()
    return {row["article_id"]: row for row in rows}


@pytest.fixture(scope="module")
def without_model(tmp_path_factory):
    return run(tmp_path_factory.mktemp("none"), Config(embedding="none"))


@pytest.fixture(scope="module")
def with_default_model(tmp_path_factory):
    return run(tmp_path_factory.mktemp("default"), Config())


@pytest.fixture(scope="module")
def bag_of_pieces(tmp_path_factory):
    """Make a model that knows all six languages: a text is the mean of its pieces.

    It takes the way of any sentence-transformers folder, tokenizer and safetensors
    included, and costs no download.
    """
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.models import Pooling, Transformer
    from tokenizers import BertWordPieceTokenizer
    from transformers import BertConfig, BertModel, BertTokenizerFast

    folder = tmp_path_factory.mktemp("model")
    pieces = BertWordPieceTokenizer(strip_accents=False)
    texts = [f"{row['title']} {row['text']}" for row in corpus()]
    pieces.train_from_iterator(texts, vocab_size=6000, min_frequency=1)
    pieces.save_model(str(folder))
    torch.manual_seed(0)
    bert = BertModel(
        BertConfig(
            vocab_size=pieces.get_vocab_size(),
            hidden_size=128,
            num_hidden_layers=0,
            num_attention_heads=1,
            intermediate_size=128,
        ),
        add_pooling_layer=False,
    )
    torch.nn.init.zeros_(bert.embeddings.position_embeddings.weight)
    torch.nn.init.zeros_(bert.embeddings.token_type_embeddings.weight)
    bert.save_pretrained(folder / "bert")
    BertTokenizerFast(
        vocab=str(folder / "vocab.txt"), strip_accents=False, model_max_length=512
    ).save_pretrained(folder / "bert")
    transformer = Transformer(str(folder / "bert"))
    pooling = Pooling(transformer.get_embedding_dimension(), "mean")
    SentenceTransformer(modules=[transformer, pooling], device="cpu").save(
        str(folder / "whole")
    )
    return str(folder / "whole")


def f1(articles, language):
    rows = corpus(language)
    stories = [articles[row["id"]]["story_id"] for row in rows]
    return bcubed([row["story"] for row in rows], stories).f1


def copy_groups(articles, language):
    found = defaultdict(set)
    for row in corpus(language):
        found[articles[row["id"]]["duplicate_group_id"]].add(row["id"])
    return sorted(sorted(group) for group in found.values() if len(group) > 1)


def assert_siblings_are_apart(articles, language):
    """No article of the one fire is in a story with one of the other."""
    fires = [row for row in corpus(language) if "-fire" in row["story"]]
    for left, right in itertools.combinations(fires, 2):
        if left["story"] != right["story"]:
            stories = {articles[row["id"]]["story_id"] for row in (left, right)}
            assert len(stories) == 2, (left["id"], right["id"])


def assert_copies_are_found(articles, language):
    expected = defaultdict(list)
    for row in corpus(language):
        expected[row["copy_group"]].append(row["id"])
    expected.pop(None)
    assert copy_groups(articles, language) == sorted(map(sorted, expected.values()))


def test_each_language_has_as_many_articles_copies_and_stories():
    for language in LANGUAGES:
        rows = corpus(language)
        assert len(rows) == 13
        assert len({row["story"] for row in rows}) == 5
        relations = sorted(row["relation"] for row in rows if row["relation"])
        assert relations == ["exact_copy", "near_copy"]


def test_the_language_of_every_article_is_recognised(without_model):
    assert {name: row["language"] for name, row in without_model.items()} == {
        row["id"]: row["language"] for row in corpus()
    }


@pytest.mark.parametrize("language", LANGUAGES)
def test_copies_are_found_in_every_script_without_a_model(without_model, language):
    assert_copies_are_found(without_model, language)


@pytest.mark.parametrize("language", LANGUAGES)
def test_stories_without_a_model_are_nearly_as_good_as_the_english_ones(
    without_model, language
):
    assert f1(without_model, language) >= 0.95
    assert_siblings_are_apart(without_model, language)


@pytest.mark.model
@pytest.mark.parametrize("language", LANGUAGES)
def test_copies_are_found_in_every_script_with_the_default_model(
    with_default_model, language
):
    assert_copies_are_found(with_default_model, language)


@pytest.mark.model
@pytest.mark.parametrize("language", LANGUAGES)
def test_an_english_model_does_little_harm_in_other_languages(with_default_model, language):
    assert f1(with_default_model, language) >= 0.95
    assert_siblings_are_apart(with_default_model, language)


@pytest.mark.model
def test_any_sentence_transformers_folder_serves_by_flag(bag_of_pieces, tmp_path):
    articles = run(tmp_path, Config(embedding_model=bag_of_pieces))
    for language in LANGUAGES:
        assert_copies_are_found(articles, language)
        assert_siblings_are_apart(articles, language)


@pytest.mark.model
@pytest.mark.skipif(
    not MULTILINGUAL, reason="NEWSDEDUP_MULTILINGUAL_MODEL names no model's folder"
)
def test_with_a_multilingual_model_stories_are_as_good_as_the_english_ones(tmp_path):
    articles = run(tmp_path, Config(embedding_model=str(MULTILINGUAL)))
    scores = {language: f1(articles, language) for language in LANGUAGES}
    assert min(scores.values()) >= scores["en"] - 0.05, scores
    for language in LANGUAGES:
        assert_copies_are_found(articles, language)
        assert_siblings_are_apart(articles, language)
