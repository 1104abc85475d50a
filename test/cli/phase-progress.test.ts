import { expect } from "chai";
import { createPhaseProgress } from "../../lib/cli/phase-progress.js";

function shown(
  isTTY: boolean,
  work: (show: (phase: string, done: number) => void, wait: (ms: number) => void) => void,
) {
  let [text, time] = ["", 0];
  const output = {
    isTTY,
    write(part: string) {
      text += part;
    },
  };
  const progress = createPhaseProgress(output, () => time);
  work(
    (phase, done) => progress.show(phase, done, 2000),
    (ms) => {
      time += ms;
    },
  );
  progress.end();
  return text;
}

describe("progress of phases", () => {
  it("is one line per phase that is over soon, where nobody looks on", () => {
    const text = shown(false, (show) => {
      show("rows", 10);
      show("rows", 2000);
      show("answers", 2000);
    });
    expect(text).to.equal("rows: 2,000 of 2,000\nanswers: 2,000 of 2,000\n");
  });

  it("is a line every ten seconds of a long phase", () => {
    const text = shown(false, (show, wait) => {
      for (let done = 0; done <= 2000; done += 100) {
        show("rows", done);
        wait(1000);
      }
    });
    expect(text).to.equal("rows: 1,000 of 2,000\nrows: 2,000 of 2,000\n");
  });

  it("is one living line on a terminal", () => {
    const text = shown(true, (show, wait) => {
      show("rows", 1);
      wait(50);
      show("rows", 2);
      wait(200);
      show("rows", 3);
    });
    expect(text).to.equal("\r\x1b[Krows: 1 of 2,000\r\x1b[Krows: 3 of 2,000\n");
  });
});
