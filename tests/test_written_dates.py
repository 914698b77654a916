"""Days as texts write them; how they are read in an article stands in test_facts.py."""

import datetime

from hypothesis import given
from hypothesis import strategies as st

from transforms.written_dates import NO_DAY, day_number

EPOCH = datetime.date(1970, 1, 1)


@given(st.dates(datetime.date(1900, 1, 1), datetime.date(2100, 12, 31)))
def test_days_are_counted_as_the_calendar_counts_them(date):
    assert day_number(date.year, date.month, date.day) == (date - EPOCH).days


@given(st.integers(1800, 2200), st.integers(-1, 14), st.integers(-1, 33))
def test_a_day_that_no_calendar_has_is_none(year, month, day):
    try:
        known = 1900 <= year <= 2100 and bool(datetime.date(year, month, day))
    except ValueError:
        known = False
    assert (day_number(year, month, day) != NO_DAY) == known
