// A ranking in the making: tiers of answers, the best first; answers of one tier are equal. Every function gives new tiers.
// Pure; must not know how it is shown.

/** Where an answer stands, from 0; undefined where it has no place. */
export function tierOf(tiers, answer) {
  const at = tiers.findIndex((tier) => tier.includes(answer));
  return at < 0 ? undefined : at;
}

export function without(tiers, answer) {
  return tiers.map((tier) => tier.filter((one) => one !== answer)).filter((tier) => tier.length > 0);
}

/** Behind all that have a place. */
export function placeLast(tiers, answer) {
  return [...without(tiers, answer), [answer]];
}

/** Equal to the tier that `other` stands in. */
export function placeWith(tiers, answer, other) {
  if (answer === other) return tiers;
  return without(tiers, answer).map((tier) => (tier.includes(other) ? [...tier, answer] : tier));
}

/** A place of its own above the tier that `other` stands in; undefined: at the end. */
export function placeAbove(tiers, answer, other) {
  if (answer === other) return alone(tiers, answer);
  const rest = without(tiers, answer);
  const at = other === undefined ? rest.length : (tierOf(rest, other) ?? rest.length);
  return rest.toSpliced(at, 0, [answer]);
}

/** It leaves those it was equal to, upwards. */
function alone(tiers, answer) {
  const at = tierOf(tiers, answer);
  return at === undefined || tiers[at].length === 1
    ? tiers
    : without(tiers, answer).toSpliced(at, 0, [answer]);
}

/** Half a step: out of a tie upwards, or into one with those above. */
export function moveUp(tiers, answer) {
  const at = tierOf(tiers, answer);
  if (at === undefined) return placeLast(tiers, answer);
  if (tiers[at].length > 1) return alone(tiers, answer);
  return at === 0 ? tiers : placeWith(tiers, answer, tiers[at - 1][0]);
}

export function moveDown(tiers, answer) {
  const at = tierOf(tiers, answer);
  if (at === undefined) return placeLast(tiers, answer);
  if (tiers[at].length > 1) return without(tiers, answer).toSpliced(at + 1, 0, [answer]);
  return at === tiers.length - 1 ? tiers : placeWith(tiers, answer, tiers[at + 1][0]);
}
