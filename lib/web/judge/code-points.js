// Places in a text: browsers count UTF-16 units, judgements count code points. Pure.

/** Code points before a place that is counted in UTF-16 units; inside a surrogate pair: before the pair. */
export function codePointsBefore(text, units) {
  let count = 0;
  for (let at = 0; at < units; count++) {
    at += unitsAt(text, at);
    if (at > units) return count;
  }
  return count;
}

/** The place in UTF-16 units behind so many code points. */
export function unitsBefore(text, codePoints) {
  let at = 0;
  for (let count = 0; count < codePoints && at < text.length; count++) at += unitsAt(text, at);
  return at;
}

/** A stretch in UTF-16 units as one in code points: half a pair counts as the whole; undefined where nothing is in it. */
export function codePointSpan(text, from, to) {
  const [first, last] = from < to ? [from, to] : [to, from];
  if (first === last) return undefined;
  const start = codePointsBefore(text, first);
  const before = codePointsBefore(text, last);
  const whole = unitsBefore(text, before) === last;
  return { start, end: whole ? before : before + 1 };
}

function unitsAt(text, at) {
  return (text.codePointAt(at) ?? 0) > 0xffff ? 2 : 1;
}
