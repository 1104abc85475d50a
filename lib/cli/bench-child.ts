// The program of a child process: measures one suite and answers over the channel of `fork`, so that no suite warms another
// up and a crash cannot take the others along. Must not print.

import { createEngine, isas } from "../engine/index.js";
import { benchKernels } from "../engine/kernel-bench.js";
import { AttuneError, type ErrorCode, fail, reasonOf, unknownName } from "../errors/index.js";
import type { TimedRow, Trial } from "./bench-report.js";
import { timeSteps } from "./bench-steps.js";
import { benchSuites, peakSuite } from "./bench-suites.js";

/** What the parent asks for, as the child's only argument. The instruction set is that of ATTUNE_ISA. */
export interface BenchRequest {
  readonly suite: string;
  readonly threads?: number;
  readonly quick: boolean;
  /** An empty folder that the parent removes. */
  readonly folder: string;
}

export type BenchAnswer = { readonly trial: Trial } | { readonly code: ErrorCode; readonly message: string };

/** Each kernel is timed at least so long, in seconds. */
const [usual, quickly] = [0.06, 0.005];

async function measure(request: BenchRequest): Promise<Trial> {
  const { suite: name, threads, quick } = request;
  expectIsa(process.env.ATTUNE_ISA);
  const suite = [peakSuite, ...benchSuites].find((one) => one.name === name);
  if (suite === undefined) throw new Error(`no suite ${name}`);
  if (suite.kernels.length === 0) return measureSteps(request);
  const rows: TimedRow[] = [];
  let ran = { isa: "", threads: 0 };
  for (const { benchmark, arguments: words, quick: few } of suite.kernels) {
    const seconds = quick ? quickly : usual;
    const measured = await benchKernels({ benchmark, arguments: quick ? few : words, seconds, threads });
    ran = measured;
    rows.push(...measured.rows);
  }
  return { suite: name, isa: ran.isa, threads: ran.threads, rows };
}

async function measureSteps({ suite, threads, quick, folder }: BenchRequest): Promise<Trial> {
  const engine = await createEngine(threads === undefined ? {} : { threads });
  const { isa, threads: used } = engine;
  await engine.dispose();
  return { suite, isa, threads: used, rows: await timeSteps({ folder, threads, quick }) };
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
