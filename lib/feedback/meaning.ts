// What of a judgement decides whether two people, or one person twice, say the same. Pure.

import type { JudgementValue } from "./judgement.js";

/**
 * Choices, orders and thumbs, by answer rather than by side; not strengths, ratings and texts. Empty where nothing is
 * comparable: so too of whoever says that a pair cannot be compared, which is no tie.
 */
export function meaningOf(values: readonly JudgementValue[], shown: readonly number[]): string {
  const parts = values.flatMap((value) => {
    switch (value.kind) {
      case "pair":
        if (value.choice === "cannot_compare") return [];
        if (value.choice === "left") return [`pair ${shown[0]}`];
        return [value.choice === "right" ? `pair ${shown[1]}` : "pair tie"];
      case "ranking":
        return [
          `ranking ${JSON.stringify(value.tiers.map((tier) => tier.map((place) => shown[place]).sort()))}`,
        ];
      case "thumb":
        return [`thumb ${shown[value.answer]} ${value.up}`];
      default:
        return [];
    }
  });
  return parts.sort().join("; ");
}
