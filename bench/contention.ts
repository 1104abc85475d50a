// `npm run bench contention [-- --python PATH]`: a GEMM and a training step alone and beside one busy process, in alternating
// processes; keeps how many times longer they take in bench/results. With a Python, the same work of PyTorch too. Times are
// medians of calls: the fastest one may have met no competitor.

import { availableParallelism } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { type Spread, spreadOf } from "../lib/cli/bench-numbers.js";
import { countOf } from "./arguments.js";
import { compare, type JsonLine, type Reading, type Side } from "./compare.js";
import { isaHere, keepingRows, root } from "./kept.js";
import { bench, number, object, peersAt, pythonAt, script, tool } from "./sides.js";

/** A row as it is kept. */
export interface ContentionRow {
  readonly what: string;
  /** How many times longer it may take; undefined: not ours. */
  readonly limit: number | undefined;
  /** Time beside a busy process divided by time alone, pair by pair. */
  readonly slowdown: Spread;
  /** Milliseconds, alone and beside the busy process. */
  readonly quiet: Spread;
  readonly busy: Spread;
  readonly loads: readonly number[];
}

interface Case {
  readonly name: string;
  readonly what: string;
  readonly limit: number | undefined;
  readonly side: Side;
}

const shape = [1024, 3072, 768] as const;
const limit = 2;
/** Fewer pairs are shown but not kept. */
const leastPairs = 5;

/** From milliseconds; faster is higher, as comparisons want it. */
const reading = (milliseconds: number): Reading => ({ rates: { all: 1 / milliseconds } });

/** The line of an op or bench at `shape`, if it says one. */
function lineOf(lines: readonly JsonLine[], name: string): JsonLine {
  const text = JSON.stringify(Object.fromEntries(["M", "N", "K"].map((key, i) => [key, shape[i]])));
  const found = lines.find(
    (line) => (line.op ?? line.bench) === name && (name !== "linear" || JSON.stringify(line.shape) === text),
  );
  if (found === undefined) throw new Error(`nothing was measured of ${name}`);
  return found;
}

function casesOf(places: {
  readonly threads: number;
  readonly python: string;
  readonly peers: string;
  readonly isa: string;
}): Case[] {
  const { threads, python, peers, isa } = places;
  const own = { root, threads };
  const median = (line: JsonLine) => reading(number(object(line.ms), "median"));
  const gemm = `fp32 GEMM ${shape.join("x")}`;
  const step = "training step of a GPT-2 of 124 M parameters, 4 rows of 64 tokens, fp32";
  const ours: Case[] = [
    {
      name: "gemm",
      what: `${gemm}, attune`,
      limit,
      side: tool(own, ["gemm", "fp32", shape.join("x")], (lines) =>
        reading(number(lineOf(lines, "linear_forward"), "median_ms")),
      ),
    },
    {
      name: "step",
      what: `${step}, attune`,
      limit,
      side: bench(own, ["gpt2-step"], (lines) => median(lineOf(lines, "gpt2_step"))),
    },
  ];
  if (python === "") return ours;
  const torch = (op: string) =>
    script({ python, peers, threads, isa }, ["torch_ops.py", "--ops", op, "--dtypes", "fp32"], (lines) =>
      median(lineOf(lines, op)),
    );
  return [
    ...ours,
    { name: "gemm-torch", what: `${gemm}, torch's F.linear`, limit: undefined, side: torch("linear") },
    { name: "step-torch", what: `${step}, torch eager`, limit: undefined, side: torch("gpt2_step") },
  ];
}

const usage = `usage: npm run bench contention [-- --python PATH] [--peers DIR] [--only CASE]... [--pairs N] [--threads N]

A GEMM and a training step alone and beside one busy process; with a Python, the same work of PyTorch too. Fewer than ${leastPairs}
pairs are only shown, others kept in bench/results.`;

export async function benchContention(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      python: { type: "string", default: "" },
      peers: { type: "string", default: join(root, "..", "shared", "peers") },
      only: { type: "string", multiple: true },
      pairs: { type: "string", default: "7" },
      threads: { type: "string", default: String(availableParallelism()) },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) {
    console.log(usage);
    return;
  }
  const pairs = countOf("--pairs", values.pairs);
  const threads = countOf("--threads", values.threads);
  const isa = await isaHere();
  const [python, peers] = values.python === "" ? ["", ""] : [pythonAt(values.python), peersAt(values.peers)];
  const cases = casesOf({ python, peers, isa, threads });
  const unknown = values.only?.find((name) => !cases.some((one) => one.name === name));
  if (unknown !== undefined)
    throw new Error(`no case "${unknown}"; there are: ${cases.map(({ name }) => name).join(", ")}`);
  const keeping = keepingRows("contention", isa, threads);
  for (const { name, what, limit: most, side } of cases) {
    if (values.only !== undefined && !values.only.includes(name)) continue;
    const row = await contended({ what, limit: most, side, pairs });
    show(name, row);
    if (pairs >= leastPairs) keeping.keep(name, row);
    else console.log(`  not kept: fewer than ${leastPairs} pairs`);
  }
}

interface Contended extends Omit<Case, "name"> {
  readonly pairs: number;
}

async function contended({ what, limit: most, side, pairs }: Contended): Promise<ContentionRow> {
  // The rates of "ours" are those alone, of "theirs" those beside the busy process: their ratio is the slowdown.
  const { parts, loads } = await compare({ ours: side, theirs: { ...side, busy: 1 }, pairs });
  const all = parts.all;
  if (all === undefined) throw new Error(`nothing was measured of ${what}`);
  const milliseconds = ({ each }: Spread) => spreadOf(each.map((rate) => 1 / rate));
  return {
    what,
    limit: most,
    slowdown: all.ratio,
    quiet: milliseconds(all.ours),
    busy: milliseconds(all.theirs),
    loads,
  };
}

function show(name: string, { what, limit: most, slowdown, quiet, busy }: ContentionRow): void {
  console.log(`${name}: ${what}`);
  console.log(
    `  ${slowdown.median}x as long beside a busy process (${slowdown.least} to ${slowdown.most}); ${quiet.median} ms alone, ${busy.median} ms beside it`,
  );
  if (most !== undefined) console.log(`  wanted: at most ${most}x`);
}
