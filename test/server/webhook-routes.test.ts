// The calls of webhooks: their secret once, what is dead, and again.

import { expect } from "chai";
import { verifyWebhook } from "../../lib/feedback/index.js";
import { webhookRoutes } from "../../lib/server/webhook-routes.js";
import { PROJECT } from "../feedback/sample-project.js";
import { describeStores } from "../feedback/stores.js";
import { guidelines, sendDue, withReceiver } from "../feedback/webhooks/sent-webhooks.js";
import { withService } from "./real-service.js";

describeStores("calls of webhooks", (withStore) => {
  it(
    "add one, whose secret is answered once, list it, replay what is dead, and remove it",
    withStore((test) =>
      withReceiver({}, (receiver) =>
        withService(
          test,
          async ({ call, owner: token }) => {
            const answers = (path: string) =>
              webhookRoutes.find((one) => one.path === path && one.method === "get")?.answers as {
                parse(body: unknown): unknown;
              };
            const add = { url: receiver.url, types: ["project.guidelines"] };
            const { body: added } = await call("/v1/webhooks", { token, body: add });
            const { id, secret } = added as unknown as { id: string; secret: string };
            await guidelines(test, 2);
            receiver.status = 500;
            await sendDue(test);
            const listed = await call("/v1/webhooks", { token });
            expect(listed.text).to.not.include(secret);
            answers("/v1/webhooks").parse(listed.body);
            expect(listed.body.webhooks?.[0]).to.include({ id, attempts: 1, reason: "answered 500" });
            await test.store.write(PROJECT, "recordDelivery", {
              webhook: id,
              outcome: {
                kind: "failed",
                attempts: 13,
                failingSince: 0,
                due: 0,
                reason: "gone",
                dead: [7, 8],
              },
            });
            const dead = await call(`/v1/webhooks/${id}/dead?after=7`, { token });
            answers("/v1/webhooks/:id/dead").parse(dead.body);
            expect(dead.body.dead).to.have.length(1);
            expect(dead.body.dead?.[0]).to.include({ seq: 8, type: "project.guidelines", again: false });
            const replay = await call(`/v1/webhooks/${id}/replay`, { token, body: { seqs: [8] } });
            expect(replay.body).to.deep.equal({ replayed: 1 });
            receiver.status = 200;
            receiver.received.length = 0;
            await sendDue(test);
            expect(receiver.seqs()).to.deep.equal([8]);
            const [first] = receiver.received;
            if (first !== undefined)
              expect(verifyWebhook({ ...first, secret, now: test.now }).event.type).to.equal(
                "project.guidelines",
              );
            expect((await call(`/v1/webhooks/${id}/remove`, { token, method: "POST" })).status).to.equal(204);
            expect((await call("/v1/webhooks", { token })).body).to.deep.equal({ webhooks: [] });
          },
          { allowPrivateWebhooks: true, items: 3 },
        ),
      ),
    ),
  );

  it(
    "are owners' alone, and refuse addresses of this machine and its network",
    withStore((test) =>
      withService(test, async ({ call, owner, trainer }) => {
        const body = { url: "https://example.com/hook" };
        expect((await call("/v1/webhooks", { token: trainer, body })).status).to.equal(403);
        expect((await call("/v1/webhooks", { token: trainer })).status).to.equal(403);
        for (const url of [
          "http://example.com/",
          "https://127.0.0.1/",
          "https://[::1]/",
          "https://169.254.169.254/",
        ]) {
          const answer = await call("/v1/webhooks", { token: owner, body: { url } });
          expect([answer.status, answer.body.code, answer.body.field], url).to.deep.equal([
            ...[400, "ATTUNE_OPTION", "url"],
          ]);
        }
        const types = ["item.eaten"];
        expect((await call("/v1/webhooks", { token: owner, body: { ...body, types } })).body.field).to.equal(
          "types.0",
        );
      }),
    ),
  );
});
