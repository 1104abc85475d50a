// A process of its own that judges as fast as it can and prints the id of each judgement that was acknowledged, until it is
// killed or the store refuses. Arguments: the store's folder.

import { AttuneError } from "../../lib/errors/index.js";
import { openEmbeddedStore } from "../../lib/feedback/store/embedded-store.js";
import { addPerson, lease, PROJECT, pairItem, say } from "./sample-project.js";

const [folder = "", people = "4"] = process.argv.slice(2);

async function main(): Promise<void> {
  const store = await openEmbeddedStore({ folder });
  const run = Date.now();
  await store
    .write(PROJECT, "createProject", { project: PROJECT, name: "Killed", settings: { gold: 0, repeat: 0 } })
    .catch(() => undefined);
  process.stdout.write("open\n");
  const judge = async (person: number) => {
    const name = `person-${run}-${person}`;
    await addPerson(store, name);
    for (let i = 0; ; i++) {
      const number = run * 1000 + person * 100_000 + i;
      await store.write(PROJECT, "addItems", { items: [pairItem(number)] });
      const leased = await lease(store, name);
      const { judgement } = await say(store, name, leased.lease, undefined, `key-${i}`);
      process.stdout.write(`${judgement}\n`);
    }
  };
  await Promise.all(Array.from({ length: Number(people) }, (_, person) => judge(person)));
}

main().catch((error: unknown) => {
  const code = error instanceof AttuneError ? error.code : "?";
  process.stdout.write(`failed ${code} ${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(3);
});
