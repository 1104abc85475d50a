// Tells owners' addresses what happens: every event that each wants, in order, at least once, signed. How far each has been
// told is in the store, so that a process which is killed loses nothing. Must not know the service's calls.

import type { FeedbackEvent } from "../event.js";
import type { DeliveryOutcome } from "../operations/index.js";
import type { FeedbackStore } from "../store/store.js";
import { deliveryBody } from "./delivery-body.js";
import { type KeptWebhook, keptWebhooks, lastSeq, nextAgain, waitingEvents } from "./kept-webhooks.js";
import { type PostOptions, postWebhook } from "./post-webhook.js";
import { giveUpUntil, isDue, retryDelay } from "./retry.js";
import { SenderTurn } from "./sender-turn.js";
import { signatureOf, webhookHeaders } from "./signature.js";

/** Whose webhooks are sent, and how. */
export interface WebhookSenderOptions extends PostOptions {
  readonly store: FeedbackStore;
  /** Milliseconds since 1970. Default Date.now. */
  readonly clock?: () => number;
  /** Numbers in [0, 1) that keep retries apart. Default Math.random. */
  readonly random?: () => number;
  /** Told what kept it from its work, such as a store that cannot be read; it goes on. */
  readonly onError?: (error: unknown) => void;
}

/** Events at hand for one address: those with texts may be large. */
const CHUNK = 20;
const MOST_GIVEN_UP = 1000;
/** Events that interest nobody are passed over in the store once there are so many of them. */
const MOST_UNRECORDED = 10_000;
/** Also without being told that there is something. */
const LOOK_MS = 5_000;
/** Between two looks: a busy project does not keep the process looking. */
const REST_MS = 20;

/** Sends a store's events to the addresses of its webhooks until it is closed. */
export class WebhookSender {
  private readonly clock: () => number;
  private readonly random: () => number;
  private readonly turn: SenderTurn;
  private readonly stopping = new AbortController();
  private readonly running = new Map<string, Promise<void>>();
  /** Addresses for which something may have come while they were told of the rest. */
  private readonly again = new Set<string>();
  /** By address: up to here nothing that it wants lies behind what the store says. */
  private readonly passed = new Map<string, number>();
  private wake: () => void = () => undefined;
  private woken = false;
  private loop: Promise<void> | undefined;

  constructor(private readonly options: WebhookSenderOptions) {
    this.clock = options.clock ?? Date.now;
    this.random = options.random ?? Math.random;
    this.turn = new SenderTurn(options.store, this.clock);
  }

  /** From now on events go out by themselves. */
  start(): void {
    this.loop ??= this.run();
  }

  /** Ends what is on its way; that goes out again next time. Call it before the store is closed. */
  async stop(): Promise<void> {
    this.stopping.abort();
    this.wake();
    await this.loop;
    await Promise.all(this.running.values());
    await this.turn.giveUp().catch((error: unknown) => this.options.onError?.(error));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  /** Sends what is due now, for those who do not want it to go by itself. */
  async sendDue(): Promise<void> {
    await this.begin();
    await Promise.all(this.running.values());
  }

  private async run(): Promise<void> {
    const unwatch = this.options.store.watch(() => {
      this.woken = true;
      this.wake();
    });
    while (!this.stopping.signal.aborted) {
      this.woken = false;
      let next = LOOK_MS;
      try {
        next = await this.begin();
      } catch (error) {
        this.options.onError?.(error);
      }
      await this.rest(REST_MS, false);
      if (!this.woken) await this.rest(next, true);
    }
    unwatch();
  }

  private rest(ms: number, early: boolean): Promise<void> {
    if (this.stopping.signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.wake = () => {
        if (!early && !this.stopping.signal.aborted) return;
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** Begins with every address that is due and idle; milliseconds until the next one is. */
  private async begin(): Promise<number> {
    if (!(await this.turn.isOurs())) return LOOK_MS;
    let next = LOOK_MS;
    for (const webhook of await keptWebhooks(this.options.store.reading)) {
      const { id, due } = webhook;
      const now = this.clock();
      if (this.running.has(id)) this.again.add(id);
      else if (!isDue(due, now)) next = Math.min(next, due - now);
      else this.running.set(id, this.tell(webhook));
    }
    return Math.max(0, next);
  }

  private async tell(webhook: KeptWebhook): Promise<void> {
    let look = false;
    try {
      look = (await this.tellDead(webhook)) && (await this.tellNew(webhook));
    } catch (error) {
      if (!this.stopping.signal.aborted) this.options.onError?.(error);
    } finally {
      this.running.delete(webhook.id);
      if (this.again.delete(webhook.id) || look) {
        this.woken = true;
        this.wake();
      }
    }
  }

  /** Whether to look at once when it is due again, which is not now. */
  private async tellNew(webhook: KeptWebhook): Promise<boolean> {
    const { reading } = this.options.store;
    let state = webhook;
    let after = Math.max(webhook.seq, this.passed.get(webhook.id) ?? 0);
    for (;;) {
      const last = await lastSeq(reading, webhook.project);
      const events = await waitingEvents(reading, { webhook, after, most: CHUNK });
      for (const event of events) {
        const reason = await this.send(webhook, event);
        if (this.stopping.signal.aborted) return false;
        if (reason !== undefined) return this.fail(state, event, reason);
        if (!(await this.record(webhook, { kind: "delivered", seq: event.seq }))) return false;
        after = event.seq;
        state = { ...state, seq: after, attempts: 0, failingSince: undefined };
      }
      if (events.length === CHUNK) continue;
      // Events that came after `last` was asked for were read or not: no more than `last` is passed over.
      await this.pass(state, Math.max(after, last));
      return false;
    }
  }

  private async pass(webhook: KeptWebhook, last: number): Promise<void> {
    this.passed.set(webhook.id, last);
    if (last - webhook.seq >= MOST_UNRECORDED) await this.record(webhook, { kind: "delivered", seq: last });
  }

  /** Each once; where one does not arrive, those behind it wait until they are asked for again. */
  private async tellDead(webhook: KeptWebhook): Promise<boolean> {
    for (;;) {
      const event = await nextAgain(this.options.store.reading, webhook);
      if (event === undefined) return true;
      const { seq } = event;
      const reason = await this.send(webhook, event);
      if (this.stopping.signal.aborted) return false;
      const outcome =
        reason === undefined ? { kind: "replayed", seq } : { kind: "replayFailed", seq, reason };
      if (!(await this.record(webhook, outcome as DeliveryOutcome))) return false;
      if (reason !== undefined) return true;
    }
  }

  /** Undefined when it was taken. */
  private send(webhook: KeptWebhook, event: FeedbackEvent): Promise<string | undefined> {
    const body = JSON.stringify(deliveryBody(event, webhook.texts));
    const id = event.id;
    const time = String(Math.floor(this.clock()));
    const headers = {
      [webhookHeaders.id]: id,
      [webhookHeaders.time]: time,
      [webhookHeaders.signature]: signatureOf({ id, time, body }, webhook.secret),
    };
    const { signal } = this.stopping;
    return postWebhook({ url: webhook.url, headers, body, signal }, this.options);
  }

  private async fail(webhook: KeptWebhook, event: FeedbackEvent, reason: string): Promise<boolean> {
    const now = Math.floor(this.clock());
    const attempts = webhook.attempts + 1;
    const since = Math.min(webhook.failingSince ?? now, now);
    const until = giveUpUntil({ attempts, since, now });
    const dead =
      until === undefined
        ? []
        : await waitingEvents(this.options.store.reading, {
            ...{ webhook, after: event.seq - 1, most: MOST_GIVEN_UP, until },
          });
    await this.record(webhook, {
      kind: "failed",
      attempts,
      failingSince: since,
      due: now + retryDelay(attempts, this.random),
      reason,
      dead: dead.map(({ seq }) => seq),
    });
    return true;
  }

  private async record(webhook: KeptWebhook, outcome: DeliveryOutcome): Promise<boolean> {
    const { owner } = this.turn;
    const input = { webhook: webhook.id, outcome, ...(owner === undefined ? {} : { sender: owner }) };
    const written = await this.options.store.write(webhook.project, "recordDelivery", input);
    if (!written) this.turn.lost();
    return written;
  }
}
