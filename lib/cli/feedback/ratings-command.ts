// `attune feedback ratings`: the models by what people preferred. Must not compute anything.

import { Command } from "commander";
import { type ModelRatings, rateModels } from "../../feedback/index.js";
import { commandSchemas } from "../../options/index.js";
import { addFlags, givenOptions } from "../flags.js";
import { grouped, table } from "../format.js";
import { exitCodes } from "../report-error.js";
import type { Terminal } from "../terminal.js";
import { projectOf, withStore } from "./with-store.js";

const help = `
Bradley and Terry's model over all pairs, with what a side gains taken out; intervals (95 %) by resampling people and their
prompts. 400 points are odds of ten to one. A rank counts the models that are surely better. "fragile" says how few votes, or
people, would have to be missing for the next model to pass: narrow intervals alone do not make a rank safe.

Examples:
  attune feedback ratings
  attune feedback ratings --styles length,lists --json`;

export function ratingsCommand(terminal: Terminal, ended: (code: number) => void): Command {
  const schema = commandSchemas["feedback ratings"];
  const command = new Command("ratings")
    .summary("which model people prefer, with intervals")
    .description("Rates the models whose answers were compared.")
    .addHelpText("after", help);
  addFlags(command, schema);
  return command.action(async () => {
    const { store: place, project, draws, ties, styles, json } = givenOptions(command, schema).resolved;
    const ratings = await withStore(place, async (store) =>
      rateModels({
        reading: store.reading,
        project: await projectOf(store, project),
        ...{ seed: 0, draws, ties },
        ...(styles === undefined ? {} : { styles }),
      }),
    );
    terminal.stdout.write(json ? `${JSON.stringify(ratings)}\n` : ratingsText(ratings));
    ended(exitCodes.done);
  });
}

function ratingsText(ratings: ModelRatings): string {
  const { models, votes, annotators, bothBad, side, styles, tieStrength } = ratings;
  if (models.length === 0) return "Nobody has compared answers of two models yet.\n";
  const groups = new Set(models.map(({ group }) => group)).size;
  const rows = models.map((one) => [
    String(one.rank),
    one.model,
    one.rating.toFixed(0),
    `${one.interval.low.toFixed(0)} to ${one.interval.high.toFixed(0)}`,
    String(one.votes),
    fragile(one),
    ...(groups > 1 ? [String(one.group)] : []),
  ]);
  const headings = ["rank", "model", "rating", "95 %", "votes", "fragile", ...(groups > 1 ? ["group"] : [])];
  const lines = [
    table([headings, ...rows]),
    "",
    `${grouped(votes)} votes of ${annotators} people; both answers bad: ${grouped(bothBad)}`,
  ];
  if (side !== undefined)
    lines.push(
      `left side: ${signed(side.gamma)} log-odds (95 %: ${signed(side.interval.low)} to ${signed(side.interval.high)})`,
    );
  if (side?.alarm === true) lines.push("warning: people favour a side; look at how answers are shown.");
  if (tieStrength !== undefined) lines.push(`ties: strength ${tieStrength.toFixed(2)}`);
  for (const { style, coefficient, interval } of styles)
    lines.push(
      `${style}: ${signed(coefficient)} (95 %: ${signed(interval.low)} to ${signed(interval.high)})`,
    );
  if (ratings.fewAnnotators)
    lines.push("warning: fewer than ten people; intervals over so few are too narrow.");
  if (groups > 1)
    lines.push("warning: models of different groups were never compared, not even by way of others.");
  return `${lines.join("\n")}\n`;
}

function fragile({ fragileVotes, fragileAnnotators }: ModelRatings["models"][number]): string {
  const parts = [
    ...(fragileVotes === undefined ? [] : [`${fragileVotes} votes`]),
    ...(fragileAnnotators === undefined ? [] : [`${fragileAnnotators} people`]),
  ];
  return parts.length === 0 ? "-" : parts.join(", ");
}

function signed(value: number): string {
  return `${value < 0 ? "" : "+"}${value.toFixed(2)}`;
}
