// A run whose GPU cannot be opened goes on where it may, and says so. The GPU is the simulated one.

import { expect } from "chai";
import { sft } from "../../lib/train/index.js";
import { failureOf } from "../errors/expect-failure.js";
import { withMachine } from "../support/simulated-gpu.js";
import { writeTinyModel } from "../support/tiny-model.js";
import { demonstrations, type Place, temporaryPlace } from "./training-rows.js";

describe("a run on a machine whose GPU cannot be opened", () => {
  // cudaErrorDevicesUnavailable
  const plan = "queue=46";
  let place: Place;
  beforeEach(() => {
    place = temporaryPlace();
    writeTinyModel({ folder: place.model });
  });
  afterEach(() => place.remove());

  const options = (device: "auto" | "cuda") =>
    ({
      model: place.model,
      data: demonstrations,
      output: place.output(device),
      maxSteps: 1,
      device,
    }) as const;

  it('says once why device "auto" is the CPU', () =>
    withMachine(plan, async () => {
      const said: string[] = [];
      for await (const event of sft(options("auto")))
        if (event.type === "warning" && event.message.includes("CPU")) said.push(event.message);
      expect(said).to.have.length(1);
      expect(said[0]).to.contain("Using the CPU").and.to.contain("cudaErrorDevicesUnavailable");
    }));

  it('fails with device "cuda"', () =>
    withMachine(plan, async () => {
      const { code, message } = await failureOf(async () => void (await sft(options("cuda")).result));
      expect(code).to.match(/^ATTUNE_(BACKEND|DEVICE_LOST)$/);
      expect(message).to.contain("cudaErrorDevicesUnavailable");
    }));
});
