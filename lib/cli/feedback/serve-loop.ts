// Training while people judge, beside the service: what `serve` was told of it, and a line for what it does.
// Must not train anything.

import { readRows } from "../../data/index.js";
import { fail } from "../../errors/index.js";
import type { FeedbackContent, FeedbackStore, LoopEvent, RunningLoop } from "../../feedback/index.js";
import { type FeedbackServeSettings, loopSettings } from "../../options/index.js";
import { createTrainingLoop } from "../feedback-loop.js";

const needed = ["policy", "train", "prompts", "output"] as const;

/** All of it or none. @throws ATTUNE_OPTION */
export function checkLoopSettings(settings: FeedbackServeSettings): void {
  const given = needed.filter((name) => settings[name] !== undefined);
  if (given.length === 0 && settings.reward === undefined) return;
  const missing = needed.filter((name) => settings[name] === undefined);
  if (missing.length === 0) return;
  const names = missing.map((name) => `--${name}`).join(", ");
  throw fail("ATTUNE_OPTION", `Expected ${names} as well: training while people judge needs all of them.`);
}

export interface StartServedLoop {
  readonly store: FeedbackStore;
  readonly project: string;
  readonly settings: FeedbackServeSettings;
  readonly note: (text: string) => void;
}

/** Undefined where nothing is to be trained. */
export async function startServedLoop(options: StartServedLoop): Promise<RunningLoop | undefined> {
  const { store, project, settings, note } = options;
  const { policy, train, prompts, output, reward, adapterRank, threads, device } = settings;
  const { maxNewTokens, temperature } = settings;
  if (policy === undefined || train === undefined || prompts === undefined || output === undefined)
    return undefined;
  const own = Object.fromEntries(
    Object.keys(loopSettings.shape).map((name) => [name, settings[name as keyof FeedbackServeSettings]]),
  );
  return createTrainingLoop({
    ...{ store, project, policy, train, output },
    prompts: await promptsIn(prompts),
    settings: loopSettings.parse(own),
    generation: { maxNewTokens, temperature },
    engineOptions: { device, logger: { warn: note }, ...(threads === undefined ? {} : { threads }) },
    ...(reward === undefined ? {} : { reward }),
    ...(adapterRank === undefined ? {} : { adapter: { rank: adapterRank } }),
    onEvent: (event) => {
      const text = textOf(event);
      if (text !== undefined) note(text);
    },
  });
}

async function promptsIn(files: readonly string[]): Promise<readonly FeedbackContent[]> {
  const prompts: FeedbackContent[] = [];
  for await (const row of readRows({ data: files, accept: ["prompt", "prompt-completion", "preference"] })) {
    if (!("prompt" in row)) continue;
    if (row.prompt instanceof Int32Array)
      throw fail(
        "ATTUNE_DATA",
        "Expected prompts of text or messages, which people can read, but one is of token ids.",
      );
    prompts.push(typeof row.prompt === "string" ? row.prompt : row.prompt.map(messageOf));
  }
  return prompts;
}

function messageOf({ role, content }: { readonly role: string; readonly content?: unknown }) {
  return { role, content: typeof content === "string" ? content : "" };
}

/** What is worth a line. */
function textOf(event: LoopEvent): string | undefined {
  switch (event.type) {
    case "round": {
      const { round, fresh, replayed, place } = event.round;
      return `round ${round}: ${fresh} new and ${replayed} older rows -> ${place}`;
    }
    case "items":
      return `${event.added} items of the newest policy queued, ${event.closed} old ones closed`;
    case "stopped":
      return `training has ended: ${event.stopped.reason === "kl" ? "the KL is over its budget" : "people prefer an earlier policy"}`;
    case "error":
      return `the loop waits: ${event.error.message} [${event.error.code}]`;
    default:
      return undefined;
  }
}
