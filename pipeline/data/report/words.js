// How numbers, times and relations are written for a person. All times are UTC.
"use strict";

const words = (() => {
  const DAY = 24 * 60;
  const whole = new Intl.NumberFormat("en");
  const two = (value) => String(value).padStart(2, "0");

  const number = (value) => whole.format(value);
  const count = (value, noun) => `${number(value)} ${noun}${value === 1 ? "" : "s"}`;
  const stories = (value) => `${number(value)} ${value === 1 ? "story" : "stories"}`;
  const share = (part, all) => {
    if (!all) return "0 %";
    const percent = (100 * part) / all;
    return `${percent > 0 && percent < 1 ? "<1" : Math.round(percent)} %`;
  };
  // A score is kept in hundredths; null where it was not measured.
  const score = (hundredths) => (hundredths === null ? "" : (hundredths / 100).toFixed(2));

  const day = (minute) => new Date(minute * 60e3).toISOString().slice(0, 10);
  const clock = (minute) => {
    const of = ((minute % DAY) + DAY) % DAY;
    return `${two(Math.floor(of / 60))}:${two(of % 60)}`;
  };
  const time = (minute) => (minute === null ? "no date" : `${day(minute)} ${clock(minute)}`);
  const MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");
  const date = (minute) => {
    const at = new Date(minute * 60e3);
    return `${at.getUTCDate()} ${MONTHS[at.getUTCMonth()]} ${at.getUTCFullYear()}`;
  };
  const span = (first, last) => {
    if (first === null) return "no date";
    if (day(first) === day(last)) {
      return first === last ? time(first) : `${time(first)} to ${clock(last)}`;
    }
    return `${time(first)} to ${time(last)}`;
  };
  const duration = (minutes) => {
    if (minutes < 60) return `${minutes} min`;
    if (minutes < 2 * DAY) return `${Math.floor(minutes / 60)} h ${two(minutes % 60)} min`;
    return count(Math.round(minutes / DAY), "day");
  };

  const relation = (name) => name.replaceAll("_", " ");
  const source = (name) => name ?? "unknown source";
  const BORROWED = ["exact_copy", "near_copy", "partial_reprint", "wire_rewrite"];
  const isBorrowed = (name) => BORROWED.includes(name);

  // Words are found in any case, with or without their accents.
  const fold = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();

  return {
    DAY, MONTHS, number, count, stories, share, score, day, clock, time, date, span, duration,
    relation, source, isBorrowed, fold,
  };
})();
