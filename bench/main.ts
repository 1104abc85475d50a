// `npm run bench [SUITE…] [-- --json FILE --trials N --threads N]`: what TypeScript does (benny suites) and the kernels and
// steps of `attune bench`, each trial in a process of its own; and single benchmarks by name: see `programs`.

import { accessSync, constants, existsSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { type BenchReport, runBench } from "../lib/cli/bench-run.js";
import { benchSuites } from "../lib/cli/bench-suites.js";
import { benchText } from "../lib/cli/bench-table.js";
import { reasonOf } from "../lib/errors/index.js";
import { attuneVersion, machineLine } from "../lib/train/machine.js";
import { countOf } from "./arguments.js";
import { type BennyRow, bennyText, printSuite, runBenny } from "./benny.js";
import { benchContention } from "./contention.js";
import { benchDecode } from "./decode.js";
import { benchFeedback } from "./feedback/load.js";
import { benchGpt2Step } from "./gpt2-step.js";
import { benchPeers } from "./peers.js";
import { benchPpo } from "./ppo-iteration.js";
import { benchScaling } from "./scaling.js";
import { suites } from "./suites.js";
import { benchTrainStep } from "./train-step.js";

/** One benchmark each, with arguments of its own; `suite` is what a trial of the front door runs. */
const programs: Readonly<Record<string, (args: readonly string[]) => Promise<void>>> = {
  suite: ([name]) => printSuite(name ?? ""),
  decode: benchDecode,
  ppo: benchPpo,
  "gpt2-step": benchGpt2Step,
  "train-step": benchTrainStep,
  peers: benchPeers,
  contention: benchContention,
  scaling: benchScaling,
  feedback: benchFeedback,
};

/** What `--json FILE` keeps. */
export interface FrontDoorReport {
  readonly machine: string;
  readonly attune: string;
  /** What TypeScript does, by benny. */
  readonly suites: readonly BennyRow[];
  /** What `attune bench --json` prints; absent where none of its suites was asked for. */
  readonly kernels?: BenchReport;
}

const usage = `usage: npm run bench [SUITE...] [-- --json FILE] [--trials N] [--threads N]
       npm run bench PROGRAM [-- arguments]

Without names every suite, in under two minutes: what TypeScript does, the machine's peaks, kernels, whole steps of a toy model.
suites: ${[...Object.keys(suites), ...benchSuites.map(({ name }) => name)].join(", ")}
programs, one benchmark each: ${Object.keys(programs).join(", ")}; docs/performance.md says what they measure`;

/** Before minutes of measuring. */
function expectWritable(path: string): void {
  if (path === "") throw new Error("expected a file after --json");
  accessSync(existsSync(path) ? path : dirname(path), constants.W_OK);
}

class Interrupted extends Error {}

/** Aborts at Ctrl-C, so that what was begun is cleaned up; a second one ends at once. */
function interrupted(): AbortSignal {
  const controller = new AbortController();
  process.once("SIGINT", () => controller.abort(new Interrupted("interrupted")));
  return controller.signal;
}

async function frontDoor(args: readonly string[]): Promise<void> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      json: { type: "string" },
      trials: { type: "string", default: "3" },
      threads: { type: "string" },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) {
    console.log(usage);
    return;
  }
  const known = [...Object.keys(suites), ...benchSuites.map(({ name }) => name)];
  const unknown = positionals.find((name) => !known.includes(name));
  if (unknown !== undefined)
    throw new Error(
      `no suite or benchmark "${unknown}"; suites: ${known.join(", ")}; benchmarks: ${Object.keys(programs).join(", ")}`,
    );
  const trials = countOf("--trials", values.trials);
  const threads = values.threads === undefined ? undefined : countOf("--threads", values.threads);
  if (values.json !== undefined) expectWritable(values.json);
  const asked = (name: string) => positionals.length === 0 || positionals.includes(name);
  console.log(`attune ${attuneVersion}, ${machineLine()}`);
  const rows = runBenny({
    names: Object.keys(suites).filter(asked),
    trials,
    threads,
    main: fileURLToPath(import.meta.url),
  });
  if (rows.length > 0) console.log(`\n${bennyText(rows)}\n`);
  const kernelSuites = benchSuites.filter(({ name }) => asked(name));
  const kernels =
    kernelSuites.length === 0
      ? undefined
      : await runBench({ suites: kernelSuites, trials, threads, signal: interrupted() });
  if (kernels !== undefined) console.log(benchText(kernels));
  const report: FrontDoorReport = {
    machine: machineLine(),
    attune: attuneVersion,
    suites: rows,
    ...(kernels === undefined ? {} : { kernels }),
  };
  if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(report, undefined, 2)}\n`);
}

// A reader that has seen enough (`| head`) is no error.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
  process.exit(0);
});

const [first = "", ...rest] = process.argv.slice(2);
const program = Object.hasOwn(programs, first) ? programs[first] : undefined;
try {
  await (program === undefined ? frontDoor(process.argv.slice(2)) : program(rest));
} catch (error) {
  // Wrong words and failed measurements alike; a stack says nothing about either.
  console.error(reasonOf(error));
  process.exitCode = error instanceof Interrupted ? 130 : 1;
}
