// What tests of webhooks share: one that is added, a sender that is run by hand, a receiver for a while.

import type { EventType } from "../../../lib/feedback/index.js";
import type { WebhooksTable } from "../../../lib/feedback/store/tables.js";
import { WebhookSender, type WebhookSenderOptions } from "../../../lib/feedback/webhooks/webhook-sender.js";
import { PROJECT } from "../sample-project.js";
import type { StoreUnderTest } from "../stores.js";
import { type OpenReceiver, openReceiver, type Receiver } from "./receiver.js";

export const HOUR = 3_600_000;

export interface AddWebhookInput {
  readonly url: string;
  readonly types?: readonly EventType[];
  readonly texts?: boolean;
  readonly after?: number;
}

export function addWebhook({ store }: StoreUnderTest, input: AddWebhookInput) {
  return store.write(PROJECT, "addWebhook", { types: [], texts: false, allowPrivate: true, ...input });
}

export function senderOf(test: StoreUnderTest, options: Partial<WebhookSenderOptions> = {}): WebhookSender {
  return new WebhookSender({
    store: test.store,
    clock: () => test.now,
    allowPrivate: true,
    onError: (error) => {
      throw error;
    },
    ...options,
  });
}

/** By a sender of its own, as after a start. */
export async function sendDue(test: StoreUnderTest): Promise<void> {
  const sender = senderOf(test);
  await sender.sendDue();
  await sender.stop();
}

/** The first one's row. */
export async function webhookRow({ store }: StoreUnderTest): Promise<WebhooksTable> {
  return store.reading.selectFrom("webhooks").selectAll().orderBy("created").executeTakeFirstOrThrow();
}

/** So many events. */
export async function guidelines({ store }: StoreUnderTest, count: number): Promise<void> {
  for (let i = 0; i < count; i++) await store.write(PROJECT, "setGuidelines", { text: `Rule ${i}.` });
}

export async function withReceiver(
  options: OpenReceiver,
  run: (receiver: Receiver) => Promise<void>,
): Promise<void> {
  const receiver = await openReceiver(options);
  try {
    await run(receiver);
  } finally {
    await receiver.close();
  }
}
