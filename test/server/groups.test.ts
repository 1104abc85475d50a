// Figures by declared group over HTTP: two groups that want the opposite, of whom all together tell nothing.

import { expect } from "chai";
import { predictedByGroup } from "../../lib/feedback/index.js";
import { lease, PROJECT, personName, sampleProject, say } from "../feedback/sample-project.js";
import { describeStores, type StoreUnderTest } from "../feedback/stores.js";
import { holdAnswer } from "./documented-answers.js";
import { withService } from "./real-service.js";

interface Rated {
  readonly models: readonly { readonly model: string }[];
  readonly votes: number;
}
interface Agreed {
  readonly alpha: number;
  readonly units: number;
  readonly byGroup: Readonly<Record<string, { readonly alpha: number }>>;
}

/** North (two people) wants the right sum, south (one, and a second who judges less) the wrong one. Judgements by person. */
async function judged({ store }: StoreUnderTest, items: number): Promise<readonly (readonly string[])[]> {
  const said: string[][] = [];
  for (let person = 0; person < 4; person++) {
    const annotator = personName(person);
    const group = person < 2 ? "north" : "south";
    await store.write(PROJECT, "addAnnotator", { annotator, name: annotator, group });
    const own: string[] = [];
    for (let i = 0; i < (person === 3 ? 2 : items); i++) {
      const { lease: leased, prompt, answers } = await lease(store, annotator);
      const number = Number(/\d+/.exec(String(prompt))?.[0]);
      const wanted = `${number + (group === "north" ? 1 : 2)}`;
      const choice = answers[0] === wanted ? "left" : "right";
      own.push((await say(store, annotator, leased, [{ kind: "pair", choice }])).judgement);
    }
    said.push(own);
  }
  return said;
}

const settings = { overlap: { least: 4, share: 0, most: 4 } };

describeStores("figures by group", (withStore) => {
  it(
    "are each group's own: ratings that all together hide, and agreement",
    withStore((test) =>
      withService(
        test,
        async ({ call, reader: token }) => {
          await judged(test, 6);
          const first = async (query: string) => {
            const answer = await call(`/v1/ratings?draws=100${query}`, { token });
            holdAnswer("get /v1/ratings", answer);
            const { models, votes } = answer.body as unknown as Rated;
            return [models[0]?.model, votes];
          };
          expect(await first("&group=north")).to.deep.equal(["good-model", 12]);
          expect(await first("&group=south")).to.deep.equal(["bad-model", 8]);
          expect((await first(""))[1]).to.equal(20);
          const agreed = async (query: string) => {
            const { body } = await call(`/v1/agreement?draws=100${query}`, { token });
            return (body as unknown as readonly Agreed[])[0];
          };
          const [all, south] = [await agreed(""), await agreed("&group=south")];
          expect(all?.alpha).to.be.below(0);
          expect(south).to.include({ alpha: 1, units: 2 });
          expect(all?.byGroup.south?.alpha).to.equal(1);
          for (const path of ["/v1/ratings", "/v1/agreement"]) {
            const { status, body } = await call(`${path}?group=west`, { token });
            expect([status, body.code, body.field], path).to.deep.equal([404, "ATTUNE_NOT_FOUND", "group"]);
          }
        },
        { items: 6, settings },
      ),
    ),
  );

  it(
    "say how a reward model foretold each group, without what was withdrawn and whom no group is known of",
    withStore(async (test) => {
      const { store } = test;
      await sampleProject(store, { items: 6, settings });
      const [first = [], second = [], third = []] = await judged(test, 6);
      const lone = await lease(store, await stranger(test));
      const { judgement: unknown } = await say(store, "stranger", lone.lease);
      const predicted = (judgements: readonly string[], probability: number) =>
        judgements.map((judgement) => ({ judgement, version: "r-1", probability }));
      const predictions = [
        ...predicted([...first, ...second], 0.9),
        ...predicted(third, 0.2),
        ...predicted([unknown], 0.1),
      ];
      await store.write(PROJECT, "saveLoop", { memory: {}, predictions });
      const [undone = ""] = third.slice(-1);
      await store.write(PROJECT, "undo", { judgement: undone, annotator: personName(2) });
      const groups = await predictedByGroup(store.reading, PROJECT);
      expect(
        groups.map(({ group, annotators, votes, accuracy }) => [group, annotators, votes, accuracy]),
      ).to.deep.equal([
        ["north", 2, 12, 1],
        ["south", 1, 5, 0],
      ]);
      const [north, south] = groups;
      expect(north?.loss).to.be.closeTo(-Math.log(0.9), 1e-9);
      expect(south?.loss).to.be.closeTo(-Math.log(0.2), 1e-9);
      // Wilson's for 0 of 5: z^2 / (5 + z^2).
      expect(south?.interval.high).to.be.closeTo(1.96 ** 2 / (5 + 1.96 ** 2), 1e-3);
    }),
  );
});

async function stranger({ store }: StoreUnderTest): Promise<string> {
  await store.write(PROJECT, "changeProject", { settings: { overlap: { least: 5, share: 0, most: 5 } } });
  const [prompt, answers] = ["What is 99 and one?", [{ content: "100" }, { content: "101" }]];
  await store.write(PROJECT, "addItems", { items: [{ prompt, answers }] });
  await store.write(PROJECT, "addAnnotator", { annotator: "stranger", name: "S" });
  return "stranger";
}
