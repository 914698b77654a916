"""Notices of eight kinds, each of one template with facts of its own.

Two of a kind share most of their words and are never copies: another bond, another day's
weather, another man who is missing. Names and numbers are drawn, so nobody is meant.

In a template, `[number 1 28]` draws a whole number from 1 to 28, `[amount 0.5 60]` one
with three decimals, `[name]` a made-up name, `[date]` a day of the year, `[one north
south]` one of some words. What is drawn as `[days = number 1 28]` is `[days]` from there.
"""

import datetime
import re
from typing import Any

import numpy as np

OF_EACH_KIND = 30

# A title, then the text.
TEMPLATES = {
    "repo": """\
Central bank adds $[amount 0.5 60] billion through [days = number 1 28]-day repos
The central bank added temporary reserves to the banking system on [weekday] through
[days]-day repurchase agreements, its trading desk said in a statement. Dealers submitted
bids of $[amount 60 140] billion. Of the collateral that was accepted, $[amount 0.1 20]
billion was Treasury debt, $[amount 0.1 9] billion agency debt and $[amount 0.1 9] billion
mortgage-backed securities. The weighted average rate was [amount 1 5] percent, the highest
rate accepted [amount 5 6] percent and the stop-out rate [amount 0.1 1] percent. The
operation settles on the same day.""",
    "bond": """\
New issue: [issuer = name] [form = one AG Bank Group Holdings SpA] prices [year = number
2024 2049] bond
Following are terms and conditions of a bond priced on [weekday]. Borrower [issuer] [form].
Issue amount [number 100 2000] million euro. Maturity date [date], [year]. Coupon [amount
0.2 8.9] pct. Issue price [amount 98 101]. Reoffer price [amount 98 101]. Spread [number 20
480] basis points over mid-swaps. Payment date [date]. Lead managers [name], [name] and
[name]. Listing [name]. Denominations [number 1 20],000. Governing law English. ISIN
XS[number 1000000 9999999].""",
    "weather": """\
[town = name] weather: what to expect today
Here is the forecast for [town] and the surrounding county from the weather service. Today:
partly sunny, with a high near [number 31 99]. Wind from the [one north south east west] at
[number 3 14] to [number 15 35] miles an hour. Tonight: mostly clear, with a low around
[number 5 60]. Tomorrow: a [number 1 99] percent chance of showers, with a high near [number
31 99]. The sun rises at [number 5 7]:[number 10 59] and sets at [number 17 20]:[number 10
59]. The pollen count is [number 1 900].""",
    "lottery": """\
Winning numbers drawn in [day = weekday]'s lottery
The winning numbers in [day] evening's drawing of the state lottery were: [number 1 69],
[number 1 69], [number 1 69], [number 1 69], [number 1 69], bonus ball: [number 1 26]. The
estimated jackpot was $[number 20 700] million. No ticket matched all six numbers. [number 2
9] tickets matched five numbers and won $[number 100 999],000 each. The jackpot for the next
drawing on [date] is estimated at $[number 701 950] million. Tickets cost two dollars and
are sold until an hour before the drawing. The odds of winning the jackpot are one in
[number 100 400] million.""",
    "match": """\
[home = name] beat [away = name] [goals = number 1 5]-0
[home] beat [away] [goals]-0 at home on [weekday] night in front of [number 1 54],[number
100 999] spectators. [name] opened the scoring in the [number 4 20]th minute after a corner
by [name]. The visitors had [number 1 9] shots on target and [number 30 60] percent of the
ball, but [name] saved a penalty in the [number 44 50]th minute. [name] was sent off in the
[number 74 80]th minute for a second yellow card. [home] now have [number 20 60] points and
play [name] next.""",
    "missing": """\
Police ask for help in finding [who = given] [family = name], [age = number 12 88]
Police in [name] are asking for the public's help in finding [who] [family], [age], who
was last seen on [weekday] at about [number 1 12]:[number 10 59] p.m. in the [number 1 99]00
block of [name] [one Street Road Avenue Lane]. [who] [family] is [number 5 6] feet [number
1 11] inches tall, weighs about [number 90 260] pounds and was wearing a [colour] jacket,
[colour] trousers and [colour] shoes. Anyone with information is asked to call the police
department at 555-[number 1000 9999]. Callers may remain anonymous.""",
    "obituary": """\
Obituary: [who = given] [family = name], [age = number 61 102]
[who] [family], [age], of [name], died on [date] at home, surrounded by family. Born in
[name] in [number 1918 1958], [who] [family] worked as a [one baker carpenter farmer nurse
printer teacher] for [number 20 50] years and sang in the choir of [name]. Survivors include
[number 2 6] children, [number 2 14] grandchildren and a sister, [given] [name]. A service
will be held on [date] at [number 9 12] a.m. at [name] Chapel. Burial will follow at [name]
Cemetery. In lieu of flowers the family asks for gifts to the [name] hospice.""",
    "earnings": """\
[company = name] Corp: [quarter = one first second third] quarter earnings snapshot
[company] Corp on [weekday] reported net income of $[amount 1 900] million in its [quarter]
quarter. The company, based in [name], said it had profit of [number 2 99] cents per share.
Earnings, adjusted for one-time gains and costs, came to [number 2 99] cents per share. The
company posted revenue of $[amount 20 990] million in the period. For the current quarter it
expects revenue in the range of $[number 20 400] million to $[number 401 990] million. Its
shares have risen [number 1 60] percent since the beginning of the year and closed at
$[amount 3 300].""",
}

_SYLLABLES = re.findall(
    r"\w+",
    "bal dor fen gar hol ist jor kel lun mar nor oss pel quin ral ster tor ulm wes zel",
)
_LISTS = {
    "given": re.findall(
        r"\w+", "Ada Boris Clara Dennis Edith Frank Greta Harold Irene Leon"
    ),
    "colour": re.findall(r"\w+", "black blue brown green grey orange red white yellow"),
    "weekday": re.findall(r"\w+", "Monday Tuesday Wednesday Thursday Friday"),
    "month": re.findall(
        r"\w+", "January March April May June July August October November"
    ),
}
_FIRST_DAY = datetime.datetime(2020, 3, 2, 7, tzinfo=datetime.UTC)
_FACT = re.compile(r"\[(?:(\w+) = )?([^\]]+)\]")


def notices(*, seed: int, of_each: int = OF_EACH_KIND) -> list[dict[str, Any]]:
    """Make notices of every kind, three a day.

    Every other one is of the site that always prints that kind, the others are of three
    more sites: the same template is met within a site and across sites.

    Args:
      seed: draws the facts.
      of_each: notices of a kind.

    Returns:
      Articles to be read.
    """
    random = np.random.default_rng(seed)
    rows = []
    for kind, template in TEMPLATES.items():
        for number in range(of_each):
            title, text = filled(template, random).split("\n", 1)
            day = _FIRST_DAY + datetime.timedelta(days=number // 3)
            site = "main" if number % 2 else str(number % 3)
            rows.append(
                {
                    "id": f"notice-{kind}-{number}",
                    "source": f"{kind}-{site}.example",
                    "published_at": day.isoformat(),
                    "title": title,
                    "text": text.replace("\n", " "),
                    "language": "en",
                }
            )
    return rows


def filled(template: str, random: np.random.Generator) -> str:
    """Fill a template with facts.

    >>> filled("[n = number 7 7] is [n], not [one 8 8]", np.random.default_rng(0))
    '7 is 7, not 8'
    """
    named: dict[str, str] = {}

    def fact(found: re.Match[str]) -> str:
        name, words = found[1], found[2].split()
        value = named[words[0]] if words[0] in named and not name else _drawn(words, random)
        if name:
            named[name] = value
        return value

    return _FACT.sub(fact, template)


def _drawn(words: list[str], random: np.random.Generator) -> str:
    kind, given = words[0], words[1:]
    if kind == "number":
        return str(random.integers(int(given[0]), int(given[1]), endpoint=True))
    if kind == "amount":
        return f"{random.uniform(float(given[0]), float(given[1])):.3f}"
    if kind == "date":
        return f"{_drawn(['month'], random)} {random.integers(1, 29)}"
    if kind == "name":
        return "".join(random.choice(_SYLLABLES, 3)).title()
    return str(random.choice(given or _LISTS[kind]))
