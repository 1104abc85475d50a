// `npm run bench feedback`: people who judge over HTTP with every answer on the disk, on a store that is new or that already
// holds a long log, what starts and measures of such a store take. Service and people are processes of their own, on loopback.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { openFeedbackStore } from "../../lib/feedback/index.js";
import { machineLine } from "../../lib/train/machine.js";
import { countOf } from "../arguments.js";
import type { WorkDone } from "./annotators-process.js";
import { makeFilledStore } from "./filled-store.js";
import { type Caller, callerOf } from "./http-calls.js";
import { latencyText, residentOf, runAnnotators, startService } from "./processes.js";

export interface MeasureLoad {
  /** A folder that is empty or not there, or the URL of an empty database. */
  readonly store: string;
  readonly people: number;
  /** That the store holds already. */
  readonly judgements: number;
  readonly seconds: number;
  /** Of all together; absent: as many as they can. */
  readonly perSecond?: number;
  readonly say?: (line: string) => void;
}

export interface LoadFigures {
  /** From starting the process to its first answers: that it listens, and an item to judge. */
  readonly startSeconds: { readonly listening: number; readonly firstItem: number };
  readonly work: WorkDone;
  /** Bytes that the service held at most: when people had worked, and when all was measured too. */
  readonly memory: { readonly worked: number; readonly measured: number };
  readonly measureSeconds: Readonly<Record<(typeof measuredCalls)[number], number>>;
  readonly rebuild: { readonly events: number; readonly seconds: number };
}

const measuredCalls = ["progress", "annotators", "agreement", "ratings"] as const;
/** Never so few that somebody waits for one. */
const OPEN = 20_000;

export async function measureLoad(options: MeasureLoad): Promise<LoadFigures> {
  const { store, people, judgements, seconds, perSecond, say = () => undefined } = options;
  const { tokens } = await makeFilledStore({ store, people, judgements, open: OPEN });
  say(`the store holds ${judgements} judgements`);
  const begun = performance.now();
  const service = await startService({ store });
  const listening = secondsSince(begun);
  const owner = callerOf(service.port, tokens.owner);
  try {
    const firstItem = await firstItemSeconds(callerOf(service.port, tokens.people[0] ?? ""), begun);
    say(`listens after ${listening.toFixed(2)} s, gives the first item after ${firstItem.toFixed(2)} s`);
    const rate = perSecond === undefined ? {} : { perSecond };
    const work = await runAnnotators({
      port: service.port,
      tokens: tokens.people,
      seconds,
      ...rate,
      twice: 10,
    });
    const worked = residentOf(service.pid).most;
    say(workText(work));
    const measureSeconds = await measureAll(owner);
    const memory = { worked, measured: residentOf(service.pid).most };
    await service.stop();
    const rebuild = await rebuilt(store);
    return { startSeconds: { listening, firstItem }, work, memory, measureSeconds, rebuild };
  } finally {
    owner.close();
    await service.stop();
  }
}

function secondsSince(begun: number): number {
  return (performance.now() - begun) / 1000;
}

async function firstItemSeconds(caller: Caller, begun: number): Promise<number> {
  const { status, body } = await caller.call("/v1/next");
  const seconds = secondsSince(begun);
  if (status !== 200) throw new Error(`expected an item but received ${status} ${JSON.stringify(body)}`);
  caller.close();
  return seconds;
}

async function measureAll(owner: Caller): Promise<LoadFigures["measureSeconds"]> {
  const seconds = { progress: 0, annotators: 0, agreement: 0, ratings: 0 };
  for (const name of measuredCalls) {
    const { status, milliseconds, body } = await owner.call(`/v1/${name}`);
    if (status !== 200) throw new Error(`/v1/${name}: ${status} ${JSON.stringify(body)}`);
    seconds[name] = milliseconds / 1000;
  }
  return seconds;
}

async function rebuilt(place: string): Promise<LoadFigures["rebuild"]> {
  const store = await openFeedbackStore({ store: place });
  try {
    const begun = performance.now();
    const events = await store.rebuild();
    return { events, seconds: secondsSince(begun) };
  } finally {
    await store.close();
  }
}

function workText({ acknowledged, seconds, next, submit }: WorkDone): string {
  const rate = (acknowledged.length / seconds).toFixed(1);
  return `${acknowledged.length} judgements in ${seconds.toFixed(0)} s, ${rate}/s
next:   ${latencyText(next)}
submit: ${latencyText(submit)}`;
}

export function restText({ memory, measureSeconds, rebuild }: LoadFigures): string {
  const mebibytes = (bytes: number) => `${(bytes / 2 ** 20).toFixed(0)} MiB`;
  const measures = measuredCalls.map((name) => `${name} ${measureSeconds[name].toFixed(1)} s`).join(", ");
  return `memory of the service: ${mebibytes(memory.worked)}, all measured ${mebibytes(memory.measured)}
measures: ${measures}
rebuild: ${rebuild.events} events in ${rebuild.seconds.toFixed(0)} s`;
}

const usage = `usage: npm run bench feedback [-- --judgements N] [--people N] [--seconds N] [--per-second N] [--store FOLDER or URL]

  --judgements N   that the store holds already (default 0; a million takes some minutes to write)
  --people N       who judge at once (default 15)
  --seconds N      that they judge for (default 60)
  --per-second N   judgements of all together (default 200; 0: as many as they can)
  --store PLACE    a folder that is not there yet, or the URL of an empty PostgreSQL database (default: a temporary folder)`;

export async function benchFeedback(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      judgements: { type: "string", default: "0" },
      people: { type: "string", default: "15" },
      seconds: { type: "string", default: "60" },
      "per-second": { type: "string", default: "200" },
      store: { type: "string" },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) {
    console.log(usage);
    return;
  }
  const temporary = values.store === undefined ? mkdtempSync(join(tmpdir(), "attune-bench-")) : undefined;
  const perSecond = values["per-second"] === "0" ? undefined : countOf("--per-second", values["per-second"]);
  console.log(machineLine());
  try {
    const figures = await measureLoad({
      store: values.store ?? join(temporary ?? "", "store"),
      people: countOf("--people", values.people),
      judgements: values.judgements === "0" ? 0 : countOf("--judgements", values.judgements),
      seconds: countOf("--seconds", values.seconds),
      ...(perSecond === undefined ? {} : { perSecond }),
      say: console.log,
    });
    console.log(restText(figures));
    if (figures.work.refused.length > 0)
      console.log(`refused: ${figures.work.refused.length}, the first ${figures.work.refused[0]}`);
  } finally {
    if (temporary !== undefined) rmSync(temporary, { recursive: true, force: true });
  }
}
