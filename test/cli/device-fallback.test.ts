// Commands whose GPU cannot be opened compute on the CPU, and say so once on standard error. The GPU is the simulated one.

import { expect } from "chai";
import { withMachine } from "../support/simulated-gpu.js";
import { suiteFolder } from "../support/temporary-folder.js";
import { writeTinyModel } from "../support/tiny-model.js";
import { commandLine } from "./command-line.js";

describe("a command on a machine whose GPU cannot be opened", () => {
  const at = suiteFolder();
  before(() => writeTinyModel({ folder: at("tiny") }));

  const commands: Readonly<Record<string, readonly string[]>> = {
    convert: ["--output", at("converted"), "--model", at("tiny")],
    generate: ["--model", at("tiny"), "--prompt", "One", "--max-new-tokens", "1"],
    quickstart: ["--output", at("toy")],
  };
  for (const [name, args] of Object.entries(commands))
    it(`says that it is on the CPU, and why: ${name}`, () =>
      // cudaErrorDevicesUnavailable
      withMachine("queue=46", async () => {
        let asked = false;
        const { stderr } = await commandLine([name, ...args], {
          // The quickstart would go on for minutes.
          onProgress: (text, interrupt) => {
            if (name !== "quickstart" || asked || !text.includes("stage 1")) return;
            asked = true;
            setTimeout(interrupt, 0);
          },
        });
        expect(stderr.match(/Using the CPU: .*cudaErrorDevicesUnavailable/g)).to.have.length(1);
      }));
});
