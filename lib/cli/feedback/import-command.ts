// `attune feedback import`: files of judgements from elsewhere into a project. Must not read files itself.

import { Command } from "commander";
import { fail } from "../../errors/index.js";
import { type ImportReport, importFormatNames, importRows } from "../../feedback/index.js";
import { commandSchemas, type FeedbackImportSettings } from "../../options/index.js";
import { addFlags, givenOptions } from "../flags.js";
import { grouped } from "../format.js";
import { exitCodes } from "../report-error.js";
import type { Terminal } from "../terminal.js";
import { projectOf, withStore } from "./with-store.js";

const help = `
FILE is JSON, JSONL (plain, gzip or zstd) or Parquet, a folder or a pattern. Formats: hh (Anthropic hh-rlhf), summarize (OpenAI's
summarize-from-feedback), arena (Chatbot Arena), argilla, label-studio, rows (TRL's and those of attune export), items (items to be
judged). What is in the project already is not added again. People of the files become annotators; what programs suggested is kept
as theirs and counts for nothing that people said.

Examples:
  attune feedback import arena.jsonl
  attune feedback import export.json --format label-studio --question quality=rating:0 --rating-scale 1,7
  attune feedback import pairs.jsonl --format rows --by ai`;

export function importCommand(terminal: Terminal, ended: (code: number) => void): Command {
  const schema = commandSchemas["feedback import"];
  const command = new Command("import")
    .summary("judgements of other services and of files")
    .description("Reads items and judgements of files into a project.")
    .argument("[files...]", "files to read")
    .usage("FILE... [options]")
    .addHelpText("after", help);
  addFlags(command, schema);
  return command.action(async (files: readonly string[]) => {
    const settings = givenOptions(command, schema).resolved;
    if (files.length === 0)
      throw fail(
        "ATTUNE_OPTION",
        "feedback import needs a file. For example: attune feedback import arena.jsonl",
      );
    const stopping = new AbortController();
    const stopListening = terminal.onInterrupt(() => stopping.abort());
    try {
      const report = await withStore(settings.store, async (store) =>
        importRows({
          store,
          project: await projectOf(store, settings.project),
          source: files,
          signal: stopping.signal,
          ...importSettings(settings),
        }),
      );
      terminal.stdout.write(settings.json ? `${JSON.stringify(report)}\n` : importText(report));
      ended(exitCodes.done);
    } catch (error) {
      if (!stopping.signal.aborted) throw error;
      terminal.stderr.write("Interrupted; what was read so far is in the store. The same line goes on.\n");
      ended(exitCodes.interrupted);
    } finally {
      stopListening();
    }
  });
}

function importSettings({ format, by, ratingScale, skipBadRows, ...rest }: FeedbackImportSettings) {
  const [low = 1, high = 5] = ratingScale;
  const questions = Object.fromEntries((rest.question ?? []).map(pairOf));
  return {
    ...{ format, by, skipBadRows },
    ratingScale: [low, high] as [number, number],
    mapping: {
      questions,
      ...(rest.promptField === undefined ? {} : { prompt: rest.promptField }),
      ...(rest.answerFields === undefined ? {} : { answers: rest.answerFields }),
    },
  };
}

function pairOf(text: string): readonly [string, string] {
  const place = text.lastIndexOf("=");
  if (place > 0) return [text.slice(0, place), text.slice(place + 1)];
  throw fail(
    "ATTUNE_OPTION",
    `Expected --question to be NAME=USE, such as quality=rating:0, but received ${text}.`,
  );
}

export function importText(report: ImportReport): string {
  const { format, rows, items, itemsKnown, judgements, aiJudgements, judgementsKnown, annotators, gold } =
    report;
  const lines = [
    `${grouped(rows)} rows${format === undefined ? "" : ` of ${importFormatNames[format]}`}: ` +
      `${grouped(items)} items, ${grouped(judgements)} judgements of ${grouped(annotators)} new people`,
  ];
  const notes: readonly (readonly [number, string])[] = [
    [itemsKnown, "items were there already"],
    [judgementsKnown, "judgements were there already"],
    [aiJudgements, "judgements of programs, kept apart"],
    [gold, "items with a known answer: hidden checks from now on"],
    [report.bad, `bad rows passed over, the first: ${report.badMessages[0] ?? ""}`],
    ...Object.entries(report.passed).map(([why, count]) => [count, `passed over: ${why}`] as const),
    ...Object.entries(report.unused).map(
      ([question, count]) =>
        [count, `values of ${question} not used: say what they are with --question`] as const,
    ),
  ];
  for (const [count, text] of notes) if (count > 0) lines.push(`  ${grouped(count)} ${text}`);
  return `${lines.join("\n")}\n`;
}
