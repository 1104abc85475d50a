// Python's strftime for chat templates: English names, universal time, so that a text is the same on every machine.
// Must not look at the clock.

const months = [
  "January",
  "February",
  "March",
  "April",
  "May",
  "June",
  "July",
  "August",
  "September",
  "October",
  "November",
  "December",
];
const days = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

const two = (value: number) => String(value).padStart(2, "0");

const directives: Readonly<Record<string, (date: Date) => string>> = {
  Y: (date) => String(date.getUTCFullYear()),
  y: (date) => two(date.getUTCFullYear() % 100),
  m: (date) => two(date.getUTCMonth() + 1),
  d: (date) => two(date.getUTCDate()),
  e: (date) => String(date.getUTCDate()).padStart(2, " "),
  B: (date) => months[date.getUTCMonth()] ?? "",
  b: (date) => (months[date.getUTCMonth()] ?? "").slice(0, 3),
  A: (date) => days[date.getUTCDay()] ?? "",
  a: (date) => (days[date.getUTCDay()] ?? "").slice(0, 3),
  H: (date) => two(date.getUTCHours()),
  I: (date) => two(date.getUTCHours() % 12 === 0 ? 12 : date.getUTCHours() % 12),
  p: (date) => (date.getUTCHours() < 12 ? "AM" : "PM"),
  M: (date) => two(date.getUTCMinutes()),
  S: (date) => two(date.getUTCSeconds()),
  j: (date) => {
    const start = Date.UTC(date.getUTCFullYear(), 0, 1);
    const day = Math.floor((date.getTime() - start) / 86_400_000) + 1;
    return String(day).padStart(3, "0");
  },
  F: (date) => `${date.getUTCFullYear()}-${two(date.getUTCMonth() + 1)}-${two(date.getUTCDate())}`,
  "%": () => "%",
};

/** `%Y-%m-%d` and the like; `%-d` without padding. Throws for a directive it does not know. */
export function strftime(date: Date, format: string): string {
  return format.replaceAll(/%(-?)([\s\S]?)/g, (token, bare: string, letter: string) => {
    const write = directives[letter];
    if (write === undefined) throw new Error(`strftime_now: unknown directive "${token}"`);
    const text = write(date);
    return bare === "" ? text : text.replace(/^[0 ]+(?=.)/, "");
  });
}
