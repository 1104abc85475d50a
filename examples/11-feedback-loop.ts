// People judge, the model learns from them, and people judge what it has learned: a loop over a store of judgements. The people
// here are simulated: most see well what an answer is worth, one hardly looks, one guesses, one likes the left side.
// Run: npx tsx examples/11-feedback-loop.ts [folder] [seed]

import { join } from "node:path";
import { createEngine, dpo, type Model, sft } from "attune";
import { openFeedbackStore, simulatedRater, startLoop } from "attune/feedback";
import {
  shopDemonstrations,
  shopPrompts,
  shopTexts,
  trueReward,
  writeTinyModel,
} from "../lib/world/index.js";

const folder = process.argv[2] ?? "runs/example-11";
const seed = Number(process.argv[3] ?? 0);
const project = "shop";
const rounds = 3;
const votesPerRound = 240;
const generation = { maxNewTokens: 48, batchSize: 128 };

// Stands in for your model: a tiny one that imitates clerks, who are not all good ones. Rates of a real model are lower.
await using engine = await createEngine();
const start = join(folder, "sft", "model");
await writeTinyModel({ folder: join(folder, "random"), seed, tokens: "words" });
await using clerk = await engine.loadModel(join(folder, "random"));
const imitation = { batchSize: 16, learningRate: 3e-3, logEvery: 50, seed, model: clerk };
await sft({ ...imitation, data: shopTexts({ seed, count: 800 }), output: join(folder, "texts") }).result;
const demonstrations = shopDemonstrations({ seed, count: 1200 });
await sft({ ...imitation, data: demonstrations, epochs: 3, output: join(folder, "sft") }).result;

/** Every policy is a folder. */
const models = new Map<string, Model>();
async function modelAt(place: string): Promise<Model> {
  const model = models.get(place) ?? (await engine.loadModel(place));
  models.set(place, model);
  return model;
}

const asked = shopPrompts({ seed, count: 500 });
const [heldOut, prompts] = [asked.slice(0, 100), asked.slice(100)];

/** What the answers to prompts that nobody trains on are really worth, which no rater and no model is told: -2 to 4. */
async function worthOf(place: string): Promise<number> {
  const model = await modelAt(place);
  const answers = await model.complete(heldOut, { ...generation, samples: 2, seed: seed + 1000 });
  const worth = answers.map(({ prompt, text, finish }) =>
    trueReward({ prompt: heldOut[prompt] ?? "", completion: text, ended: finish === "stop" }),
  );
  return worth.reduce((sum, { total }) => sum + total, 0) / worth.length;
}

const store = await openFeedbackStore({ store: join(folder, "store") });
await store.write(project, "createProject", {
  project,
  name: "Corner shop",
  settings: { asks: [{ kind: "pair" }], selector: "random", seed },
});
const people = [{}, {}, {}, { sideBias: 1 }, { care: 0.3 }, { care: 0 }].map((temper, number) =>
  simulatedRater({
    ...{ seed, number, ...temper },
    worth: (prompt, answer) => 3 * trueReward({ prompt: String(prompt), completion: String(answer) }).total,
  }),
);
for (const number of people.keys())
  await store.write(project, "addAnnotator", { annotator: `person-${number}`, name: `Person ${number}` });

/** Everybody takes one item after another, as on the service's page. */
async function judge(votes: number): Promise<void> {
  for (let said = 0; said < votes; said += people.length)
    await Promise.all(
      people.map(async (person, number) => {
        const annotator = `person-${number}`;
        const lease = await store.write(project, "next", { annotator });
        const rated = lease === null ? null : person.judge(lease);
        if (lease === null || rated === null) return;
        const own = { key: lease.lease, bodyHash: "", keysUsed: true, activeMs: rated.activeMs };
        await store.write(project, "submit", { lease: lease.lease, annotator, values: rated.values, ...own });
      }),
    );
}

const textOf = (content: unknown) => String((content as readonly { content: string }[])[0]?.content);

const loop = startLoop({
  ...{ store, project, prompts, kinds: ["preference"], first: { model: "clerk", place: start } },
  // Each round begins at the first policy again, on all judgements: going on from the last one would forget.
  settings: { trainAfter: 150, queue: votesPerRound, restart: true, seed },
  generate: async ({ prompts: some, policy, answers, seed: drawn }) => {
    const model = await modelAt(policy.place);
    const all = await model.complete([...some].map(String), { ...generation, samples: answers, seed: drawn });
    return some.map((_, i) =>
      all.filter(({ prompt }) => prompt === i).map(({ text }) => ({ content: text, seed: drawn })),
    );
  },
  // How much likelier than at first an answer has become: the reward that the policy has learned.
  score: async ({ items, policy }) => {
    const rows = items.flatMap(({ prompt, answers }) =>
      answers.map(({ content }) => ({ prompt: String(prompt), completion: String(content) })),
    );
    const [now, first] = [await modelAt(policy.place), await modelAt(start)];
    const [ours, theirs] = [await now.logprobs(rows), await first.logprobs(rows)];
    const sum = (values?: Float32Array) =>
      Array.from(values ?? []).reduce((total, value) => total + value, 0);
    let row = 0;
    const score = () => [0.1 * (sum(ours[row]) - sum(theirs[row++]))];
    return { items: items.map(({ answers }) => ({ heads: answers.map(score) })) };
  },
  train: async ({ round, training, start: from, signal }) => {
    const data = training.rows.map(({ prompt, chosen, rejected, label }) => ({
      ...{ prompt: textOf(prompt), chosen: textOf(chosen), rejected: textOf(rejected), label },
    }));
    const output = join(folder, `round-${round}`);
    await using model = await engine.loadModel(from.place);
    const settings = { batchSize: 16, epochs: 3, learningRate: 1e-3, beta: 0.1, logEvery: 50, seed };
    const result = await dpo({ ...settings, model, data, output, signal }).result;
    return { model: `clerk-${round}`, place: result.model };
  },
  onEvent: (event) => {
    if (event.type === "error") console.error(event.error.message);
  },
});

const before = await worthOf(start);
console.log(`true reward at first: ${before.toFixed(2)}`);
await loop.check();
for (let round = 1; round <= rounds; round++) {
  await judge(votesPerRound);
  await loop.check();
  const { policy, history } = loop.status();
  const place = policy?.place ?? start;
  console.log(
    `${policy?.policy}: true reward ${(await worthOf(place)).toFixed(2)} after ${history.at(-1)?.fresh} new rows`,
  );
}
const { prequential, policy, lag } = loop.status();
const { accuracy = 0, interval, votes } = prequential.all ?? {};
const [low, high] = [interval?.low ?? 0, interval?.high ?? 1].map((share) => share.toFixed(2));
console.log(
  `votes predicted before training on them: ${accuracy.toFixed(2)} of ${votes} (${low} to ${high}), lag ${lag.mean?.toFixed(1)}`,
);
console.log(`true reward: ${before.toFixed(2)} -> ${(await worthOf(policy?.place ?? start)).toFixed(2)}`);
await loop.stop();
await store.close();
