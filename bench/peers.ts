// `npm run bench:peers -- --python PATH [--only ROW]`: measures attune beside PyTorch, transformers and TRL on the same work, in
// alternating processes, and keeps each row in bench/results as soon as it is there. Must not decide what a row is.

import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, realpathSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { createEngine } from "../lib/engine/index.js";
import { reasonOf } from "../lib/errors/index.js";
import { countOf } from "./arguments.js";
import { type Compared, compare, type Reading } from "./compare.js";
import { benchContention } from "./contention.js";
import { isaHere, type Keeping, keepingRows, type Processor, processorOf, root } from "./kept.js";
import { type PeerRow, peakMemory, peerRows, wantedOf } from "./peer-rows.js";
import { findTool, type PeerPlaces, peersAt, pythonAt } from "./sides.js";

/** A row as it is kept. */
export interface KeptPeerRow extends Compared {
  readonly what: string;
}

const usage = `usage: npm run bench:peers -- --python PATH [--peers DIR] [--only ROW]... [--pairs N] [--threads N]
       npm run bench:peers -- --list

Without --only every row that this processor has a wish for, then the comparison beside a busy process and the count of
allocations. Hours; each row is kept in bench/results as soon as it is measured, one with fewer pairs than it needs is only shown.
ATTUNE_ISA=avx2 holds both sides to AVX2.`;

export async function benchPeers(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      python: { type: "string" },
      peers: { type: "string", default: join(root, "..", "shared", "peers") },
      only: { type: "string", multiple: true },
      pairs: { type: "string" },
      threads: { type: "string", default: String(availableParallelism()) },
      list: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) {
    console.log(usage);
    return;
  }
  if (values.list) {
    for (const { name, what } of peerRows) console.log(`${name.padEnd(20)} ${what}`);
    return;
  }
  if (values.python === undefined) throw new Error(usage);
  const threads = countOf("--threads", values.threads);
  const asked = values.pairs === undefined ? undefined : countOf("--pairs", values.pairs);
  const peers = peersAt(values.peers);
  const isa = await isaHere();
  const processor = processorOf(isa);
  const rows = chosenRows(values.only, processor);
  const python = pythonAt(values.python);
  const keeping = keepingRows("peers", isa, threads);
  const places = await preparePlaces({ python, peers, threads, isa });
  const failed: string[] = [];
  for (const row of rows)
    try {
      await measureRow(row, { places, pairs: asked ?? row.pairs, keeping, processor });
    } catch (error) {
      // Hours may lie before it and behind it.
      console.error(`  ${row.name} failed: ${reasonOf(error)}`);
      failed.push(row.name);
    }
  if (values.only === undefined) {
    try {
      await benchContention(["--python", python, "--peers", peers, "--threads", String(threads)]);
    } catch (error) {
      console.error(`  contention failed: ${reasonOf(error)}`);
      failed.push("contention");
    }
    checkAllocations(isa);
  }
  if (failed.length > 0) throw new Error(`rows that failed: ${failed.join(", ")}`);
}

interface Measuring {
  readonly places: PeerPlaces;
  readonly pairs: number;
  readonly keeping: Keeping;
  readonly processor: Processor;
}

async function measureRow(row: PeerRow, { places, pairs, keeping, processor }: Measuring): Promise<void> {
  console.log(`\n${row.name}: ${row.what}`);
  const compared = await compare({
    ours: row.ours(places),
    theirs: row.theirs(places),
    pairs,
    ...row.agreement,
    onPair: (pair, ours, theirs) => console.log(`  pair ${pair + 1} of ${pairs}: ${pairText(ours, theirs)}`),
  });
  const kept: KeptPeerRow = { what: row.what, ...compared };
  if (pairs >= row.pairs) keeping.keep(row.name, kept);
  show(row, kept, processor);
  if (pairs < row.pairs) console.log(`  not kept: fewer than ${row.pairs} pairs`);
}

function chosenRows(only: readonly string[] | undefined, processor: Processor): readonly PeerRow[] {
  const unknown = only?.find((name) => !peerRows.some((row) => row.name === name));
  if (unknown !== undefined) throw new Error(`no row "${unknown}"; --list names them`);
  // What a processor cannot do well is only measured when it is asked for by name.
  return peerRows.filter(({ name, target }) => only?.includes(name) ?? target[processor] !== undefined);
}

/** Training and decode steps that allocate nothing, as the C++ runner counts them; throws where one does. */
function checkAllocations(isa: string): void {
  const names = ["allocations_training", "allocations_decoding"];
  const text = execFileSync(findTool(root), ["check", ...names, "--isa", isa], { encoding: "utf8" });
  console.log(`\nallocations per step: none (${text.trim().split("\n").at(-1)})`);
}

interface Preparing {
  readonly python: string;
  readonly peers: string;
  readonly threads: number;
  readonly isa: string;
}

/** Rows and models that both sides read, made once for each folder of scripts and kept in the system's temporary folder. */
async function preparePlaces({ python, peers, threads, isa }: Preparing): Promise<PeerPlaces> {
  const folder = join(tmpdir(), `attune-bench-peers-${shortHash(realpathSync(peers))}`);
  const model = join(peers, "..", "models", "smollm2-135m-instruct", "model.Q4_1.gguf");
  const work = join(folder, "file");
  const workByLength = join(folder, "length");
  for (const [path, order] of [
    [work, "file"],
    [workByLength, "length"],
  ] as const) {
    if (existsSync(join(path, "summary.json"))) continue;
    mkdirSync(path, { recursive: true });
    execFileSync(python, [join(peers, "work.py"), "--out", path, "--order", order], {
      cwd: peers,
      stdio: "inherit",
    });
  }
  const rewardModel = join(folder, "reward-model");
  if (!existsSync(join(rewardModel, "model.safetensors"))) {
    const engine = await createEngine({ threads });
    try {
      const start = await engine.loadModel(model, { scoreHead: { init: "normal", heads: 1, seed: 1 } });
      await start.save(rewardModel);
    } finally {
      await engine.dispose();
    }
  }
  return { root, python, peers, model, work, workByLength, rewardModel, threads, isa };
}

const shortHash = (text: string) => createHash("sha256").update(text).digest("hex").slice(0, 8);

function pairText(ours: Reading, theirs: Reading): string {
  const names = Object.keys(ours.rates).filter((name) => name in theirs.rates);
  const ratios = names.map((name) => (ours.rates[name] ?? Number.NaN) / (theirs.rates[name] ?? Number.NaN));
  const [least, most] = [Math.min(...ratios), Math.max(...ratios)].map((ratio) => ratio.toFixed(2));
  return least === most ? `${least}x` : `${least} to ${most}x over ${names.length}`;
}

function show(row: PeerRow, { parts, losses, peakMb }: KeptPeerRow, processor: Processor): void {
  const wanted = (part: string) => {
    const least = wantedOf(row, part)[processor];
    return least === undefined ? "" : `; wanted: ${least}x`;
  };
  for (const [name, { ours, theirs, ratio }] of Object.entries(parts))
    console.log(
      `  ${name.padEnd(28)} ${ratio.median}x (${ratio.least} to ${ratio.most}); ${row.shown(name, ours.median)} against ${row.shown(name, theirs.median)}${wanted(name)}`,
    );
  if (losses !== undefined)
    console.log(`  losses ${losses.ours.join(" ")} against ${losses.theirs.join(" ")}`);
  if (peakMb !== undefined)
    console.log(`  peak ${peakMb.ours.median} MB against ${peakMb.theirs.median} MB${wanted(peakMemory)}`);
}
