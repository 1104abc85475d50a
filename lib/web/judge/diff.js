// What differs between two texts, word by word. Pure.

/** Words on both sides, multiplied: above it a comparison would hold up the page. */
const MOST_CELLS = 4_000_000;
const WORDS = /\s+|[\p{L}\p{N}\p{M}_]+|[\s\S]/gu;

/**
 * Stretches in order: `{ kind: "same" | "removed" | "added", text }`. The texts come out whole: what is the same or removed is
 * the first one, what is the same or added the second. Of texts too long to compare, all between their common ends differs.
 */
export function wordDiff(first, second) {
  const a = first.match(WORDS) ?? [];
  const b = second.match(WORDS) ?? [];
  let head = 0;
  while (head < a.length && head < b.length && a[head] === b[head]) head += 1;
  let tail = 0;
  while (
    tail < a.length - head &&
    tail < b.length - head &&
    a[a.length - 1 - tail] === b[b.length - 1 - tail]
  )
    tail += 1;
  const middleA = a.slice(head, a.length - tail);
  const middleB = b.slice(head, b.length - tail);
  return joined([
    ...a.slice(0, head).map((text) => ({ kind: "same", text })),
    ...middle(middleA, middleB),
    ...a.slice(a.length - tail).map((text) => ({ kind: "same", text })),
  ]);
}

function middle(a, b) {
  if (a.length * b.length > MOST_CELLS)
    return [...a.map((text) => ({ kind: "removed", text })), ...b.map((text) => ({ kind: "added", text }))];
  return steps(a, b, commonLengths(a, b));
}

/** lengths[i][j]: of the longest common run of words, with gaps, behind word i of a and word j of b. */
function commonLengths(a, b) {
  const width = b.length + 1;
  const lengths = new Uint32Array((a.length + 1) * width);
  for (let i = a.length - 1; i >= 0; i--)
    for (let j = b.length - 1; j >= 0; j--)
      lengths[i * width + j] =
        a[i] === b[j]
          ? lengths[(i + 1) * width + j + 1] + 1
          : Math.max(lengths[(i + 1) * width + j], lengths[i * width + j + 1]);
  return lengths;
}

function steps(a, b, lengths) {
  const width = b.length + 1;
  const found = [];
  let i = 0;
  let j = 0;
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      found.push({ kind: "same", text: a[i] });
      i += 1;
      j += 1;
    } else if (
      j >= b.length ||
      (i < a.length && lengths[(i + 1) * width + j] >= lengths[i * width + j + 1])
    ) {
      found.push({ kind: "removed", text: a[i] });
      i += 1;
    } else {
      found.push({ kind: "added", text: b[j] });
      j += 1;
    }
  }
  return found;
}

function joined(parts) {
  const stretches = [];
  for (const { kind, text } of parts) {
    const last = stretches.at(-1);
    if (last?.kind === kind) last.text += text;
    else stretches.push({ kind, text });
  }
  return stretches;
}
