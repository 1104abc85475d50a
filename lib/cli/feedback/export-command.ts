// `attune feedback export`: judgements out as rows that train. Must not make rows.

import { createWriteStream } from "node:fs";
import { rename, rm } from "node:fs/promises";
import { pipeline } from "node:stream/promises";
import { Command } from "commander";
import { type ExportedRow, exportRows, lastSeq, leftOutItems, recordedRows } from "../../feedback/index.js";
import { commandSchemas, type FeedbackExportSettings } from "../../options/index.js";
import { addFlags, givenOptions } from "../flags.js";
import { grouped } from "../format.js";
import { requireNewFile } from "../output-file.js";
import { exitCodes } from "../report-error.js";
import type { Terminal } from "../terminal.js";
import { projectOf, withStore } from "./with-store.js";

const help = `
Gold items, items shown again and what simulated people said never become rows. People stand there under pseudonyms, and
every row names the judgements it comes from. What trains on which kind:
  preference   attune dpo, attune reward     pairs, and what was mended against what it was
  reward       attune reward                 the same with ties
  unpaired     attune kto                    thumbs, both good, both bad
  ranking      attune dpo, attune reward     orders of several answers
  rating       attune reward                 numbers on a scale
  prompt-completion  attune sft              mended answers
  critique     your own code                 comments
  segments     no command of this version    pairs of clips: what was seen and done in each, and which is better

Examples:
  attune feedback export --kind preference --split train --output pairs.jsonl
  attune feedback export --kind unpaired --since 1200 | head`;

export function exportCommand(terminal: Terminal, ended: (code: number) => void): Command {
  const schema = commandSchemas["feedback export"];
  const command = new Command("export")
    .summary("rows for training, of what people said")
    .description("Writes rows, one JSON object on each line, made of a project's judgements.")
    .addHelpText("after", help);
  addFlags(command, schema);
  return command.action(async () => {
    const settings = givenOptions(command, schema).resolved;
    const { output, kind, json } = settings;
    if (output !== undefined) await requireNewFile("--output", output);
    const { rows, seq, left } = await withStore(settings.store, async (store) => {
      const project = await projectOf(store, settings.project);
      const last = await lastSeq(store.reading, project);
      const wanted = { reading: store.reading, project, ...rowOptions(settings) };
      // What is taken back later is known to be in a file.
      const made = recordedRows({ store, project, rows: exportRows(wanted) });
      return {
        rows: await writeRows(made, output, terminal),
        seq: last,
        left: await leftOutItems(wanted),
      };
    });
    if (left > 0)
      terminal.stderr.write(
        `${grouped(left)} judged items are left out: rows of kind ${kind} are not made of their images or clips.\n`,
      );
    if (output !== undefined) {
      const leftOut = left > 0 ? { leftOut: left } : {};
      const text = `${grouped(rows)} rows of kind ${kind}: ${output} (the next time: --since ${seq})`;
      terminal.stdout.write(
        json ? `${JSON.stringify({ output, kind, rows, seq, ...leftOut })}\n` : `${text}\n`,
      );
    } else if (rows === 0) terminal.stderr.write(`No judgement gives rows of kind ${kind} yet.\n`);
    ended(exitCodes.done);
  });
}

function rowOptions({ kind, split, since, policy, consensus }: FeedbackExportSettings) {
  return {
    kind,
    consensus,
    ...(split === undefined ? {} : { split }),
    ...(since === undefined ? {} : { since }),
    ...(policy === undefined ? {} : { policy }),
  };
}

/** Their number. A file is there whole or not at all. */
async function writeRows(
  rows: AsyncIterable<ExportedRow>,
  output: string | undefined,
  { stdout, onOutputClosed }: Terminal,
): Promise<number> {
  let count = 0;
  let closed = false;
  async function* lines() {
    for await (const row of rows) {
      if (closed) return;
      count += 1;
      yield `${JSON.stringify(row)}\n`;
    }
  }
  if (output === undefined) {
    const stopListening = onOutputClosed(() => {
      closed = true;
    });
    for await (const line of lines()) stdout.write(line);
    stopListening();
    return count;
  }
  const beside = `${output}.${process.pid}.tmp`;
  try {
    await pipeline(lines, createWriteStream(beside));
    await rename(beside, output);
  } catch (error) {
    await rm(beside, { force: true });
    throw error;
  }
  return count;
}
