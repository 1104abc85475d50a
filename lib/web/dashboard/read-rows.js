// Reads a file of rows in pieces that one call takes, and adds up what calls say of them. Pure.

const MOST_ROWS = 1000;
const MOST_CHARACTERS = 4_000_000;

/** Lists of rows out of a JSON list, one object, or one object on each line. @throws Error naming the line */
export function* rowBatches(text) {
  let [batch, size] = [[], 0];
  for (const [row, length] of rowsOf(text.trim())) {
    if (batch.length > 0 && (batch.length >= MOST_ROWS || size + length > MOST_CHARACTERS)) {
      yield batch;
      [batch, size] = [[], 0];
    }
    batch.push(row);
    size += length;
  }
  if (batch.length > 0) yield batch;
}

function* rowsOf(text) {
  const whole = parsed(text);
  if (whole !== undefined) {
    for (const row of Array.isArray(whole) ? whole : [whole]) yield [row, JSON.stringify(row).length];
    return;
  }
  for (const [number, line] of text.split("\n").entries()) {
    if (line.trim() === "") continue;
    const row = parsed(line);
    if (row === undefined) throw new Error(`Line ${number + 1} is no JSON.`);
    yield [row, line.length];
  }
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Reports of several calls as one. */
export function summed(before, report) {
  if (before === undefined) return report;
  return Object.fromEntries(
    Object.entries(report).map(([name, value]) => [name, sumOf(before[name], value)]),
  );
}

function sumOf(a, b) {
  if (typeof b === "number") return (a ?? 0) + b;
  if (Array.isArray(b)) return [...(a ?? []), ...b];
  if (typeof b !== "object" || b === null) return b;
  const names = new Set([...Object.keys(a ?? {}), ...Object.keys(b)]);
  return Object.fromEntries([...names].map((name) => [name, (a?.[name] ?? 0) + (b[name] ?? 0)]));
}

/** `NAME=USE` on each line; `problem`: what is wrong with the first that is none. */
export function usesOf(text) {
  const uses = {};
  for (const line of text.split("\n")) {
    if (line.trim() === "") continue;
    const at = line.lastIndexOf("=");
    if (at <= 0)
      return { uses, problem: `Expected NAME=USE, such as quality=rating:0, but received ${line}.` };
    uses[line.slice(0, at).trim()] = line.slice(at + 1).trim();
  }
  return { uses };
}
