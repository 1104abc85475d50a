// A process of its own that serves a store over HTTP on a free port of 127.0.0.1 and prints `listening PORT`; it ends at
// SIGTERM. Arguments: the store, calls a minute for each token. Must not measure.

import type { AddressInfo } from "node:net";
import { serve } from "@hono/node-server";
import { openFeedbackStore } from "../../lib/feedback/index.js";
import { createFeedbackApp } from "../../lib/server/feedback-app.js";

const [place = "", callsPerMinute = "1200"] = process.argv.slice(2);

async function main(): Promise<void> {
  const store = await openFeedbackStore({ store: place });
  const app = createFeedbackApp({
    store,
    callsPerMinute: Number(callsPerMinute),
    onError: (error) => console.error(error),
  });
  const server = serve({ fetch: app.fetch, hostname: "127.0.0.1", port: 0 }, () => {
    process.stdout.write(`listening ${(server.address() as AddressInfo).port}\n`);
  });
  process.once("SIGTERM", () => {
    server.close();
    if ("closeAllConnections" in server) server.closeAllConnections();
    void store.close().then(() => process.exit(0));
  });
}

main().catch((error: unknown) => {
  console.error(error);
  process.exit(1);
});
