// Calls of the service by one person over a connection that stays open, and how long each takes. Must not know what is said.

import { Agent, request } from "node:http";

export interface Answer {
  readonly status: number;
  /** Read as JSON; undefined for none. */
  readonly body: unknown;
  readonly milliseconds: number;
}

export interface Call {
  readonly method?: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Caller {
  call(path: string, call?: Call): Promise<Answer>;
  close(): void;
}

export function callerOf(port: number, token: string): Caller {
  const agent = new Agent({ keepAlive: true, maxSockets: 4 });
  return {
    close: () => agent.destroy(),
    call: (path, { body, method = body === undefined ? "GET" : "POST", headers = {} } = {}) =>
      new Promise((resolve, reject) => {
        const started = performance.now();
        const text = body === undefined ? "" : JSON.stringify(body);
        const own = body === undefined ? {} : { "content-type": "application/json" };
        const sent = request(
          {
            ...{ agent, method, path, host: "127.0.0.1", port },
            headers: {
              authorization: `Bearer ${token}`,
              "content-length": Buffer.byteLength(text),
              ...own,
              ...headers,
            },
          },
          (response) => {
            const pieces: Buffer[] = [];
            response.on("data", (piece: Buffer) => pieces.push(piece));
            response.on("error", reject);
            response.on("end", () => {
              const milliseconds = performance.now() - started;
              const received = Buffer.concat(pieces).toString();
              const json = /^application\/json/.test(response.headers["content-type"] ?? "");
              const status = response.statusCode ?? 0;
              resolve({ status, milliseconds, body: json ? JSON.parse(received) : received });
            });
          },
        );
        sent.on("error", reject);
        sent.end(text);
      }),
  };
}
