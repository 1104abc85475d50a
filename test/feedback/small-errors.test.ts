// What was asked wrongly is told so, and what is over is not counted, on both stores.

import { expect } from "chai";
import { guidelinesOf } from "../../lib/feedback/own-work.js";
import { progressOf } from "../../lib/feedback/progress.js";
import { openFeedbackStore } from "../../lib/feedback/store/open-store.js";
import { makeToken } from "../../lib/feedback/tokens.js";
import { expectFailure } from "../errors/expect-failure.js";
import { lease, PROJECT, personName, sampleProject } from "./sample-project.js";
import { describeStores } from "./stores.js";

describeStores("a store that is asked wrongly", (withStore) => {
  it(
    "has no guidelines of a version that is larger than any",
    withStore(async ({ store }) => {
      await sampleProject(store, { items: 0 });
      await expectFailure(
        () => guidelinesOf(store.reading, PROJECT, 99_999_999_999),
        "ATTUNE_NOT_FOUND",
        "99999999999",
      );
    }),
  );

  it(
    "keeps no token of a person who is not there",
    withStore(async (test) => {
      await sampleProject(test.store, { items: 0 });
      const nobody = { role: "annotator", project: PROJECT, annotator: "nobody", name: "n" } as const;
      const { row } = await makeToken(nobody, test.now);
      await expectFailure(
        () => test.store.write(PROJECT, "keepToken", { row }),
        "ATTUNE_NOT_FOUND",
        "Add the person first",
      );
    }),
  );

  it(
    "counts no lease that ran out as held",
    withStore(async (test) => {
      await sampleProject(test.store, { items: 1 });
      await lease(test.store, personName(0));
      const leases = async () => (await progressOf(test.store.reading, PROJECT, test.now)).leases;
      expect(await leases()).to.equal(1);
      test.now += 24 * 3_600_000;
      expect(await leases()).to.equal(0);
    }),
  );
});

describe("a PostgreSQL that is not there", () => {
  it("is told so, and no step of the tables is blamed", () =>
    expectFailure(
      () => openFeedbackStore({ store: "postgres://attune@127.0.0.1:1/none" }),
      "ATTUNE_STORE",
      "Expected to reach the store",
    ));
});
