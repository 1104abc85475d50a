// The policies of a quickstart side by side: what each is worth, how surely, and how far it went for it. Must not read files.

import { join } from "node:path";
import { type Html, html, scrollTable } from "./html.js";
import type { PolicyComparison, PolicyResult, RunData } from "./run-data.js";
import { swatch } from "./sections-runs.js";

/** Nothing where no folder of the report has a comparison. */
export function policiesSection(comparisons: readonly PolicyComparison[], runs: readonly RunData[]): Html {
  if (comparisons.length === 0) return html``;
  const several = comparisons.length > 1;
  return html`<section id="policies"><h2>The policies</h2>
<p>What each policy is worth on prompts that nobody trained on. The true reward is what is wanted, hidden from annotators and reward model; the proxy is the score of the reward model that learned from their judgements. A good method gains much true reward for little KL; a proxy that rises without the true reward is exploited.</p>
${comparisons.map((comparison) => comparisonHtml(comparison, runs, several))}</section>
`;
}

function comparisonHtml(
  { folder, prompts, policies }: PolicyComparison,
  runs: readonly RunData[],
  several: boolean,
): Html {
  const numbers = ["True reward", "Proxy", "Win rate", "KL", "Length"];
  const head = html`<tr><th class="name">Policy</th>${numbers.map((name) => html`<th class="number">${name}</th>`)}</tr>`;
  return html`${several ? html`<h3>${folder}</h3>` : undefined}
${scrollTable(
  "The policies",
  head,
  policies.map((policy) => policyRow(policy, folder, runs)),
)}
<p class="quiet">Means over one answer of each policy to each of ${prompts} prompts, tokens drawn with the same random numbers. Win rate: share of prompts on which the answer has a higher true reward than the SFT model's, ties half, with its 95% interval (Wilson) as a bar from 0 to 100 %; where the bar stays right of the middle, the policy is better than SFT. KL: nats per answer to the SFT model; of best-of-N the bound log N - (N - 1) / N. Length: tokens.</p>
`;
}

function policyRow(
  { policy, how, trueReward, proxyReward, won, kl, length }: PolicyResult,
  folder: string,
  runs: readonly RunData[],
) {
  const run = runs.findIndex((one) => one.folder === join(folder, policy));
  const mark = run < 0 ? undefined : swatch(run, runs.length);
  const percent = (share: number) => (100 * share).toFixed(0);
  const rate =
    won === undefined
      ? ""
      : html`${percent(won.rate)} % (${percent(won.low)} to ${percent(won.high)})<br>${intervalBar(won)}`;
  return html`<tr><th scope="row" class="name">${mark}${policy}<br><span class="quiet">${how}</span></th><td class="number">${trueReward.toFixed(2)}</td><td class="number">${proxyReward.toFixed(2)}</td><td class="number">${rate}</td><td class="number">${kl.toFixed(2)}</td><td class="number">${length.toFixed(1)}</td></tr>
`;
}

/** From 0 to 1, with a line at one half. */
function intervalBar({ rate, low, high }: NonNullable<PolicyResult["won"]>): Html {
  const x = (share: number) => Math.round(1200 * share) / 10;
  return html`<svg class="interval" viewBox="-4 0 128 12" aria-hidden="true"><path d="M0 6H120M60 0V12" stroke="var(--line)"/><path d="M${x(low)} 6H${x(high)}" stroke="var(--accent)" stroke-width="4"/><circle cx="${x(rate)}" cy="6" r="4" fill="var(--ink)"/></svg>`;
}
