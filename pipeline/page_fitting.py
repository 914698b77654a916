"""Pages with marked segments -> the weights that find the article in a page.

A person marked, on each page, a few segments that belong to the article and a few that do
not. A line that holds one is known, all others are not, and the field is fitted to what is
known with the rest summed over: the difference of two sums over all ways to divide the
page, one bound to the marks and one free.

Half of the pages, chosen by a hash of their site, is kept out of the fit and only scored,
by the text that `strip` leaves of them.
"""

import collections
import dataclasses
import pathlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

from pipeline.gold import Page, folded, is_fitted_page, read_pages
from transforms import storage
from transforms.furniture import line_reason
from transforms.main_content import (
    MOST_DEVIATION,
    PageModel,
    chain_marginals,
    write_page_model,
)
from transforms.normalisation import clean_text
from transforms.page_lines import feature_names, page_features
from transforms.parsing import site
from transforms.stripping import split_lines, strip
from transforms.surroundings import line_reasons

# How large a weight of a standard deviation may be, by its prior's variance.
STRENGTH = 0.02
# And those of a change between lines.
CHANGE_STRENGTH = 20.0


class PageScores(NamedTuple):
    """What `strip` leaves of marked pages.

    Attributes:
      pages: how many.
      kept: share of the segments of the article that are left, 0 to 1.
      removed: share of the other segments that are gone, 0 to 1.
      untouched: pages that do not look like one, of which no line is removed as such.
    """

    pages: int
    kept: float
    removed: float
    untouched: int


def halves(pages: Sequence[Page]) -> tuple[list[Page], list[Page]]:
    """Split pages into those of sites that are fitted to and those only scored."""
    fitted = [is_fitted_page(page.url, page.page_id) for page in pages]
    return (
        [page for page, first in zip(pages, fitted, strict=True) if first],
        [page for page, first in zip(pages, fitted, strict=True) if not first],
    )


def mark_lines(page: Page, lines: Sequence[str]) -> npt.NDArray[np.int64]:
    """Tell of each line of a page what is known of it.

    A segment of the article that stands in several lines marks none of them; one of the
    rest marks all.

    Returns:
      Shape (m,). 1 for a line of the article, 0 for one of the rest, else -1.
    """
    marks = np.full(len(lines), -1)
    for segment in map(folded, page.drop):
        marks[[segment in line for line in lines]] = 0
    for segment in map(folded, page.keep):
        found = [i for i, line in enumerate(lines) if segment in line]
        if len(found) == 1:
            marks[found] = 1
    return marks


def score_pages(pages: Sequence[Page], model: PageModel | None = None) -> PageScores:
    """Strip pages and look for their segments in what is left.

    Args:
      pages: any number.
      model: what finds the article; None for the one that comes with the project.
    """
    counts: collections.Counter[str] = collections.Counter()
    for page in pages:
        stripped = strip(clean_text(page.text), page_model=model)
        text = folded(stripped.text)
        counts["kept"] += sum(folded(segment) in text for segment in page.keep)
        counts["removed"] += sum(folded(segment) not in text for segment in page.drop)
        counts["untouched"] += all(reason != "page" for _, reason in stripped.removed)
    return PageScores(
        len(pages),
        round(counts["kept"] / max(1, sum(len(page.keep) for page in pages)), 4),
        round(counts["removed"] / max(1, sum(len(page.drop) for page in pages)), 4),
        counts["untouched"],
    )


def fit_pages(pages: Sequence[Page], *, iterations: int = 120) -> PageModel:
    """Fit the field to marked pages.

    Args:
      pages: at least one line of them is marked.
      iterations: of the search, at most. A page has thousands of ways to be divided that
        score alike, and the search is stopped where the next digit does not matter.

    Raises:
      ValueError: if no segment stands in any page.
    """
    features, marks, bounds = [], [], [0]
    for page in pages:
        lines = [line for line in split_lines(clean_text(page.text)) if line]
        if not lines:
            continue
        reasons = line_reasons(lines, [line_reason(line) for line in lines])
        features.append(page_features(lines, reasons))
        marks.append(mark_lines(page, lines))
        bounds.append(bounds[-1] + len(lines))
    labels = np.concatenate(marks) if marks else np.zeros(0, np.int64)
    if not np.any(labels >= 0):
        raise ValueError(
            f"pages must have segments that stand in their lines, got {len(pages)} pages "
            f"without any"
        )
    columns = np.concatenate(features)
    centres = columns.mean(axis=0)
    scales = np.maximum(columns.std(axis=0), 1e-6)
    columns -= centres
    columns /= scales
    np.clip(columns, -MOST_DEVIATION, MOST_DEVIATION, out=columns)
    limits = np.array(bounds)
    free = np.full(labels.size, -1)
    count = len(feature_names())
    penalties = np.concatenate(
        (np.full(count, 1 / STRENGTH), [1e-3], np.full(3, 1 / CHANGE_STRENGTH))
    )

    def loss(values: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64]]:
        scores = columns @ values[:count] + values[count]
        changes = values[count + 1 :]
        loose, crossings, total = chain_marginals(scores, limits, *changes, free)
        bound, known, part = chain_marginals(scores, limits, *changes, labels)
        surplus = loose - bound
        slope = np.concatenate((columns.T @ surplus, [surplus.sum()], crossings - known))
        penalty = 0.5 * float(penalties @ values**2)
        return total - part + penalty, slope + penalties * values

    found = minimize(
        loss,
        np.concatenate((np.zeros(count + 1), [-2.0, -2.0, 0.0])),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": iterations, "maxcor": 20},
    ).x
    bias, enter, leave, start = (round(float(value), 5) for value in found[count:])
    return PageModel(
        centres=_short(centres),
        scales=_short(scales),
        weights=_short(found[:count]),
        bias=bias,
        enter=enter,
        leave=leave,
        start=start,
    )


def _short(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Round to six figures, which is more than the pages can tell."""
    return np.array([float(f"{value:.6g}") for value in values])


def fit_page_model(
    pages_file: pathlib.Path | str, output: pathlib.Path | str
) -> dict[str, Any]:
    """Fit the model that finds the article in a page, and write `page_model.json`.

    Half of the pages, by a hash of their site, is fitted to; both halves are scored.

    Args:
      pages_file: as `pipeline.gold.read_pages` reads it.
      output: folder for the data file.

    Returns:
      What the model was made from, as it is stored in it.

    Raises:
      ValueError: if the file is refused, or no segment stands in a line of its page.
    """
    storage.check_writable(str(output))
    pages = read_pages(pages_file)
    fitted, kept_out = halves(pages)
    model = fit_pages(fitted)
    made_from: dict[str, Any] = {
        "pages": len(fitted),
        "sites": len({site(page.url) if page.url else page.page_id for page in fitted}),
        "of_pages": len(pages),
        "halves": "by a hash of the registrable domain; only the first was fitted to",
        "fitted_to": score_pages(fitted, model)._asdict(),
        "kept_out": score_pages(kept_out, model)._asdict(),
    }
    with_model = dataclasses.replace(model, made_from=made_from)
    with storage.written_folder(str(output)) as folder:
        write_page_model(with_model, folder / "page_model.json")
    return made_from
