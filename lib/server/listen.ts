// Serves the feedback service over HTTP: on this machine alone unless TLS stands in front or somebody says otherwise, under
// names that are known. Must not know what is served.

import { createServer, type Server, type ServerResponse } from "node:http";
import { type AddressInfo, isIP } from "node:net";
import { hostname, networkInterfaces } from "node:os";
import { getRequestListener } from "@hono/node-server";
import { fail, reasonOf } from "../errors/index.js";
import { createFeedbackApp, type FeedbackAppOptions } from "./feedback-app.js";
import { belowBase } from "./node-handler.js";
import { siteOf } from "./site.js";

/** What is served, and where. */
export interface ServeFeedbackOptions extends Omit<FeedbackAppOptions, "hosts"> {
  /** 0 takes a free one. Default 4173. */
  readonly port?: number;
  /** An address or name of this machine. Default 127.0.0.1: nobody else can reach it. */
  readonly host?: string;
  /** Others may reach it without TLS: whoever is between reads tokens and judgements. Default false. */
  readonly allowInsecure?: boolean;
  /** Told what somebody should know, in a sentence. */
  readonly onWarning?: (text: string) => void;
}

/** A service that listens until it is closed. */
export interface ServedFeedback {
  /** What browsers open. */
  readonly url: string;
  readonly port: number;
  /** Takes no more calls, ends streams of events and waits for the calls that run. */
  close(): Promise<void>;
}

const DEFAULT_PORT = 4173;
const DEFAULT_HOST = "127.0.0.1";
/** Calls that are still running then are cut off. */
const MOST_CLOSING_MS = 10_000;

/** @throws ATTUNE_OPTION for an address that cannot be used, or that others reach without TLS */
export async function serveFeedback(options: ServeFeedbackOptions): Promise<ServedFeedback> {
  const { port = DEFAULT_PORT, host = DEFAULT_HOST, onWarning = () => undefined } = options;
  const site = siteOf(options);
  for (const warning of exposure(options, site.publicUrl)) onWarning(warning);
  const server = createServer();
  const { port: actual } = await listen(server, port, host);
  const app = createFeedbackApp({ ...options, hosts: hostsOf(host, actual, site.publicUrl) });
  const running = new Set<ServerResponse>();
  const answer = getRequestListener(app.fetch, { overrideGlobalObjects: false });
  server.on("request", (request, response) => {
    running.add(response);
    response.once("close", () => running.delete(response));
    // A server in front may hand the path on as it is.
    request.url = belowBase(request.url ?? "/", site.basePath) ?? request.url ?? "/";
    void answer(request, response);
  });
  let closing: Promise<void> | undefined;
  return {
    url:
      site.publicUrl?.href.replace(/\/+$/, "") ??
      `http://${authority(shownHost(host), actual)}${site.basePath}`,
    port: actual,
    close() {
      closing ??= close(server, running);
      return closing;
    },
  };
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127(?:\.\d{1,3}){3}$/.test(host);
}

/** What is to be said aloud. @throws ATTUNE_OPTION where nobody has said that others may listen in */
function exposure(
  { host = DEFAULT_HOST, allowInsecure = false }: ServeFeedbackOptions,
  publicUrl: URL | undefined,
): readonly string[] {
  const plainUrl =
    publicUrl !== undefined && publicUrl.protocol === "http:" && !isLoopback(publicUrl.hostname);
  const plainHost = !isLoopback(host) && publicUrl?.protocol !== "https:";
  if (!plainUrl && !plainHost)
    return isLoopback(host)
      ? []
      : [`${host} can be reached from elsewhere: let ${publicUrl?.origin} alone through to it.`];
  const what = plainUrl ? publicUrl.href : host;
  if (allowInsecure)
    return [`Without TLS (${what}) whoever is on the way can read and change what is sent, tokens too.`];
  const remedy = "Put TLS in front and say so (publicUrl: https://…), or allow it (allowInsecure).";
  throw fail("ATTUNE_OPTION", `Expected TLS for ${what}, which others can reach. ${remedy}`, {
    details: { option: plainUrl ? "public-url" : "host" },
  });
}

function listen(server: Server, port: number, host: string): Promise<AddressInfo> {
  return new Promise((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => reject(cannotListen(error, port, host)));
    server.listen({ port, host }, () => resolve(server.address() as AddressInfo));
  });
}

function cannotListen(error: NodeJS.ErrnoException, port: number, host: string) {
  const texts: Readonly<Record<string, string>> = {
    EADDRINUSE: `Expected a free port but ${port} is in use on ${host}. Choose another; port 0 takes a free one.`,
    EACCES: `Expected a port that this user may take but ${port} is not. Choose one above 1023.`,
    EADDRNOTAVAIL: `Expected an address of this machine but ${host} is none.`,
    ENOTFOUND: `Expected a name or an address of this machine but ${host} is none.`,
  };
  const known = texts[error.code ?? ""];
  return fail("ATTUNE_OPTION", known ?? `Expected to listen on ${host}:${port} but ${reasonOf(error)}`, {
    cause: error,
    details: { option: error.code?.startsWith("EADDRNOT") ? "host" : "port" },
  });
}

/** Names under which browsers may come: this machine's, and that of the server in front. */
function hostsOf(host: string, port: number, publicUrl: URL | undefined): readonly string[] {
  const names = new Set(["127.0.0.1", "localhost", "::1"]);
  if (isIP(host) !== 0 && /^[0.:]+$/.test(host) && host !== "::1") {
    names.add(hostname());
    for (const addresses of Object.values(networkInterfaces()))
      for (const { address } of addresses ?? []) names.add(address);
  } else names.add(host);
  const all = [...names].flatMap((name) => [
    authority(name, port),
    ...(port === 80 ? [authority(name)] : []),
  ]);
  return publicUrl === undefined ? all : [...all, publicUrl.host];
}

function authority(host: string, port?: number): string {
  const name = host.includes(":") ? `[${host}]` : host;
  return port === undefined ? name : `${name}:${port}`;
}

/** Of every address, one that opens here. */
function shownHost(host: string): string {
  return /^[0.:]+$/.test(host) ? DEFAULT_HOST : host;
}

async function close(server: Server, running: ReadonlySet<ServerResponse>): Promise<void> {
  const ended = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  // A stream of events ends with its connection: its reader comes again and goes on where it was.
  for (const response of running)
    if (/^text\/event-stream/.test(String(response.getHeader("content-type")))) response.destroy();
  const late = setTimeout(() => server.closeAllConnections(), MOST_CLOSING_MS);
  // Connections that wait for a next call end once their call is answered.
  for (const response of running)
    response.once("close", () => setImmediate(() => server.closeIdleConnections()));
  await ended;
  clearTimeout(late);
}
