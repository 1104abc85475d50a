// A real service on loopback over an embedded store, with a project that simulated people have judged: careful ones and
// one who flips a coin; all favour the left side. Must not look at pages.

import type { AddressInfo } from "node:net";
import { serve } from "@hono/node-server";
import {
  type FeedbackStore,
  type ItemInput,
  makeToken,
  openFeedbackStore,
  type Role,
  type RunningLoop,
  simulatedRater,
} from "../../lib/feedback/index.js";
import { createFeedbackApp } from "../../lib/server/feedback-app.js";

export const PROJECT = "answers";
/** The last of the people. */
export const COIN_FLIPPER = "Quentin Quick";
const people = ["Ada Marsh", "Ben Okoro", "Chloé Vidal", "Dmitri Volkov", "Eun-ji Park", COIN_FLIPPER];
/** Of worth -1, 0 and 1. */
const models = ["small-model", "middle-model", "large-model"];
/** Of texts and names that come from outside. */
export const HOSTILE = `<img src=x onerror="document.title='hit'"><script>document.title='hit'</script>`;

export interface JudgedService {
  readonly url: string;
  readonly store: FeedbackStore;
  /** A new one each time; of this project unless another is named. */
  token(role: Role, whose?: { readonly annotator?: string; readonly project?: string }): Promise<string>;
  /** Loops that the service is told of, by project. */
  readonly loops: Map<string, RunningLoop>;
  /** An empty project beside it; an owner's token of it. */
  emptyProject(): Promise<string>;
  close(): Promise<void>;
}

export interface JudgedOptions {
  readonly folder: string;
  /** Judgements of each of the people. */
  readonly rounds?: number;
}

/** Answers of two of three models; its text says what an answer is worth. */
function modelItem(number: number): ItemInput {
  const first = number % 3;
  const second = (first + 1) % 3;
  return {
    externalId: `q-${number}`,
    prompt: number === 0 ? `${HOSTILE} What is right?` : `Question ${number}: which answer helps more?`,
    answers: [first, second].map((model) => ({
      content: `${model - 1} points. ${number === 0 ? HOSTILE : "An answer of some length, in **markdown**."}`,
      model: models[model] ?? "",
    })),
  };
}

export async function judgedService({ folder, rounds = 50 }: JudgedOptions): Promise<JudgedService> {
  const store = await openFeedbackStore({ store: folder });
  await fillProject(store);
  await judge(store, rounds);
  const loops = new Map<string, RunningLoop>();
  const app = createFeedbackApp({ store, loopStatus: (project) => loops.get(project)?.status() });
  const server = await new Promise<ReturnType<typeof serve>>((resolve) => {
    const made = serve({ fetch: app.fetch, hostname: "127.0.0.1", port: 0 }, () => resolve(made));
  });
  const keep = async (project: string, role: Role, annotator?: string) => {
    const whose = annotator === undefined ? {} : { annotator };
    const { text, row } = await makeToken({ role, project, name: `the ${role}`, ...whose }, Date.now());
    await store.write(project, "keepToken", { row });
    return text;
  };
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    store,
    loops,
    token: (role, { project = PROJECT, annotator } = {}) => keep(project, role, annotator),
    async emptyProject() {
      await store.write("empty", "createProject", { project: "empty", name: "Nothing yet" });
      return keep("empty", "owner");
    },
    async close() {
      await new Promise((resolve) => {
        server.close(resolve);
        if ("closeAllConnections" in server) server.closeAllConnections();
      });
      await store.close();
    },
  };
}

export function personId(number: number): string {
  return `person-${number}`;
}

async function fillProject(store: FeedbackStore): Promise<void> {
  await store.write(PROJECT, "createProject", {
    project: PROJECT,
    name: "Helpful answers",
    settings: {
      gold: 0.4,
      repeat: 0.05,
      repeatAfter: 5,
      overlap: { least: 1, shared: 3, share: 0.4, most: 3 },
    },
  });
  for (const [number, name] of people.entries())
    await store.write(PROJECT, "addAnnotator", {
      annotator: personId(number),
      name,
      ...(number < 2 ? { group: "first shift" } : {}),
    });
  await store.write(PROJECT, "addItems", { items: Array.from({ length: 160 }, (_, i) => modelItem(i)) });
  for (let i = 0; i < 30; i++) {
    const right = (i % 3) - ((i + 1) % 3) > 0 ? "left" : "right";
    await store.write(PROJECT, "setGold", { item: `item-${i}`, right: [{ kind: "pair", choice: right }] });
  }
}

/** All at once, in the same order each time: one commit for all, and every run asks the same. */
async function judge(store: FeedbackStore, rounds: number): Promise<void> {
  const worth = (_: unknown, answer: unknown) => Number(String(answer).split(" ")[0]);
  const raters = people.map((name, number) =>
    simulatedRater({
      seed: 1,
      number,
      worth,
      sideBias: 2,
      care: name === COIN_FLIPPER ? 0 : 3,
    }),
  );
  for (let round = 0; round < rounds; round++)
    await Promise.all(
      raters.map(async (rater, number) => {
        const annotator = personId(number);
        const leased = await store.write(PROJECT, "next", { annotator });
        if (leased === null) return;
        const rated = rater.judge(leased);
        if (rated === null) return;
        await store.write(PROJECT, "submit", {
          lease: leased.lease,
          annotator,
          values: rated.values,
          activeMs: rated.activeMs,
          keysUsed: true,
          key: `${number} ${round}`,
          bodyHash: "",
        });
      }),
    );
}
