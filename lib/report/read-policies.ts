// Reads policies.json, the table of a quickstart, from the folder that holds its runs. Whatever is not as expected is left out.
// Must not measure anything.

import { join, resolve } from "node:path";
import { asNumber, asObject, type JsonObject, readObject } from "./read-lines.js";
import type { PolicyComparison, PolicyResult } from "./run-data.js";

/** Undefined where the folder has none that can be shown. */
export function readPolicies(folder: string): PolicyComparison | undefined {
  const found = readObject(join(folder, "policies.json")) ?? {};
  const rows = Array.isArray(found.policies) ? found.policies : [];
  const policies = rows.flatMap((row) => policyOf(asObject(row) ?? {}) ?? []);
  if (policies.length === 0) return undefined;
  return { folder: resolve(folder), prompts: asNumber(found.prompts) ?? 0, policies };
}

function policyOf(row: JsonObject): PolicyResult | undefined {
  const [trueReward, proxyReward] = [asNumber(row.trueReward), asNumber(row.proxyReward)];
  const [kl, length] = [asNumber(row.kl), asNumber(row.length)];
  if (trueReward === undefined || proxyReward === undefined || kl === undefined || length === undefined)
    return undefined;
  const { policy, how = "" } = row;
  return { policy: String(policy), how: String(how), trueReward, proxyReward, won: wonOf(row), kl, length };
}

function wonOf({ winRate, winRateInterval }: JsonObject): PolicyResult["won"] {
  const interval = asObject(winRateInterval);
  const [rate, low, high] = [asNumber(winRate), asNumber(interval?.low), asNumber(interval?.high)];
  return rate === undefined || low === undefined || high === undefined ? undefined : { rate, low, high };
}
