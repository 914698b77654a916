// The first screen: counts, the days, who copies whom, the largest and the fastest stories,
// what each source lost to furniture, and what was rejected.
"use strict";

const overview = (() => {
  const LANES = 12;
  const MATRIX = { wide: [16, 18], narrow: [12, 6] };

  function view() {
    const { report } = tables;
    const { counts } = report;
    const title = counts.first === null
      ? words.count(counts.articles, "article")
      : words.day(counts.first) === words.day(counts.last)
        ? words.date(counts.first)
        : `${words.date(counts.first)} to ${words.date(counts.last)}`;
    return {
      title: "Overview",
      nodes: [
        h("div", { class: "lead" },
          h("p", { class: "kicker" }, "News report"),
          h("h1", { tabindex: "-1" }, title)),
        tiles(),
        alarm(),
        timeline(),
        copies(),
        h("div", { class: "pair" }, largest(), fastest()),
        furniture(),
        rejects(),
      ],
    };
  }

  const section = (id, title, ...children) =>
    h("section", { "aria-labelledby": id }, h("h2", { id }, title), ...children);

  function tiles() {
    const { counts } = tables.report;
    const tile = (value, name, about, href) =>
      h("li", { class: "tile" },
        h("span", { class: "value" }, words.number(value)), " ",
        href ? h("a", { class: "name", href }, name) : h("span", { class: "name" }, name), " ",
        h("span", { class: "about" }, about));
    const rewrites = counts.rewrites ? `, and ${words.count(counts.rewrites, "rewrite")} of a wire` : "";
    return h("ul", { class: "tiles", "aria-label": "Counts" },
      tile(counts.articles, "articles", counts.undated ? `${words.number(counts.undated)} without a date` : "all dated",
        "#/stories?least=1"),
      tile(counts.copies, "copies", `${words.share(counts.copies, counts.articles)} of the articles${rewrites}`,
        "#/stories?relation=copy"),
      tile(counts.stories, "stories", `${words.number(counts.stories_of_several)} told by several articles`, "#/stories"),
      tile(counts.independent_sources, "independent sources",
        `of ${words.number(counts.sources)}: they have a text of their own`, "#/sources"),
      tile(counts.removed_words, "words of furniture",
        `removed, ${words.share(counts.removed_words, counts.removed_words + counts.words)} of all words`));
  }

  function alarm() {
    const wiped = tables.report.furniture.filter((row) => row.alarm);
    if (!wiped.length) return null;
    const named = wiped.slice(0, 3).flatMap((row, place) => [place ? ", " : "", sources.link(row.source)]);
    const more = wiped.length > 3 ? ` and ${wiped.length - 3} more` : "";
    return h("p", { class: "alarm", role: "note" },
      h("strong", {}, `${words.count(wiped.length, "source")} may have lost ${wiped.length === 1 ? "its" : "their"} text to furniture: `),
      named, more, ". Look at what was removed before you trust their articles.");
  }

  // ---- the days

  // The span that is drawn: a few stray dates, a page of 1970, do not squeeze the rest.
  function shown(minutes) {
    const first = minutes[0], last = minutes.at(-1);
    if (minutes.length < 100) return [first, last];
    const low = minutes[Math.floor(minutes.length * 0.01)];
    const high = minutes[Math.ceil(minutes.length * 0.99) - 1];
    const usual = Math.max(high - low, words.DAY);
    return [first < low - usual ? low : first, last > high + usual ? high : last];
  }

  // Days, months or years that can be looked at by themselves.
  function periods(from, to) {
    const unit = to - from < 32 * words.DAY ? "day" : to - from < 1000 * words.DAY ? "month" : "year";
    const found = [];
    let at = new Date(from * 60e3);
    const [year, month, day] = [at.getUTCFullYear(), at.getUTCMonth(), at.getUTCDate()];
    for (let number = 0; ; number += 1) {
      const ends = [0, 1].map((next) => {
        const step = number + next;
        if (unit === "day") return Date.UTC(year, month, day + step) / 60e3;
        if (unit === "month") return Date.UTC(year, month + step, 1) / 60e3;
        return Date.UTC(year + step, 0, 1) / 60e3;
      });
      if (ends[0] > to) return found;
      at = new Date(ends[0] * 60e3);
      const name = unit === "day" ? words.date(ends[0])
        : unit === "month" ? `${words.MONTHS[at.getUTCMonth()]} ${at.getUTCFullYear()}` : `${at.getUTCFullYear()}`;
      found.push({ name, from: ends[0], to: ends[1] - 1 });
    }
  }

  function bucketed(from, to) {
    const sizes = [60, 180, 360, 720, 1440, 7 * 1440, 30 * 1440, 90 * 1440];
    const size = sizes.find((minutes) => (to - from) / minutes <= 100) ?? 365 * 1440;
    const start = Math.floor(from / size) * size;
    const found = Array.from({ length: Math.floor((to - start) / size) + 1 }, (_, number) =>
      ({ start: start + number * size, end: start + (number + 1) * size, own: 0, borrowed: 0 }));
    tables.articles.minute.forEach((minute, article) => {
      if (minute === null || minute < from || minute > to) return;
      const bucket = found[Math.floor((minute - start) / size)];
      bucket[words.isBorrowed(tables.relation(article)) ? "borrowed" : "own"] += 1;
    });
    return found;
  }

  function timeline() {
    const minutes = tables.articles.minute.filter((minute) => minute !== null).sort((a, b) => a - b);
    if (!minutes.length) return null;
    const [from, to] = shown(minutes);
    const outside = minutes.filter((minute) => minute < from || minute > to).length;
    const choices = periods(from, to);
    const chart = h("div", { class: "chart", role: "img" });
    const lanes = h("div", { class: "lanes" });
    let most = LANES;
    let period = { name: "the whole time", from, to };

    function redraw() {
      const pad = Math.max(30, (period.to - period.from) * 0.01);
      const buckets = bucketed(period.from, period.to);
      const low = Math.min(period.from - pad, buckets[0].start);
      const high = Math.max(period.to + pad, buckets.at(-1).end);
      chart.setAttribute("aria-label",
        `Articles over ${period.name}: ${words.number(buckets.reduce((sum, b) => sum + b.own + b.borrowed, 0))} in all. The stories below say the same.`);
      charts.hours(chart, buckets, low, high);
      lanes.replaceChildren(...drawLanes(period, low, high, most, () => { most += 2 * LANES; redraw(); }));
    }

    const choose = h("select", { id: "period", onchange: (event) => {
      const number = Number(event.target.value);
      period = number < 0 ? { name: "the whole time", from, to } : choices[number];
      most = LANES;
      redraw();
    } },
      h("option", { value: "-1" }, "the whole time"),
      choices.map((choice, number) => h("option", { value: String(number) }, choice.name)));
    redraw();
    return section("days", "The days",
      h("div", { class: "controls" },
        choices.length > 1 ? h("label", {}, "Show ", choose) : null,
        legend(tables.report.counts.relations)),
      outside ? h("p", { class: "hint" }, `${words.count(outside, "article")} dated far from the rest ${outside === 1 ? "is" : "are"} not drawn.`) : null,
      h("div", { class: "timeline" }, h("div", { class: "aside" },
        h("p", {}, h("span", { class: "key own" }), "own words"),
        h("p", {}, h("span", { class: "key borrowed" }), "copies and rewrites")), chart),
      lanes);
  }

  function legend(counts) {
    return h("ul", { class: "legend", "aria-label": "Colours of the dots" },
      tables.report.relations.filter((name) => counts[name]).map((name) =>
        h("li", {}, h("span", { class: `dot ${name}`, "aria-hidden": "true" }), words.relation(name))));
  }

  function drawLanes(period, low, high, most, more) {
    const { stories } = tables;
    const found = [];
    let hidden = 0;
    for (let story = 0; story < stories.id.length && stories.articles[story] > 1; story += 1) {
      if (stories.first[story] === null || stories.first[story] > period.to || stories.last[story] < period.from) continue;
      if (found.length < most) found.push(story);
      else hidden += 1;
    }
    found.sort((a, b) => stories.first[a] - stories.first[b] || a - b);
    const place = (minute) => `${(100 * (minute - low)) / (high - low)}%`;
    const grid = charts.ticks(low, high, window.innerWidth < 700 ? 5 : 9).values.map((at) =>
      h("i", { style: { left: place(at) } }));
    return [
      h("ol", { class: "lane-list" }, found.map((story) => {
        const dots = new Map();
        for (const article of tables.members(story)) {
          const minute = tables.articles.minute[article];
          if (minute === null || minute < low || minute > high) continue;
          const name = tables.relation(article);
          // The canonical article lies on top; dots that would hide each other are one.
          dots.set(`${name} ${Math.round((400 * (minute - low)) / (high - low))}`, [name, minute]);
        }
        const begin = Math.max(stories.first[story], low), end = Math.min(stories.last[story], high);
        const drawn = [...dots.values()].sort((a, b) => (a[0] === "canonical") - (b[0] === "canonical"));
        return h("li", { class: "lane" },
          h("span", { class: "what" },
            said(stories.title[story], "a", { href: storyLink(story) }),
            h("span", { class: "size", title: words.count(stories.articles[story], "article") },
              String(stories.articles[story]), h("span", { class: "unseen" }, " articles"))),
          h("span", { class: "strip", role: "img", "aria-label": words.span(stories.first[story], stories.last[story]) },
            grid.map((line) => line.cloneNode()),
            h("b", { style: { left: place(begin), width: `calc(${place(end)} - ${place(begin)})` } }),
            drawn.map(([name, minute]) => h("span", { class: `dot ${name}`, style: { left: place(minute) } }))));
      })),
      found.length ? null : h("p", { class: "hint" }, "No story of several articles has a date in this time."),
      hidden ? h("button", { type: "button", class: "more", onclick: more }, `Show more of ${words.number(hidden)} other stories`) : null,
    ].filter(Boolean);
  }

  const storyLink = (story) => `#/story/${encodeURIComponent(tables.stories.id[story])}`;

  // ---- who copies whom

  function copies() {
    const { report } = tables;
    const all = report.copies.map((pair) => ({
      ...pair, number: Object.values(pair.relations).reduce((sum, count) => sum + count, 0),
    }));
    const others = all.filter((pair) => pair.copier !== pair.original || pair.copier === null);
    const own = all.filter((pair) => pair.copier === pair.original && pair.copier !== null)
      .reduce((sum, pair) => sum + pair.number, 0);
    if (!others.length) {
      return section("copying", "Who copies whom", h("p", { class: "hint" }, "No source stands with a text of another."));
    }
    const [mostRows, mostColumns] = window.innerWidth < 700 ? MATRIX.narrow : MATRIX.wide;
    const ranked = (side) => {
      const totals = new Map();
      for (const pair of others) totals.set(pair[side], (totals.get(pair[side]) ?? 0) + pair.number);
      return [...totals].sort((a, b) => b[1] - a[1] || words.source(a[0]).localeCompare(words.source(b[0])));
    };
    const originals = ranked("original").slice(0, mostColumns).map(([name]) => name);
    const within = others.filter((pair) => originals.includes(pair.original));
    const perCopier = new Map();
    for (const pair of within) perCopier.set(pair.copier, (perCopier.get(pair.copier) ?? 0) + pair.number);
    const copiers = [...perCopier].sort((a, b) => b[1] - a[1] || words.source(a[0]).localeCompare(words.source(b[0])))
      .slice(0, mostRows).map(([name]) => name);
    const cells = within.filter((pair) => copiers.includes(pair.copier)).map((pair) => ({
      copier: words.source(pair.copier), original: words.source(pair.original), number: pair.number,
      label: `${words.source(pair.copier)} copies ${words.source(pair.original)}: ${kinds(pair)}`,
    }));
    const drawnNumber = cells.reduce((sum, cell) => sum + cell.number, 0);
    const total = others.reduce((sum, pair) => sum + pair.number, 0);
    const chart = h("div", { class: "chart matrix", role: "group", "aria-label": "Who copies whom, as a matrix; the table below says the same" });
    charts.matrix(chart, cells, copiers.map(words.source), originals.map(words.source), (datum) => {
      if (datum.number) location.hash = pairLink(datum.copier, datum.original);
    });
    const most = ranked("original")[0];
    const about = [
      h("p", { class: "hint" },
        "A row copies, a column is copied: articles that stand as copies, reprints or rewrites of another source's. ",
        "The original is the article that is credited, or else the earliest whole text. ",
        drawnNumber < total ? `Drawn are ${words.number(drawnNumber)} of ${words.number(total)}. ` : "",
        own ? `${words.count(own, "article")} that ${own === 1 ? "copies its" : "copy their"} own source ${own === 1 ? "is" : "are"} left out. ` : ""),
      h("p", { class: "finding" }, "Most copied: ", sources.link(most[0]), `, ${words.count(most[1], "time")}`),
      report.credits.length ? h("div", {},
        h("h3", {}, "Credited by other outlets"),
        h("ul", { class: "plain" }, report.credits.map((row) =>
          h("li", {}, said(row.name), " ", h("span", { class: "quiet" }, words.count(row.articles, "article")))))) : null,
    ];
    const rows = others.slice(0, 100).map((pair) => [
      sources.link(pair.copier), sources.link(pair.original), words.number(pair.number), kinds(pair),
      h("a", { href: pairLink(words.source(pair.copier), words.source(pair.original)) }, "stories"),
    ]);
    return section("copying", "Who copies whom",
      h("div", { class: "beside" }, chart, h("div", { class: "notes" }, about)),
      h("details", {}, h("summary", {}, "As a table"),
        elements.table(others.length > 100 ? `The 100 pairs with most copies of ${words.number(others.length)}` : "Every pair of sources",
          [{ name: "source" }, { name: "copies" }, { name: "articles", number: true }, { name: "of which" }, { name: "see" }], rows, { cards: true })));
  }

  const kinds = (pair) => Object.entries(pair.relations)
    .map(([name, count]) => `${words.number(count)} ${words.relation(name)}`).join(", ");
  const pairLink = (copier, original) =>
    `#/stories?${new URLSearchParams({ copier, original, least: "1" })}`;

  // ---- stories

  function storyTable(caption, name, rows) {
    return elements.table(caption, [{ name: "story" }, { name, number: true }, { name: "independent", number: true }],
      rows.map(([story, value]) => [
        said(tables.stories.title[story], "a", { href: storyLink(story) }), value,
        `${words.number(tables.stories.independent[story])}`,
      ]), { hidden: true });
  }

  function largest() {
    const rows = tables.report.largest.map((story) => [story, words.number(tables.stories.articles[story])]);
    return section("largest", "Largest stories",
      rows.length ? storyTable("The largest stories", "articles", rows)
        : h("p", { class: "hint" }, "No story has more than one article."));
  }

  function fastest() {
    const rows = tables.report.fastest.map((row) => [row.story, words.duration(row.minutes)]);
    return section("fastest", "Fastest stories",
      rows.length ? storyTable("The fastest stories: from the first to the third source", "to 3 sources", rows)
        : h("p", { class: "hint" }, "No story reached three sources that give the time of day."));
  }

  // ---- furniture and rejects

  function furniture() {
    const { report } = tables;
    const rows = report.furniture.slice(0, 15);
    if (!rows.length) return null;
    return section("furniture", "Lost to furniture",
      h("p", { class: "hint" },
        "The share of a source's words that was taken off its pages: menus, sign-in prompts, captions, bylines. ",
        `An alarm is half of the words, or a quarter of the articles down to fewer than ${report.held.min_words} words.`),
      sources.furnitureTable("What the sources lost, the alarms first, then the largest shares", rows),
      report.furniture.length > rows.length
        ? h("p", {}, h("a", { href: "#/sources" }, `All ${words.count(report.furniture.length, "source")}`)) : null);
  }

  function rejects() {
    const { rejects: reasons, counts } = tables.report;
    if (!reasons.length) {
      return section("rejects", "Rejected rows", h("p", { class: "hint" }, "Every row that was read is an article."));
    }
    const most = Math.max(...reasons.map((row) => row.count));
    return section("rejects", "Rejected rows",
      h("p", { class: "hint" }, `${words.count(counts.rejects, "row")} could not become an article.`),
      h("ul", { class: "reasons" }, reasons.map((row) =>
        h("li", {},
          h("details", {},
            h("summary", {}, h("span", { class: "name" }, words.relation(row.reason)),
              elements.meter(row.count, most), h("span", { class: "count" }, words.number(row.count))),
            row.count > row.examples.length ? h("p", { class: "hint" }, `${row.examples.length} of ${words.number(row.count)}:`) : null,
            h("ul", { class: "plain" }, row.examples.map((example) =>
              h("li", {}, said(`${example.file}, ${example.position}`, "code"),
                example.article_id ? [" ", said(example.article_id, "code")] : null, " ", said(example.detail)))))))));
  }

  return { view, section, legend, storyLink };
})();
