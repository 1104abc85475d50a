// A real feedback service on loopback with a store of its own, and its page in a browser as somebody who judges.
// Must not know what a test is about.

import { serve } from "@hono/node-server";
import type { Browser, BrowserContext, Page } from "playwright-core";
import {
  type EventType,
  type FeedbackStore,
  type ItemInput,
  makeToken,
  openFeedbackStore,
  type ProjectSettingsInput,
} from "../../lib/feedback/index.js";
import { createFeedbackApp } from "../../lib/server/feedback-app.js";

export const ANNOTATOR = "ann";
export const OWNER = "otto";

export interface JudgeService {
  readonly store: FeedbackStore;
  readonly url: string;
  /** Of a person who owns every project and judges too: one token for all tests, as making one takes a while. */
  readonly token: string;
  /** Of whoever judges in one project and nothing else. */
  tokenOf(project: string): Promise<string>;
  /** A project with up to five items, asked in their order, in which both people are known. */
  project(items: readonly ItemInput[], more?: NewProject): Promise<string>;
  /** More items of a project, asked in their order. */
  add(project: string, items: readonly ItemInput[]): Promise<void>;
  /** Everything of a kind that the log holds, oldest first. */
  events(project: string, type: EventType): Promise<readonly Record<string, unknown>[]>;
  /** The values of all judgements, oldest first. */
  judged(project: string): Promise<readonly (readonly unknown[])[]>;
  /** The service is not there any more; the store stays. */
  stop(): Promise<void>;
  /** It is there again, under the same address. */
  start(): Promise<void>;
  close(): Promise<void>;
  /** Milliseconds that the service's clock is ahead. */
  ahead: number;
}

export interface NewProject {
  readonly name?: string;
  readonly settings?: ProjectSettingsInput;
}

/** No hidden checks, one judgement of each item, by priority alone. */
const plain: ProjectSettingsInput = { gold: 0, repeat: 0, overlap: { share: 0 }, random: 0 };
/** e to the power of so much: how much likelier an item is than the one behind it. */
const PRIORITY_STEP = 12;
/** Above it priorities make no difference. */
const MOST_PRIORITY = 30;

export async function startService(folder: string): Promise<JudgeService> {
  const clock = () => Date.now() + service.ahead;
  const store = await openFeedbackStore({ store: folder, clock });
  const app = createFeedbackApp({ store, clock, callsPerMinute: 100_000 });
  let listening = await listen(app.fetch, 0);
  let projects = 0;
  const service: JudgeService = {
    store,
    url: `http://127.0.0.1:${listening.port}`,
    token: "",
    ahead: 0,
    tokenOf: (project) => keepToken(store, { role: "annotator", project, annotator: ANNOTATOR }),
    async project(items, { name = "Corner shop", settings = {} } = {}) {
      projects += 1;
      const project = `p${projects}`;
      await store.write(project, "createProject", { project, name, settings: { ...plain, ...settings } });
      await store.write(project, "addAnnotator", { annotator: ANNOTATOR, name: "Ann" });
      await store.write(project, "addAnnotator", { annotator: OWNER, name: "Otto" });
      if (items.length > 0) await service.add(project, items);
      return project;
    },
    async add(project, items) {
      const ordered = items.map((item, i) => ({ priority: MOST_PRIORITY - PRIORITY_STEP * i, ...item }));
      await store.write(project, "addItems", { items: ordered });
    },
    async events(project, type) {
      const rows = await store.reading
        .selectFrom("events")
        .select("body")
        .where("project", "=", project)
        .where("type", "=", type)
        .orderBy("seq")
        .execute();
      return rows.map(({ body }) => JSON.parse(body) as Record<string, unknown>);
    },
    judged: async (project) =>
      (await service.events(project, "judgement.created")).map(({ values }) => values as unknown[]),
    stop: () => listening.stop(),
    async start() {
      listening = await listen(app.fetch, listening.port);
    },
    async close() {
      await listening.stop();
      await store.close();
    },
  };
  const any = await service.project([]);
  return Object.assign(service, { token: await keepToken(store, { role: "owner", annotator: OWNER }, any) });
}

interface Listening {
  readonly port: number;
  stop(): Promise<void>;
}

function listen(fetch: Parameters<typeof serve>[0]["fetch"], port: number): Promise<Listening> {
  return new Promise((resolve) => {
    const server = serve({ fetch, port, hostname: "127.0.0.1" }, (info) =>
      resolve({
        port: info.port,
        stop: () =>
          new Promise((done) => {
            server.close(() => done());
            // Browsers keep connections open.
            (server as unknown as { closeAllConnections(): void }).closeAllConnections();
          }),
      }),
    );
  });
}

interface TokenOf {
  readonly role: "owner" | "annotator";
  readonly project?: string;
  readonly annotator: string;
}

async function keepToken(store: FeedbackStore, token: TokenOf, at = token.project ?? ""): Promise<string> {
  const { text, row } = await makeToken({ ...token, name: token.role }, Date.now());
  await store.write(at, "keepToken", { row });
  return text;
}

export interface Seat {
  readonly page: Page;
  readonly context: BrowserContext;
  /** Errors of the console and of scripts, dialogs of the browser, and what was asked of anybody but the service. */
  readonly complaints: readonly string[];
  press(...keys: string[]): Promise<void>;
  /** Until a heading or a message with these words is there. */
  see(words: string | RegExp): Promise<void>;
}

export interface SeatOptions {
  readonly browser: Browser;
  readonly service: JudgeService;
  readonly project: string;
  readonly width?: number;
  readonly height?: number;
  readonly colours?: "light" | "dark";
  readonly touch?: boolean;
  readonly token?: string;
  /** Sees the page before anything is loaded. */
  readonly prepare?: (page: Page) => Promise<void>;
}

/** The page, signed in by a link, with an item on it or none. Complaints about calls that are refused are no complaints. */
export async function takeSeat(options: SeatOptions): Promise<Seat> {
  const { browser, service, project, width = 1280, height = 900, colours = "light", touch = false } = options;
  const context = await browser.newContext({
    viewport: { width, height },
    colorScheme: colours,
    hasTouch: touch,
  });
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on("console", (message) => {
    const refused = message.text().startsWith("Failed to load resource");
    if ((message.type() === "error" || message.type() === "warning") && !refused)
      complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(error.message));
  page.on("request", (request) => {
    // Pictures are made in the page of what the service has sent.
    const own = request
      .url()
      .replace(/^blob:/, "")
      .startsWith(service.url);
    if (!own) complaints.push(`asked for ${request.url()}`);
  });
  page.on("dialog", (dialog) => {
    complaints.push(`a dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  await options.prepare?.(page);
  await page.goto(`${service.url}/?project=${project}#token=${options.token ?? service.token}`);
  await page.locator("h1").waitFor();
  return {
    page,
    context,
    complaints,
    async press(...keys) {
      for (const key of keys) await page.keyboard.press(key);
    },
    async see(words) {
      await page.getByText(words).first().waitFor();
    },
  };
}
