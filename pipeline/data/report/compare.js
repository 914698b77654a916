// Two texts side by side: what they share is marked, and what was removed stands below.
"use strict";

const compare = (() => {
  const link = (row, one, other) =>
    `${overview.storyLink(row)}?${new URLSearchParams({ a: tables.articles.id[one], b: tables.articles.id[other] })}`;

  // The two articles asked for, or the canonical one and its closest.
  function chosen(articles, query) {
    const byId = new Map(articles.map((article) => [tables.articles.id[article], article]));
    const one = byId.get(query.get("a")), other = byId.get(query.get("b"));
    if (one !== undefined && other !== undefined && one !== other) return [one, other];
    const copied = articles.slice(1).find((article) => words.isBorrowed(tables.relation(article)))
      ?? articles[1];
    const matched = tables.articles.matched[copied];
    return [articles.includes(matched) ? matched : articles[0], copied];
  }

  function section(row, articles, found, query) {
    if (articles.length < 2) return single(articles[0], found);
    const box = h("div", { class: "compare" });
    let pair = chosen(articles, query);
    const asked = query.get("a") !== null;
    const number = new Map(articles.map((article, place) => [article, place + 1]));
    const select = (side, label) => h("label", {}, h("span", {}, label),
      h("select", { onchange: (event) => {
        pair[side] = Number(event.target.value);
        if (pair[0] === pair[1]) pair[1 - side] = articles.find((article) => article !== pair[side]);
        history.replaceState(null, "", link(row, ...pair));
        show();
      } }, articles.map((article) => h("option", { value: String(article) },
        `${number.get(article)} ${words.source(tables.source(article))}, ${words.time(tables.articles.minute[article])}`))));
    const selects = [select(0, "Left"), select(1, "Right")];
    let latest = 0;
    async function show() {
      selects.forEach((label, side) => { label.querySelector("select").value = String(pair[side]); });
      const mine = (latest += 1);
      const removed = await Promise.all(pair.map((article) => tables.removed(tables.source(article))));
      if (mine === latest) box.replaceChildren(...drawn(pair, articles, found, removed));
    }
    show();
    const heading = h("h2", { id: "side-by-side", tabindex: "-1" }, "Side by side");
    if (asked) heading.dataset.focus = "";
    return h("section", { "aria-labelledby": "side-by-side" }, heading,
      h("div", { class: "controls choose" }, selects), box);
  }

  function single(article, found) {
    if (!found.texts) return h("p", { class: "notice" }, absent());
    const box = h("div", { class: "compare alone" });
    tables.removed(tables.source(article)).then((removed) =>
      box.replaceChildren(column(article, 0, found.texts[0], found.lengths[0], [], removed)));
    return overview.section("text", "Text", box);
  }

  const absent = () =>
    "The text of this story is not in this file, which holds texts up to a size, those of stories with copies first. It is in articles/.";

  // Passages of a pair from the left text's side, in its order, none inside another.
  function passages(match, one, lengths) {
    const [s, e, t, f] = match.a === one ? [0, 1, 2, 3] : [2, 3, 0, 1];
    const found = [];
    for (let at = 0; at < match.passages.length; at += 4) {
      const [start, end, matchedStart, matchedEnd] = [s, e, t, f].map((place) => match.passages[at + place]);
      if (end <= lengths[0] && matchedEnd <= lengths[1]) found.push({ start, end, matchedStart, matchedEnd });
    }
    found.sort((x, y) => x.start - y.start);
    return found.map((passage, place) => ({ ...passage, number: place + 1 }));
  }

  function drawn(pair, articles, found, removed) {
    if (!found.texts) return [h("p", { class: "notice" }, absent())];
    const [one, other] = pair;
    const texts = pair.map((article) => found.texts[articles.indexOf(article)]);
    const lengths = pair.map((article) => found.lengths[articles.indexOf(article)]);
    const of = found.matches.filter((match) =>
      (match.a === one && match.b === other) || (match.a === other && match.b === one));
    const copy = of.find((match) => match.passages.length);
    const shared = copy ? passages(copy, one, texts.map((text) => text.length)) : [];
    const sides = [
      shared.map(({ start, end, number }) => ({ start, end, number })),
      shared.map(({ matchedStart, matchedEnd, number }) => ({ start: matchedStart, end: matchedEnd, number })),
    ];
    const left = copy ? copy.passages.length / 4 - shared.length : 0;
    return [
      verdict(of, shared, left),
      h("div", { class: "columns" }, pair.map((article, side) =>
        column(article, side, texts[side], lengths[side], sides[side], removed[side]))),
    ];
  }

  function verdict(of, shared, left) {
    const rows = of.map((match) => h("li", {},
      h("span", { class: match.accepted ? "yes" : "no" }, match.accepted ? "✓ " : "✗ "),
      h("strong", {}, match.copy ? "Same text? " : "Same event? "), said(match.rule)));
    const text = shared.length
      ? `${words.count(shared.length, "shared passage")}, marked and numbered in both texts. A number leads to its place in the other text.`
      : of.length ? "No shared passages are stored for these two: they were not compared word by word, or share no run of words."
        : "These two were not compared, or not among the closest of either; matches/ holds all comparisons.";
    return h("div", { class: "verdict" }, rows.length ? h("ul", { class: "plain" }, rows) : null, h("p", {}, text),
      left ? h("p", { class: "hint" }, `${words.count(left, "passage")} beyond the cut of a text ${left === 1 ? "is" : "are"} not marked.`) : null);
  }

  function column(article, side, text, length, marks, removed) {
    const { articles: of } = tables;
    const share = marks.reduce((sum, mark) => sum + mark.end - mark.start, 0);
    return h("article", { class: "text", "aria-label": `${side ? "Right" : "Left"}: ${words.source(tables.source(article))}` },
      h("header", {},
        h("p", { class: "quiet" }, sources.link(tables.source(article)), ` · ${words.time(of.minute[article])} `,
          elements.badge(tables.relation(article))),
        said(of.title[article], "h3"),
        h("p", { class: "quiet" }, words.count(of.words[article], "word"),
          marks.length ? `, ${words.share(share, text.length)} shared` : "", " ", story.original(of.url[article]))),
      h("div", { class: "body", dir: "auto" }, text ? marked(text, marks, side) : h("p", { class: "hint" }, "There is no text besides the title.")),
      length > tables.report.held.characters
        ? h("p", { class: "notice" }, `Cut here: the first ${words.number(tables.report.held.characters)} of ${words.number(length)} characters. The rest is in articles/.`) : null,
      furniture(article, removed));
  }

  // The text with its marks, lines kept. A passage may run over several lines.
  function marked(text, marks, side) {
    const pieces = [];
    let at = 0;
    for (const { start, end, number } of [...marks].sort((a, b) => a.start - b.start)) {
      if (start < at) continue;
      pieces.push(...lines(text.slice(at, start)));
      const other = `passage-${1 - side}-${number}`;
      pieces.push(h("mark", { id: `passage-${side}-${number}` },
        h("button", { type: "button", "aria-label": `Shared passage ${number}: go to it in the ${side ? "left" : "right"} text`,
          onclick: () => go(other) }, String(number)),
        lines(text.slice(start, end))));
      at = end;
    }
    return [...pieces, ...lines(text.slice(at))];
  }

  // Lines of a text are its paragraphs.
  const lines = (text) => text.split(/\n+/).flatMap((line, place) =>
    (place ? [h("span", { class: "gap" }), line] : [line]));

  function go(id) {
    const mark = document.getElementById(id);
    if (!mark) return;
    for (const found of document.querySelectorAll("mark.now")) found.classList.remove("now");
    mark.classList.add("now");
    mark.querySelector("button").focus({ preventScroll: true });
    mark.scrollIntoView({ block: "center" });
  }

  // Removed lines are kept by source, not by article: so they stand below, not in their place.
  function furniture(article, { lines, more }) {
    const { articles: of } = tables;
    if (!of.removed[article]) return h("p", { class: "hint" }, "Nothing was removed from this article.");
    const known = lines.filter((line) => line[4] === article && line[0]);
    const rest = lines.filter((line) => line[4] !== article && line[1]);
    const list = (rows) => h("ul", { class: "struck" }, rows.map(([reason, line, number]) =>
      h("li", {}, said(line || "others", "del"), " ",
        h("span", { class: "quiet" }, `${words.relation(reason)}, ${words.count(number, "article")}`))));
    return h("details", { class: "furniture", open: true },
      h("summary", {}, `${words.count(of.removed[article], "word")} of furniture removed from this article`),
      h("p", { class: "hint" }, "Where a line stood, and in which articles, is not stored. These are lines removed from pages of ",
        words.source(tables.source(article)), "."),
      known.length ? [h("h4", {}, "Known to have stood in this article"), list(known)] : null,
      rest.length ? h("details", { open: !known.length }, h("summary", {}, `Removed at this source (${rest.length}${more ? ` of ${words.number(rest.length + more)}` : ""})`), list(rest)) : null);
  }

  return { section, link };
})();
