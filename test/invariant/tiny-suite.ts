// The models and the set of instruction sets and number formats that every invariant is held on.
// Must not check anything itself.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DType } from "../../lib/engine/contract.js";
import type { Engine, Model } from "../../lib/engine/index.js";
import { isaTitle, suiteEngine, type TestedIsa, testedIsas } from "../support/oracle-engines.js";
import { type TinyModelOptions, writeTinyModel } from "../support/tiny-model.js";

/** Grouped queries, q/k norm, a window shorter than the rows, biases, and GPT-2. */
const kinds = [
  "llama",
  "qwen3",
  "mistral",
  "qwen2",
  "gpt2",
] as const satisfies readonly TinyModelOptions["kind"][];

export interface InvariantSubject {
  readonly title: string;
  readonly dtype: DType;
  readonly isa: TestedIsa;
  /** A fresh model on the suite's engine; the caller disposes it. */
  readonly load: () => Promise<Model>;
  readonly engine: () => Engine;
  readonly folder: string;
}

export interface ForEachModelOptions {
  /** Default: all that run here. */
  readonly isas?: readonly TestedIsa[];
  readonly dtypes?: readonly DType[];
  readonly threads?: number;
}

/** Registers a suite per instruction set, model and number format. */
export function forEachModel(
  register: (subject: InvariantSubject) => void,
  options: ForEachModelOptions = {},
): void {
  const { isas = testedIsas(), dtypes = ["fp32", "bf16"], threads = 2 } = options;
  const root = mkdtempSync(join(tmpdir(), "attune-invariant-"));
  after(() => rmSync(root, { recursive: true }));
  for (const kind of kinds) {
    writeTinyModel({ folder: join(root, kind), kind, width: 64, mlpWidth: 96, maxPositions: 160, seed: 3 });
  }
  for (const isa of isas) {
    describe(isaTitle(isa), () => {
      const engine = suiteEngine({ isa, threads });
      for (const kind of kinds) {
        for (const dtype of dtypes) {
          const folder = join(root, kind);
          const load = () => engine().loadModel(folder, { dtype });
          describe(`${kind}, ${dtype}`, () =>
            register({ title: `${kind} ${dtype}`, dtype, isa, load, engine, folder }));
        }
      }
    });
  }
}

/** Uses a fresh model and lets it go. */
export async function withModel<Result>(
  load: () => Promise<Model>,
  use: (model: Model) => Promise<Result>,
): Promise<Result> {
  const model = await load();
  try {
    return await use(model);
  } finally {
    await model.dispose();
  }
}
