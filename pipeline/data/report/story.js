// One story: when who told it, who speaks for it and why, how each article stands to which.
"use strict";

const story = (() => {
  const ROWS = 60;
  const SOURCES = 40;

  async function view(path, query) {
    const row = tables.rowOfStory.get(path);
    if (row === undefined) {
      return { title: "No such story", nodes: [h("h1", { tabindex: "-1" }, "No such story"),
        h("p", {}, "The run holds no story ", said(path, "code"), ". ", h("a", { href: "#/stories" }, "All stories"))] };
    }
    const { stories: of } = tables;
    const found = await tables.details(row);
    const articles = tables.members(row);
    const canonical = articles[0];
    return {
      title: of.title[row],
      nodes: [
        h("div", { class: "lead" },
          h("p", { class: "kicker" }, h("a", { href: "#/stories" }, "Stories"), " / ", said(of.id[row], "code")),
          said(of.title[row], "h1", { tabindex: "-1" }),
          elements.facts([
            words.count(of.articles[row], "article"),
            of.sources[row] ? words.count(of.sources[row], "source") : null,
            `${words.number(of.independent[row])} independent`,
            words.span(of.first[row], of.last[row]),
          ], "facts"),
          of.keywords[row].length ? said(of.keywords[row].join(", "), "p", { class: "keywords" }) : null),
        h("p", { class: "canonical-note" }, h("span", { class: "dot canonical", "aria-hidden": "true" }),
          h("span", {}, h("strong", {}, "Canonical: "), sources.link(tables.source(canonical)), ", ",
            words.time(tables.articles.minute[canonical]), ". Chosen as ", h("em", {}, of.reason[row]), ".")),
        axis(articles),
        members(row, articles, query),
        compare.section(row, articles, found, query),
        evidence(articles, found),
      ],
    };
  }

  // ---- the time axis

  function axis(articles) {
    const dated = articles.filter((article) => tables.articles.minute[article] !== null);
    if (articles.length < 2 || !dated.length) return null;
    const order = [];
    for (const article of [...dated].sort((a, b) => tables.articles.minute[a] - tables.articles.minute[b])) {
      const name = words.source(tables.source(article));
      if (!order.includes(name)) order.push(name);
    }
    const drawn = order.slice(0, SOURCES);
    const rows = dated.filter((article) => drawn.includes(words.source(tables.source(article)))).map((article) => ({
      article, minute: tables.articles.minute[article], source: words.source(tables.source(article)),
      relation: tables.relation(article),
      label: `${words.time(tables.articles.minute[article])}, ${words.source(tables.source(article))}, ${words.relation(tables.relation(article))}: ${tables.articles.title[article]}`,
    }));
    // The canonical article is drawn last, and so on top.
    rows.sort((a, b) => (a.relation === "canonical") - (b.relation === "canonical"));
    const minutes = rows.map((row) => row.minute);
    const chart = h("div", { class: "chart", role: "group", "aria-label": "Articles on a time axis; the table below says the same" });
    charts.members(chart, rows, drawn, Math.min(...minutes), Math.max(...minutes),
      tables.articles.minute[articles[0]], (datum) => {
        if (datum.article !== undefined) document.getElementById(`member-${datum.article}`)?.focus();
      });
    const notes = [];
    if (articles.length > dated.length) notes.push(`${words.count(articles.length - dated.length, "article")} without a date ${articles.length - dated.length === 1 ? "is" : "are"} not drawn.`);
    if (order.length > drawn.length) notes.push(`Drawn are the first ${SOURCES} of ${order.length} sources.`);
    return overview.section("when", "Who told it when", h("div", { class: "controls" }, overview.legend(Object.fromEntries(rows.map((row) => [row.relation, 1])))), chart,
      notes.length ? h("p", { class: "hint" }, notes.join(" ")) : null);
  }

  // ---- the articles

  function members(row, articles, query) {
    const number = new Map(articles.map((article, place) => [article, place + 1]));
    const { articles: of } = tables;
    const box = h("div");
    // Scores that no article of the story has are no column.
    const scores = [["share", "containment"], ["jaccard", "jaccard"], ["cosine", "cosine"], ["score", "story_score"]]
      .filter(([, column]) => articles.some((article) => of[column][article] !== null));
    const columns = [
      { name: "article", className: "title" }, { name: "source", className: "wide" }, { name: "published", className: "time" },
      { name: "relation", className: "relation" }, ...scores.map(([name]) => ({ name, number: true })),
      { name: "words", number: true }, { name: "removed", number: true }, { name: "see" },
    ];
    function fill(page) {
      const rows = articles.slice(page * ROWS, (page + 1) * ROWS).map((article) => {
        const matched = of.matched[article];
        const towards = matched >= 0 && matched !== articles[0] && number.has(matched) ? ` of ${number.get(matched)}` : "";
        const against = matched >= 0 ? matched : articles.find((other) => other !== article);
        return [
          h("span", { class: "member", id: `member-${article}`, tabindex: "-1" },
            h("span", { class: "quiet" }, `${number.get(article)} `), said(of.title[article]),
            of.credited[article] ? said(`credits ${of.credited[article]}`, "small", { class: "quiet" }) : null,
            of.alien[article] ? h("small", { class: "warn" }, "the text is not that of the title") : null),
          sources.link(tables.source(article)),
          words.time(of.minute[article]),
          h("span", {}, elements.badge(tables.relation(article)), towards),
          ...scores.map(([, column]) => words.score(of[column][article])),
          words.number(of.words[article]), words.number(of.removed[article]),
          h("span", { class: "links" },
            articles.length > 1 ? h("a", { href: compare.link(row, against, article),
              "aria-label": `Compare article ${number.get(article)} with ${number.get(against)}` }, "compare") : null,
            original(of.url[article])),
        ];
      });
      box.replaceChildren(elements.table("Articles of the story, the canonical one first", columns, rows, { cards: true }),
        elements.pager(page, Math.ceil(articles.length / ROWS), fill) ?? "");
    }
    fill(0);
    return overview.section("members", "Articles", box,
      h("p", { class: "hint" },
        "Share is the part of the shorter text found in the longer one, jaccard the part that both have of all they say; ",
        "cosine compares their embeddings, and score is the probability of one event. What was not asked is empty."));
  }

  // A link to the page of the publisher, if it is one: other schemes could be scripts.
  function original(url) {
    if (!/^https?:\/\//i.test(url ?? "")) return null;
    return h("a", { href: url, target: "_blank", rel: "noopener noreferrer nofollow" }, "original");
  }

  // ---- what was compared

  function evidence(articles, { matches }) {
    const inStory = new Set(articles);
    const kinds = [
      ["near", "Near misses", matches.filter((match) => !match.accepted)],
      ["accepted", "Accepted comparisons", matches.filter((match) => match.accepted)],
    ];
    const name = (article) => h("span", {}, said(tables.articles.title[article]), " ",
      h("span", { class: "quiet" }, words.source(tables.source(article))));
    const columns = [{ name: "article", className: "title" }, { name: "with", className: "title" }, { name: "asked" },
      { name: "share", number: true }, { name: "jaccard", number: true }, { name: "cosine", number: true },
      { name: "score", number: true }, { name: "rule" }];
    const outer = (match) => (inStory.has(match.a) ? match.b : match.a);
    const inner = (match) => (inStory.has(match.a) ? match.a : match.b);
    const about = (rows) => rows.slice(0, 200).map((match) => [
      name(inner(match)),
      inStory.has(outer(match)) ? name(outer(match))
        : h("a", { href: overview.storyLink(tables.storyOf[outer(match)]) }, name(outer(match))),
      match.copy ? "copy" : "story", words.score(match.containment), words.score(match.jaccard),
      words.score(match.cosine), words.score(match.story_score), said(match.rule),
    ]);
    if (!matches.length) return null;
    return overview.section("evidence", "What was compared",
      h("p", { class: "hint" }, `Of each article at most ${tables.report.held.per_article} comparisons are held here, the closest; all are in matches/.`),
      kinds.filter(([, , rows]) => rows.length).map(([, title, rows]) =>
        h("details", {}, h("summary", {}, `${title} (${words.number(rows.length)})`),
          elements.table(rows.length > 200 ? `${title}: 200 of ${words.number(rows.length)}` : title, columns, about(rows), { cards: true }))));
  }

  return { view, original };
})();
