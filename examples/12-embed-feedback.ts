// A product's own server keeps what its users say of answers, shows the pages of the feedback service below /feedback, and takes
// rows out to train on. No model is needed.
// Run: npx tsx examples/12-embed-feedback.ts [folder]

import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { captureThumbs, exportRows, openFeedbackStore } from "attune/feedback";
import { feedbackHandler } from "attune/server";

const folder = process.argv[2] ?? "runs/example-12";
const project = "shop";
const store = await openFeedbackStore({ store: join(folder, "feedback") });
await store.write(project, "createProject", { project, name: "Corner shop" });

const { thumb, choice, edit } = captureThumbs({ store, project });
const pages = feedbackHandler({ store, basePath: "/feedback" });

const answers = new Map([
  ["a-1", { prompt: "Do you have oat milk?", content: "Yes, in the fridge by the door.", model: "shop-1" }],
  ["a-2", { prompt: "When do you close?", content: "at 8", model: "shop-1" }],
]);

/** What the product's page sends on a click; the server knows its user by the session. */
async function clicked(user: string, body: { id: string; up?: boolean; text?: string }): Promise<void> {
  const answer = answers.get(body.id);
  if (answer === undefined) throw new Error("no such answer");
  const { prompt, ...rest } = answer;
  if (body.up !== undefined) await thumb({ user, id: body.id, prompt, answer: rest, up: body.up });
  if (body.text !== undefined) await edit({ user, id: body.id, prompt, answer: rest, text: body.text });
}

const server = createServer((request, response) =>
  pages(request, response, async () => {
    let text = "";
    for await (const piece of request) text += piece;
    await clicked(String(request.headers["x-user"]), JSON.parse(text));
    response.writeHead(204).end();
  }),
);
await once(server.listen(0, "127.0.0.1"), "listening");
const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

const click = (user: string, body: object) =>
  fetch(`${url}/clicked`, { method: "POST", headers: { "x-user": user }, body: JSON.stringify(body) });
await click("mia", { id: "a-1", up: true });
await click("mia", { id: "a-1", up: true }); // sent twice: kept once
await click("ben", { id: "a-2", up: false });
await click("ben", { id: "a-2", text: "We close at eight this evening." });
// Two answers beside each other, of which one was taken.
await choice({ user: "ada", prompt: "Stamps?", answers: ["No.", "Yes, at the till."], chosen: 1 });

const page = await fetch(`${url}/feedback`);
console.log(`the page for judging: ${page.status} ${page.headers.get("content-type")}`);
for (const kind of ["unpaired", "preference", "prompt-completion"] as const) {
  let count = 0;
  for await (const row of exportRows({ reading: store.reading, project, kind })) {
    count += 1;
    if (kind === "unpaired") console.log(JSON.stringify({ prompt: row.prompt, label: row.label }));
  }
  console.log(`${kind}: ${count} rows`);
}
server.closeAllConnections();
server.close();
await store.close();
