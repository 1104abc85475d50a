// `attune feedback token`: a link for one more person or program, of a store or of the service that has it open.
// Must not know how tokens are made.

import { Command } from "commander";
import { fail, reasonOf } from "../../errors/index.js";
import type { FeedbackStore, ListedToken } from "../../feedback/index.js";
import { commandSchemas, type FeedbackTokenSettings } from "../../options/index.js";
import { addFlags, givenOptions } from "../flags.js";
import { table } from "../format.js";
import { exitCodes } from "../report-error.js";
import type { Terminal } from "../terminal.js";
import { linkOf, newToken } from "./prepare-project.js";
import { projectOf, withStore } from "./with-store.js";

const help = `
Roles: annotators judge, readers see progress and ratings, trainers add items and take rows, owners may do everything. A token
opens one project, and its text is shown once. While the service runs, a folder's store is its own: give the link that it
printed. The dashboard makes links as well.

Examples:
  attune feedback token --annotator mia --name Mia
  attune feedback token --link 'http://127.0.0.1:4173/#token=attune_…' --annotator mia
  attune feedback token --role trainer --name nightly --days 90
  attune feedback token --list`;

export function tokenCommand(terminal: Terminal, ended: (code: number) => void): Command {
  const schema = commandSchemas["feedback token"];
  const command = new Command("token")
    .summary("a link for one more person or program")
    .description("Makes a token and prints the link with it, lists tokens, or ends one.")
    .addHelpText("after", help);
  addFlags(command, schema);
  return command.action(async () => {
    const settings = givenOptions(command, schema).resolved;
    const { role, annotator, link } = settings;
    if (role === "annotator" && annotator === undefined && !settings.list && settings.revoke === undefined)
      throw fail("ATTUNE_OPTION", "Expected --annotator with the id of the person, or another --role.");
    const text =
      link === undefined
        ? await withStore(settings.store, (store) => ofStore(store, settings))
        : await ofService(link, settings);
    terminal.stdout.write(text);
    ended(exitCodes.done);
  });
}

async function ofStore(store: FeedbackStore, settings: FeedbackTokenSettings): Promise<string> {
  const { json, revoke } = settings;
  const project = await projectOf(store, settings.project);
  if (settings.list) return listText(await tokensOf(store, project), json);
  if (revoke !== undefined) {
    await store.write(project, "revokeToken", { token: idOf(revoke) });
    return revokedText(idOf(revoke), json);
  }
  const { role, annotator, name, group, days, url } = settings;
  if (annotator !== undefined && (await isNewPerson(store, project, settings)))
    await store.write(project, "addAnnotator", {
      annotator,
      name: name ?? annotator,
      ...(group === undefined ? {} : { group }),
    });
  const text = await newToken(store, project, {
    ...{ role, project },
    name: name ?? annotator ?? role,
    ...(annotator === undefined ? {} : { annotator }),
    ...(days === undefined ? {} : { expires: expiryOf(days) }),
  });
  return madeText(url, text, settings);
}

/** Or one whose name or group is told anew. */
async function isNewPerson({ reading }: FeedbackStore, project: string, settings: FeedbackTokenSettings) {
  const known = await reading
    .selectFrom("annotators")
    .select("annotator")
    .where("project", "=", project)
    .where("annotator", "=", settings.annotator ?? "")
    .executeTakeFirst();
  return known === undefined || settings.name !== undefined || settings.group !== undefined;
}

interface TokenLine {
  readonly token: string;
  readonly role: string;
  readonly annotator: string | null;
  readonly name: string;
  readonly created: number;
  readonly expires: number | null;
  readonly revoked: number | null;
}

async function tokensOf({ reading }: FeedbackStore, project: string): Promise<readonly TokenLine[]> {
  const rows = await reading
    .selectFrom("tokens")
    .select(["token", "role", "annotator", "name", "created", "expires", "revoked"])
    .where((e) => e.or([e("project", "=", project), e("project", "is", null)]))
    .orderBy("created")
    .execute();
  const number = (value: number | null) => (value === null ? null : Number(value));
  return rows.map(({ created, expires, revoked, ...row }) => ({
    ...row,
    created: Number(created),
    expires: number(expires),
    revoked: number(revoked),
  }));
}

function listText(tokens: readonly TokenLine[], json: boolean): string {
  if (json) return `${JSON.stringify({ tokens })}\n`;
  const day = (time: number) => new Date(time).toISOString().slice(0, 10);
  const state = ({ expires, revoked }: TokenLine) => {
    if (revoked !== null) return "ended";
    if (expires === null) return "in use";
    return expires <= Date.now() ? `over since ${day(expires)}` : `until ${day(expires)}`;
  };
  const rows = tokens.map((one) => [
    ...[one.token, one.role, one.annotator ?? "-", one.name, day(one.created)],
    state(one),
  ]);
  return `${table([["token", "role", "annotator", "name", "made", "state"], ...rows])}\n`;
}

function madeText(url: string, token: string, { role, annotator, json }: FeedbackTokenSettings): string {
  const link = linkOf(url, token);
  if (json)
    return `${JSON.stringify({ token, id: idOf(token), role, annotator: annotator ?? null, link })}\n`;
  // Programs send the token itself.
  return `${role === "trainer" ? token : link}\n`;
}

function revokedText(id: string, json: boolean): string {
  return json ? `${JSON.stringify({ revoked: id })}\n` : `${id} opens nothing any more\n`;
}

/** Of a whole token, or the id itself. */
function idOf(token: string): string {
  return token.startsWith("attune_") ? (token.split("_")[1] ?? "") : token;
}

function expiryOf(days: number): number {
  return Date.now() + Math.round(days * 86_400_000);
}

// ---- by the service that runs

async function ofService(link: string, settings: FeedbackTokenSettings): Promise<string> {
  const { url, token: own } = readLink(link);
  const { role, annotator, name, group, days, revoke, list, json, project } = settings;
  const call = (path: string, body?: unknown) => ask({ url, own, path, body, project });
  if (list) {
    const { tokens } = (await ask({
      url,
      own,
      path: "/v1/tokens",
      body: undefined,
      project,
      method: "GET",
    })) as {
      readonly tokens: readonly ListedToken[];
    };
    return listText(
      tokens.map(({ annotator: who = null, expires = null, revoked = null, ...one }) => ({
        ...one,
        ...{ annotator: who, expires, revoked },
      })),
      json,
    );
  }
  if (revoke !== undefined) {
    await call(`/v1/tokens/${encodeURIComponent(idOf(revoke))}/revoke`);
    return revokedText(idOf(revoke), json);
  }
  if (annotator !== undefined)
    await call("/v1/annotators", {
      annotator,
      name: name ?? annotator,
      ...(group === undefined ? {} : { group }),
    });
  const made = (await call("/v1/tokens", {
    role,
    name: name ?? annotator ?? role,
    ...(annotator === undefined ? {} : { annotator }),
    ...(days === undefined ? {} : { expires: expiryOf(days) }),
  })) as { readonly token: string };
  return madeText(url, made.token, settings);
}

function readLink(link: string): { readonly url: string; readonly token: string } {
  const url = URL.canParse(link) ? new URL(link) : undefined;
  const token = new URLSearchParams(url?.hash.slice(1)).get("token");
  if (url === undefined || token === null)
    throw fail(
      "ATTUNE_OPTION",
      "Expected --link to be the whole link that serve printed, with #token=… behind it.",
    );
  url.hash = "";
  return { url: url.href.replace(/\/+$/, ""), token };
}

interface Ask {
  readonly url: string;
  readonly own: string;
  readonly path: string;
  readonly body: unknown;
  readonly project: string | undefined;
  readonly method?: "GET" | "POST";
}

async function ask({ url, own, path, body, project, method = "POST" }: Ask): Promise<unknown> {
  const address = new URL(`${url}${path}`);
  if (project !== undefined) address.searchParams.set("project", project);
  let response: Response;
  try {
    response = await fetch(address, {
      method,
      headers: {
        authorization: `Bearer ${own}`,
        ...(body === undefined ? {} : { "content-type": "application/json" }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  } catch (error) {
    throw fail("ATTUNE_REQUEST", `Expected a service at ${url} but ${reasonOf(error)}. Does it run?`, {
      cause: error,
    });
  }
  const answer = (response.status === 204 ? null : await response.json().catch(() => null)) as {
    readonly message?: string;
  } | null;
  if (response.ok) return answer;
  const code = response.status === 401 || response.status === 403 ? "ATTUNE_AUTH" : "ATTUNE_REQUEST";
  throw fail(code, answer?.message ?? `The service answered ${response.status}.`);
}
