// Deliveries: all of them, in order, signed, again when they fail, and among the dead after a day.

import { expect } from "chai";
import { verifyWebhook } from "../../../lib/feedback/index.js";
import { WebhookSender } from "../../../lib/feedback/webhooks/webhook-sender.js";
import { lease, PROJECT, personName, sampleProject, say } from "../sample-project.js";
import { describeStores } from "../stores.js";
import {
  type AddWebhookInput,
  addWebhook,
  guidelines,
  HOUR,
  sendDue,
  senderOf,
  webhookRow,
  withReceiver,
} from "./sent-webhooks.js";

describeStores("webhooks", (withStore) => {
  it(
    "tell what happens from now on, in order, signed, and without texts unless they are asked for",
    withStore((test) =>
      withReceiver({}, async (receiver) => {
        await sampleProject(test.store, { items: 1 });
        const plain = await addWebhook(test, { url: receiver.url });
        const texts: AddWebhookInput = { url: receiver.url, texts: true, types: ["judgement.created"] };
        const whole = await addWebhook(test, texts);
        const { lease: leased } = await lease(test.store, personName(0));
        await say(test.store, personName(0), leased, [
          { kind: "pair", choice: "left" },
          { kind: "comment", text: "Private words." },
        ]);
        await sendDue(test);
        const of = (secret: string) =>
          receiver.received.flatMap(({ headers, body }) => {
            try {
              return [verifyWebhook({ headers, body, secret, now: test.now }).event];
            } catch {
              return [];
            }
          });
        expect(of(plain.secret).map(({ type }) => type)).to.deep.equal([
          "assignment.leased",
          "judgement.created",
          "item.changed",
        ]);
        const [, judged] = of(plain.secret);
        expect(JSON.stringify(judged)).to.not.include("Private words");
        expect(judged?.body).to.include({ item: "item-0", annotator: personName(0), counts: true });
        expect(of(whole.secret).map(({ type }) => type)).to.deep.equal(["judgement.created"]);
        expect(JSON.stringify(of(whole.secret))).to.include("Private words");
      }),
    ),
  );

  it(
    "are tried again after 1 s, 2 s, 4 s and so on to an hour, in order, also by a store that was opened again",
    withStore((test) =>
      withReceiver({}, async (receiver) => {
        await sampleProject(test.store, { items: 0 });
        await addWebhook(test, { url: receiver.url });
        await guidelines(test, 2);
        receiver.status = 500;
        const waits: number[] = [];
        for (let attempt = 1; attempt <= 14; attempt++) {
          await sendDue(test);
          expect(receiver.received, "one at a time").to.have.length(attempt);
          const { due, reason } = await webhookRow(test);
          expect(reason).to.equal("answered 500");
          waits.push(due - test.now);
          test.now = due - 1;
          await sendDue(test);
          expect(receiver.received, "not before").to.have.length(attempt);
          test.now = due;
          if (attempt === 7) await test.reopen();
        }
        for (const [i, wait] of waits.entries()) {
          const plain = Math.min(HOUR, 1000 * 2 ** i);
          expect(wait).to.be.within(Math.max(1000, plain * 0.75), Math.min(HOUR, plain * 1.25));
        }
        receiver.status = 204;
        await sendDue(test);
        const seqs = receiver.seqs();
        expect(new Set(seqs.slice(0, 15)).size, "the first again and again").to.equal(1);
        expect(seqs.slice(14)).to.deep.equal([seqs[0], Number(seqs[0]) + 1]);
        expect(
          new Set(receiver.received.slice(0, 15).map(({ headers }) => headers["attune-id"])).size,
        ).to.equal(1);
        expect(await webhookRow(test)).to.include({ attempts: 0, failing_since: null });
      }),
    ),
  );

  it(
    "are given up after a day of failures, kept among the dead, and sent again when their owner says so",
    withStore((test) =>
      withReceiver({}, async (receiver) => {
        await sampleProject(test.store, { items: 0 });
        const { id } = await addWebhook(test, { url: receiver.url });
        await guidelines(test, 3);
        receiver.status = 503;
        const begin = test.now;
        for (let i = 0; i < 60; i++) {
          await sendDue(test);
          const { due, seq } = await webhookRow(test);
          if (Number(seq) > 3 && test.now - begin >= 24 * HOUR) break;
          test.now = due;
        }
        expect(test.now - begin).to.be.within(24 * HOUR, 25 * HOUR);
        await guidelines(test, 1);
        const dead = await test.store.reading
          .selectFrom("dead_deliveries")
          .selectAll()
          .orderBy("seq")
          .execute();
        expect(dead.map(({ seq }) => Number(seq))).to.deep.equal([4, 5, 6]);
        receiver.status = 200;
        test.now += HOUR;
        await sendDue(test);
        receiver.received.length = 0;
        expect(await test.store.write(PROJECT, "replayWebhook", { webhook: id, seqs: [6, 4] })).to.deep.equal(
          {
            replayed: 2,
          },
        );
        await guidelines(test, 1);
        await sendDue(test);
        expect(receiver.seqs()).to.deep.equal([4, 6, 8]);
        const left = await test.store.reading.selectFrom("dead_deliveries").select("seq").execute();
        expect(left.map(({ seq }) => Number(seq))).to.deep.equal([5]);
      }),
    ),
  );

  it(
    "stay dead when they fail again, and hold up nothing that is new",
    withStore((test) =>
      withReceiver({}, async (receiver) => {
        await sampleProject(test.store, { items: 0 });
        const { id } = await addWebhook(test, { url: receiver.url });
        await guidelines(test, 1);
        const outcome = { attempts: 20, failingSince: test.now, due: 0, reason: "gone", dead: [4] };
        await test.store.write(PROJECT, "recordDelivery", {
          webhook: id,
          outcome: { kind: "failed", ...outcome },
        });
        await test.store.write(PROJECT, "replayWebhook", { webhook: id });
        await guidelines(test, 1);
        receiver.meanwhile = ({ body }) => {
          receiver.status = JSON.parse(body).seq === 4 ? 400 : 200;
        };
        await sendDue(test);
        expect(receiver.seqs()).to.deep.equal([4, 5]);
        const dead = await test.store.reading.selectFrom("dead_deliveries").selectAll().execute();
        expect(dead.map(({ again, reason, attempts }) => [again, reason, attempts])).to.deep.equal([
          [0, "answered 400", 21],
        ]);
      }),
    ),
  );

  it(
    "survive clocks that jump: none is given up early, none waits longer than two hours",
    withStore((test) =>
      withReceiver({}, async (receiver) => {
        await sampleProject(test.store, { items: 0 });
        await addWebhook(test, { url: receiver.url });
        await guidelines(test, 1);
        receiver.status = 500;
        await sendDue(test);
        test.now += 48 * HOUR;
        await sendDue(test);
        expect(await test.store.reading.selectFrom("dead_deliveries").selectAll().execute()).to.be.empty;
        test.now -= 72 * HOUR;
        receiver.status = 200;
        await sendDue(test);
        expect(receiver.seqs()).to.deep.equal([4, 4, 4]);
        expect(Number((await webhookRow(test)).seq)).to.equal(4);
      }),
    ),
  );

  it(
    "go out by themselves, those of a slow address without holding up the others, until they are stopped",
    withStore((test) =>
      withReceiver({}, (slow) =>
        withReceiver({}, async (fast) => {
          await sampleProject(test.store, { items: 0 });
          await addWebhook(test, { url: slow.url });
          await addWebhook(test, { url: fast.url });
          slow.status = 0;
          const sender = senderOf(test);
          sender.start();
          const seen = new Promise<void>((resolve) => {
            fast.meanwhile = () => (fast.received.length === 5 ? resolve() : undefined);
          });
          for (let i = 0; i < 5; i++) await guidelines(test, 1);
          await seen;
          expect(fast.seqs()).to.deep.equal([4, 5, 6, 7, 8]);
          expect(slow.seqs()).to.deep.equal([4]);
          await sender.stop();
          const { seq, attempts } = await webhookRow(test);
          expect([Number(seq), attempts], "what was on its way goes out again").to.deep.equal([3, 0]);
        }),
      ),
    ),
  );

  it(
    "that were removed are told nothing any more, not even the rest",
    withStore((test) =>
      withReceiver({}, async (receiver) => {
        await sampleProject(test.store, { items: 0 });
        const { id } = await addWebhook(test, { url: receiver.url });
        await guidelines(test, 3);
        receiver.meanwhile = () => test.store.write(PROJECT, "removeWebhook", { webhook: id });
        await sendDue(test);
        expect(receiver.seqs()).to.deep.equal([4]);
      }),
    ),
  );

  it(
    "pass over what nobody wants, and begin where they are told to",
    withStore((test) =>
      withReceiver({}, async (receiver) => {
        await sampleProject(test.store, { items: 2 });
        await addWebhook(test, { url: receiver.url, types: ["item.added"], after: 0 });
        const sender = new WebhookSender({ store: test.store, clock: () => test.now, allowPrivate: true });
        await sender.sendDue();
        await guidelines(test, 3);
        await sender.sendDue();
        expect(receiver.seqs()).to.deep.equal([4, 5]);
      }),
    ),
  );
});
