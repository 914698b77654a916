// Charts, drawn by Vega as SVG in the colours of the page. Each has a table or a list beside
// it that says the same.
"use strict";

const charts = (() => {
  const drawn = new Map();
  const colour = (name) =>
    getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  const instant = (minute) => minute * 60e3;
  // Of moments within a few days: midnight is written as the day that begins.
  const DAY_OR_CLOCK =
    "utchours(datum.value) == 0 ? utcFormat(datum.value, '%-d %b') : utcFormat(datum.value, '%H:%M')";

  function config() {
    const font = colour("sans");
    return {
      background: "transparent",
      font,
      axis: {
        labelColor: colour("quiet"), titleColor: colour("quiet"), domainColor: colour("line"),
        gridColor: colour("line"), tickColor: colour("line"), labelFontSize: 12, titleFontSize: 12,
        titleFontWeight: "normal", labelFont: font, titleFont: font,
      },
      view: { stroke: null },
      text: { font },
    };
  }

  async function paint(element) {
    const { make, pick } = drawn.get(element);
    const width = Math.floor(element.clientWidth);
    if (!width || !element.isConnected) return;
    const result = await vegaEmbed(
      element,
      { $schema: "https://vega.github.io/schema/vega-lite/v6.json", config: config(), ...make(width) },
      { actions: false, renderer: "svg", ast: true, tooltip: { theme: "custom" }, mode: "vega-lite" },
    );
    const entry = drawn.get(element);
    if (!entry) return result.finalize();
    entry.result?.finalize();
    entry.result = result;
    entry.width = width;
    if (pick) {
      result.view.addEventListener("click", (_, item) => item?.datum && pick(item.datum));
    }
  }

  let waiting = 0;
  const watch = new ResizeObserver((entries) => {
    cancelAnimationFrame(waiting);
    waiting = requestAnimationFrame(() => {
      for (const { target } of entries) {
        const entry = drawn.get(target);
        if (entry && entry.width !== Math.floor(target.clientWidth)) paint(target);
      }
    });
  });

  // Draw what `make(width)` specifies, now and whenever the width changes.
  function draw(element, make, pick) {
    const before = drawn.get(element);
    drawn.set(element, { make, pick, result: before?.result });
    if (before) paint(element);
    else watch.observe(element);
    return element;
  }

  function forget() {
    for (const [element, entry] of drawn) {
      watch.unobserve(element);
      entry.result?.finalize();
    }
    drawn.clear();
  }

  const repaint = () => Promise.all([...drawn.keys()].map(paint));

  // Round moments between two minutes, some six of them, and how to write them.
  function ticks(from, to, most) {
    const steps = [60, 180, 360, 720, 1440, 2880, 7 * 1440];
    const step = steps.find((minutes) => (to - from) / minutes <= most);
    if (step) {
      const found = [];
      for (let at = Math.ceil(from / step) * step; at <= to; at += step) found.push(at);
      return { values: found, format: step < 1440 ? "%H:%M" : "%-d %b", days: step < 1440 };
    }
    const found = [];
    const first = new Date(instant(from));
    const months = Math.max(1, Math.ceil((to - from) / 43800 / most));
    const every = [1, 2, 3, 6, 12, 24, 60, 120].find((number) => number >= months) ?? 240;
    for (let month = 0; ; month += 1) {
      const year = first.getUTCFullYear() + Math.floor((first.getUTCMonth() + month) / 12);
      const inYear = (first.getUTCMonth() + month) % 12;
      const at = Date.UTC(year, inYear, 1) / 60e3;
      if (at > to) break;
      if ((year * 12 + inYear) % every === 0 && at >= from) found.push(at);
    }
    return { values: found, format: every % 12 ? "%b %Y" : "%Y", days: false };
  }

  // Articles over time: one's own words below, borrowed words above them.
  function hours(element, buckets, from, to) {
    const most = Math.max(1, ...buckets.map((bucket) => bucket.own + bucket.borrowed));
    return draw(element, (width) => {
      const { values, format, days } = ticks(from, to, width < 500 ? 5 : 9);
      const rows = buckets.flatMap((bucket) => [
        { ...bucket, low: 0, high: bucket.own, kind: "own words", number: bucket.own },
        { ...bucket, low: bucket.own, high: bucket.own + bucket.borrowed, kind: "copies and rewrites",
          number: bucket.borrowed },
      ]).filter((row) => row.number).map((row) => ({
        ...row, start: instant(row.start), end: instant(row.end),
        label: `${words.time(row.start)}: ${words.count(row.number, "article")}, ${row.kind}`,
      }));
      return {
        width, height: 110, padding: { left: 0, right: 0, top: 14, bottom: 26 },
        autosize: { type: "none" },
        data: { values: rows },
        mark: { type: "bar", binSpacing: 1 },
        encoding: {
          x: {
            field: "start", type: "temporal", title: null,
            scale: { type: "utc", domainRaw: { expr: `[${instant(from)}, ${instant(to)}]` }, nice: false },
            axis: {
              values: { expr: JSON.stringify(values.map(instant)) }, grid: false, tickSize: 4, labelFlush: true, labelOverlap: true,
              ...(days ? { labelExpr: DAY_OR_CLOCK } : { format }),
            },
          },
          x2: { field: "end" },
          y: {
            field: "low", type: "quantitative", title: null,
            scale: { domain: [0, most], nice: false },
            axis: { values: [most], grid: true, domain: false, ticks: false, labelAlign: "left",
              labelPadding: 0, labelOffset: -8, minExtent: 0, maxExtent: 0,
              labelExpr: `'${words.count(most, "article")}'` },
          },
          y2: { field: "high" },
          color: {
            field: "kind", type: "nominal", legend: null,
            scale: { domain: ["own words", "copies and rewrites"], range: [colour("own"), colour("borrowed")] },
          },
          tooltip: { field: "label", type: "nominal" },
          description: { field: "label", type: "nominal" },
        },
      };
    });
  }

  // Who copies whom: a row copies, a column is copied, a cell says how many articles.
  function matrix(element, cells, copiers, originals, pick) {
    const most = Math.max(...cells.map((cell) => cell.number));
    return draw(element, (width) => {
      const narrow = width < 520;
      const label = narrow ? 128 : 190;
      const step = Math.max(26, Math.min(62, Math.floor((width - label - 70) / originals.length)));
      const axis = { title: null, domain: false, ticks: false, labelPadding: 8, labelFontSize: 12,
        labelColor: colour("ink") };
      const place = {
        y: { field: "copier", type: "nominal", sort: copiers, axis: { ...axis, labelLimit: label - 16 } },
        x: { field: "original", type: "nominal", sort: originals,
          axis: { ...axis, orient: "top", labelAngle: -50, labelAlign: "left", labelLimit: narrow ? 120 : 190 } },
      };
      const described = {
        tooltip: { field: "label", type: "nominal" },
        description: { field: "label", type: "nominal" },
      };
      return {
        width: { step }, height: { step: 32 },
        autosize: { type: "pad" },
        data: { values: cells },
        encoding: place,
        layer: [
          {
            data: { values: copiers.flatMap((copier) => originals.map((original) => ({ copier, original }))) },
            mark: { type: "rect", fill: colour("wash"), stroke: colour("paper"), strokeWidth: 2, aria: false },
          },
          {
            mark: { type: "rect", stroke: colour("paper"), strokeWidth: 2, cornerRadius: 3, cursor: "pointer" },
            encoding: {
              color: { field: "number", type: "quantitative", legend: null,
                scale: { type: "sqrt", domain: [0, most], range: [colour("wash"), colour("heat")] } },
              ...described,
            },
          },
          {
            mark: { type: "text", fontSize: 13, fontWeight: 600, cursor: "pointer", aria: false },
            encoding: {
              text: { field: "number", type: "quantitative" },
              color: { value: colour("ink") },
              tooltip: described.tooltip,
            },
          },
        ],
      };
    }, pick);
  }

  // The articles of a story on a time axis, a row a source.
  function members(element, rows, order, from, to, canonical, pick) {
    const wide = Math.max(30, (to - from) * 0.03);
    const present = tables.report.relations.filter((name) => rows.some((row) => row.relation === name));
    return draw(element, (width) => {
      const narrow = width < 520;
      const { values, format, days } = ticks(from - wide, to + wide, narrow ? 4 : 8);
      const x = {
        field: "at", type: "temporal", title: null,
        scale: { type: "utc", domainRaw: { expr: `[${instant(from - wide)}, ${instant(to + wide)}]` }, nice: false },
        axis: { values: { expr: JSON.stringify(values.map(instant)) }, labelFlush: false, labelOverlap: true, grid: true,
          ...(days ? { labelExpr: DAY_OR_CLOCK } : { format }) },
      };
      const y = { field: "source", type: "nominal", sort: order, title: null,
        scale: { domain: order },
        axis: { labelLimit: narrow ? 118 : 210, domain: false, ticks: false, labelPadding: 10,
          grid: true, labelColor: colour("ink") } };
      return {
        width, height: 26 * order.length, autosize: { type: "fit-x", contains: "padding" },
        layer: [
          ...(canonical === null ? [] : [{
            data: { values: [{ at: instant(canonical) }] },
            mark: { type: "rule", strokeDash: [3, 3], color: colour("canonical"), aria: false },
            encoding: { x },
          }]),
          {
            data: { values: rows.map((row) => ({ ...row, at: instant(row.minute) })) },
            mark: { type: "point", filled: true, size: 130, opacity: 1, cursor: "pointer",
              stroke: colour("paper"), strokeWidth: 1.5 },
            encoding: {
              x, y,
              color: { field: "relation", type: "nominal", legend: null,
                scale: { domain: present, range: present.map(colour) } },
              shape: { field: "relation", type: "nominal", legend: null,
                scale: { domain: present, range: present.map((name) => name === "canonical" ? "diamond" : "circle") } },
              tooltip: { field: "label", type: "nominal" },
              description: { field: "label", type: "nominal" },
            },
          },
        ],
      };
    }, pick);
  }

  return { forget, repaint, ticks, hours, matrix, members };
})();
