// Engines for the oracle and invariant tests: one per instruction set of this machine, the emulated ones included.
// ATTUNE_ISA narrows the tests to that one; ATTUNE_TEST_DEVICE=cuda runs all of them on CUDA's kernels instead.
// Must not compute anything.

import { existsSync } from "node:fs";
import { type Checks, openChecks } from "../../lib/engine/checks.js";
import { createEngine, type Engine, listBackends } from "../../lib/engine/index.js";
import { simulatedCuda, testedCuda, withCuda } from "./cuda-library.js";

/** Kernels to be tested: an instruction set of the CPU, or a library of CUDA kernels. */
export interface TestedIsa {
  readonly name: string;
  /** False: the 16-lane bodies over the emulated lanes, CUDA's over fibers. */
  readonly native: boolean;
  /** Path of the library of CUDA kernels. */
  readonly cuda?: string;
}

/** CUDA's kernels, on a GPU or over fibers. */
export function testedDevice(): TestedIsa {
  const cuda = testedCuda();
  return { name: "cuda", native: cuda !== simulatedCuda, cuda };
}

export interface TestedIsasOptions {
  /** CUDA's kernels too, where nothing narrows the tests: fibers are slow, so that not every case asks for it. */
  readonly withCuda?: boolean;
}

/** What can run here, best first, then the emulated ones. */
export function testedIsas(options: TestedIsasOptions = {}): readonly TestedIsa[] {
  const device = process.env.ATTUNE_TEST_DEVICE ?? "";
  if (device === "cuda") return [testedDevice()];
  if (device !== "") throw new Error(`Expected ATTUNE_TEST_DEVICE to be cuda but received ${device}`);
  const wanted = process.env.ATTUNE_ISA ?? "";
  const all = listBackends().flatMap(({ isas = [] }) => isas);
  const chosen = all.filter(
    ({ name, built, runnable }) => built && runnable && (wanted === "" || name === wanted),
  );
  if (chosen.length === 0) throw new Error(`no instruction set to test among ${all.map((isa) => isa.name)}`);
  const tested = chosen.map(({ name, native }) => ({ name, native }));
  // Built by CMake alone.
  const there = options.withCuda === true && wanted === "" && existsSync(simulatedCuda);
  return there ? [...tested, testedDevice()] : tested;
}

/** For a title: says which ones ran natively and which emulated. */
export function isaTitle({ name, native, cuda }: TestedIsa): string {
  if (native) return `${name} (native)`;
  return cuda === undefined ? `${name} (emulated)` : `${name} (over fibers)`;
}

export interface TestedEngine {
  readonly isa: TestedIsa;
  readonly threads?: number;
}

/** An engine that has these kernels and no others; the caller disposes it. */
export function testedEngine({ isa, threads = 2 }: TestedEngine): Promise<Engine> {
  if (isa.cuda === undefined) return createEngine({ device: "cpu", isa: isa.name, threads });
  return withCuda(isa.cuda, () => createEngine({ device: "cuda", threads }));
}

/** An engine from the suite's first test to its last. */
export function suiteEngine(tested: TestedEngine): () => Engine {
  let engine: Engine | undefined;
  before(async () => {
    engine = await testedEngine(tested);
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
    const { name, cuda } = isa;
    checks = openChecks({ ...(cuda === undefined ? { isa: name } : { cuda }), threads: 2 });
  });
  after(async () => {
    await checks?.dispose();
  });
  return () => {
    if (checks === undefined) throw new Error("the checks were not opened");
    return checks;
  };
}
