// The service over real HTTP on loopback, with a token of each role, for tests of what a network brings.

import { createServer, request as httpRequest, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { getRequestListener } from "@hono/node-server";
import {
  type FeedbackStore,
  makeToken,
  type NewToken,
  type ProjectSettingsInput,
} from "../../lib/feedback/index.js";
import { createFeedbackApp, type FeedbackAppOptions } from "../../lib/server/feedback-app.js";
import { PROJECT, personName, sampleProject } from "../feedback/sample-project.js";
import { START, type StoreUnderTest } from "../feedback/stores.js";

export interface Call {
  readonly method?: string;
  readonly token?: string;
  /** What is no text or bytes is sent as JSON. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  /** Of JSON. */
  readonly body: Record<string, never> & { readonly code?: string; readonly field?: string };
}

export interface RealService {
  readonly port: number;
  readonly owner: string;
  readonly trainer: string;
  readonly reader: string;
  /** Of two people. */
  readonly people: readonly [string, string];
  call(path: string, call?: Call): Promise<Answer>;
  close(): Promise<void>;
}

export async function tokenOf(store: FeedbackStore, token: NewToken, now: number): Promise<string> {
  const { text, row } = await makeToken(token, now);
  await store.write(PROJECT, "keepToken", { row });
  return text;
}

/** Made once: a token is a tenth of a second of a core. */
const made = new Map<string, ReturnType<typeof makeToken>>();

async function keptToken(store: FeedbackStore, role: NewToken["role"], annotator?: string): Promise<string> {
  const name = `${role} ${annotator ?? ""}`;
  const own = annotator === undefined ? {} : { annotator };
  const making = made.get(name) ?? makeToken({ role, project: PROJECT, name: role, ...own }, START);
  made.set(name, making);
  const { text, row } = await making;
  await store.write(PROJECT, "keepToken", { row });
  return text;
}

export interface OpenService extends Partial<FeedbackAppOptions> {
  readonly items?: number;
  readonly settings?: ProjectSettingsInput;
}

export async function openService(
  test: StoreUnderTest,
  { items = 3, settings = {}, ...options }: OpenService = {},
) {
  const { store } = test;
  await sampleProject(store, { items, settings });
  const owner = await keptToken(store, "owner");
  const trainer = await keptToken(store, "trainer");
  const reader = await keptToken(store, "reader");
  const first = await keptToken(store, "annotator", personName(0));
  const second = await keptToken(store, "annotator", personName(1));
  const app = createFeedbackApp({ store, clock: () => test.now, pages: false, ...options });
  const server = createServer(getRequestListener(app.fetch, { overrideGlobalObjects: false }));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", () => resolve()));
  const { port } = server.address() as AddressInfo;
  const service: RealService = {
    ...{ port, owner, trainer, reader, people: [first, second] },
    call: (path, call) => send(port, path, call),
    close() {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
  return service;
}

export async function withService(
  test: StoreUnderTest,
  run: (service: RealService) => Promise<void>,
  options: OpenService = {},
): Promise<void> {
  const service = await openService(test, options);
  try {
    await run(service);
  } finally {
    await service.close();
  }
}

/** By node:http, which sends what it is told to, also what a browser would not. */
export function send(
  port: number,
  path: string,
  { method, token, body, headers = {} }: Call = {},
): Promise<Answer> {
  const raw = typeof body === "string" || body instanceof Uint8Array ? body : JSON.stringify(body);
  return new Promise((resolve, reject) => {
    const request = httpRequest(
      {
        ...{ host: "127.0.0.1", port, path, agent: false },
        method: method ?? (body === undefined ? "GET" : "POST"),
        headers: {
          ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
          ...(body === undefined ? {} : { "content-type": "application/json" }),
          ...headers,
        },
      },
      async (response) => {
        const pieces: Buffer[] = [];
        for await (const piece of response) pieces.push(piece as Buffer);
        const text = Buffer.concat(pieces).toString();
        const json = /^application\/json/.test(response.headers["content-type"] ?? "");
        const { statusCode: status = 0, headers } = response;
        resolve({ status, headers, text, body: json ? JSON.parse(text) : {} });
      },
    );
    request.on("error", reject);
    request.end(raw);
  });
}
