// The program of a child process: measures one suite and answers over the channel of `fork`, so that no suite warms another
// up and a crash cannot take the others along. Must not print.

import { isas } from "../engine/index.js";
import { type BenchedEngine, benchedEngine, benchKernels } from "../engine/kernel-bench.js";
import { AttuneError, type ErrorCode, fail, reasonOf, unknownName } from "../errors/index.js";
import type { TimedRow, Trial } from "./bench-report.js";
import { timeSteps } from "./bench-steps.js";
import { benchSuites, peakSuite } from "./bench-suites.js";

/** What the parent asks for, as the child's only argument. The instruction set is that of ATTUNE_ISA. */
export interface BenchRequest {
  readonly suite: string;
  readonly device: "cpu" | "cuda";
  readonly threads?: number;
  readonly quick: boolean;
  /** An empty folder that the parent removes. */
  readonly folder: string;
}

export type BenchAnswer = { readonly trial: Trial } | { readonly code: ErrorCode; readonly message: string };

/** Each kernel is timed at least so long, in seconds. */
const [usual, quickly] = [0.06, 0.005];

async function measure(request: BenchRequest): Promise<Trial> {
  const { suite: name, device, threads, quick } = request;
  if (device === "cpu") expectIsa(process.env.ATTUNE_ISA);
  const suite = [peakSuite, ...benchSuites].find((one) => one.name === name);
  if (suite === undefined) throw new Error(`no suite ${name}`);
  if (suite.kernels.length === 0) return measureSteps(request);
  const rows: TimedRow[] = [];
  let ran: BenchedEngine = { isa: "", threads: 0 };
  for (const { benchmark, arguments: words, quick: few } of suite.kernels) {
    const seconds = quick ? quickly : usual;
    const { rows: measured, ...engine } = await benchKernels({
      benchmark,
      arguments: quick ? few : words,
      seconds,
      device,
      threads,
    });
    ran = engine;
    rows.push(...measured);
  }
  return { suite: name, ...ran, rows };
}

async function measureSteps({ suite, device, threads, quick, folder }: BenchRequest): Promise<Trial> {
  const engine = await benchedEngine({ device, threads });
  return { suite, ...engine, rows: await timeSteps({ folder, device, threads, quick }) };
}

/** The nearest name for a wrong one; what cannot run here is explained by the engine. */
function expectIsa(isa: string | undefined): void {
  const names = isas().flatMap(({ name, built }) => (built ? [name] : []));
  if (!isa || names.includes(isa)) return;
  throw fail("ATTUNE_OPTION", unknownName("instruction set", isa, names));
}

async function answer(): Promise<BenchAnswer> {
  try {
    return { trial: await measure(JSON.parse(process.argv[2] ?? "{}") as BenchRequest) };
  } catch (error) {
    const code = error instanceof AttuneError ? error.code : "ATTUNE_INTERNAL";
    return { code, message: reasonOf(error) };
  }
}

// A parent that is gone waits for nothing.
process.once("disconnect", () => process.exit(1));
const reply = await answer();
process.send?.(reply, () => process.exit(0));
