// Functions that a run hands its metrics and its folder to: what they get, when, and that they never end a run.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { type SftMetrics, type SftOptions, sft, type TrainEvent } from "../../lib/train/index.js";
import { failureOf } from "../errors/expect-failure.js";
import { UnigramModel } from "../support/unigram-model.js";
import { demonstrations, type Place, temporaryPlace } from "./training-rows.js";

describe("what follows a run", () => {
  let place: Place;
  let model: UnigramModel;
  beforeEach(() => {
    place = temporaryPlace();
    model = new UnigramModel(place.model, 259);
  });
  afterEach(() => place.remove());

  const start = (options: Partial<SftOptions>) =>
    sft({
      model,
      data: demonstrations,
      evalData: demonstrations,
      output: place.output(),
      batchSize: 2,
      ...options,
    });

  /** Follows to the end; an error of the run is given back. */
  async function follow(options: Partial<SftOptions>) {
    const warnings: string[] = [];
    const run = start(options);
    try {
      for await (const event of run as AsyncIterable<TrainEvent<SftMetrics>>)
        if (event.type === "warning") warnings.push(event.message);
      return { warnings, status: (await run.result).status };
    } catch (error) {
      return { warnings, status: error instanceof Error ? error.message : "" };
    }
  }

  it("gets every line of metrics.jsonl, and its end", async () => {
    const lines: unknown[] = [];
    let closed = 0;
    await follow({
      metricsSink: ({ folder, resumedFrom }) => {
        expect([folder, resumedFrom]).to.deep.equal([place.output(), undefined]);
        return { write: (line) => lines.push(line), close: () => closed++ };
      },
    });
    expect(lines).to.deep.equal(place.metrics());
    expect([lines.length, closed]).to.deep.equal([5, 1]);
  });

  it("may fail: the run says so once and goes on", async () => {
    let writes = 0;
    const { status, warnings } = await follow({
      metricsSink: () => ({
        write() {
          writes += 1;
          throw new Error("no room");
        },
        close: () => undefined,
      }),
    });
    expect([status, writes]).to.deep.equal(["done", 1]);
    expect(warnings).to.deep.equal(["The metrics go to metrics.jsonl only from here on: no room"]);
  });

  it("may fail to open", async () => {
    const { status, warnings } = await follow({
      metricsSink: () => {
        throw new Error("no folder");
      },
    });
    expect(status).to.equal("done");
    expect(warnings.join()).to.include("no folder");
  });

  it("writes the report when run.json says how the run ended", async () => {
    const seen: unknown[] = [];
    await follow({
      report: async (folder) => {
        seen.push(folder, place.record().status, existsSync(join(folder, "run.lock")));
      },
    });
    expect(seen).to.deep.equal([place.output(), "done", false]);
  });

  it("writes the report of an interrupted run too", async () => {
    let status: unknown;
    const run = start({
      onStep: () => void run.stop(),
      report: async () => {
        status = place.record().status;
      },
    });
    expect((await run.result).status).to.equal("interrupted");
    expect(status).to.equal("interrupted");
  });

  it("writes the report of a run that fails behind its first step", async () => {
    let status: unknown;
    const { status: error } = await follow({
      onStep: () => {
        throw new Error("thrown by onStep");
      },
      report: async () => {
        status = place.record().status;
      },
    });
    expect([error, status]).to.deep.equal(["thrown by onStep", "failed"]);
  });

  it("may fail to write the report: the run is done all the same", async () => {
    const { status, warnings } = await follow({ report: () => Promise.reject(new Error("no room")) });
    expect(status).to.equal("done");
    expect(warnings).to.deep.equal([
      `The report was not written (attune report ${place.output()} tries again): no room`,
    ]);
  });

  for (const name of ["metricsSink", "report"] as const) {
    it(`must be a function as ${name}`, async () => {
      const error = await failureOf(() => start({ [name]: "yes" } as unknown as Partial<SftOptions>));
      expect(error.code).to.equal("ATTUNE_OPTION");
      expect(error.message).to.equal(`Expected ${name} to be a function but received yes.`);
    });
  }
});
