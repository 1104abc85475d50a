// The questions of a record and what each person said to them, as one set of asks and one judgement each. Pure.

import type { Ask, JudgementValue } from "../judgement.js";
import type { SaidValue } from "./mapped-values.js";

/** Questions of one kind (and axis) are one; spans gather their tags. */
export function mergedAsks(said: readonly SaidValue[]): readonly Ask[] {
  const asks = new Map<string, Ask>();
  for (const { ask } of said) {
    const key = `${ask.kind} ${ask.kind === "rating" ? ask.axis : ""}`;
    const known = asks.get(key);
    if (known === undefined) asks.set(key, ask);
    else if (known.kind === "span" && ask.kind === "span")
      asks.set(key, { kind: "span", tags: [...new Set([...known.tags, ...ask.tags])] });
    else if (known.kind === "rating" && ask.kind === "rating")
      asks.set(key, { ...known, step: Math.min(known.step, ask.step) });
    else if (known.kind === "ranking" && ask.kind === "ranking")
      asks.set(key, { kind: "ranking", top: Math.min(known.top ?? 1, ask.top ?? 1) });
  }
  return [...asks.values()];
}

export function valuesOf(said: readonly SaidValue[]): readonly JudgementValue[] {
  return said.flatMap(({ values }) => values);
}
