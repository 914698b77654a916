"""The stages that a batch run and a stream share, as a Config sets them."""

from pipeline.config import Config
from transforms.copies import FindCopies
from transforms.fingerprint import FingerprintArticles
from transforms.relations import FollowUpRule
from transforms.verification import CopyThresholds


def fingerprinting(config: Config) -> FingerprintArticles:
    """Give the stage that makes fingerprints."""
    return FingerprintArticles(
        shingle_size=config.shingle_size,
        seed=config.seed,
        passage_words=config.passage_size,
        window=config.passage_window,
        min_words=config.min_words,
        stories=config.stories,
    )


def finding_copies(config: Config) -> FindCopies:
    """Give the stage that finds copies."""
    return FindCopies(
        thresholds=CopyThresholds(
            min_containment=config.min_containment,
            near_jaccard=config.min_jaccard,
            max_gap_days=config.copy_gap_days,
        ),
        bands=config.bands,
        rows=config.band_rows,
        window_days=config.copy_window_days,
        max_bucket=config.max_bucket,
        min_words=config.min_words,
    )


def follow_ups(config: Config) -> FollowUpRule:
    """Give the rule by which a report is a follow-up."""
    return FollowUpRule(config.follow_up_hours, config.follow_up_novelty)
