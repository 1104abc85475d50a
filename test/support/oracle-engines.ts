// Engines for the oracle and invariant tests: one per instruction set of this machine, the emulated ones included.
// ATTUNE_ISA narrows the tests to that one. Must not compute anything.

import { type Checks, openChecks } from "../../lib/engine/checks.js";
import { createEngine, type Engine, listBackends } from "../../lib/engine/index.js";

export interface TestedIsa {
  readonly name: string;
  /** False: the 16-lane bodies over the emulated lanes. */
  readonly native: boolean;
}

/** What can run here, best first, then the emulated ones. */
export function testedIsas(): readonly TestedIsa[] {
  const wanted = process.env.ATTUNE_ISA;
  const all = listBackends().flatMap(({ isas = [] }) => isas);
  const runnable = all.filter((isa) => isa.built && isa.runnable);
  const chosen =
    wanted === undefined || wanted === "" ? runnable : runnable.filter((isa) => isa.name === wanted);
  if (chosen.length === 0) throw new Error(`no instruction set to test among ${all.map((isa) => isa.name)}`);
  return chosen.map(({ name, native }) => ({ name, native }));
}

/** For a title: says which ones ran natively and which emulated. */
export function isaTitle(isa: TestedIsa): string {
  return `${isa.name} (${isa.native ? "native" : "emulated"})`;
}

/** An engine from the suite's first test to its last. */
export function suiteEngine({ isa, threads = 2 }: { isa: TestedIsa; threads?: number }): () => Engine {
  let engine: Engine | undefined;
  before(async () => {
    engine = await createEngine({ device: "cpu", isa: isa.name, threads });
  });
  after(async () => {
    await engine?.dispose();
  });
  return () => {
    if (engine === undefined) throw new Error("the engine was not created");
    return engine;
  };
}

/** Doors to single pieces of the compiled code, from the suite's first test to its last. */
export function suiteChecks({ isa }: { isa: TestedIsa }): () => Checks {
  let checks: Checks | undefined;
  before(() => {
    checks = openChecks({ isa: isa.name, threads: 2 });
  });
  after(async () => {
    await checks?.dispose();
  });
  return () => {
    if (checks === undefined) throw new Error("the checks were not opened");
    return checks;
  };
}
