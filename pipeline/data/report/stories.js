// All stories: searched by word and source, filtered by date, size and relation, in pages.
"use strict";

const stories = (() => {
  const PAGE = 40;
  const KINDS = { copy: ["exact_copy", "near_copy", "partial_reprint"] };
  let searched = null;

  // What of a story can be found by word: titles, keywords and sources, folded.
  function haystack() {
    searched ??= tables.stories.id.map((_, story) => {
      const found = [tables.stories.title[story], ...tables.stories.keywords[story]];
      for (const article of tables.members(story)) {
        found.push(tables.articles.title[article], tables.source(article) ?? "");
      }
      return words.fold(found.join("\n"));
    });
    return searched;
  }

  function matching(query) {
    const texts = query.get("q") ? haystack() : null;
    const terms = words.fold(query.get("q") ?? "").split(/\s+/).filter(Boolean);
    const source = words.fold(query.get("source") ?? "");
    const least = Number(query.get("least") ?? 1);
    const from = query.get("from") ? Date.parse(query.get("from")) / 60e3 : null;
    const to = query.get("to") ? Date.parse(query.get("to")) / 60e3 + words.DAY : null;
    const kinds = query.get("relation") ? (KINDS[query.get("relation")] ?? [query.get("relation")]) : null;
    const copier = query.get("copier"), original = query.get("original");
    const named = tables.sources.map(words.fold);
    const isSource = new Set(named.flatMap((name, number) => (name.includes(source) ? [number] : [])));
    const found = [];
    tables.stories.id.forEach((_, story) => {
      if (tables.stories.articles[story] < least) return;
      if (from !== null && !(tables.stories.last[story] >= from && tables.stories.last[story] !== null)) return;
      if (to !== null && !(tables.stories.first[story] < to && tables.stories.first[story] !== null)) return;
      if (texts && !terms.every((term) => texts[story].includes(term))) return;
      const of = tables.members(story);
      if (source && !of.some((article) => isSource.has(tables.articles.source[article]))) return;
      if (kinds && !of.some((article) => kinds.includes(tables.relation(article)))) return;
      if (copier && !of.some((article) => words.isBorrowed(tables.relation(article))
        && words.source(tables.source(article)) === copier
        && words.source(tables.source(tables.articles.matched[article])) === original)) return;
      found.push(story);
    });
    const last = tables.stories.last, first = tables.stories.first;
    if (query.get("sort") === "newest") found.sort((a, b) => (last[b] ?? -Infinity) - (last[a] ?? -Infinity) || a - b);
    if (query.get("sort") === "oldest") found.sort((a, b) => (first[a] ?? Infinity) - (first[b] ?? Infinity) || a - b);
    return found;
  }

  function view(path, query) {
    const results = h("div", { class: "results" });
    const status = h("p", { class: "status", role: "status" });
    const options = (name, label, choices) => h("label", {}, h("span", {}, label),
      h("select", { name }, choices.map(([value, text]) =>
        h("option", { value, selected: (query.get(name) ?? "") === value }, text))));
    const field = (name, label, attributes) => h("label", { class: attributes.class ?? null }, h("span", {}, label),
      h("input", { name, value: query.get(name), ...attributes }));
    const present = tables.report.relations.filter((name) => name !== "canonical" && tables.report.counts.relations[name]);
    const form = h("form", { class: "filters", role: "search", "aria-label": "Stories" },
      field("q", "Words", { type: "search", class: "wide", placeholder: "in titles, keywords, sources", autocomplete: "off", dir: "auto" }),
      field("source", "Source", { type: "search", list: "all-sources", autocomplete: "off", dir: "auto" }),
      h("datalist", { id: "all-sources" }, tables.sources.slice(0, 2000).map((name) => h("option", { value: name }))),
      field("from", "From", { type: "date" }),
      field("to", "To", { type: "date" }),
      options("least", "Size", [["", "any"], ["2", "2 articles or more"], ["3", "3 or more"], ["5", "5 or more"], ["10", "10 or more"], ["50", "50 or more"]]),
      options("relation", "Holds", [["", "anything"], ["copy", "any copy"], ...present.map((name) => [name, words.relation(name)])]),
      options("sort", "Order", [["", "largest first"], ["newest", "newest first"], ["oldest", "oldest first"]]));

    function update(page) {
      const found = matching(query);
      const pages = Math.ceil(found.length / PAGE);
      const at = Math.min(Math.max(0, page), Math.max(0, pages - 1));
      const articles = found.reduce((sum, story) => sum + tables.stories.articles[story], 0);
      status.textContent = found.length
        ? `${words.stories(found.length)}, ${words.count(articles, "article")}`
        : "No story is like that. Fewer words or a wider filter may find one.";
      elements.append(status, query.get("copier") ? [
        ` in which ${query.get("copier")} copies ${query.get("original")} `,
        h("button", { type: "button", class: "small", onclick: () => {
          query.delete("copier");
          query.delete("original");
          remember(0);
          update(0);
        } }, "show all"),
      ] : []);
      results.replaceChildren(
        h("ol", { class: "story-list", start: String(at * PAGE + 1) },
          found.slice(at * PAGE, (at + 1) * PAGE).map(item)),
        elements.pager(at, pages, (to) => {
          remember(to);
          update(to);
          status.scrollIntoView();
        }) ?? "");
    }

    function remember(page) {
      if (page) query.set("page", String(page + 1));
      else query.delete("page");
      const written = query.toString();
      history.replaceState(null, "", written ? `#/stories?${written}` : "#/stories");
    }

    let waiting = 0;
    form.addEventListener("input", () => {
      clearTimeout(waiting);
      waiting = setTimeout(() => {
        if (!form.isConnected) return;
        for (const [name, value] of new FormData(form)) {
          if (value) query.set(name, value);
          else query.delete(name);
        }
        remember(0);
        update(0);
      }, 120);
    });
    form.addEventListener("submit", (event) => event.preventDefault());
    update(Number(query.get("page") ?? 1) - 1);
    return { title: "Stories", nodes: [h("h1", { tabindex: "-1" }, "Stories"), form, status, results] };
  }

  // One story in a list: its title, where and when, and its articles as a bar of relations.
  function item(story) {
    const { title, first, last, articles, sources: number, independent, keywords } = tables.stories;
    const counts = new Map();
    for (const article of tables.members(story)) {
      const name = tables.relation(article);
      counts.set(name, (counts.get(name) ?? 0) + 1);
    }
    const present = tables.report.relations.filter((name) => counts.has(name));
    const said_of = present.map((name) => `${counts.get(name)} ${words.relation(name)}`).join(", ");
    const several = articles[story] > 1;
    return h("li", { class: "story" },
      h("span", { class: "size", "aria-hidden": "true" }, words.number(articles[story])),
      h("div", {},
        said(title[story], "a", { class: "title", href: overview.storyLink(story) }),
        elements.facts([
          words.span(first[story], last[story]),
          several ? words.count(articles[story], "article") : null,
          several ? words.count(number[story], "source") : words.source(tables.source(tables.starts[story])),
          several ? `${words.number(independent[story])} independent` : null,
        ], "quiet"),
        keywords[story].length ? said(keywords[story].join(", "), "p", { class: "keywords" }) : null,
        several ? h("span", { class: "mix", role: "img", "aria-label": said_of, title: said_of },
          present.map((name) => h("i", { class: name, style: { "flex-grow": String(counts.get(name)) } }))) : null));
  }

  return { view };
})();
