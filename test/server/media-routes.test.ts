// Images and clips over HTTP: in with items, out to whoever holds the lease and to nobody else, with no byte that names them.

import { expect } from "chai";
import { clipItem, imageItem, plainPicture } from "../feedback/pictures.js";
import { describeStores } from "../feedback/stores.js";
import { holdAnswer, mediaCalls } from "./documented-answers.js";
import { withService } from "./real-service.js";

describeStores("images and clips over HTTP", (withStore) => {
  it(
    "come in with items and go to whoever holds the lease, blind",
    withStore((test) =>
      withService(
        test,
        async ({ call, trainer, owner, people: [ann, ben] }) => {
          const added = await call("/v1/items", { token: trainer, body: { items: [clipItem()] } });
          expect(added.status).to.equal(200);
          const next = await call("/v1/next", { token: ann });
          const { lease } = next.body as unknown as { lease: string };
          const frames = `/v1/leases/${lease}/answers/0/frames`;
          const first = await call(frames, { token: ann });
          const second = await call(`/v1/leases/${lease}/answers/1/frames?from=2`, { token: ann });
          expect([first.status, second.status]).to.deep.equal([200, 200]);
          expect((first.body as unknown as { frames: unknown[] }).frames).to.have.length(6);
          expect((second.body as unknown as { frames: unknown[] }).frames).to.have.length(4);
          expect(first.headers["cache-control"]).to.equal("no-store");
          const segment = await call(`/v1/leases/${lease}/answers/0/segment`, { token: ann });
          expect(Object.keys(segment.body)).to.have.members(["obs", "act"]);
          for (const { text, headers } of [next, first, second, segment])
            expect(`${JSON.stringify(headers)}${text}`).to.not.match(/secret|item-\d|sha256|[0-9a-f]{64}/);
          // The lease carries what the page needs, not what it shows.
          expect(next.text.length).to.be.below(1000);
          const refused = [
            await call(frames, { token: ben }),
            await call(frames, { token: trainer }),
            await call(frames),
            await call(`/v1/leases/${lease}/answers/2/frames`, { token: ann }),
            await call(`/v1/leases/${lease}/answers/x/frames`, { token: ann }),
            await call(`${frames}?from=-1`, { token: ann }),
            await call("/v1/items/item-0/answers/0/frames", { token: ann }),
          ].map(({ status, body: { code } }) => [status, code]);
          expect(refused).to.deep.equal([
            [409, "ATTUNE_LEASE"],
            [403, "ATTUNE_AUTH"],
            [401, "ATTUNE_AUTH"],
            [404, "ATTUNE_NOT_FOUND"],
            [404, "ATTUNE_NOT_FOUND"],
            [400, "ATTUNE_REQUEST"],
            [403, "ATTUNE_AUTH"],
          ]);
          const body = { lease, values: [{ kind: "pair", choice: "cannot_compare" }] };
          const judged = await call("/v1/judgements", {
            token: ann,
            body,
            headers: { "idempotency-key": "k" },
          });
          expect(judged.status).to.equal(200);
          expect((await call(frames, { token: ann })).body.code).to.equal("ATTUNE_LEASE");
          const { judgement } = judged.body as unknown as { judgement: string };
          const own = `/v1/judgements/${judgement}/answers/1/frames`;
          const again = await call(own, { token: ann });
          expect((await call(own, { token: ben })).status).to.equal(404);
          const all = await call("/v1/items/item-0/answers/1/frames", { token: owner });
          const answers = [first, segment, again, all];
          expect(mediaCalls).to.have.length(answers.length);
          for (const [i, answer] of answers.entries()) holdAnswer(mediaCalls[i] ?? "", answer);
          const progress = await call("/v1/progress", { token: owner });
          expect(progress.body).to.include({ judgements: 1, cannotCompare: 1 });
          const rows = await call("/v1/export?kind=preference", { token: trainer });
          expect([rows.text, rows.headers["attune-left-out"]]).to.deep.equal(["", "1"]);
        },
        { items: 0 },
      ),
    ),
  );

  it(
    "are refused with a code and a field where they are broken, and nothing is added",
    withStore((test) =>
      withService(
        test,
        async ({ call, trainer }) => {
          const image = (data: string) => ({ type: "image", data, alt: "An area." });
          const add = async (content: unknown, asks = [{ kind: "thumb" }]) => {
            const items = [{ prompt: "p", answers: [{ content }], asks }];
            const { status, body } = await call("/v1/items", { token: trainer, body: { items } });
            return [status, body.code, body.field];
          };
          const good = plainPicture([1, 1, 1]);
          const at = "items[0].answers[0].content";
          expect(await add(image("%%%"))).to.deep.equal([400, "ATTUNE_MEDIA", `${at}.data`]);
          expect(await add({ type: "image", data: good })).to.deep.equal([400, "ATTUNE_MEDIA", `${at}.alt`]);
          expect(await add({ type: "clip", frames: [good], fps: 10 })).to.deep.equal([
            400,
            "ATTUNE_MEDIA",
            `${at}.segment`,
          ]);
          expect(await add({ type: "film" })).to.deep.equal([
            400,
            "ATTUNE_REQUEST",
            "items.0.answers.0.content",
          ]);
          expect(await add(image(good), [{ kind: "edit" }])).to.deep.equal([
            400,
            "ATTUNE_DATA",
            "items[0].answers",
          ]);
          const large = { items: [imageItem(), { prompt: "x".repeat(16 * 2 ** 20), answers: [] }] };
          expect((await call("/v1/items", { token: trainer, body: large })).status).to.equal(413);
          const count = await test.store.reading.selectFrom("items").select("item").execute();
          const media = await test.store.reading.selectFrom("media").select("item").execute();
          expect([count, media]).to.deep.equal([[], []]);
        },
        { items: 0 },
      ),
    ),
  );
});
