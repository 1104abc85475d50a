// Finds the name somebody probably meant, for errors about unknown options, columns and types.
// Must not import anything.

/** Edits (insert, delete, replace, swap of neighbours) that turn `a` into `b`. */
export function editDistance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let best = Math.min((last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (last[j - 1] ?? 0) + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        best = Math.min(best, (beforeLast[j - 2] ?? 0) + 1);
      }
      row.push(best);
    }
    beforeLast = last;
    last = row;
  }
  return last[b.length] ?? 0;
}

/**
 * The candidate closest to `name` (letter case and dashes do not count), or undefined when none is close: more than
 * a third of the letters, and more than two, would have to change.
 */
export function nearest(name: string, candidates: Iterable<string>): string | undefined {
  const plain = (text: string) => text.toLowerCase().replaceAll(/[-_]/g, "");
  const wanted = plain(name);
  let best: string | undefined;
  let bestDistance = Math.max(2, Math.floor(wanted.length / 3)) + 1;
  for (const candidate of candidates) {
    const distance = editDistance(wanted, plain(candidate));
    if (distance < bestDistance && distance < Math.max(wanted.length, 1)) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** `Unknown option "clipp". Did you mean "clip"?`; without a close name the candidates are listed. */
export function unknownName(kind: string, name: string, candidates: Iterable<string>): string {
  const all = [...candidates];
  const close = nearest(name, all);
  const start = `Unknown ${kind} ${JSON.stringify(name)}.`;
  if (close !== undefined) return `${start} Did you mean ${JSON.stringify(close)}?`;
  return all.length === 0 ? start : `${start} Expected one of: ${all.join(", ")}.`;
}
