// A process of its own that writes events without end and sends them to webhooks, until it is killed. It prints a line when it
// has begun. Arguments: the store, and "write" or "send" (nothing new).

import { openFeedbackStore, WebhookSender } from "../../../lib/feedback/index.js";
import { PROJECT } from "../sample-project.js";

const [place = "", what] = process.argv.slice(2);

async function main(): Promise<void> {
  const store = await openFeedbackStore({ store: place });
  new WebhookSender({ store, allowPrivate: true }).start();
  process.stdout.write("begun\n");
  while (what === "write") {
    await store.write(PROJECT, "setGuidelines", { text: "Be kind." });
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
  process.exit(3);
});
