// The packed packages under every Node that is supported, with each optional package taken away in turn.
// Must not build anything.

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { expect } from "chai";
import { addonPackage, cudaPackage, type PackedProject } from "./packed-project.js";

const nodeVersions = ["20", "22", "24", "26"] as const;

/** Makes an engine as a program would, and prints how that went as JSON. */
const useEngine = `
import { createEngine } from "attune";
const said = [];
const say = (level) => (text) => said.push(level + ": " + text);
const logger = { info: say("info"), warn: say("warn"), error: say("error") };
try {
  const engine = await createEngine({ device: process.argv[2], logger });
  console.log(JSON.stringify({ device: engine.device, said }));
  await engine.dispose();
} catch ({ name, code, message, details }) {
  console.log(JSON.stringify({ name, code, message, stage: details?.stage, said }));
}
`;

interface EngineOutcome {
  readonly device?: string;
  readonly said: readonly string[];
  readonly name?: string;
  readonly code?: string;
  readonly message?: string;
  readonly stage?: string;
}

/** Registers the tests of each version. */
export function nodeVersionTests(project: () => PackedProject): void {
  const adapters: Buffer[] = [];
  for (const version of nodeVersions) {
    describe(`Node ${version}`, () => {
      const attune = (...words: readonly string[]) => project().attune(words, version);
      const engine = (device: string): EngineOutcome => {
        writeFileSync(project().at("use-engine.mjs"), useEngine);
        return JSON.parse(project().node(["use-engine.mjs", device], version).stdout);
      };
      it("trains an adapter, the same bits as under the others, and samples from it", () =>
        trainAndSample({ project: project(), attune, version, adapters }));
      it("says in attune doctor what there is", () => {
        const { status, stdout } = attune("doctor");
        expect(stdout)
          .to.match(new RegExp(`\\bnode ${version}\\.`))
          .and.include("native addon: ok");
        expect(status).to.equal(0);
        expect(stdout).to.match(cudaLine(project().realCuda));
      });
      it("times kernels", () => {
        const { status, stdout, stderr } = attune("bench", "gemm", "--quick", "--trials", "1", "--json");
        expect(status, stderr).to.equal(0);
        const { rows } = JSON.parse(stdout) as {
          rows: readonly { readonly ms: { readonly median: number } }[];
        };
        expect(rows).to.not.be.empty;
        for (const { ms } of rows) expect(ms.median).to.be.above(0);
      });
      describe("without the CUDA kernels", () => withoutCuda({ project, attune, engine }));
      describe("without the addon", () => withoutAddon({ project, attune, engine }));
    });
  }
}

/** The library of GPUs finds no driver where there is no GPU; the one over fibers always has its device. */
function cudaLine(real: boolean): RegExp {
  if (!real) return /^cuda: ok \(simt/m;
  if (existsSync("/dev/nvidiactl")) return /^cuda: ok \(/m;
  return /^cuda: probe \(.*cudaGetDeviceCount: .*; install an NVIDIA driver of version \d+ or newer\)$/m;
}

type Attune = (...words: readonly string[]) => ReturnType<PackedProject["attune"]>;

interface Training {
  readonly project: PackedProject;
  readonly attune: Attune;
  readonly version: string;
  /** Of the versions before. */
  readonly adapters: Buffer[];
}

function trainAndSample({ project, attune, version, adapters }: Training): void {
  const model = ["--model", "path/to/SmolLM2-135M-Instruct", "--device", "cpu"];
  const output = `runs/node-${version}`;
  const rows = ["--data", "pairs.jsonl", "--output", output, "--epochs", "3"];
  const run = attune("dpo", ...model, ...rows, "--adapter-rank", "4", "--learning-rate", "0.01");
  expect(run.status, run.stderr).to.equal(0);
  const losses = readFileSync(project.at(output, "metrics.jsonl"), "utf8")
    .trim()
    .split("\n")
    .map((line) => (JSON.parse(line) as { readonly loss: number }).loss);
  expect(losses[2]).to.be.below(losses[0] ?? 0);
  adapters.push(readFileSync(project.at(output, "model/adapter_model.safetensors")));
  expect(adapters.at(-1)?.equals(adapters[0] ?? Buffer.alloc(0))).to.equal(true);
  const answers = attune(
    "generate",
    ...model,
    ...["--adapter", `${output}/model`, "--prompt", "a?", "--max-new-tokens", "4", "--json"],
  );
  expect(answers.status, answers.stderr).to.equal(0);
  expect(answers.stdout.trim()).to.not.equal("");
}

interface Removal {
  readonly project: () => PackedProject;
  readonly attune: Attune;
  readonly engine: (device: string) => EngineOutcome;
}

function withoutCuda({ project, attune, engine }: Removal): void {
  const reason = "the package attune-linux-x64-cuda is not installed";
  const gone = <Result>(work: () => Result) => project().without(cudaPackage, work);

  it('takes the CPU for device "auto", and says why in one line', () => {
    const { device, said } = gone(() => engine("auto"));
    expect(device).to.equal("cpu");
    expect(said).to.have.length(1);
    expect(said[0]).to.contain(`CUDA backend missing: ${reason}`).and.not.contain("\n");
  });
  it('fails with stage and reason for device "cuda"', () => {
    const { code, stage, message } = gone(() => engine("cuda"));
    expect([code, stage]).to.deep.equal(["ATTUNE_BACKEND", "missing"]);
    expect(message).to.contain(reason);
  });
  it("says so in attune doctor, which is content", () => {
    const { status, stdout } = gone(() => attune("doctor"));
    expect(stdout).to.match(new RegExp(`^cuda: missing \\(${reason}`, "m"));
    expect(status).to.equal(0);
  });
}

function withoutAddon({ project, attune, engine }: Removal): void {
  const gone = <Result>(work: () => Result) => project().without(addonPackage, work);
  const remedies = ["npm i --include=optional", "npx attune build"];

  it("imports, and fails with what to do once an engine is made", () => {
    const { name, code, message } = gone(() => engine("auto"));
    expect([name, code]).to.deep.equal(["BackendLoadError", "ATTUNE_ADDON_LOAD"]);
    for (const remedy of remedies) expect(message).to.contain(remedy);
  });
  it("says what to do in attune doctor, which fails", () => {
    const { status, stdout } = gone(() => attune("doctor"));
    expect(status).to.equal(1);
    for (const remedy of remedies) expect(stdout).to.contain(remedy);
  });
}
