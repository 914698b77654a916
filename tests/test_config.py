"""Settings are checked when they are made."""

import dataclasses
import doctest
import math

import pytest

from pipeline import config
from pipeline.config import Config


def test_examples_in_docstrings_hold():
    assert doctest.testmod(config).failed == 0


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"bands": 43}, "bands \\* band_rows must be at most 128, .* bands=43"),
        (
            {"min_containment": 0.0},
            "min_containment must be above 0 and at most 1, got 0.0",
        ),
        ({"min_jaccard": 1.5}, "min_jaccard must be above 0 and at most 1, got 1.5"),
        ({"min_words": 0}, "min_words must be at least 1, got 0"),
        ({"follow_up_hours": -1.0}, "follow_up_hours must be above 0 and finite, got -1"),
        (
            {"follow_up_hours": math.inf},
            "follow_up_hours must be above 0 and fin.*, got inf",
        ),
        (
            {"follow_up_hours": math.nan},
            "follow_up_hours must be above 0 and fin.*, got nan",
        ),
        ({"embedding": "some"}, "embedding must be one of undecided, all, none, got some"),
    ],
)
def test_settings_that_mean_nothing_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        Config(**settings)


def test_every_setting_says_what_it_means():
    assert all(field.metadata["help"] for field in dataclasses.fields(Config))


def test_the_digest_changes_with_any_setting():
    assert Config().digest() == Config().digest()
    assert Config().digest() != Config(min_words=26).digest()


def test_no_model_takes_part_without_stories_or_without_embeddings():
    assert Config().uses_model
    assert not Config(stories=False).uses_model
    assert not Config(embedding="none").uses_model
