// The feedback service as a handler of node:http, Express and whatever else hands on a request, a response and perhaps a
// next handler. Must not listen.

import type { IncomingMessage, ServerResponse } from "node:http";
import { getRequestListener } from "@hono/node-server";
import { createFeedbackApp, type FeedbackAppOptions } from "./feedback-app.js";
import { siteOf } from "./site.js";

/** For node:http's createServer, Express and the like. */
export type NodeHandler = (
  request: IncomingMessage & { readonly originalUrl?: string; readonly baseUrl?: string },
  response: ServerResponse,
  next?: () => void,
) => void;

/**
 * Answers what lies below `basePath`; other paths are handed on to `next`, where there is one. Express takes the path off by
 * itself: `app.use("/feedback", feedbackHandler({ store, basePath: "/feedback" }))`. Bodies must not have been read before.
 */
export function feedbackHandler(options: FeedbackAppOptions): NodeHandler {
  const { basePath } = siteOf(options);
  const app = createFeedbackApp(options);
  const answer = getRequestListener(app.fetch, { overrideGlobalObjects: false });
  return (request, response, next) => {
    const url = request.url ?? "/";
    const mounted = request.baseUrl !== undefined && request.baseUrl !== "";
    const below = mounted ? url : belowBase(url, basePath);
    if (below === undefined && next !== undefined) return next();
    // The service knows its own paths alone; what it does not answer it says so.
    request.url = below ?? url;
    void answer(request, response);
  };
}

/** The path behind `basePath`; undefined for one that is not below it. */
export function belowBase(url: string, basePath: string): string | undefined {
  if (basePath === "") return url;
  if (!url.startsWith(basePath)) return undefined;
  const rest = url.slice(basePath.length);
  if (rest === "" || rest.startsWith("?")) return `/${rest}`;
  return rest.startsWith("/") ? rest : undefined;
}
