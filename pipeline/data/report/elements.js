// Elements of the page. What is given as a child is text or an element, never markup.
"use strict";

const elements = (() => {
  // h("a", {href, class, onclick}, "text", h("b", {}, "more")); null children are left out.
  function h(tag, attributes, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes ?? {})) {
      if (value === null || value === undefined || value === false) continue;
      if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
      else if (name === "style") {
        for (const [property, set] of Object.entries(value)) {
          element.style.setProperty(property, set);
        }
      } else element.setAttribute(name, value === true ? "" : value);
    }
    append(element, children);
    return element;
  }

  function append(element, children) {
    for (const child of children.flat()) {
      if (child !== null && child !== undefined && child !== false) element.append(child);
    }
  }

  // Words of an article: their direction follows from their letters.
  const said = (text, tag = "span", attributes = {}) => h(tag, { dir: "auto", ...attributes }, text);

  // A table in a box that scrolls sideways by itself. A column is
  // {name, number, className}; the first cell of a row is its heading.
  // On a phone one of `cards` shows each row as a card; roles are told, for what is laid out
  // as blocks is no table to some readers.
  function table(caption, columns, rows, { hidden = false, cards = false } = {}) {
    const cell = (content, place) => {
      const column = columns[place];
      const attributes = {
        class: [column.number ? "number" : "", column.className ?? ""].join(" ").trim() || null,
        "data-name": column.name,
      };
      if (place === 0) return h("th", { scope: "row", role: "rowheader", ...attributes }, content);
      return h("td", { role: "cell", ...attributes }, content);
    };
    return h(
      "div",
      { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
      h(
        "table",
        { role: "table", class: cards ? "cards" : null },
        h("caption", { class: hidden ? "unseen" : null }, caption),
        h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, columns.map((column) =>
          h("th", { scope: "col", role: "columnheader", class: column.number ? "number" : null }, column.name)))),
        h("tbody", { role: "rowgroup" }, rows.map((row) => h("tr", { role: "row" }, row.map(cell)))),
      ),
    );
  }

  const badge = (relation) =>
    h("span", { class: `badge ${relation}` }, words.relation(relation));

  // A share as a bar, beside the number that says it.
  const meter = (part, all, className = "") =>
    h("span", { class: `meter ${className}`, "aria-hidden": "true" },
      h("span", { style: { width: `${all ? (100 * part) / all : 0}%` } }));

  // Facts in one line, none of them broken where another begins.
  const facts = (list, className) =>
    h("p", { class: className }, list.filter(Boolean).flatMap((fact, place) =>
      [place ? " · " : null, h("span", { class: "fact" }, fact)]));

  // Pages of a long list: buttons, and where one is.
  function pager(page, pages, go) {
    if (pages < 2) return null;
    const step = (label, to) =>
      h("button", { type: "button", disabled: to < 0 || to >= pages, onclick: () => go(to) }, label);
    return h("nav", { class: "pager", "aria-label": "Pages" },
      step("Previous", page - 1),
      h("span", {}, `page ${words.number(page + 1)} of ${words.number(pages)}`),
      step("Next", page + 1));
  }

  return { h, append, said, table, badge, meter, facts, pager };
})();
const { h, said } = elements;
