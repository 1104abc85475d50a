// Takes the fitted gold curve and the best-of-N baseline out of run.json: result.details.overopt. Whatever is not as expected is left
// out. Must not fit anything.

import { asNumber, asObject, type JsonObject } from "./read-lines.js";
import type { BestOfNPoint, FittedGold, GoldPeak, OverOptimisation } from "./run-data.js";

export function readOverOptimisation(record: JsonObject): OverOptimisation {
  const details = asObject(asObject(record.result)?.details);
  const found = asObject(details?.overopt) ?? {};
  const points = Array.isArray(found.bestOfN) ? found.bestOfN : [];
  return {
    fitted: fittedOf(asObject(found.goldCurve) ?? {}),
    bestOfN: points.flatMap((point) => pointOf(asObject(point) ?? {}) ?? []).toSorted((a, b) => a.n - b.n),
  };
}

/** Of what `fitGoldCurve` gives, as JSON. */
function fittedOf({ method, a: first, b: second, peak }: JsonObject): FittedGold | undefined {
  const [a, b] = [estimate(first), estimate(second)];
  if (a === undefined || b === undefined || (method !== "rl" && method !== "best-of-n")) return undefined;
  return { method, a, b, peak: peakOf(asObject(peak) ?? {}) };
}

function peakOf({ sqrtKl, gain: gained }: JsonObject): GoldPeak | undefined {
  const [distance, gain] = [estimate(sqrtKl), estimate(gained)];
  if (distance === undefined || gain === undefined) return undefined;
  const { low, high } = asObject(asObject(sqrtKl)?.interval) ?? {};
  return { sqrtKl: distance, low: asNumber(low), high: asNumber(high), gain };
}

function estimate(value: unknown): number | undefined {
  return asNumber(asObject(value)?.value);
}

function pointOf({ n, kl, proxy, gold }: JsonObject): BestOfNPoint | undefined {
  const [count, distance, score] = [asNumber(n), asNumber(kl), asNumber(proxy)];
  if (count === undefined || distance === undefined || score === undefined || distance < 0) return undefined;
  return { n: count, kl: distance, proxy: score, gold: asNumber(gold) };
}
