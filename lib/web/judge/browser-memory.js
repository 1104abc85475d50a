// What the browser remembers for the page: guidelines that were read, a judgement that is on its way. Where it is not allowed to
// remember, the page works without. Must not know what is remembered.

const PREFIX = "attune:";

export function recall(name) {
  try {
    return JSON.parse(localStorage.getItem(PREFIX + name) ?? "null") ?? undefined;
  } catch {
    return undefined;
  }
}

/** Undefined: forget it. */
export function remember(name, value) {
  try {
    if (value === undefined) localStorage.removeItem(PREFIX + name);
    else localStorage.setItem(PREFIX + name, JSON.stringify(value));
  } catch {
    // Full, or forbidden.
  }
}
