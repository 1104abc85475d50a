// Reads items out of pasted text or a file: a JSON list, or one JSON object on each line. Pure.

const MOST_PROBLEMS = 20;
const MOST_ITEMS = 1000;
const MOST_CHARACTERS = 4_000_000;

/** Each item knows its line, or its place in the list; `problems`: `{ line, text }`. Empty lines are passed over. */
export function readItems(text) {
  const trimmed = text.trim();
  if (trimmed.startsWith("[")) return readList(trimmed);
  const [items, problems] = [[], []];
  for (const [number, line] of text.split("\n").entries()) {
    if (line.trim() === "") continue;
    try {
      take(JSON.parse(line), number + 1, items, problems);
    } catch (error) {
      problems.push({ line: number + 1, text: `no JSON: ${error.message}` });
    }
    if (problems.length >= MOST_PROBLEMS) break;
  }
  return { items, problems, counted: "line" };
}

function readList(text) {
  const [items, problems] = [[], []];
  try {
    for (const [number, one] of JSON.parse(text).entries()) {
      take(one, number + 1, items, problems);
      if (problems.length >= MOST_PROBLEMS) break;
    }
  } catch (error) {
    problems.push({ line: 1, text: `no JSON: ${error.message}` });
  }
  return { items, problems, counted: "item" };
}

function take(one, line, items, problems) {
  const say = (text) => problems.push({ line, text });
  if (typeof one !== "object" || one === null || Array.isArray(one))
    return say("expected an object with prompt and answers");
  if (one.prompt === undefined) return say("expected a prompt");
  if (!Array.isArray(one.answers) || one.answers.length === 0) return say("expected a list of answers");
  // An answer of which nothing is known but its text may be just that.
  const answers = one.answers.map((answer) => (typeof answer === "string" ? { content: answer } : answer));
  items.push({ line, item: { ...one, answers } });
}

/** Batches that one call takes. */
export function batchesOf(items) {
  const batches = [];
  let [batch, size] = [[], 0];
  for (const one of items) {
    const length = JSON.stringify(one.item).length;
    if (batch.length > 0 && (batch.length >= MOST_ITEMS || size + length > MOST_CHARACTERS)) {
      batches.push(batch);
      [batch, size] = [[], 0];
    }
    batch.push(one);
    size += length;
  }
  return batch.length === 0 ? batches : [...batches, batch];
}
