// `attune feedback agreement`: how far people agree. Must not compute anything.

import { Command } from "commander";
import { type Agreement, measureAgreement } from "../../feedback/index.js";
import { commandSchemas } from "../../options/index.js";
import { addFlags, givenOptions } from "../flags.js";
import { grouped, table } from "../format.js";
import { exitCodes } from "../report-error.js";
import type { Terminal } from "../terminal.js";
import { projectOf, withStore } from "./with-store.js";

const help = `
Krippendorff's alpha: 1 where all agree, 0 where they agree as often as chance would have it. Items that were drawn to be
judged by several count, each with its first judgements alone. 95 % intervals by resampling items. The share of equal pairs
("same") says little by itself: where almost all say "left", chance alone makes it large.

Examples:
  attune feedback agreement
  attune feedback agreement --draws 5000 --json`;

export function agreementCommand(terminal: Terminal, ended: (code: number) => void): Command {
  const schema = commandSchemas["feedback agreement"];
  const command = new Command("agreement")
    .summary("how far people agree beyond chance")
    .description("Measures agreement of people on the same items, by kind of judgement.")
    .addHelpText("after", help);
  addFlags(command, schema);
  return command.action(async () => {
    const { store: place, project, draws, json } = givenOptions(command, schema).resolved;
    const agreement = await withStore(place, async (store) =>
      measureAgreement({ reading: store.reading, project: await projectOf(store, project), seed: 0, draws }),
    );
    terminal.stdout.write(json ? `${JSON.stringify({ agreement })}\n` : agreementText(agreement));
    ended(exitCodes.done);
  });
}

/** Below this, alphas say little of anything. */
const FEW_UNITS = 20;

function agreementText(agreement: readonly Agreement[]): string {
  if (agreement.length === 0) return "No two people have judged the same item yet.\n";
  const rows = agreement.map(({ of, level, alpha, interval, percent, units, tau }) => [
    of,
    level,
    alpha.toFixed(2),
    `${interval.low.toFixed(2)} to ${interval.high.toFixed(2)}`,
    `${(100 * percent).toFixed(0)} %`,
    grouped(units),
    tau === undefined ? "-" : tau.toFixed(2),
  ]);
  const lines = [table([["of", "level", "alpha", "95 %", "same", "units", "tau"], ...rows])];
  if (agreement.some(({ units }) => units < FEW_UNITS))
    lines.push("", `warning: fewer than ${FEW_UNITS} units say little; look at the intervals.`);
  if (agreement.some(({ degenerate }) => degenerate))
    lines.push("", "warning: where all values are equal alpha is set to 1; it means nothing.");
  return `${lines.join("\n")}\n`;
}
