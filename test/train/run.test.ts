// What a Run promises to whoever iterates it, awaits it or stops it.

import { expect } from "chai";
import { Run } from "../../lib/train/index.js";

async function collect<Event>(run: AsyncIterable<Event>): Promise<Event[]> {
  const events: Event[] = [];
  for await (const event of run) events.push(event);
  return events;
}

/** Long enough for a run to begin its work. */
const turn = () => new Promise((resolve) => setTimeout(resolve, 5));

describe("a run", () => {
  it("gives its events in order and then its result", async () => {
    const run = new Run<number, string>({
      work: async ({ emit }) => {
        emit(1);
        await new Promise((resolve) => setImmediate(resolve));
        emit(2);
        return "end";
      },
    });
    expect(await collect(run)).to.deep.equal([1, 2]);
    expect(await run.result).to.equal("end");
  });

  it("starts its work after the caller got hold of it", async () => {
    let started = false;
    const run = new Run<number, void>({
      work: async () => {
        started = true;
      },
    });
    expect(started).to.equal(false);
    await run.result;
    expect(started).to.equal(true);
  });

  it("gives each event to one of several iterators, and ends all of them", async () => {
    const run = new Run<number, void>({
      work: async ({ emit }) => {
        await turn();
        for (const event of [1, 2, 3]) emit(event);
      },
    });
    const events = await Promise.all([collect(run), collect(run)]);
    expect(events.flat().sort()).to.deep.equal([1, 2, 3]);
  });

  it("ends the iteration with the error that rejects its result", async () => {
    const run = new Run<number, void>({
      work: async () => {
        throw new Error("broken");
      },
    });
    const errors = await Promise.all(
      [collect(run), run.result].map((promise) =>
        promise.then(
          () => "no error",
          (error: Error) => error.message,
        ),
      ),
    );
    expect(errors).to.deep.equal(["broken", "broken"]);
  });

  it("lets the work see that it was asked to stop, and resolves with its result", async () => {
    const run = new Run<number, number>({
      work: async (control) => {
        let steps = 0;
        while (!control.stopping) {
          steps += 1;
          control.emit(steps);
          await new Promise((resolve) => setImmediate(resolve));
        }
        return steps;
      },
    });
    for await (const event of run) {
      if (event === 3) void run.stop();
    }
    expect(await run.result).to.equal(3);
  });

  it("aborts its stop signal when it is asked to stop, with the error of a run that took no step", async () => {
    const run = new Run<number, unknown>({
      work: ({ stopSignal }) =>
        new Promise((resolve) => {
          stopSignal.addEventListener("abort", () => resolve(stopSignal.reason), { once: true });
        }),
    });
    await turn();
    expect(await run.stop()).to.deep.include({ code: "ATTUNE_ABORTED" });
  });

  it("is stopped and waited for when it is disposed, whatever its end", async () => {
    const ended: string[] = [];
    const work = async ({ stopSignal }: { readonly stopSignal: AbortSignal }) => {
      await new Promise((resolve) => stopSignal.addEventListener("abort", resolve, { once: true }));
      ended.push("work");
      throw new Error("no result");
    };
    {
      await using run = new Run<number, void>({ work });
      expect(run.result).to.be.a("promise");
      await turn();
    }
    expect(ended).to.deep.equal(["work"]);
  });

  it("ends with the error of a listener", async () => {
    const run = new Run<number, void>({
      work: async ({ emit }) => emit(1),
      onEvent: () => {
        throw new Error("listener");
      },
    });
    const message = await run.result.then(
      () => "no error",
      (error: Error) => error.message,
    );
    expect(message).to.equal("listener");
  });
});
