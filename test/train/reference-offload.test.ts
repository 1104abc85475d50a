// Runs whose reference, or reward model, the host keeps: the same numbers for less of the device's memory. The device is the
// library whose kernels run on the CPU over fibers.

import { join } from "node:path";
import { expect } from "chai";
import { createEngine, type Engine, type Model } from "../../lib/engine/index.js";
import { type DpoOptions, dpo, kto } from "../../lib/train/index.js";
import { Roles } from "../../lib/train/online/reward-roles.js";
import type { SharedSettings } from "../../lib/train/settings.js";
import { failureOf } from "../errors/expect-failure.js";
import { testedCuda, withCuda } from "../support/cuda-library.js";
import { writeTinyModel } from "../support/tiny-model.js";
import { timelessMetrics } from "./same-run.js";
import { type Place, pairs, temporaryPlace } from "./training-rows.js";

describe("a reference that the host keeps", () => {
  let place: Place;
  let engine: Engine;
  let model: Model;
  beforeEach(async () => {
    place = temporaryPlace();
    writeTinyModel({ folder: place.model, layers: 4 });
    engine = await withCuda(testedCuda(), () => createEngine({ device: "cuda", threads: 1 }));
    model = await engine.loadModel(place.model);
  });
  afterEach(async () => {
    await engine.dispose();
    place.remove();
  });

  const options = (name: string) =>
    ({
      data: pairs.slice(0, 3),
      output: place.output(name),
      batchSize: 3,
      maxSteps: 2,
      epochs: 2,
      learningRate: 1e-3,
      cache: "off",
    }) as const;
  const warnings = async (run: AsyncIterable<{ readonly type: string; readonly message?: string }>) => {
    const found: string[] = [];
    for await (const event of run) if (event.type === "warning") found.push(event.message ?? "");
    return found;
  };

  it("gives the losses of one on the device, bit for bit, where it is the start", async () => {
    const held: number[] = [];
    const run = async (name: string, own: Partial<DpoOptions>) => {
      await using start = await engine.loadModel(place.model);
      const onStep = () => void held.push(engine.memory().weightsHost);
      await dpo({ ...options(name), model: start, onStep, ...own }).result;
      return timelessMetrics(place.output(name));
    };
    const resident = await run("resident", {});
    expect(await run("kept", { referenceOffload: true })).to.deep.equal(resident);
    const layers = model.plan({ rows: 1, targets: 1, training: false, weights: "host" }).weightsHost;
    expect(layers).to.be.above(0);
    expect(held).to.deep.equal([0, 0, layers, layers]);
    expect(engine.memory().weightsHost).to.equal(0);
  });

  it("gives the losses of one on the device, bit for bit, where it is another model", async () => {
    const other = join(place.folder, "other");
    writeTinyModel({ folder: other, layers: 3, seed: 2 });
    const run = (name: string, referenceOffload: boolean) =>
      withCuda(testedCuda(), async () => {
        const own = {
          model: place.model,
          device: "cuda",
          threads: 1,
          reference: other,
          referenceOffload,
        } as const;
        const said = await warnings(dpo({ ...options(name), ...own }));
        return [timelessMetrics(place.output(name)), said];
      });
    expect(await run("kept", true)).to.deep.equal(await run("resident", false));
  });

  it("says that it has no effect on the CPU, and where the reference is an adapter's base", async () => {
    await using cpu = await createEngine({ device: "cpu", threads: 1 });
    const own = { ...options("cpu"), batchSize: 2, maxSteps: 1, referenceOffload: true };
    const whole = await warnings(kto({ ...own, model: await cpu.loadModel(place.model) }));
    expect(whole.filter((text) => text.includes("offload"))).to.deep.equal([
      "reference-offload has no effect here: the CPU computes where the host keeps them.",
    ]);
    const adapted = await engine.loadModel(place.model, { adapter: { rank: 2 } });
    expect(
      await warnings(dpo({ ...options("adapter"), model: adapted, referenceOffload: true })),
    ).to.deep.equal([
      "reference-offload has no effect here: the weights are those that the adapter is trained on.",
    ]);
  });

  it("may be asked for, or no longer, where a run goes on", async () => {
    await using cpu = await createEngine({ device: "cpu", threads: 1 });
    const own = async () => ({ ...options("resumed"), model: await cpu.loadModel(place.model) });
    const stopped = dpo({ ...(await own()), onStep: () => void stopped.stop() });
    expect((await stopped.result).steps).to.equal(1);
    const { steps } = await dpo({ ...(await own()), resume: true, referenceOffload: true }).result;
    expect(steps).to.equal(2);
  });

  const refused: readonly [string, Partial<DpoOptions>, RegExp][] = [
    [
      "beside a loss that compares with none",
      { loss: "sft" },
      /no reference-offload here|compares? with no reference/,
    ],
    [
      "beside a model in memory",
      { reference: {} as Model },
      /no reference-offload beside a reference in memory/,
    ],
  ];
  for (const [what, own, text] of refused)
    it(`is refused ${what}`, async () => {
      const error = await failureOf(() =>
        dpo({ ...options("refused"), model, referenceOffload: true, ...own }),
      );
      expect(error.code).to.equal("ATTUNE_OPTION");
      expect(error.message).to.match(text);
    });

  it("has a reward model beside it that scores the same, and is on the device where it is trained", async () => {
    const reward = join(place.folder, "reward");
    writeTinyModel({ folder: reward, kind: "reward", layers: 3, seed: 3 });
    const opened = (rewardOffload: boolean) => {
      const settings = { device: "cuda", threads: 1, rewardOffload } as SharedSettings & {
        readonly rewardOffload: boolean;
      };
      const warn = (text: string) => expect.fail(text);
      return new Roles({ policy: model, settings, warn, job: {} });
    };
    await withCuda(testedCuda(), async () => {
      const rows = [{ prompt: "One two", completion: " three" }];
      const scores: Float32Array[] = [];
      for (const offload of [true, false]) {
        const roles = opened(offload);
        const scorer = await roles.scorer(reward);
        scores.push(await scorer.model.score(rows));
        expect(scorer.model.memory().weightsHost > 0).to.equal(offload);
        const value = await roles.valueFrom(reward);
        expect(value.model).to.not.equal(scorer.model);
        expect(value.model.memory().weightsHost).to.equal(0);
        await roles.close();
      }
      expect(scores[0]).to.deep.equal(scores[1]);
    });
  });
});
