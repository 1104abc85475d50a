// The demo: a project about a corner shop, and simulated people who judge beside the user, slowly enough to watch.
// What they say is marked as theirs and never becomes rows.

import { setTimeout as wait } from "node:timers/promises";
import { AttuneError } from "../../errors/index.js";
import {
  type FeedbackContent,
  type FeedbackStore,
  type ItemInput,
  type ProjectSettingsInput,
  SIMULATED,
  type SimulatedRater,
  simulatedRater,
} from "../../feedback/index.js";
import { type DemoQuestion, demoGuidelines, demoQuestions } from "./demo-items.js";
import { setGuidelines } from "./prepare-project.js";

/** What an answer of each model is worth, in log-odds. */
const worths = { alpha: 1.3, beta: 0.2, gamma: -1.2 } as const;
type DemoModel = keyof typeof worths;
const models = Object.keys(worths) as DemoModel[];

export const demoProject = {
  id: "corner-shop",
  name: "Corner shop (demo)",
  /** Everybody may judge everything, so that simulated people leave the user something to do. */
  settings(raters: number): ProjectSettingsInput {
    const everybody = Math.max(2, raters + 1);
    return {
      asks: [
        { kind: "pair", strength: true },
        { kind: "comment", required: false },
      ],
      overlap: { least: everybody, shared: everybody, most: everybody + 1 },
      gold: 0.1,
      repeat: 0.03,
    };
  },
} as const;

/** Adds what is not there yet. */
export async function prepareDemo(store: FeedbackStore, project: string): Promise<void> {
  await setGuidelines(store, project, demoGuidelines);
  const { items } = await store.write(project, "addItems", { items: demoQuestions.map(itemOf) });
  for (const [i, question] of demoQuestions.entries()) {
    const added = items[i];
    if (question.gold !== true || added === undefined || added.duplicate) continue;
    const choice = isTurned(i) ? "right" : "left";
    await store.write(project, "setGold", { item: added.item, right: [{ kind: "pair", choice }] });
  }
}

/** The better model stands first in every other item alone: else all would choose the first, and nothing would vary. */
function isTurned(number: number): boolean {
  return number % 2 === 1;
}

function itemOf(question: DemoQuestion, number: number): ItemInput {
  const asked = models.filter((model) => question[model] !== undefined);
  if (isTurned(number)) asked.reverse();
  return {
    externalId: `demo-${number + 1}`,
    prompt: typeof question.prompt === "string" ? question.prompt : [...question.prompt],
    answers: asked.map((model) => ({ content: question[model] ?? "", model })),
    ...asksOf(question),
  };
}

function asksOf({ ask }: DemoQuestion): Pick<ItemInput, "asks"> {
  switch (ask) {
    case undefined:
      return {};
    case "rating":
      return { asks: [{ kind: "rating", axis: "helpful", low: 1, high: 7, step: 1 }] };
    case "edit":
      return { asks: [{ kind: "edit", required: true }] };
    default:
      return { asks: [{ kind: ask }] };
  }
}

const worthOf: ReadonlyMap<string, number> = new Map(
  demoQuestions.flatMap((question) =>
    models.flatMap((model) => {
      const text = question[model];
      return text === undefined ? [] : [[text, worths[model]] as const];
    }),
  ),
);

function worth(_prompt: FeedbackContent, answer: FeedbackContent): number {
  return worthOf.get(typeof answer === "string" ? answer : "") ?? 0;
}

/** People as one finds them: most look closely, one hardly, one likes the left side. */
const characters = [
  { name: "Ada", care: 1.6, sideBias: 0 },
  { name: "Ben", care: 1.4, sideBias: 0.1 },
  { name: "Cleo", care: 1.2, sideBias: 0.9 },
  { name: "Dan", care: 0.1, sideBias: 0 },
] as const;

export interface DemoPeople {
  /** Lets them finish what they are at. */
  stop(): Promise<void>;
}

export interface StartDemoPeople {
  readonly store: FeedbackStore;
  readonly project: string;
  readonly count: number;
  /** They have judged a part already when somebody first looks. */
  readonly ahead: boolean;
}

/** Of each person. */
const JUDGED_AHEAD = 12;
/** A person takes so long for one item, and up to as much again. */
const LEAST_PAUSE_MS = 6_000;

export async function startDemoPeople({
  store,
  project,
  count,
  ahead,
}: StartDemoPeople): Promise<DemoPeople> {
  const people = await Promise.all(
    Array.from({ length: count }, async (_, number) => {
      const { name, ...character } = characters[number % characters.length] ?? characters[0];
      const annotator = `simulated-${number + 1}`;
      const again = number < characters.length ? "" : ` ${Math.floor(number / characters.length) + 1}`;
      await store.write(project, "addAnnotator", {
        annotator,
        name: `${name}${again} (simulated)`,
        group: SIMULATED,
      });
      const rater = simulatedRater({ seed: 1, number, worth, skips: 0.02, ...character });
      return { store, project, annotator, rater };
    }),
  );
  if (ahead)
    for (let turn = 0; turn < JUDGED_AHEAD; turn++)
      for (const person of people) await judgeOnce(person, turn);
  const stopping = new AbortController();
  const working = people.map((person) => work(person, stopping.signal));
  return {
    async stop() {
      stopping.abort();
      await Promise.all(working);
    },
  };
}

interface DemoPerson {
  readonly store: FeedbackStore;
  readonly project: string;
  readonly annotator: string;
  readonly rater: SimulatedRater;
}

async function work(person: DemoPerson, signal: AbortSignal): Promise<void> {
  for (let turn = JUDGED_AHEAD; !signal.aborted; turn++) {
    try {
      await wait(LEAST_PAUSE_MS * (1 + Math.random()), undefined, { signal });
      await judgeOnce(person, turn);
    } catch (error) {
      if (signal.aborted) return;
      // An item may have been closed meanwhile; a store that fails ends the service by itself.
      if (error instanceof AttuneError && error.code !== "ATTUNE_STORE") continue;
      return;
    }
  }
}

async function judgeOnce({ store, project, annotator, rater }: DemoPerson, turn: number): Promise<void> {
  const lease = await store.write(project, "next", { annotator });
  if (lease === null) return;
  const rated = rater.judge(lease);
  if (rated === null) {
    await store.write(project, "skip", { lease: lease.lease, annotator, reason: "other" });
    return;
  }
  await store.write(project, "submit", {
    lease: lease.lease,
    annotator,
    ...rated,
    keysUsed: true,
    key: `${lease.lease} ${turn}`,
    bodyHash: JSON.stringify(rated.values),
  });
}
