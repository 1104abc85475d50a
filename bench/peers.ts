// `npm run bench:peers -- --python PATH [--only ROW]`: measures attune beside PyTorch, transformers and TRL on the same work, in
// alternating processes, and keeps each row in bench/results as soon as it is there. Must not decide what a row is.

import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { createEngine } from "../lib/engine/index.js";
import { type Compared, compare, type Reading } from "./compare.js";
import { keepRow, type Processor, processorOf, root } from "./kept.js";
import { type PeerRow, peakMemory, peerRows, wantedOf } from "./peer-rows.js";
import type { PeerPlaces } from "./sides.js";

/** A row as it is kept. */
export interface KeptPeerRow extends Compared {
  readonly what: string;
}

const usage = `usage: npm run bench:peers -- --python PATH [--peers DIR] [--model FILE] [--only ROW]... [--pairs N] [--threads N] [--list]`;

export async function benchPeers(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      python: { type: "string" },
      peers: { type: "string", default: join(root, "..", "shared", "peers") },
      model: { type: "string" },
      only: { type: "string", multiple: true },
      pairs: { type: "string" },
      threads: { type: "string", default: "2" },
      list: { type: "boolean", default: false },
    },
  });
  if (values.list) {
    for (const { name, what } of peerRows) console.log(`${name.padEnd(20)} ${what}`);
    return;
  }
  if (values.python === undefined) throw new Error(usage);
  const engine = await createEngine({ threads: Number(values.threads) });
  const { isa } = engine;
  const places = await preparePlaces({ ...values, python: values.python, engine });
  await engine.dispose();
  const processor = processorOf(isa);
  for (const row of chosenRows(values.only, processor)) {
    console.log(`\n${row.name}: ${row.what}`);
    const pairs = values.pairs === undefined ? row.pairs : Number(values.pairs);
    const compared = await compare({
      ours: row.ours(places),
      theirs: row.theirs(places),
      pairs,
      onPair: (pair, ours, theirs) =>
        console.log(`  pair ${pair + 1} of ${pairs}: ${pairText(ours, theirs)}`),
    });
    const kept: KeptPeerRow = { what: row.what, ...compared };
    keepRow({ kind: "peers", isa, name: row.name, row: kept });
    show(row, kept, processor);
  }
}

function chosenRows(only: readonly string[] | undefined, processor: Processor): readonly PeerRow[] {
  const unknown = only?.find((name) => !peerRows.some((row) => row.name === name));
  if (unknown !== undefined) throw new Error(`no row "${unknown}"; --list names them`);
  // What a processor cannot do well is only measured when it is asked for by name.
  return peerRows.filter(({ name, target }) => only?.includes(name) ?? target[processor] !== undefined);
}

interface Preparing {
  readonly python: string;
  readonly peers: string;
  readonly model?: string | undefined;
  readonly threads: string;
  readonly engine: Awaited<ReturnType<typeof createEngine>>;
}

/** Rows and models that both sides read, made once and kept in the system's temporary folder. */
async function preparePlaces({
  python,
  peers,
  model: given,
  threads,
  engine,
}: Preparing): Promise<PeerPlaces> {
  const folder = join(tmpdir(), "attune-bench-peers");
  const shared = resolve(peers, "..");
  const model = given ?? join(shared, "models", "smollm2-135m-instruct", "model.Q4_1.gguf");
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
    const start = await engine.loadModel(model, { scoreHead: { init: "normal", heads: 1, seed: 1 } });
    await start.save(rewardModel);
    await start.dispose();
  }
  return {
    root,
    python,
    peers,
    model,
    work,
    workByLength,
    rewardModel,
    threads: Number(threads),
    isa: engine.isa,
  };
}

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
      `  ${name.padEnd(28)} ${ratio.median}x (${ratio.least} to ${ratio.most}); ${ours.median} against ${theirs.median}${wanted(name)}`,
    );
  if (losses !== undefined)
    console.log(`  losses ${losses.ours.join(" ")} against ${losses.theirs.join(" ")}`);
  if (peakMb !== undefined)
    console.log(`  peak ${peakMb.ours.median} MB against ${peakMb.theirs.median} MB${wanted(peakMemory)}`);
}
