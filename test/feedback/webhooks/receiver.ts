// A receiver of webhooks on loopback, which keeps what came and answers as it is told.

import { createServer, type IncomingHttpHeaders, type RequestListener, type Server } from "node:http";
import { createServer as createSecureServer } from "node:https";
import type { AddressInfo } from "node:net";

export interface Received {
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface Receiver {
  readonly url: string;
  readonly received: Received[];
  /** Numbers of the events that came, in order. */
  seqs(): number[];
  /** Status of the answer to the next and all later ones; 0: none at all. */
  status: number;
  /** Before it answers. */
  meanwhile: (received: Received) => void | Promise<void>;
  close(): Promise<void>;
}

export interface OpenReceiver {
  readonly tls?: { readonly key: string; readonly cert: string };
  /** Body of the answers. */
  readonly text?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly port?: number;
}

export async function openReceiver({ tls, text = "", headers = {}, port = 0 }: OpenReceiver = {}) {
  const receiver = {
    received: [] as Received[],
    status: 200,
    meanwhile: (_: Received): void | Promise<void> => undefined,
    url: "",
    seqs: () => receiver.received.map(({ body }) => JSON.parse(body).seq as number),
    close: () => closed(server),
  };
  const listener: RequestListener = async (request, response) => {
    const pieces: Buffer[] = [];
    for await (const piece of request) pieces.push(piece as Buffer);
    const one = { headers: request.headers, body: Buffer.concat(pieces).toString() };
    receiver.received.push(one);
    await receiver.meanwhile(one);
    if (receiver.status === 0) return;
    response.on("error", () => undefined);
    response.writeHead(receiver.status, headers).end(text);
  };
  const server = tls === undefined ? createServer(listener) : createSecureServer(tls, listener);
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", () => resolve()));
  receiver.url = `${tls === undefined ? "http" : "https"}://127.0.0.1:${(server.address() as AddressInfo).port}/hook`;
  return receiver as Receiver;
}

function closed(server: Server): Promise<void> {
  server.closeAllConnections();
  return new Promise((resolve) => server.close(() => resolve()));
}
