// Rows over HTTP: in from other programs, out for training with marks, and out for good.

import { expect } from "chai";
import { makeToken, type Role } from "../../lib/feedback/index.js";
import { createFeedbackApp } from "../../lib/server/feedback-app.js";
import { PROJECT, personName, sampleProject } from "../feedback/sample-project.js";
import { describeStores, START } from "../feedback/stores.js";

const HOST = "127.0.0.1:8130";

describeStores("rows over HTTP", (withStore) => {
  it(
    "come in as lines or JSON, go out marked, and are redacted by owners alone",
    withStore(async ({ store }) => {
      await sampleProject(store, { items: 0 });
      const app = createFeedbackApp({ store, clock: () => START, hosts: [HOST] });
      const token = async (role: Role) => {
        const annotator = role === "annotator" ? { annotator: personName(0) } : {};
        const { text, row } = await makeToken({ role, project: PROJECT, name: role, ...annotator }, START);
        await store.write(PROJECT, "keepToken", { row });
        return text;
      };
      const [trainer, owner, annotator] = [
        await token("trainer"),
        await token("owner"),
        await token("annotator"),
      ];
      const send = async (path: string, auth: string, body?: string, type = "application/json") => {
        const response = await app.request(`http://${HOST}${path}`, {
          method: body === undefined ? "GET" : "POST",
          headers: {
            host: HOST,
            authorization: `Bearer ${auth}`,
            ...(body === undefined ? {} : { "content-type": type }),
          },
          ...(body === undefined ? {} : { body }),
        });
        const text = await response.text();
        return { status: response.status, text, seq: response.headers.get("attune-seq") };
      };
      const row = (prompt: string) => JSON.stringify({ prompt, chosen: "a", rejected: "b" });
      const lines = `${row("p")}\n\n${row("q")}\n`;
      const inLines = await send("/v1/import?format=rows", trainer, lines, "application/x-ndjson");
      expect(JSON.parse(inLines.text)).to.include({ format: "rows", items: 2, judgements: 2 });
      const list = await send("/v1/import", trainer, `[${row("p")},${row("r")}]`);
      expect(JSON.parse(list.text)).to.include({ items: 1, itemsKnown: 1, judgementsKnown: 1 });
      const bad = await send("/v1/import", trainer, `${row("p")}\n{`, "application/x-ndjson");
      expect([bad.status, JSON.parse(bad.text).code]).to.deep.equal([400, "ATTUNE_DATA_JSON"]);
      expect(JSON.parse(bad.text).message).to.include("body:2");
      const mapping = encodeURIComponent("{");
      expect((await send(`/v1/import?mapping=${mapping}`, trainer, row("p"))).status).to.equal(400);
      expect((await send("/v1/import", annotator, row("p"))).status).to.equal(403);
      // Who only looks says so.
      const read = async (auth: string, query = "") => {
        const { text, seq } = await send(`/v1/export?kind=preference${query}`, auth);
        return {
          rows: text
            .split("\n")
            .filter((line) => line !== "")
            .map((line) => JSON.parse(line)),
          seq,
        };
      };
      const marks = async () => (await store.reading.selectFrom("exports").selectAll().execute()).length;
      expect([(await read(owner, "&record=false")).rows.length, await marks()]).to.deep.equal([3, 0]);
      expect([(await read(owner, "&policy=none")).rows.length, await marks()]).to.deep.equal([0, 0]);
      expect([(await read(owner)).rows.length, await marks()]).to.deep.equal([3, 3]);
      const { rows, seq } = await read(trainer, "&consensus=majority&margins=0,1,2,3&ties=true");
      expect([rows.length, await marks()]).to.deep.equal([3, 3]);
      expect((await send("/v1/export?kind=unpaired&ratingHigh=3", trainer)).status).to.be.at.least(400);
      const [source] = rows[0].source;
      expect((await send(`/v1/judgements/${source}/redact`, trainer, "")).status).to.equal(403);
      expect((await send(`/v1/judgements/${source}/redact`, owner, "")).status).to.equal(200);
      const gone = await send(`/v1/withdrawn?since=${seq}`, trainer);
      expect(JSON.parse(gone.text)).to.include({ judgement: source, exported: true });
      expect((await read(trainer, `&since=${seq}`)).rows).to.be.empty;
      expect((await send("/v1/items/item-1/redact", owner, "")).status).to.equal(200);
      expect((await read(owner)).rows).to.have.length(1);
    }),
  );
});
