// `attune feedback serve`: a store, a project and a page for people, until somebody ends it. Must not know HTTP or judgements.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command } from "commander";
import { AttuneError } from "../../errors/index.js";
import {
  type FeedbackStore,
  importRows,
  openFeedbackStore,
  type RunningLoop,
  WebhookSender,
} from "../../feedback/index.js";
import { commandSchemas, type FeedbackServeSettings } from "../../options/index.js";
import { type ServedFeedback, serveFeedback } from "../../server/index.js";
import { addFlags, givenOptions } from "../flags.js";
import { grouped } from "../format.js";
import { printOptions } from "../print-options.js";
import { exitCodes } from "../report-error.js";
import type { Terminal } from "../terminal.js";
import { type DemoPeople, demoProject, prepareDemo, startDemoPeople } from "./demo-project.js";
import { linkOf, newToken, prepareProject, setGuidelinesOf } from "./prepare-project.js";
import { checkLoopSettings, startServedLoop } from "./serve-loop.js";
import { followServing } from "./serve-progress.js";

const help = `
The line that is printed holds the link to open, with a token of the owner, who may judge too; every start prints a new one, good
for 30 days. Others get theirs from the dashboard or from attune feedback token. Without TLS in front it listens to this
machine alone. Ctrl-C ends it when the calls that run are answered; a second one at once.

ITEMS has one JSON object on each line:
  {"externalId": "q-1", "prompt": "…", "answers": [{"content": "…", "model": "a"}, {"content": "…", "model": "b"}]}
  "asks": [{"kind": "pair"}] may say what is asked instead: pair, ranking, rating, thumb, edit, comment, span.

Examples:
  attune feedback serve --demo
  attune feedback serve --items items.jsonl --guidelines guidelines.md
  attune feedback serve --policy path/to/model --train dpo --prompts prompts.jsonl --output runs/loop
  attune feedback serve --store postgres://attune@localhost/feedback --public-url https://feedback.example.com`;

export function serveCommand(terminal: Terminal, ended: (code: number) => void): Command {
  const schema = commandSchemas["feedback serve"];
  const command = new Command("serve")
    .summary("start the service and its pages")
    .description("Serves the pages where people judge, the owner's dashboard, and the calls of programs.")
    .addHelpText("after", help);
  addFlags(command, schema);
  return command.action(async () => {
    if (printOptions("feedback serve", command, terminal)) return ended(exitCodes.done);
    const { given, resolved } = givenOptions(command, schema);
    checkLoopSettings(resolved);
    ended(await serve(resolved, given.store !== undefined, terminal));
  });
}

async function serve(
  settings: FeedbackServeSettings,
  ownStore: boolean,
  terminal: Terminal,
): Promise<number> {
  const passing = settings.demo && !ownStore ? mkdtempSync(join(tmpdir(), "attune-demo-")) : undefined;
  try {
    const store = await openFeedbackStore({ store: passing ?? settings.store });
    try {
      return await serveStore({ store, settings, passing: passing !== undefined, terminal });
    } finally {
      await store.close();
    }
  } finally {
    if (passing !== undefined) rmSync(passing, { recursive: true, force: true });
  }
}

interface Serving {
  readonly store: FeedbackStore;
  readonly settings: FeedbackServeSettings;
  /** Nothing of the store is kept. */
  readonly passing: boolean;
  readonly terminal: Terminal;
}

async function serveStore(serving: Serving): Promise<number> {
  const { store, settings, terminal } = serving;
  const { host, port, publicUrl, allowInsecure, allowPrivateWebhooks, demo } = settings;
  const note = (text: string) => terminal.stderr.write(`${text}\n`);
  // Listening for Ctrl-C begins first: it may come at once.
  const ending = endOf(terminal);
  let served: ServedFeedback | undefined;
  let people: DemoPeople | undefined;
  let loop: RunningLoop | undefined;
  let stopFollowing: () => void = () => undefined;
  const onError = (error: unknown) => ending.failed(error, store);
  const webhooks = new WebhookSender({ store, allowPrivate: allowPrivateWebhooks, onError });
  try {
    const { project, isNew } = await prepared(serving, note);
    served = await serveFeedback({
      ...{ store, host, port, allowInsecure, allowPrivateWebhooks, onError },
      ...(publicUrl === undefined ? {} : { publicUrl }),
      loopStatus: (asked) => (asked === project ? loop?.status() : undefined),
      onWarning: (text) => note(`warning: ${text}`),
    });
    webhooks.start();
    const link = linkOf(served.url, await ownerToken(store, project));
    const { url, port: taken } = served;
    terminal.stdout.write(
      settings.json ? `${JSON.stringify({ url, link, port: taken, project })}\n` : `${link}\n`,
    );
    note(
      `Open this link to judge and to see how it goes. Another one: attune feedback token. Ctrl-C ends it.`,
    );
    if (demo) people = await startDemo(serving, project, isNew, note);
    loop = await startServedLoop({ store, project, settings, note });
    stopFollowing = followServing({ store, project, output: terminal.stderr });
    await ending.come;
    return exitCodes.done;
  } finally {
    stopFollowing();
    await people?.stop();
    await loop?.stop();
    await served?.close();
    await webhooks.stop();
    ending.stop();
  }
}

async function prepared({ store, settings, passing }: Serving, note: (text: string) => void) {
  const { demo, items, guidelines, name, selector } = settings;
  const project = settings.project ?? (demo ? demoProject.id : undefined);
  const ready = await prepareProject({
    ...{ store, project, selector },
    name: name ?? (demo ? demoProject.name : undefined),
    ...(demo ? { settings: demoProject.settings(settings.demoRaters) } : {}),
  });
  if (demo) await prepareDemo(store, ready.project);
  if (passing) note("demo: nothing of it is kept; --store FOLDER keeps it.");
  if (items !== undefined) {
    const report = await importRows({ store, project: ready.project, source: items, format: "items" });
    const known = report.itemsKnown === 0 ? "" : `, ${grouped(report.itemsKnown)} were there already`;
    note(`${grouped(report.items)} items added${known}`);
  }
  if (guidelines !== undefined)
    note(`guidelines: version ${await setGuidelinesOf(store, ready.project, guidelines)}`);
  return ready;
}

async function startDemo(
  { store, settings }: Serving,
  project: string,
  isNew: boolean,
  note: (text: string) => void,
): Promise<DemoPeople> {
  const count = settings.demoRaters;
  if (count > 0) note(`demo: ${count} simulated people judge beside you; what they say never becomes rows.`);
  return startDemoPeople({ store, project, count, ahead: isNew });
}

const OWNER = "owner";
const DAY = 86_400_000;
const LINK_DAYS = 30;

/** Whoever starts the service owns its store: a link of their own, every time, as texts of tokens are not kept. */
async function ownerToken(store: FeedbackStore, project: string): Promise<string> {
  const known = await store.reading
    .selectFrom("annotators")
    .select("annotator")
    .where("project", "=", project)
    .where("annotator", "=", OWNER)
    .executeTakeFirst();
  if (known === undefined) await store.write(project, "addAnnotator", { annotator: OWNER, name: "Owner" });
  return newToken(store, project, {
    role: "owner",
    project,
    annotator: OWNER,
    name: "link of attune feedback serve",
    expires: Date.now() + LINK_DAYS * DAY,
  });
}

interface Ending {
  /** Resolves at the first Ctrl-C; rejects where the store cannot be written any more. */
  readonly come: Promise<void>;
  /** A failure inside a call. */
  failed(error: unknown, store: FeedbackStore): void;
  stop(): void;
}

function endOf(terminal: Terminal): Ending {
  let resolve: () => void = () => undefined;
  let reject: (error: unknown) => void = () => undefined;
  const come = new Promise<void>((done, failed) => {
    resolve = done;
    reject = failed;
  });
  // It may fail before anybody waits.
  come.catch(() => undefined);
  let interrupts = 0;
  const stop = terminal.onInterrupt(() => {
    interrupts += 1;
    if (interrupts > 1) return terminal.quit(exitCodes.interrupted);
    terminal.stderr.write("\nEnding when the calls that run are answered. Ctrl-C again ends it at once.\n");
    resolve();
  });
  return {
    come,
    failed(error, store) {
      // After a commit that failed nobody knows what is on the disk; a database on a server may come back.
      if (error instanceof AttuneError && error.code === "ATTUNE_STORE" && store.kind === "embedded")
        reject(error);
      else terminal.stderr.write(`attune: a call failed: ${shown(error)}\n`);
    },
    stop,
  };
}

/** What no code names may hold texts of people: its kind and place alone. */
function shown(error: unknown): string {
  if (error instanceof AttuneError) return `${error.message} [${error.code}]`;
  return error instanceof Error ? (error.stack ?? error.name).split("\n").slice(0, 3).join(" ") : "unknown";
}
