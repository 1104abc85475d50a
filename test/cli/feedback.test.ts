// The commands of the human side on a store of their own, in this process. None of it needs the addon.

import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { expect } from "chai";
import {
  consensusModes,
  exportKinds,
  importFormats,
  openFeedbackStore,
  roles,
  styleTerms,
} from "../../lib/feedback/index.js";
import { selectors } from "../../lib/feedback/project-settings.js";
import {
  feedbackConsensusModes,
  feedbackImportFormats,
  feedbackRoles,
  feedbackRowKinds,
  feedbackSelectors,
  feedbackStyles,
} from "../../lib/options/index.js";
import { addPerson, lease, PROJECT, personName, sampleProject, say } from "../feedback/sample-project.js";
import { suiteFolder } from "../support/temporary-folder.js";
import { commandLine } from "./command-line.js";

describe("attune feedback", () => {
  const at = suiteFolder();
  let number = 0;
  let store = "";
  beforeEach(() => {
    number += 1;
    store = at(`store-${number}`);
  });

  /** Two people judge all items; a third one is simulated. */
  async function filled(items = 6): Promise<void> {
    const open = await openFeedbackStore({ store });
    await sampleProject(open, { items, settings: { overlap: { least: 3, shared: 3, share: 1, most: 3 } } });
    await open.write(PROJECT, "addAnnotator", { annotator: "sim", name: "Sim", group: "simulated" });
    for (const person of [personName(0), personName(1), "sim"])
      for (let i = 0; i < items; i++) {
        const { lease: id, answers } = await lease(open, person);
        // The smaller number is right.
        const choice = Number(answers[0]) < Number(answers[1]) ? "left" : "right";
        await say(open, person, id, [{ kind: "pair", choice }]);
      }
    await open.close();
  }

  const feedback = (command: string, ...args: string[]) =>
    commandLine(["feedback", command, "--store", store, ...args]);

  it("offers what the feedback room can do, no more and no less", () => {
    expect([...feedbackRowKinds]).to.deep.equal([...exportKinds]);
    expect([...feedbackConsensusModes]).to.deep.equal([...consensusModes]);
    expect([...feedbackSelectors]).to.deep.equal([...selectors]);
    expect([...feedbackStyles]).to.deep.equal([...styleTerms]);
    expect([...feedbackRoles]).to.deep.equal([...roles]);
    expect([...feedbackImportFormats]).to.deep.equal(["auto", ...importFormats]);
  });

  it("exports rows to standard output or to a new file, without what simulated people said", async () => {
    await filled();
    const { code, stdout } = await feedback("export", "--kind", "preference", "--consensus", "each");
    const rows = stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect([code, rows.length]).to.deep.equal([0, 12]);
    expect(rows.every(({ chosen, source, split }) => chosen && source.length === 1 && split)).to.equal(true);
    const output = at(`rows-${number}.jsonl`);
    const written = await feedback("export", "--output", output, "--json");
    const { seq, ...told } = JSON.parse(written.stdout);
    expect(told).to.deep.equal({ output, kind: "preference", rows: 6 });
    // Nothing was said since.
    expect((await feedback("export", "--since", String(seq))).stdout).to.equal("");
    const open = await openFeedbackStore({ store });
    const exports = await open.reading.selectFrom("exports").selectAll().execute();
    await open.close();
    expect(exports, "marked as given out").to.have.lengthOf(12);
    expect(readFileSync(output, "utf8").trimEnd().split("\n")).to.have.lengthOf(6);
    const again = await feedback("export", "--output", output);
    expect([again.code, again.stderr]).to.deep.equal([2, again.stderr]);
    expect(again.stderr).to.include("[ATTUNE_OUTPUT_EXISTS]");
  });

  it("says where no judgement gives such rows", async () => {
    await filled(1);
    const { code, stdout, stderr } = await feedback("export", "--kind", "ranking");
    expect([code, stdout]).to.deep.equal([0, ""]);
    expect(stderr).to.include("No judgement gives rows of kind ranking yet.");
  });

  it("shows ratings as a table with its warnings, and as JSON", async () => {
    await filled();
    const { code, stdout } = await feedback("ratings", "--draws", "100");
    expect(code).to.equal(0);
    expect(stdout)
      .to.match(/^rank +model +rating +95 % +votes +fragile$/m)
      .and.include("good-model")
      .and.include("18 votes of 3 people")
      .and.include("fewer than ten people");
    const json = JSON.parse((await feedback("ratings", "--draws", "100", "--json")).stdout);
    expect(json.models).to.have.lengthOf(2);
  });

  it("shows agreement with intervals, and says where nobody could agree", async () => {
    await filled();
    const { code, stdout } = await feedback("agreement", "--draws", "100");
    expect(code).to.equal(0);
    expect(stdout)
      .to.match(/^pair +nominal +-?\d/m)
      .and.include("warning: fewer than 20 units");
    store = at(`lonely-${number}`);
    const open = await openFeedbackStore({ store });
    await sampleProject(open, { items: 1 });
    await open.close();
    expect((await feedback("agreement")).stdout).to.equal("No two people have judged the same item yet.\n");
  });

  it("imports files, once, and tells what it did", async () => {
    await filled(1);
    const file = at(`arena-${number}.jsonl`);
    const turn = (role: string, content: string) => ({ role, content });
    writeFileSync(
      file,
      JSON.stringify({
        ...{ question_id: "q", model_a: "a", model_b: "b", winner: "model_a", judge: "u1", tstamp: 1 },
        conversation_a: [turn("user", "Hi"), turn("assistant", "Hello!")],
        conversation_b: [turn("user", "Hi"), turn("assistant", "What?")],
      }),
    );
    const { code, stdout } = await commandLine(["feedback", "import", file, "--store", store]);
    expect(code).to.equal(0);
    expect(stdout).to.include("1 rows of Chatbot Arena: 1 items, 1 judgements of 1 new people");
    const again = await commandLine(["feedback", "import", file, "--store", store]);
    expect(again.stdout).to.include("0 items, 0 judgements").and.include("1 judgements were there already");
    const wrong = await commandLine(["feedback", "import", at("no.jsonl"), "--store", store]);
    expect([wrong.code, wrong.stderr.includes("[ATTUNE_FILE]")]).to.deep.equal([2, true]);
  });

  it("makes, lists and ends tokens, and adds the person they belong to", async () => {
    await filled(1);
    const made = await feedback(
      "token",
      "--annotator",
      "mia",
      "--name",
      "Mia",
      "--url",
      "https://f.example/judge",
    );
    expect(made.stdout).to.match(/^https:\/\/f\.example\/judge\/#token=attune_[0-9a-f]{16}_\S{43}\n$/);
    const id = /attune_([0-9a-f]{16})_/.exec(made.stdout)?.[1] ?? "";
    expect((await feedback("token", "--list")).stdout).to.match(
      new RegExp(`^${id} +annotator +mia +Mia .*in use$`, "m"),
    );
    expect((await feedback("token", "--revoke", id)).code).to.equal(0);
    expect((await feedback("token", "--list")).stdout).to.match(new RegExp(`^${id} .*ended$`, "m"));
  });

  it("gives a program the token itself, and says so of one that is not there", async () => {
    await filled(1);
    expect((await feedback("token", "--role", "trainer", "--name", "n")).stdout).to.match(/^attune_\S+\n$/);
    expect((await feedback("token", "--revoke", "no")).stderr).to.include("[ATTUNE_NOT_FOUND]");
  });

  it("backs a store up into a file that restores to the same", async () => {
    await filled();
    const output = at(`backup-${number}.db`);
    expect((await feedback("backup", "--output", output)).code).to.equal(0);
    const restored = at(`restored-${number}`);
    mkdirSync(restored);
    writeFileSync(`${restored}/feedback.db`, readFileSync(output));
    const events = await commandLine(["feedback", "rebuild", "--store", restored, "--json"]);
    expect(JSON.parse(events.stdout).events).to.be.above(30);
    const rows = async (place: string) =>
      (await commandLine(["feedback", "export", "--store", place, "--kind", "reward"])).stdout;
    expect(await rows(restored)).to.equal(await rows(store));
    expect((await feedback("backup", "--output", output)).stderr).to.include("[ATTUNE_OUTPUT_EXISTS]");
  });

  it("asks which project is meant where there are several", async () => {
    await filled(1);
    const open = await openFeedbackStore({ store });
    await open.write("other", "createProject", { project: "other", name: "Other" });
    await open.close();
    const { code, stderr } = await feedback("ratings");
    expect([code, stderr]).to.deep.equal([
      2,
      "attune: Expected --project, as the store has several: shop, other. [ATTUNE_OPTION]\n",
    ]);
    expect((await feedback("ratings", "--project", "shop")).code).to.equal(0);
    expect((await feedback("ratings", "--project", "sho")).stderr).to.include("[ATTUNE_NOT_FOUND]");
  });

  it("refuses a store that is broken, newer or open elsewhere, and leaves it as it is", async () => {
    mkdirSync(store);
    writeFileSync(
      `${store}/feedback.db`,
      "no database at all, but long enough to be looked at as one".repeat(40),
    );
    const broken = await feedback("ratings");
    expect([broken.code, broken.stderr]).to.deep.equal([1, broken.stderr]);
    expect(broken.stderr).to.match(/^attune: Expected .*\[ATTUNE_STORE\]\n$/s);
    store = at(`taken-${number}`);
    await filled(1);
    const open = await openFeedbackStore({ store });
    await addPerson(open, "x");
    const taken = await feedback("serve", "--port", "0");
    expect([taken.code, taken.stdout]).to.deep.equal([1, ""]);
    expect(taken.stderr)
      .to.include("Expected a store that nobody else has open")
      .and.include("[ATTUNE_STORE]");
    await open.close();
    expect(existsSync(`${store}/feedback.lock`)).to.equal(false);
  });
});
