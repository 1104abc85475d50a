// The live loop over HTTP: who may ask how it is, and what they are told.

import { expect } from "chai";
import { makeToken, type NewToken } from "../../lib/feedback/index.js";
import { createFeedbackApp } from "../../lib/server/feedback-app.js";
import { digitLoop, judgeSome, raters } from "../feedback/digits.js";
import { PROJECT, sampleProject } from "../feedback/sample-project.js";
import { describeStores, type StoreUnderTest } from "../feedback/stores.js";
import { holdAnswer } from "./documented-answers.js";

type Ask = (role: NewToken["role"]) => Promise<{ readonly status: number; readonly text: string }>;

async function withLoop(test: StoreUnderTest, run: (ask: Ask) => Promise<void>): Promise<void> {
  const { store } = test;
  await sampleProject(store, { items: 0, settings: { asks: [{ kind: "pair" }] } });
  const loop = digitLoop(store);
  await loop.check();
  await judgeSome(store, raters(2), 40);
  await loop.check();
  const app = createFeedbackApp({
    store,
    clock: () => test.now,
    loopStatus: (project) => (project === PROJECT ? loop.status() : undefined),
  });
  try {
    await run(async (role) => {
      const annotator = role === "annotator" ? { annotator: "person-0" } : {};
      const { text, row } = await makeToken({ role, project: PROJECT, name: role, ...annotator }, test.now);
      await store.write(PROJECT, "keepToken", { row });
      const response = await app.request("http://localhost/v1/loop", {
        headers: { authorization: `Bearer ${text}` },
      });
      return { status: response.status, text: await response.text() };
    });
  } finally {
    await loop.stop();
  }
}

describeStores("the live loop over HTTP", (withStore) => {
  it(
    "tells readers its policy and rounds, and no folder of the machine",
    withStore((test) =>
      withLoop(test, async (ask) => {
        const { status, text } = await ask("reader");
        holdAnswer("get /v1/loop", { status, text, body: JSON.parse(text) });
        expect(JSON.parse(text)).to.deep.include({ rounds: 1, lastError: null });
        expect(JSON.parse(text).policy).to.deep.equal({ policy: "round-1", number: 1, model: "digits 1" });
        expect(JSON.parse(text).prequential).to.have.keys("all", "newest", "versions", "groups");
        expect(text).to.not.include("place");
      }),
    ),
  );

  it(
    "tells annotators nothing",
    withStore((test) =>
      withLoop(test, async (ask) => {
        expect((await ask("annotator")).status).to.equal(403);
      }),
    ),
  );
});
