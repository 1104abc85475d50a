// The annotators' page and what goes wrong around an item: reloads, leases that end, a service that is away, second thoughts.
// Nothing that somebody filled in is lost, and nothing is stored twice.

import { expect } from "chai";
import type { Browser } from "playwright-core";
import type { ItemInput } from "../../lib/feedback/index.js";
import { suiteFolder } from "../support/temporary-folder.js";
import { hasBrowser, startBrowser } from "./browser.js";
import {
  ANNOTATOR,
  type JudgeService,
  type NewProject,
  OWNER,
  type Seat,
  type SeatOptions,
  startService,
  takeSeat,
} from "./judge-service.js";

const question = (number: number, more: Partial<ItemInput> = {}): ItemInput => ({
  prompt: `Question ${number}`,
  answers: [{ content: "The cat sat." }, { content: "The dog ran." }],
  ...more,
});
const left = { kind: "pair", choice: "left" };
const JUDGEMENTS = /\/v1\/judgements\?/;
const NOTHING = "Nothing to judge right now";

describe("the annotators' page: work", function () {
  this.timeout(120_000);
  const at = suiteFolder();
  let browser: Browser;
  let service: JudgeService;
  let seat: Seat;
  let project: string;

  before(async function () {
    if (!hasBrowser) this.skip();
    [browser, service] = await Promise.all([startBrowser(), startService(at("store"))]);
  });
  after(async () => {
    await browser?.close();
    await service?.close();
  });
  afterEach(async () => {
    service.ahead = 0;
    await seat?.context.close();
  });

  async function sit(items: readonly ItemInput[], more: NewProject & Partial<SeatOptions> = {}) {
    project = await service.project(items, more);
    seat = await takeSeat({ browser, service, project, ...more });
    if (items.length > 0) await seat.see("Question 1");
  }

  const click = (name: string) => seat.page.getByRole("button", { name }).click();

  it("keeps what is filled in over a reload", async () => {
    const asks: ItemInput["asks"] = [
      { kind: "pair", strength: true },
      { kind: "rating", axis: "true", low: 1, high: 5 },
      { kind: "edit" },
      { kind: "comment" },
      { kind: "span", tags: ["odd"] },
    ];
    await sit([question(1, { asks })]);
    const { page } = seat;
    await seat.press("ArrowRight", "w", "4", "c");
    await page.keyboard.type("half a comm");
    await seat.press("Escape", "x", "End");
    await page.keyboard.type(" Really.");
    await page.locator(".markable").first().focus();
    await seat.press("Control+a", "1");
    // The last change is a moment old: leaving the page sends it.
    await page.reload();
    await seat.see("Question 1");
    const checked = await page.locator("[role=radio][aria-checked=true]").allInnerTexts();
    expect(checked.map((text) => text.replace(/[✓\s]+/g, " ").trim())).to.have.members([
      "4",
      "Answer two is better →",
      "Slightly w",
    ]);
    await seat.press("5", "Enter");
    await seat.see(NOTHING);
    const [values = []] = await service.judged(project);
    expect(values).to.deep.include({ kind: "comment", text: "half a comm" });
    expect(values).to.deep.include({ kind: "pair", choice: "right", strength: 1 });
    const kinds = (values as { kind: string; text?: string }[]).map(({ kind }) => kind);
    expect(kinds).to.have.members(["pair", "rating", "rating", "edit", "comment", "span"]);
    expect(JSON.stringify(values)).to.include(" Really.");
  });

  it("begins with nothing filled in, and says what is missing instead of sending it", async () => {
    await sit([question(1, { asks: [{ kind: "pair" }, { kind: "thumb" }] })]);
    expect(await seat.page.locator("[aria-checked=true]").count()).to.equal(0);
    await seat.press("Enter", "+", "Enter");
    await seat.see("Still to do: say which answer is better and say of 1 more whether it is good.");
    expect(await service.judged(project)).to.deep.equal([]);
  });

  it("stores a judgement once when Enter is pressed twice", async () => {
    await sit([question(1), question(2)]);
    await seat.press("ArrowLeft", "Enter", "Enter", "Enter");
    await seat.see("Question 2");
    await seat.press("Enter");
    expect(await service.judged(project)).to.deep.equal([[left]]);
  });

  it("sends again with the same key when the answer was lost, and it is stored once", async () => {
    await sit([question(1)]);
    const keys: (string | undefined)[] = [];
    await seat.page.route(JUDGEMENTS, async (route) => {
      keys.push(route.request().headers()["idempotency-key"]);
      // It arrives, but nobody hears of it.
      if (keys.length === 1) {
        await route.fetch();
        await route.abort();
      } else await route.continue();
    });
    await seat.press("ArrowLeft", "Enter");
    await seat.see("Your judgement is kept.");
    await seat.see(NOTHING);
    expect(keys).to.have.length(2);
    expect(keys[0]).to.equal(keys[1]);
    expect(await service.judged(project)).to.deep.equal([[left]]);
  });

  it("goes on where it was when the service was away", async () => {
    await sit([question(1), question(2)]);
    await seat.press("ArrowLeft");
    await service.stop();
    await seat.press("Enter");
    await seat.see("The service cannot be reached. Your judgement is kept.");
    expect(await seat.page.locator("main").textContent()).to.include("Question 1");
    await service.start();
    await click("Try now");
    await seat.see("Question 2");
    expect(await service.judged(project)).to.deep.equal([[left]]);
    expect(await seat.page.getByText("cannot be reached").count()).to.equal(0);
  });

  it("sends what was on its way when the page was closed meanwhile", async () => {
    await sit([question(1)]);
    await seat.page.route(JUDGEMENTS, (route) => route.abort());
    await seat.press("ArrowLeft", "Enter");
    await seat.see("Your judgement is kept.");
    await seat.page.unroute(JUDGEMENTS);
    await seat.page.reload();
    await seat.see(NOTHING);
    await seat.see("It has arrived.");
    expect(await service.judged(project)).to.deep.equal([[left]]);
  });

  it("waits as long as it is told when there were too many calls", async () => {
    await sit([question(1)]);
    let calls = 0;
    await seat.page.route(JUDGEMENTS, async (route) => {
      calls += 1;
      const body = JSON.stringify({ code: "ATTUNE_RATE", message: "Too many." });
      if (calls > 1) await route.continue();
      else await route.fulfill({ status: 429, headers: { "retry-after": "1" }, body });
    });
    await seat.press("ArrowLeft", "Enter");
    await seat.see("Too many calls in a short time. Your judgement is kept. It is tried again in 1 second.");
    await seat.see(NOTHING);
    expect(await service.judged(project)).to.have.length(1);
  });

  it("says why the service did not take a judgement, and keeps it on the page", async () => {
    await sit([question(1)]);
    const message = "Expected a pair but received none.";
    const body = JSON.stringify({ code: "ATTUNE_JUDGEMENT", message, field: "values" });
    await seat.page.route(JUDGEMENTS, (route) => route.fulfill({ status: 422, body }));
    await seat.press("ArrowLeft", "Enter");
    await seat.see(`The service did not take this. ${message}`);
    expect(await seat.page.getByRole("radio", { checked: true }).textContent()).to.include(
      "Answer one is better",
    );
    await seat.page.unroute(JUDGEMENTS);
    await seat.press("Enter");
    await seat.see(NOTHING);
  });

  it("says that an item was answered in another window, and goes on", async () => {
    await sit([question(1), question(2)]);
    const [leased] = await service.events(project, "assignment.leased");
    const said = { values: [{ kind: "pair", choice: "tie" } as const], activeMs: 1, keysUsed: false };
    const sent = { lease: String(leased?.assignment), annotator: OWNER, key: "k", bodyHash: "h" };
    await service.store.write(project, "submit", { ...said, ...sent });
    await seat.press("ArrowLeft", "Enter");
    await seat.see("This was answered, passed over or closed already");
    await click("Go on to the next item");
    await seat.see("Question 2");
    expect(await service.judged(project)).to.have.length(1);
  });

  it("asks for a token when the session has ended, and loses nothing", async () => {
    await sit([question(1)]);
    await seat.context.clearCookies();
    await seat.press("ArrowLeft", "Enter");
    await seat.see("Sign in again");
    await seat.page.getByLabel("Your token").fill("attune_wrong");
    await seat.press("Enter");
    await seat.see("Ask whoever invited you for a new link.");
    await seat.page.getByLabel("Your token").fill(service.token);
    await seat.press("Enter");
    await seat.see(NOTHING);
    expect(await service.judged(project)).to.deep.equal([[left]]);
  });

  /** Minutes pass for the page and for the service. */
  async function pass(minutes: number) {
    service.ahead += minutes * 60_000;
    await seat.page.clock.fastForward(minutes * 60_000);
  }
  const withClock = {
    prepare: async (page: Seat["page"]) => {
      await page.clock.install();
    },
  };

  it("renews a lease each minute, so that nobody else is given the item", async () => {
    await sit([question(1)], withClock);
    for (let minute = 0; minute < 3; minute++) {
      const renewed = seat.page.waitForResponse(/\/renew/);
      await pass(1);
      expect((await renewed).status()).to.equal(200);
    }
    expect(await service.events(project, "assignment.renewed")).to.have.length(3);
  });

  it("says that a lease is over, and still takes the judgement", async () => {
    await sit([question(1)], withClock);
    await seat.press("ArrowLeft");
    await pass(20);
    await seat.see("Your time for this item ran out");
    // Somebody else has it by now, and answers.
    const other = await service.store.write(project, "next", { annotator: ANNOTATOR });
    const values = [{ kind: "pair", choice: "right" } as const];
    const said = { annotator: ANNOTATOR, values, activeMs: 1, keysUsed: false, key: "k", bodyHash: "h" };
    await service.store.write(project, "submit", { lease: other?.lease ?? "", ...said });
    await seat.press("Enter");
    await seat.see("Somebody else had been given this item meanwhile");
    const counts = (await service.events(project, "judgement.created")).map((one) => one.counts);
    expect(counts).to.deep.equal([true, false]);
  });

  it("takes the last judgement back", async () => {
    await sit([question(1), question(2)]);
    await seat.press("ArrowLeft", "Enter");
    await seat.see("Question 2");
    await seat.see("1 today · 1 in all");
    await seat.press("u");
    await seat.see("Which judgement?");
    const offered = await seat.page.getByRole("dialog").getByRole("option").allTextContents();
    expect(offered).to.deep.equal(["The last one, just now"]);
    await seat.page.getByRole("button", { name: "Take it back" }).focus();
    await seat.press("Enter");
    await seat.see("Taken back.");
    await seat.see("0 today · 0 in all");
    expect(await service.events(project, "judgement.withdrawn")).to.have.length(1);
  });

  it("shows an earlier judgement again, as it was answered, and keeps what is said instead", async () => {
    const asks: ItemInput["asks"] = [{ kind: "pair", strength: true }, { kind: "comment" }];
    await sit([question(1, { asks }), question(2)]);
    await seat.press("ArrowLeft", "e", "Enter");
    await seat.see("Question 2");
    // What is begun meanwhile waits.
    await seat.press("ArrowUp", "u");
    await seat.see("Which judgement?");
    await click("Look again and revise");
    await seat.see("Question 1");
    const checked = await seat.page.locator("[aria-checked=true] .label").allInnerTexts();
    expect(checked.join()).to.include("Answer one is better").and.to.include("Clearly");
    await seat.press("ArrowRight", "Enter");
    await seat.see("Revised.");
    await seat.see("Question 2");
    expect(await seat.page.getByRole("radio", { checked: true }).textContent()).to.include("Tie");
    expect(await service.judged(project)).to.deep.equal([
      [{ ...left, strength: 2 }],
      [{ kind: "pair", choice: "right", strength: 2 }],
    ]);
    const [, revised] = await service.events(project, "judgement.created");
    expect(revised?.supersedes).to.be.a("string");
  });

  it("leaves an earlier judgement as it was", async () => {
    await sit([question(1), question(2)]);
    await seat.press("ArrowLeft", "Enter");
    await seat.see("Question 2");
    await seat.press("u");
    await seat.see("Which judgement?");
    await click("Look again and revise");
    await seat.see("Save the revision");
    await seat.press("ArrowRight", "Escape");
    await seat.see("Question 2");
    expect(await service.judged(project)).to.have.length(1);
  });

  it("skips with a reason, by two keys", async () => {
    await sit([question(1), question(2)]);
    await seat.press("s");
    await seat.see("Why do you skip it?");
    await seat.press("4");
    await seat.see("Question 2");
    await seat.press("s");
    await seat.page.getByLabel("Anything to add").fill("odd 1");
    await click("Another reason");
    await seat.see(NOTHING);
    const skipped = await service.events(project, "assignment.skipped");
    expect(skipped.map(({ reason, note }) => [reason, note])).to.deep.equal([
      ["not_my_field", undefined],
      ["other", "odd 1"],
    ]);
  });

  it("shows guidelines by themselves at the first visit and when there is a new version", async () => {
    project = await service.project([question(1), question(2), question(3)]);
    await service.store.write(project, "setGuidelines", { text: "# Be fair\n\nPrefer **true** answers." });
    seat = await takeSeat({ browser, service, project });
    const dialog = seat.page.getByRole("dialog");
    await seat.see("Be fair");
    expect(await dialog.locator("strong").textContent()).to.equal("true");
    // Keys are the dialog's while it is open.
    await seat.press("ArrowLeft", "Enter", "Enter");
    await seat.see("Still to do");
    await service.store.write(project, "setGuidelines", { text: "Prefer *short* answers." });
    await seat.press("ArrowLeft", "Enter");
    await seat.see("The guidelines have changed");
    await seat.see("Version 2");
    await seat.press("Escape", "ArrowLeft", "Enter");
    await seat.see("Question 3");
    expect(await dialog.count()).to.equal(0);
    await seat.press("g");
    await seat.see("Prefer short answers.");
  });

  it("looks again by itself where nothing is open", async () => {
    project = await service.project([]);
    seat = await takeSeat({ browser, service, project, ...withClock });
    await seat.see(NOTHING);
    await service.store.write(project, "addItems", { items: [question(1)] });
    await pass(0.3);
    await seat.see("Question 1");
  });

  it("signs in by a link of one project, says who one is, and signs out", async () => {
    project = await service.project([question(1)], { name: "Only one" });
    seat = await takeSeat({ browser, service, project, token: await service.tokenOf(project) });
    await seat.see("Question 1");
    expect(seat.page.url()).to.not.include("token");
    const top = await seat.page.getByRole("banner").textContent();
    expect(top).to.include("Only one").and.to.include("Ann").and.to.not.include("Dashboard");
    await click("Sign out");
    await seat.page.getByRole("heading", { name: "Sign in" }).waitFor();
    await seat.page.reload();
    await seat.page.getByLabel("Your token").fill(service.token);
    await seat.press("Enter");
    await seat.page.getByRole("link", { name: "Dashboard" }).waitFor();
  });

  it("chooses between the projects that a token opens", async () => {
    const other = await service.project([{ ...question(1), prompt: "Of the other one" }], { name: "Other" });
    await sit([question(1)]);
    await seat.page.getByLabel("Project").selectOption(other);
    await seat.see("Of the other one");
    await seat.press("ArrowLeft", "Enter");
    await seat.see(NOTHING);
    expect(await service.judged(other)).to.have.length(1);
  });
});
