// Sends one delivery: asks for the address once, checks it, and connects to the one that was checked, so that a name which
// answers otherwise the second time leads nowhere else. No redirects, and of the answer no more than its status.
// Must not know the store.

import { lookup } from "node:dns/promises";
import { type IncomingMessage, request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import { AttuneError, reasonOf } from "../../errors/index.js";
import { checkWebhookUrl, isPublicAddress, literalAddress } from "./allowed-address.js";

export interface FoundAddress {
  readonly address: string;
  readonly family: number;
}

export interface PostOptions {
  /** Also http, and addresses of the own machine and network. Default false. */
  readonly allowPrivate?: boolean;
  /** For the whole delivery, in milliseconds. Default 10,000. */
  readonly timeoutMs?: number;
  /** Authorities besides the system's, in PEM: those of an own network. */
  readonly ca?: string;
  /** Finds addresses of a name. Default the system's. */
  readonly resolve?: (host: string) => Promise<readonly FoundAddress[]>;
}

export interface Posting {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly signal: AbortSignal;
}

/** Of an answer's body, before the connection is closed. */
const MOST_READ = 4096;

/** Undefined when it was taken (2xx), else why not, in words that hold nothing of the answer. */
export async function postWebhook(posting: Posting, options: PostOptions): Promise<string | undefined> {
  const { allowPrivate = false, timeoutMs = 10_000, resolve = systemAddresses } = options;
  const timeout = new AbortController();
  const timer = setTimeout(() => timeout.abort(), timeoutMs);
  const signal = AbortSignal.any([posting.signal, timeout.signal]);
  try {
    const url = checkWebhookUrl(posting.url, allowPrivate);
    const literal = literalAddress(url);
    const found =
      literal === undefined
        ? await unlessAborted(resolve(url.hostname), signal)
        : [{ address: literal, family: literal.includes(":") ? 6 : 4 }];
    const refused = refusalOf(url, found, allowPrivate);
    if (refused !== undefined) return refused;
    const status = await send({ ...posting, signal }, url, found, options.ca);
    return status >= 200 && status < 300 ? undefined : `answered ${status}`;
  } catch (error) {
    if (timeout.signal.aborted) return `no answer within ${timeoutMs} ms`;
    return reasonFor(error);
  } finally {
    clearTimeout(timer);
  }
}

function systemAddresses(host: string): Promise<readonly FoundAddress[]> {
  return lookup(host, { all: true });
}

/** All of them: of a mixed answer nobody knows which one is meant. */
function refusalOf({ protocol }: URL, found: readonly FoundAddress[], allowPrivate: boolean) {
  if (found.length === 0) return "its name has no address";
  if (!allowPrivate && !found.every(({ address }) => isPublicAddress(address)))
    return "its address is in a private network";
  if (protocol === "http:" && found.some(({ address }) => isPublicAddress(address)))
    return "its address is public and the connection not encrypted";
  return undefined;
}

function send(
  { headers, body, signal }: Posting,
  url: URL,
  found: readonly FoundAddress[],
  ca: string | undefined,
): Promise<number> {
  const request = url.protocol === "https:" ? requestHttps : requestHttp;
  const [first] = found;
  return new Promise((resolve, reject) => {
    const sending = request(url, {
      method: "POST",
      headers: {
        ...headers,
        "content-type": "application/json",
        "content-length": Buffer.byteLength(body),
        "user-agent": "attune",
      },
      // A connection of its own: none stays open to an address that was checked an hour ago.
      agent: false,
      signal,
      ...(ca === undefined ? {} : { ca }),
      lookup: (_host, { all }, done) => {
        if (all === true) done(null, [...found]);
        else done(null, first?.address ?? "", first?.family ?? 4);
      },
    });
    sending.on("error", reject);
    sending.on("response", (response) => drain(response, () => resolve(response.statusCode ?? 0)));
    sending.end(body);
  });
}

/** Takes no more than a little: a receiver that sends without end holds nothing up. */
function drain(response: IncomingMessage, done: () => void): void {
  let size = 0;
  response.on("data", (piece: Buffer) => {
    size += piece.length;
    if (size > MOST_READ) response.destroy();
  });
  // Also after an error: the status is known, which is all that counts.
  response.on("error", () => undefined);
  response.on("close", done);
}

/** A code such as ECONNREFUSED says enough, and holds no address. */
function reasonFor(error: unknown): string {
  if (error instanceof AttuneError || !(error instanceof Error) || !("code" in error)) return reasonOf(error);
  return String(error.code);
}

function unlessAborted<Result>(work: Promise<Result>, signal: AbortSignal): Promise<Result> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(new Error("stopped"));
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}
