"""Line rules: every line is read once, and what was found travels with its article."""

import numpy as np
import pyarrow as pa

from transforms.line_rules import CODES, DECODED, read_rules, rule_lines, ruled_lines

PARAGRAPH = "The river bridge in Ashford collapsed on Sunday and two drivers were hurt."
TEXTS = [f"Log In\n\n{PARAGRAPH}", "Follow us on:", "PORTO (Valley Wire) - It rained."]


def articles() -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict(
        {"text": TEXTS, "title": pa.array([None, "Bridge", None], pa.string())}
    )


def test_every_line_has_the_code_of_its_reason():
    ruled = ruled_lines(articles())
    assert ruled.offsets.tolist() == [0, 3, 4, 5]
    assert [DECODED[code] for code in ruled.rules] == ["ui", "mark", None, "share", None]
    assert ruled.words.tolist() == [2, 0, 13, 3, 5]
    assert ruled.datelines.to_pylist() == [None, None, "Valley Wire"]
    assert [CODES[reason] for reason in DECODED] == list(range(len(DECODED)))


def test_what_is_carried_along_is_what_is_found():
    carried, found = ruled_lines(rule_lines(articles())), ruled_lines(articles())
    for one, other in zip(carried, found, strict=True):
        if isinstance(one, pa.Array):
            assert one.equals(other)
        else:
            np.testing.assert_array_equal(one, other)


def test_a_slice_of_a_batch_keeps_its_lines():
    ruled = ruled_lines(rule_lines(articles()).slice(1, 1))
    alone = read_rules(pa.array(TEXTS[1:2]), pa.array(["Bridge"]))
    assert ruled.keys.tolist() == alone.keys.tolist()
    assert ruled.sketches.shape == alone.sketches.shape
    assert ruled.offsets.tolist() == [0, 1]
