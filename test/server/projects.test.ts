// Who reaches which projects: a token of one project nothing of another, a token of the whole service all.

import { expect } from "chai";
import { makeToken } from "../../lib/feedback/index.js";
import { feedbackRoutes } from "../../lib/server/feedback-routes.js";
import { PROJECT } from "../feedback/sample-project.js";
import { describeStores, START } from "../feedback/stores.js";
import { holdAnswer } from "./documented-answers.js";
import { tokenOf, withService } from "./real-service.js";

const other = { project: "other", name: "Another shop" };

describeStores("tokens and projects", (withStore) => {
  it(
    "let an owner of the whole service make projects, and an owner of one none",
    withStore((test) =>
      withService(test, async ({ call, owner }) => {
        const refused = await call("/v1/projects", { token: owner, body: other });
        expect([refused.status, refused.body.code]).to.deep.equal([403, "ATTUNE_AUTH"]);
        const whole = await tokenOf(test.store, { role: "owner", name: "whole" }, START);
        const me = await call("/v1/me", { token: whole });
        expect(JSON.stringify(me.body)).to.not.include(other.name);
        holdAnswer("post /v1/projects", await call("/v1/projects", { token: whole, body: other }));
        expect(JSON.stringify((await call("/v1/me", { token: whole })).body)).to.include(other.name);
        expect(JSON.stringify((await call("/v1/me", { token: owner })).body)).to.not.include(other.name);
      }),
    ),
  );

  it(
    "keep every call of one project's owner out of the others",
    withStore((test) =>
      withService(test, async ({ call, owner }) => {
        await test.store.write(other.project, "createProject", other);
        const calls = feedbackRoutes.filter(({ ofProject }) => ofProject !== false);
        expect(calls.length).to.be.greaterThan(30);
        for (const { method, path, roles } of calls) {
          if (!roles.includes("owner")) continue;
          const to = `${path.replace(/:\w+/g, "item-0")}?project=${other.project}`;
          const { status, body } = await call(to, { token: owner, method: method.toUpperCase() });
          expect([status, body.code], `${method} ${path}`).to.deep.equal([403, "ATTUNE_AUTH"]);
        }
      }),
    ),
  );

  it(
    "keep an owner who knows ids of another project from using them, and the tokens they make inside their own",
    withStore((test) =>
      withService(test, async ({ call, owner }) => {
        await test.store.write(other.project, "createProject", other);
        const theirs = await makeToken({ role: "reader", project: other.project, name: "r" }, START);
        await test.store.write(other.project, "keepToken", { row: theirs.row });
        const hook = { url: "https://example.com/", types: [], texts: false, allowPrivate: false };
        const { id } = await test.store.write(other.project, "addWebhook", hook);
        for (const [path, body] of [
          [`/v1/tokens/${theirs.row.token}/revoke`, {}],
          [`/v1/webhooks/${id}/remove`, {}],
          [`/v1/webhooks/${id}/replay`, {}],
        ] as const) {
          const answer = await call(path, { token: owner, body });
          expect([answer.status, answer.body.code], path).to.deep.equal([404, "ATTUNE_NOT_FOUND"]);
        }
        expect((await call(`/v1/webhooks/${id}/dead`, { token: owner })).status).to.equal(404);
        const { body: made } = await call("/v1/tokens", { token: owner, body: { role: "owner", name: "o" } });
        const answered = await call("/v1/me", { token: String(made.token) });
        expect(JSON.stringify(answered.body.projects)).to.include(PROJECT).and.not.include(other.name);
      }),
    ),
  );
});
