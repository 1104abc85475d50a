// The oracle's tests must fail when an expected value is off by 1 %: they are run on altered copies in a child process.
// Every copy is a case of its own, beside one that is unchanged and must pass. Must not compare any value itself.

import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { testedIsas } from "../support/oracle-engines.js";
import { oracleEntries, oraclePath, readOracleJson } from "../support/oracle-folder.js";
import { modelCaseKind } from "./expected-model.js";
import { changeHex, changeJson, changeTensor, copyTo } from "./planted-change.js";
import { trainerCase } from "./trainer-file.js";

const repository = join(dirname(fileURLToPath(import.meta.url)), "../..");

/** A copy of the oracle's folder with altered cases: case name -> what was altered; undefined = nothing. */
type Plant = (folder: string) => ReadonlyMap<string, string | undefined>;

const plants: Readonly<Record<string, Plant>> = {
  gguf(folder) {
    const files = oracleEntries("gguf").filter((name) => name.endsWith(".json"));
    const [unchanged = "", changed = ""] = files;
    copyTo(oraclePath("gguf"), join(folder, "gguf"));
    for (const file of files.slice(2)) rmSync(join(folder, "gguf", file));
    changeHex(join(folder, "gguf", changed), "values_hex");
    const typeOf = (file: string) => readOracleJson<{ type: string }>("gguf", file).type;
    return new Map([
      [typeOf(unchanged), undefined],
      [typeOf(changed), "values_hex"],
    ]);
  },

  model(folder) {
    const planted = new Map<string, string | undefined>();
    const copy = (name: string, title: string, change?: string) => {
      const to = join(folder, "model", title);
      copyTo(oraclePath("model", name), to);
      planted.set(title, change);
      return to;
    };
    const names = oracleEntries("model");
    const language = names.filter((name) => modelCaseKind(name) === "language");
    const first = language.find(
      (name) => "temperature" in readOracleJson<object>("model", name, "expected.json"),
    );
    const name = first ?? language[0] ?? "";
    copy(name, "unchanged");
    for (const [i, path] of languageFigures.entries())
      changeJson(join(copy(name, `figure-${i}`, path), "expected.json"), path);
    for (const [i, tensor] of ["logps", "grad."].entries()) {
      changeTensor(join(copy(name, `tensor-${i}`, tensor), "expected.safetensors"), tensor);
    }
    const adapter = names.find((one) => modelCaseKind(one) === "adapter");
    if (adapter !== undefined) {
      const { base } = readOracleJson<{ base: string }>("model", adapter, "expected.json");
      copy(basename(base), basename(base));
      copy(adapter, "adapter-unchanged");
      for (const [i, path] of adapterFigures.entries())
        changeJson(join(copy(adapter, `adapter-${i}`, path), "expected.json"), path);
      for (const [i, tensor] of ["logits", "grad.", "rslora.grad.", "merged.", "merged_logits"].entries())
        changeTensor(join(copy(adapter, `adapter-tensor-${i}`, tensor), "expected.safetensors"), tensor);
    }
    const reward = names.find((one) => modelCaseKind(one) === "reward");
    if (reward === undefined) return planted;
    for (const [i, path] of ["loss", "grad_norm", "scores.0"].entries())
      changeJson(join(copy(reward, `reward-${i}`, path), "expected.json"), path);
    changeTensor(join(copy(reward, "reward-tensor", "grad."), "expected.safetensors"), "grad.");
    return planted;
  },

  loss(folder) {
    const planted = new Map<string, string | undefined>();
    const copy = (name: string, change?: string, least?: number) => {
      const title = `${name}-${planted.size}.json`;
      mkdirSync(join(folder, "loss"), { recursive: true });
      copyTo(oraclePath("loss", `${name}.json`), join(folder, "loss", title));
      planted.set(title, change);
      if (change !== undefined) changeJson(join(folder, "loss", title), change, least);
    };
    for (const name of ["dpo", "dpo_plackett_luce", "kto", "reward", "logprob", "optim"]) copy(name);
    for (const [name, fields] of Object.entries(lossFigures)) {
      for (const loss of lossesOf(name)) {
        for (const field of fields) copy(name, `expected.${loss}.${field}`, leastFigure);
      }
    }
    for (const field of [
      "logp.0",
      "entropy.0",
      "kl_policy_ref",
      "objective_main",
      "grad_main.0",
      "grad_k3",
      "grad_reverse",
    ])
      copy("logprob", `expected.1.${field}`);
    for (const field of ["adamw.0.steps.3.params", "adamw.2.steps.1.grad_norm", "schedules.1.multiplier"])
      copy("optim", `expected.${field}`);
    return planted;
  },

  trainer(folder) {
    const planted = new Map<string, string | undefined>();
    mkdirSync(join(folder, "trainer"), { recursive: true });
    symlinkSync(oraclePath("trainer", "models"), join(folder, "trainer/models"));
    for (const algorithm of ["sft", "dpo"]) {
      const files = oracleEntries("trainer", algorithm).filter((name) => name.endsWith(".json"));
      const file = files.find((name) => !("later" in trainerCase(algorithm, name))) ?? "";
      const { rows } = readOracleJson<{ rows: string }>("trainer", algorithm, file);
      mkdirSync(join(folder, "trainer", algorithm));
      copyTo(oraclePath("trainer", algorithm, rows), join(folder, "trainer", algorithm, rows));
      for (const [i, path] of [
        undefined,
        ...runFigures,
        ...(algorithm === "dpo" ? pairFigures : []),
      ].entries()) {
        const title = `planted-${i}.json`;
        copyTo(oraclePath("trainer", algorithm, file), join(folder, "trainer", algorithm, title));
        if (path !== undefined) changeJson(join(folder, "trainer", algorithm, title), `float64.${path}`);
        planted.set(`${algorithm}/${title}`, path);
      }
    }
    mkdirSync(join(folder, "trainer/ppo"));
    for (const file of oracleEntries("trainer", "ppo").filter((name) => name.endsWith(".json"))) {
      const { rows } = readOracleJson<{ rows: string }>("trainer", "ppo", file);
      copyTo(oraclePath("trainer", "ppo", rows), join(folder, "trainer/ppo", rows));
      for (const [i, path] of [undefined, ...ppoFigures].entries()) {
        const title = `${i}-${file}`;
        copyTo(oraclePath("trainer", "ppo", file), join(folder, "trainer/ppo", title));
        if (path !== undefined)
          changeJson(join(folder, "trainer/ppo", title), `own_float64_attune_layout.${path}`, leastPpoFigure);
        planted.set(`ppo/${title}`, path);
      }
    }
    return planted;
  },
};

/** By file: figures of its losses. */
const lossFigures = {
  dpo: ["per_pair", "loss", "rewards_rejected", "grad_policy_chosen"],
  dpo_plackett_luce: ["per_group", "loss", "rewards", "grad_policy"],
  kto: ["per_row", "loss", "rewards", "grad_policy"],
  reward: ["loss"],
} as const;
/** 1 % of it is 2.5 times the absolute tolerance. */
const leastFigure = 2.5e-4;

/** Where the first case of every loss of a file stands: those that differ in parameters alone are one loss. */
function lossesOf(name: string): readonly number[] {
  const { expected } = readOracleJson<{ expected: { params: { loss?: string; ties?: string } }[] }>(
    "loss",
    `${name}.json`,
  );
  const titles = expected.map(({ params }) => `${params.loss} ${params.ties}`);
  return [...new Set(titles)].map((title) => titles.indexOf(title));
}

/** Paths to a number of at least 0.1, or to something that holds one: the first such number is changed. */
const languageFigures = [
  "loss",
  "grad_norm",
  "seq_logps.1",
  "adamw.losses.4",
  "adamw.grad_norms.9",
  "adamw.loss_after",
  "temperature.logps",
  "temperature.logps_at_1",
] as const;
const adapterFigures = [
  "loss",
  "grad_norm",
  "adamw.losses.4",
  "adamw.grad_norms.9",
  "merged",
  "rslora.loss",
  "rslora.adamw.loss_after",
] as const;
const runFigures = [
  "steps.0.loss",
  "steps.5.loss",
  "steps.2.grad_norm",
  "first_step_grad_l2_after_clipping",
  "probe.1.end",
];
const ppoFigures = [
  "logprobs",
  "ref_logprobs",
  "values",
  "scores_raw",
  "scores",
  "rewards",
  "advantages",
  "returns",
  "epochs.0.value_loss",
  "epochs.0.grad_l2_policy",
  "epochs.0.grad_l2_value",
  "epochs.1.policy_loss",
  "epochs.1.new_logprobs",
  "epochs.1.new_values",
  "epochs.1.approx_kl_k1",
  "epochs.1.approx_kl_k2",
  "epochs.1.grad_l2_policy",
  "epochs.1.grad_l2_value",
  "final.policy",
  "final.value",
];
/** 1 % of it is 5 times the absolute tolerance of log-probs after a step. */
const leastPpoFigure = 0.05;
const pairFigures = ["steps.3.logps/chosen", "steps.1.logps/rejected"];

describe("oracle: planted errors", () => {
  for (const [family, plant] of Object.entries(plants)) {
    describe(family, () => plantedTests(family, plant));
  }
});

function plantedTests(family: string, plant: Plant): void {
  const folder = mkdtempSync(join(tmpdir(), "attune-planted-"));
  after(() => rmSync(folder, { recursive: true }));
  let planted: ReadonlyMap<string, string | undefined>;
  let failed: readonly string[];
  try {
    planted = plant(folder);
  } catch (error) {
    it("finds values to alter", () => {
      throw error;
    });
    return;
  }

  // Over fibers a family takes minutes.
  before(function () {
    this.timeout(1_800_000);
    failed = failedTests(family, folder);
  });

  for (const [title, change] of planted) {
    if (change === undefined) {
      it(`${title}: passes as it is`, () => expect(failuresOf(failed, title)).to.deep.equal([]));
    } else {
      it(`${title}: ${change} off by 1 % is seen`, () =>
        expect(failuresOf(failed, title)).to.not.deep.equal([]));
    }
  }
}

function failuresOf(failed: readonly string[], title: string): readonly string[] {
  return failed.filter(
    (test) => test.includes(`${title},`) || test.includes(`${title} `) || test.includes(`${title}:`),
  );
}

/** Full titles of the tests of a family that fail with another folder of expected values, on the best instruction set. */
function failedTests(family: string, folder: string): readonly string[] {
  const report = join(folder, "report.json");
  const mocha = join(repository, "node_modules/mocha/bin/mocha.js");
  const flags = ["--import=tsx", "--timeout=600000", "--reporter=json", `--reporter-option=output=${report}`];
  const [isa] = testedIsas();
  const own = isa?.cuda === undefined ? { ATTUNE_ISA: isa?.name ?? "" } : {};
  const env = { ...process.env, ATTUNE_ORACLE: folder, ...own };
  const file = join(repository, `test/oracle/${family}.test.ts`);
  const { stderr } = spawnSync(process.execPath, [mocha, ...flags, file], {
    cwd: repository,
    env,
    encoding: "utf8",
  });
  const { stats, failures } = JSON.parse(readFileSync(report, "utf8")) as MochaReport;
  if (stats.passes === 0) throw new Error(`no test of ${family} passed: ${stderr}`);
  return failures.map(({ fullTitle }) => fullTitle);
}

interface MochaReport {
  readonly stats: { readonly passes: number };
  readonly failures: readonly { readonly fullTitle: string }[];
}
