"""Main content: where the article is in the visible text of a whole web page.

Some scrapers save a page with all its menus, teasers and footers. No phrase list knows
the names of a site's departments, and one page does not show what the site repeats. But a
menu gives itself away: rows of short lines, buttons among them, as articles do not have
them. Where a text has such rows, each line is asked whether it is part of the article.

The answer is a linear-chain conditional random field: a score for each line from what
`page_lines.py` sees of it, and a price for leaving or entering the article between two
lines, so that a subhead stays among its paragraphs and a teaser's one sentence goes with
the teasers. A line's probability sums over all ways to divide the page. The field is
fitted to pages of which a person marked a few lines each (`pipeline/page_fitting.py`), the
other lines summed over; `data/page_model.json` holds its weights and what it scored.

It errs where the page does: a comment of many sentences looks like the article, a list of
ingredients like a menu. Of an article without rows of short lines it removes nothing.

J. Lafferty et al., "Conditional random fields", 2001; fitted to partly labelled chains as
by Y. Tsuboi et al., "Training conditional random fields using incomplete annotations",
2008; used for web pages by M. Spousta et al., "Victor: the web-page cleaning tool", 2008.
"""

import dataclasses
import functools
import json
import pathlib
from collections.abc import Sequence

import numba
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from transforms import storage
from transforms.furniture import ends_sentence
from transforms.page_lines import densest, feature_names, page_features
from transforms.tokens import count_words

# The models that are shipped: their name, by which every worker finds its own copy of
# them, and where they are in this process.
SHIPPED = "shipped"
DATA = pathlib.Path(__file__).parent / "data"
SCHEMA = "newsdedup.page_model"
VERSION = 1

# A line of a menu has fewer characters than that, and a row at least so many lines.
MENU_LINE = 60
_ROW = 5
# So many short lines alone are a menu, however likely each.
_LONG_MENU = 10
# A page has so many lines of furniture, and such ones in its rows; so many of all its
# lines are buttons, as in a long table they are not.
LEAST_FURNITURE = 5
_BUTTON_SHARE = 0.02
_BUTTONS = frozenset(("ui", "share", "menu", "related", "prompt", "rights"))
# What is less than this from the mean, in standard deviations, is not told apart.
MOST_DEVIATION = 5.0


@dataclasses.dataclass(frozen=True)
class PageModel:
    """The weights of the field.

    Attributes:
      centres: shape (f,). Mean of each feature over the lines fitted to.
      scales: shape (f,). Its standard deviation.
      weights: shape (f,). Log odds of a standard deviation.
      bias: log odds of a line whose features are average.
      enter: log odds of an article that begins here, against none that does.
      leave: of an article that ends here.
      start: of a page that begins with its article.
      made_from: what it was fitted to and what it scored.
    """

    centres: npt.NDArray[np.float64]
    scales: npt.NDArray[np.float64]
    weights: npt.NDArray[np.float64]
    bias: float
    enter: float
    leave: float
    start: float
    made_from: dict[str, object] = dataclasses.field(default_factory=dict)

    def line_scores(self, features: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Give the log odds of each line by itself; shape (m,)."""
        return _line_scores(features, self.centres, self.scales, self.weights, self.bias)

    def probabilities(
        self, lines: Sequence[str], reasons: Sequence[str | None]
    ) -> npt.NDArray[np.float64]:
        """Give the probability that a line is of the article, for each line of a page.

        Args:
          lines: m lines, none empty, white space folded.
          reasons: why each line goes as it is; None for one that stays.

        Returns:
          Shape (m,).
        """
        scores = self.line_scores(page_features(lines, reasons))
        free = np.full(scores.size, -1)
        bounds = np.array([0, scores.size])
        return chain_marginals(scores, bounds, self.enter, self.leave, self.start, free)[0]


def is_page(
    lines: Sequence[str], reasons: Sequence[str | None], *, menu_lines: int = 10
) -> bool:
    """Tell whether a text is that of a whole web page.

    Lists of names and numbers stand in articles, too. But of a page's short lines in rows
    some say that they are buttons, and others elsewhere that they are furniture.

    Args:
      lines: of the text, none empty.
      reasons: why each line goes as it is; None for one that stays.
      menu_lines: lines in rows of at least five short ones that a page has.
    """
    if len(lines) < menu_lines or len(reasons) - reasons.count(None) < LEAST_FURNITURE:
        return False
    if sum(reason in _BUTTONS for reason in reasons) < _BUTTON_SHARE * len(lines):
        return False
    found = buttons = start = 0
    for place in range(len(lines) + 1):
        if place < len(lines):
            line = lines[place]
            if len(line) < MENU_LINE and not ends_sentence(line):
                continue
        if place - start >= _ROW:
            found += place - start
            buttons += any(reason in _BUTTONS for reason in reasons[start:place])
            if found >= menu_lines and buttons:
                return True
        start = place + 1
    return False


def take_page_lines(
    lines: Sequence[str],
    reasons: list[str | None],
    headline: str | None = None,
    *,
    model: PageModel | None = None,
    min_probability: float = 0.35,
    min_words: int = 40,
) -> npt.NDArray[np.bool_]:
    """Give the reason "page" to what of a page is not its article.

    Of a page with hardly an article more is kept than is likely: the stretch of lines
    that is the article if any is.

    Args:
      lines: of the page, none empty.
      reasons: why each line goes; "page" is written where it is None.
      headline: of the article, in small letters; the likeliest line that is it stays.
      model: what tells them apart; None for the one that comes with the project.
      min_probability: a line of the article is it with at least that probability.
      min_words: with fewer words left, more is kept.

    Returns:
      Shape (m,). The lines that are of the article, furniture inside it included.
    """
    probabilities = (model or page_model()).probabilities(lines, reasons)
    keep = _without_menus(probabilities >= min_probability, lines)
    open_lines = np.array([reason is None for reason in reasons])
    left = "\n".join([lines[int(i)] for i in np.flatnonzero(keep & open_lines)])
    if count_words(pa.array([left], pa.string()))[0] < min_words:
        likeliest = float((probabilities * open_lines).max(initial=0.0))
        least = min(min_probability / 3, likeliest / 2)
        words = [line.count(" ") + 1 for line in lines]
        start, end = densest((probabilities - least) * open_lines * words)
        keep[start:end] = True
    if headline:
        titled = [i for i, line in enumerate(lines) if line.lower() == headline]
        if titled:
            keep[max(titled, key=lambda i: (float(probabilities[i]), -i))] = True
    for i in np.flatnonzero(~keep & open_lines):
        reasons[i] = "page"
    return keep


def _without_menus(
    keep: npt.NDArray[np.bool_], lines: Sequence[str]
) -> npt.NDArray[np.bool_]:
    """Leave out long stretches of short lines alone, where there are others.

    Each line of a long menu says little, and all together they persuade.
    """
    told = np.array([len(x) >= MENU_LINE or ends_sentence(x) for x in lines])
    edges = np.flatnonzero(np.diff(keep, prepend=False, append=False))
    left = np.zeros_like(keep)
    for start, end in zip(edges[::2], edges[1::2], strict=True):
        left[start:end] = end - start < _LONG_MENU or bool(told[start:end].any())
    return left if left.any() else keep


def model_path(folder: str) -> str:
    """Give where the models of a folder are in this process, or those called `SHIPPED`."""
    return str(DATA) if folder == SHIPPED else folder


@functools.cache
def page_model(folder: str = SHIPPED) -> PageModel:
    """Read the model of a folder, as of `model_path`, once a process."""
    return read_page_model(storage.join(model_path(folder), "page_model.json"))


def read_page_model(path: pathlib.Path | str) -> PageModel:
    """Read a model.

    Raises:
      ValueError: if it is of another version or of other features.
    """
    stored = json.loads(storage.content_of(str(path)))
    found = (stored.get("schema"), stored.get("version"))
    if found != (SCHEMA, VERSION):
        raise ValueError(
            f"{path} must hold {SCHEMA} version {VERSION}, "
            f"got {found[0]} version {found[1]}"
        )
    features = stored["features"]
    if tuple(features) != feature_names():
        strange = sorted(set(features) ^ set(feature_names()))
        raise ValueError(
            f"{path} must have the features of page_lines.py in their order, differing "
            f"in {', '.join(strange) or 'order'}"
        )
    numbers = np.array(list(features.values()), np.float64)
    return PageModel(
        centres=numbers[:, 0].copy(),
        scales=numbers[:, 1].copy(),
        weights=numbers[:, 2].copy(),
        bias=stored["bias"],
        enter=stored["enter"],
        leave=stored["leave"],
        start=stored["start"],
        made_from=stored["made_from"],
    )


def write_page_model(model: PageModel, path: pathlib.Path) -> None:
    """Write a model; equal models give equal bytes."""
    numbers = np.stack((model.centres, model.scales, model.weights), axis=1).tolist()
    stored = {
        "schema": SCHEMA,
        "version": VERSION,
        "made_from": model.made_from,
        "bias": model.bias,
        "enter": model.enter,
        "leave": model.leave,
        "start": model.start,
    }
    # One line a feature: its mean, its standard deviation, its weight.
    rows = ",\n".join(
        f"  {json.dumps(name)}: {json.dumps(row)}"
        for name, row in zip(feature_names(), numbers, strict=True)
    )
    head = json.dumps(stored, indent=1).removesuffix("\n}")
    path.write_text(f'{head},\n "features": {{\n{rows}\n }}\n}}\n', encoding="utf-8")


@numba.njit(cache=True, nogil=True)
def _line_scores(
    features: npt.NDArray[np.float64],
    centres: npt.NDArray[np.float64],
    scales: npt.NDArray[np.float64],
    weights: npt.NDArray[np.float64],
    bias: float,
) -> npt.NDArray[np.float64]:
    # A loop and no matrix product, whose last bits depend on the machine.
    scores = np.empty(features.shape[0])
    for line in range(features.shape[0]):
        score = bias
        for place in range(features.shape[1]):
            value = (features[line, place] - centres[place]) / scales[place]
            value = min(max(value, -MOST_DEVIATION), MOST_DEVIATION)
            score += value * weights[place]
        scores[line] = score
    return scores


@numba.njit(cache=True, nogil=True)
def chain_marginals(
    scores: npt.NDArray[np.float64],
    bounds: npt.NDArray[np.int64],
    enter: float,
    leave: float,
    start: float,
    labels: npt.NDArray[np.int64],
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], float]:
    """Sum over all ways to divide pages into article and the rest.

    A way's score is the sum of `scores` over its article lines, of `enter` and `leave`
    over its changes, and of `start` where the first line is of the article.

    Args:
      scores: shape (m,). Log odds of each line of n pages.
      bounds: shape (n + 1,). Page i owns lines bounds[i] to bounds[i + 1], at least one.
      enter: of a change to the article.
      leave: of a change from the article.
      start: of an article on the first line.
      labels: shape (m,). 1 and 0 for lines known to be of the article or not, else -1.

    Returns:
      marginals: shape (m,). Probability that a line is of the article.
      changes: shape (3,). Expected number of entries, exits and articles on first lines.
      log_sum: log of the sum over all ways of exp(score), all pages together.
    """
    marginals = np.empty(scores.size)
    changes = np.zeros(3)
    log_sum = 0.0
    entering, leaving, starting = np.exp(enter), np.exp(leave), np.exp(start)
    for page in range(bounds.size - 1):
        first = bounds[page]
        size = bounds[page + 1] - first
        # The line's own factors and what is above it, both scaled: out, in.
        own = np.empty((size, 2))
        above = np.empty((size, 2))
        for i in range(size):
            score = scores[first + i]
            larger = max(score, 0.0)
            log_sum += larger
            own[i, 0] = 0.0 if labels[first + i] == 1 else np.exp(-larger)
            own[i, 1] = 0.0 if labels[first + i] == 0 else np.exp(score - larger)
            if i:
                outside = above[i - 1, 0] + above[i - 1, 1] * leaving
                inside = above[i - 1, 0] * entering + above[i - 1, 1]
            else:
                outside, inside = 1.0, starting
            outside *= own[i, 0]
            inside *= own[i, 1]
            total = outside + inside
            log_sum += np.log(total)
            above[i, 0] = outside / total
            above[i, 1] = inside / total
        outside, inside = 1.0, 1.0
        for i in range(size - 1, -1, -1):
            total = above[i, 0] * outside + above[i, 1] * inside
            marginals[first + i] = above[i, 1] * inside / total
            if i:
                outside *= own[i, 0]
                inside *= own[i, 1]
                entry = above[i - 1, 0] * entering * inside
                exit_ = above[i - 1, 1] * leaving * outside
                total = entry + exit_
                total += above[i - 1, 0] * outside + above[i - 1, 1] * inside
                changes[0] += entry / total
                changes[1] += exit_ / total
                outside, inside = outside + entering * inside, leaving * outside + inside
                total = outside + inside
                outside /= total
                inside /= total
        changes[2] += marginals[first]
    return marginals, changes, log_sum
