// All sources, and one of them: what it copies, who copies it, and what it lost to furniture.
"use strict";

const sources = (() => {
  const PAGE = 100;
  const link = (name) => name === null
    ? h("span", { class: "quiet" }, words.source(name))
    : said(name, "a", { href: `#/source/${encodeURIComponent(name)}` });

  function furnitureTable(caption, rows) {
    return elements.table(caption, [
      { name: "source" }, { name: "lost", className: "lost" }, { name: "share", number: true },
      { name: "words removed", number: true }, { name: "articles", number: true }, { name: "wiped out", number: true },
    ], rows.map((row) => [
      h("span", { class: row.alarm ? "alarmed" : null },
        row.alarm ? h("span", { class: "flag" }, "alarm") : null, link(row.source)),
      elements.meter(row.removed, row.removed + row.words, row.alarm ? "alarmed" : ""),
      words.share(row.removed, row.removed + row.words),
      words.number(row.removed), words.number(row.articles), row.wiped ? words.number(row.wiped) : "",
    ]), { hidden: true, cards: true });
  }

  function view(path, query) {
    const box = h("div");
    const status = h("p", { class: "status", role: "status" });
    const { furniture } = tables.report;
    function update(page) {
      const asked = words.fold(query.get("q") ?? "");
      const found = furniture.filter((row) => words.fold(words.source(row.source)).includes(asked));
      status.textContent = words.count(found.length, "source");
      box.replaceChildren(
        furnitureTable("Sources: the alarms first, then those that lost the largest share", found.slice(page * PAGE, (page + 1) * PAGE)),
        elements.pager(page, Math.ceil(found.length / PAGE), update) ?? "");
    }
    const form = h("form", { class: "filters", role: "search", "aria-label": "Sources",
      oninput: (event) => {
        if (event.target.value) query.set("q", event.target.value);
        else query.delete("q");
        const written = query.toString();
        history.replaceState(null, "", written ? `#/sources?${written}` : "#/sources");
        update(0);
      }, onsubmit: (event) => event.preventDefault() },
      h("label", { class: "wide" }, h("span", {}, "Name"), h("input", { type: "search", name: "q", value: query.get("q"), autocomplete: "off", dir: "auto" })));
    update(0);
    return { title: "Sources", nodes: [h("h1", { tabindex: "-1" }, "Sources"), form, status, box] };
  }

  async function one(name) {
    const row = tables.report.furniture.find((entry) => entry.source === name);
    if (!row) {
      return { title: "No such source", nodes: [h("h1", { tabindex: "-1" }, "No such source"),
        h("p", {}, "The run holds no article of ", said(name, "code"), ". ", h("a", { href: "#/sources" }, "All sources"))] };
    }
    const { lines, more } = await tables.removed(name);
    const rest = lines.filter((line) => !line[1]);
    const copies = (mine, theirs, title, none) => {
      const found = tables.report.copies.filter((pair) => pair[mine] === name);
      return overview.section(`${mine}-list`, title, found.length
        ? h("ul", { class: "plain" }, found.slice(0, 30).map((pair) => {
            const kinds = Object.entries(pair.relations).map(([kind, count]) => `${words.number(count)} ${words.relation(kind)}`);
            return h("li", {}, link(pair[theirs]), " ", h("span", { class: "quiet" }, kinds.join(", ")));
          }), found.length > 30 ? h("li", { class: "quiet" }, `and ${words.number(found.length - 30)} more`) : null)
        : h("p", { class: "hint" }, none));
    };
    return {
      title: name,
      nodes: [
        h("div", { class: "lead" },
          h("p", { class: "kicker" }, h("a", { href: "#/sources" }, "Sources")),
          said(name, "h1", { tabindex: "-1" }),
          elements.facts([words.count(row.articles, "article"), `${words.number(row.words)} words`,
            `${words.share(row.removed, row.removed + row.words)} of its words removed`], "facts"),
          h("p", {}, h("a", { href: `#/stories?${new URLSearchParams({ source: name })}` }, "Its stories"))),
        row.alarm ? h("p", { class: "alarm", role: "note" }, h("strong", {}, "Alarm: "),
          `${words.number(row.wiped)} of ${words.count(row.articles, "article")} came down to fewer than ${tables.report.held.min_words} words, and ${words.share(row.removed, row.removed + row.words)} of all its words went. Are the lines below its news?`) : null,
        h("div", { class: "pair" },
          copies("copier", "original", "It copies", "Nothing of another source."),
          copies("original", "copier", "It is copied by", "Nobody.")),
        overview.section("lines", "Removed lines", lines.length
          ? elements.table(more ? `The ${lines.length} commonest of ${words.number(lines.length + more)} lines` : "All removed lines, the commonest first",
              [{ name: "line", className: "title" }, { name: "reason" }, { name: "articles", number: true }, { name: "words", number: true }],
              lines.filter((line) => line[1]).map(([reason, line, number, count]) =>
                [said(line, "del"), words.relation(reason), words.number(number), words.number(count)]))
          : h("p", { class: "hint" }, "Nothing was removed."),
        rest.length ? h("p", { class: "hint" }, `Rarer lines, not listed one by one: ${words.number(rest.reduce((sum, line) => sum + line[3], 0))} words.`) : null),
      ],
    };
  }

  return { link, furnitureTable, view, one };
})();
