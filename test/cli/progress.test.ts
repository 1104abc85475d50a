// What a run shows while it goes on.

import { expect } from "chai";
import { bytes, duration, short, table } from "../../lib/cli/format.js";
import { createProgress } from "../../lib/cli/progress.js";
import type { SftMetrics, StepEvent, TrainEvent } from "../../lib/train/index.js";

function step(number: number, logged = true): StepEvent<SftMetrics> {
  const metrics: SftMetrics = {
    step: number,
    split: "train",
    loss: 0.61234567,
    learning_rate: 1e-6,
    grad_norm: 1,
    entropy: 1,
    mean_token_accuracy: 0.5,
    num_tokens: 1000,
    tokens: 1000,
    tokens_computed: 900,
    tokens_per_second: 1234.5,
    step_ms: 30_000,
    peak_rss_bytes: 1.5e9,
  };
  return { type: "step", step: number, steps: 10, epoch: 0, logged, metrics };
}

function shown(isTTY: boolean, events: readonly TrainEvent<SftMetrics>[]): string {
  let text = "";
  const write = (piece: string) => {
    text += piece;
  };
  const progress = createProgress({ isTTY, columns: 200, write });
  for (const event of events) progress.show(event);
  progress.end();
  return text;
}

describe("progress", () => {
  it("is one plain line per logged step where there is no terminal", () => {
    expect(shown(false, [step(1), step(2, false), step(3)])).to.equal(
      [
        "step 1/10  loss 0.6123  1,235 tokens/s  1.50 GB peak  4 min 30 s left",
        "step 3/10  loss 0.6123  1,235 tokens/s  1.50 GB peak  3 min 30 s left",
        "",
      ].join("\n"),
    );
  });

  it("is one line that is written anew on a terminal, and left at the end", () => {
    const text = shown(true, [step(1), step(2, false)]);
    expect(text.match(/\r/g)).to.have.length(2);
    expect(text.match(/\n/g)).to.have.length(1);
    expect(text).to.match(/step 2\/10.*\n$/);
  });

  it("shows an evaluation, a checkpoint and a warning as lines that stay", () => {
    const metrics = { step: 4, split: "eval", eval_loss: 0.5, eval_ms: 3 } as const;
    const text = shown(true, [
      step(4),
      { type: "eval", step: 4, steps: 10, metrics, best: true },
      { type: "checkpoint", step: 4, folder: "runs/a/checkpoints/step-4" },
      { type: "warning", message: "all weights are 0" },
    ]);
    expect(text.split("\n").slice(1).join("\n")).to.equal(
      "checkpoint runs/a/checkpoints/step-4\nwarning: all weights are 0\n",
    );
    expect(text).to.include("eval at 4/10  loss 0.5000  (best so far)\n");
  });

  it("says the whole time at the last step", () => {
    expect(shown(false, [step(10)])).to.include("30 s in all");
  });

  it("estimates from its own steps when the run goes on from a checkpoint", () => {
    expect(shown(false, [step(8)])).to.include("1 min 0 s left");
  });
});

describe("numbers for people", () => {
  it("have four digits, or an exponent when small", () => {
    expect([0.61234567, 2e-5, 1234.5678, 0, Number.NaN].map(short)).to.deep.equal([
      "0.6123",
      "2e-5",
      "1235",
      "0",
      "NaN",
    ]);
  });

  it("are times in the two largest units", () => {
    expect([5, 190, 7500].map(duration)).to.deep.equal(["5 s", "3 min 10 s", "2 h 5 min"]);
  });

  it("are bytes in MB and GB", () => {
    expect([312e6, 1.24e9].map(bytes)).to.deep.equal(["312 MB", "1.24 GB"]);
  });

  it("stand in columns of equal width", () => {
    expect(
      table([
        ["a", "b"],
        ["long", "1"],
      ]),
    ).to.equal("a     b\n----  -\nlong  1");
  });
});
