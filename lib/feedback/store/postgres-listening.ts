// Hears what other processes have written to a PostgreSQL, on a connection of its own; one that is lost is made again, and
// whoever listens is told of every project then, as nobody knows what was missed. Must not know what is written.

import type { Client } from "pg";

export const CHANNEL = "attune_feedback";

/** Until a lost connection is made again, doubled each time. */
const LEAST_WAIT_MS = 50;
const MOST_WAIT_MS = 5_000;

export interface ListeningOptions {
  /** A connection that is not open yet. */
  readonly connection: () => Client;
}

export class PostgresListening {
  readonly listeners = new Set<(project: string) => void>();
  private client: Client | undefined;
  private ended = false;
  private stopWaiting: () => void = () => undefined;
  private mending: Promise<void> | undefined;

  constructor(private readonly options: ListeningOptions) {}

  /** @throws what the connection does, the first time */
  async begin(): Promise<void> {
    const client = this.options.connection();
    let lost = (): void => undefined;
    client.on("error", () => lost());
    client.on("end", () => lost());
    client.on("notification", ({ payload = "" }) => this.tell(payload));
    try {
      await client.connect();
      await client.query(`listen ${CHANNEL}`);
    } catch (error) {
      void client.end().catch(() => undefined);
      throw error;
    }
    this.client = client;
    lost = () => {
      if (this.client !== client || this.ended) return;
      this.client = undefined;
      void client.end().catch(() => undefined);
      this.mending ??= this.mend().finally(() => {
        this.mending = undefined;
      });
    };
  }

  async end(): Promise<void> {
    this.ended = true;
    this.listeners.clear();
    this.stopWaiting();
    await this.mending;
    await this.client?.end().catch(() => undefined);
  }

  private tell(project: string): void {
    for (const listener of this.listeners) listener(project);
  }

  private async mend(): Promise<void> {
    let wait = LEAST_WAIT_MS;
    while (!this.ended && this.client === undefined) {
      await this.wait(wait);
      wait = Math.min(MOST_WAIT_MS, 2 * wait);
      if (this.ended) return;
      try {
        await this.begin();
        await this.tellAll();
      } catch {
        // The server is not there yet, or has gone again.
      }
    }
  }

  private async tellAll(): Promise<void> {
    const found = await this.client?.query<{ project: string }>("select project from sequences");
    for (const { project } of found?.rows ?? []) this.tell(project);
  }

  private wait(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.stopWaiting = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
