// The program as a process of its own: signals, exit codes, closed pipes.

import type { ChildProcess } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { demonstrations, type Place, temporaryPlace } from "../train/training-rows.js";
import { runProgram } from "./program-process.js";

describe("the program", () => {
  let place: Place;
  let args: string[] = [];
  beforeEach(() => {
    place = temporaryPlace();
    const data = join(place.folder, "rows.jsonl");
    writeFileSync(data, demonstrations.map((row) => JSON.stringify(row)).join("\n"));
    args = ["sft", "--model", place.model, "--data", data, "--output", place.output(), "--epochs", "100000"];
  });
  afterEach(() => place.remove());

  /** Sends SIGINT once each time one of the texts is first seen. */
  const interruptAt = (...texts: string[]) => {
    const left = [...texts];
    return (text: string, child: ChildProcess) => {
      if (left[0] === undefined || !text.includes(left[0])) return;
      left.shift();
      child.kill("SIGINT");
    };
  };

  it("saves after the step at the first SIGINT and exits with 130", async () => {
    const { code, signal } = await runProgram(args, { onText: interruptAt("step 3/") });
    expect([code, signal]).to.deep.equal([130, null]);
    expect(place.record()).to.deep.include({ status: "interrupted" });
  });

  it("continues by --resume where SIGTERM stopped it, to the same model bit for bit", async () => {
    const until = [...args.slice(0, -2), "--epochs", "40"];
    const weights = (name: string) => readFileSync(join(place.output(name), "model", "model.safetensors"));
    const toOutput = (name: string) =>
      until.map((arg) => (arg === place.output() ? place.output(name) : arg));
    expect((await runProgram(toOutput("whole"))).code).to.equal(0);
    let sent = false;
    const stopped = await runProgram(toOutput("stopped"), {
      onText: (text, child) => {
        if (sent || !text.includes("step 3/")) return;
        sent = true;
        child.kill("SIGTERM");
      },
    });
    expect(stopped.code).to.equal(130);
    expect(weights("stopped").equals(weights("whole"))).to.equal(false);
    expect((await runProgram([...toOutput("stopped"), "--resume"])).code).to.equal(0);
    expect(weights("stopped").equals(weights("whole"))).to.equal(true);
  });

  it("goes on when nobody reads its progress any more", async () => {
    const { code } = await runProgram([...args, "--max-steps", "200"], {
      onText: (_, child) => child.stderr?.destroy(),
    });
    expect(code).to.equal(0);
    expect(place.record()).to.deep.include({ status: "done", stepsDone: 200 });
  });

  it("samples no further when nobody reads its answers any more", async () => {
    const prompts = Array.from({ length: 20_000 }, (_, i) => JSON.stringify({ prompt: `${i}?` }));
    const path = join(place.folder, "prompts.jsonl");
    writeFileSync(path, prompts.join("\n"));
    const line = ["generate", "--model", place.model, "--prompts", path, "--max-new-tokens", "100", "--json"];
    const { code, stderr } = await runProgram(line, { onOutput: (child) => child.stdout?.destroy() });
    expect(code).to.equal(0);
    expect(Number(/([\d,]+) of 20,000 answers/.exec(stderr)?.[1]?.replaceAll(",", ""))).to.be.below(5000);
  });

  it("ends when all of its answers were read, by however slow a reader", async () => {
    const count = 4000;
    const path = join(place.folder, "prompts.jsonl");
    const prompts = Array.from({ length: count }, (_, i) => JSON.stringify({ prompt: `${i}?` }));
    writeFileSync(path, prompts.join("\n"));
    const line = ["generate", "--model", place.model, "--prompts", path, "--max-new-tokens", "2", "--json"];
    let paused = false;
    const onOutput = ({ stdout }: ChildProcess) => {
      if (paused) return;
      paused = true;
      stdout?.pause();
      setTimeout(() => stdout?.resume(), 3000);
    };
    const { code, stdout } = await runProgram(line, { onOutput });
    expect([code, stdout.trimEnd().split("\n").length]).to.deep.equal([0, count]);
  });

  it("exits with 2 for wrong usage", async () => {
    expect((await runProgram(["sft", "--modle", "x"])).code).to.equal(2);
  });
});
