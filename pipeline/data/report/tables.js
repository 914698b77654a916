// What the page holds: the first screen as JSON, columns, texts and evidence compressed.
"use strict";

const tables = (() => {
  const report = JSON.parse(document.getElementById("report").textContent);

  async function unpack(name) {
    const packed = document.getElementById(name).textContent;
    let bytes;
    if (Uint8Array.fromBase64) bytes = Uint8Array.fromBase64(packed);
    else bytes = Uint8Array.from(atob(packed), (letter) => letter.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return JSON.parse(await new Response(stream).text());
  }

  const kept = new Map();
  function once(name) {
    if (!kept.has(name)) kept.set(name, unpack(name));
    return kept.get(name);
  }

  const all = { report };

  // Columns, and what follows from them: where the articles of a story begin.
  async function load() {
    const { sources, articles, stories } = await once("tables");
    const starts = [0];
    for (const size of stories.articles) starts.push(starts.at(-1) + size);
    const storyOf = new Int32Array(articles.id.length);
    stories.articles.forEach((size, story) => storyOf.fill(story, starts[story], starts[story + 1]));
    const rowOfStory = new Map(stories.id.map((id, row) => [id, row]));
    Object.assign(all, { sources, articles, stories, starts, storyOf, rowOfStory });
  }

  const members = (story) =>
    Array.from({ length: all.stories.articles[story] }, (_, number) => all.starts[story] + number);
  const relation = (article) => report.relations[all.articles.relation[article]];
  const source = (article) => all.sources[all.articles.source[article]] ?? null;

  // Texts and comparisons of a story; neither where the page holds none.
  async function details(story) {
    const part = all.stories.part[story];
    const found = part < 0 ? {} : ((await once(`part-${part}`))[story] ?? {});
    const columns = found.matches;
    const matches = columns
      ? columns.a.map((_, row) =>
          Object.fromEntries(Object.keys(columns).map((name) => [name, columns[name][row]])))
      : [];
    return { texts: found.texts ?? null, lengths: found.lengths ?? null, matches };
  }

  async function removed(source) {
    const bySource = await once("removed");
    const [lines, more] = bySource[source === null ? bySource.length - 1 : all.sources.indexOf(source)];
    return { lines, more };
  }

  return Object.assign(all, { load, members, relation, source, details, removed });
})();
