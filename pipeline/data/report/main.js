// Which view is shown: the part of the address after #. And light or dark.
"use strict";

(() => {
  const main = document.getElementById("main");
  const views = {
    "": ["overview", overview.view], stories: ["stories", stories.view], story: ["stories", story.view],
    sources: ["sources", sources.view], source: ["sources", sources.one],
  };
  let latest = 0;

  async function show(event) {
    const mine = (latest += 1);
    const [path, search] = location.hash.replace(/^#\/?/, "").split("?");
    const [name, ...rest] = path.split("/");
    const [tab, view] = views[name] ?? views[""];
    let argument = rest.join("/");
    try {
      argument = decodeURIComponent(argument);
    } catch {
      // A percent sign that was typed: the words as they stand.
    }
    charts.forget();
    const { title, nodes } = await view(argument, new URLSearchParams(search ?? ""));
    if (mine !== latest) return;
    main.replaceChildren(...nodes.filter(Boolean));
    document.title = `${title} · News report`;
    for (const link of document.querySelectorAll("[data-view]")) {
      if (link.dataset.view === tab) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    const wanted = main.querySelector("[data-focus]") ?? main.querySelector("h1");
    // A reader who came by a link begins at the heading; one who opened the file, at the top.
    if (event) {
      wanted?.focus({ preventScroll: true });
      if (wanted?.matches("h1")) scrollTo(0, 0);
      else wanted?.scrollIntoView();
    }
    document.documentElement.dataset.ready = location.hash || "#/";
  }

  function theme() {
    const button = document.getElementById("theme");
    const system = matchMedia("(prefers-color-scheme: dark)");
    const isDark = () => (document.documentElement.dataset.theme ?? (system.matches ? "dark" : "light")) === "dark";
    const tell = () => {
      button.setAttribute("aria-pressed", String(isDark()));
      charts.repaint();
    };
    button.addEventListener("click", () => {
      document.documentElement.dataset.theme = isDark() ? "light" : "dark";
      tell();
    });
    system.addEventListener("change", tell);
    tell();
  }

  function held() {
    const { held: has, counts } = tables.report;
    const texts = has.texts === counts.articles
      ? "The texts of all articles are in this file"
      : `The texts of ${words.number(has.texts)} of ${words.count(counts.articles, "article")} are in this file, those of stories with copies first`;
    const cut = has.cut ? `; ${words.number(has.cut)} of them cut at ${words.number(has.characters)} characters` : "";
    document.getElementById("held").textContent =
      `${texts}${cut}. ${words.count(has.comparisons, "comparison")} and up to ${has.lines} removed lines of each source are held.`;
  }

  tables.load().then(() => {
    held();
    theme();
    addEventListener("hashchange", show);
    return show();
  }).catch((error) => {
    main.replaceChildren(h("p", { class: "alarm", role: "alert" },
      `This page could not be drawn: ${error.message}. It needs a browser of 2023 or later.`));
    throw error;
  });
})();
