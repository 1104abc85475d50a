// Numbers and times as words. Must not know the page.

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

/** What the service does not know is null or absent. */
export function isKnown(value) {
  return typeof value === "number" && Number.isFinite(value);
}

export function count(value) {
  return isKnown(value) ? whole.format(value) : "–";
}

/** `count(1, "item")`, with an s where there is not one. */
export function counted(value, noun) {
  return `${count(value)} ${noun}${value === 1 ? "" : "s"}`;
}

export function percent(share) {
  return isKnown(share) ? `${Math.round(share * 100)}%` : "–";
}

/** With a true minus, so that columns line up and screen readers say it. */
export function fixed(value, digits = 2) {
  if (!isKnown(value)) return "–";
  const text = Math.abs(value).toFixed(digits);
  return value < 0 && Number(text) !== 0 ? `−${text}` : text;
}

export function signed(value, digits = 2) {
  const text = fixed(value, digits);
  return isKnown(value) && !text.startsWith("−") && Number(text) !== 0 ? `+${text}` : text;
}

/** `low to high`: a dash would read as a minus. */
export function range(interval, words = fixed) {
  if (interval === undefined || !isKnown(interval.low) || !isKnown(interval.high)) return "no interval";
  return `${words(interval.low)} to ${words(interval.high)}`;
}

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

export function duration(milliseconds) {
  if (!isKnown(milliseconds)) return "–";
  if (milliseconds < MINUTE)
    return `${(milliseconds / SECOND).toFixed(milliseconds < 10 * SECOND ? 1 : 0)} s`;
  if (milliseconds < 2 * HOUR) return counted(Math.round(milliseconds / MINUTE), "minute");
  if (milliseconds < 2 * DAY) return counted(Math.round(milliseconds / HOUR), "hour");
  return counted(Math.round(milliseconds / DAY), "day");
}

const dayAndTime = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "short" });
const timeOfDay = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium" });
const hourOfDay = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const dayOfMonth = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", timeZone: "UTC" });

export const moment = (time) => dayAndTime.format(time);
export const clockTime = (time) => timeOfDay.format(time);
export const hourOf = (time) => hourOfDay.format(time);
export const dayOf = (time) => dayOfMonth.format(time);

/** Answers in the order in which they were added. */
export const letterOf = (place) =>
  String.fromCharCode(65 + (place % 26)) + (place > 25 ? Math.floor(place / 26) : "");
