// The owner's dashboard in a real browser, on a real service whose judgements simulated people have made: it shows what the
// calls say, does what it offers, and lets nobody else look.

import { expect } from "chai";
import type { Browser, BrowserContext, Locator, Page } from "playwright-core";
import { exportKinds } from "../../lib/feedback/index.js";
import { suiteFolder } from "../support/temporary-folder.js";
import { hasBrowser, startBrowser } from "./browser.js";
import { dashboardLoop, LOOP_PROJECT } from "./dashboard-loop.js";
import { COIN_FLIPPER, HOSTILE, type JudgedService, judgedService, personId } from "./judged-project.js";

const widths = [1280, 390] as const;
const views = ["overview", "quality", "people", "items", "setup", "export"];

describe("the owner's dashboard in a browser", function () {
  this.timeout(300_000);
  const at = suiteFolder();
  const complaints: string[] = [];
  const pages = new Map<number, Page>();
  let service: JudgedService;
  let browser: Browser;
  let page: Page;
  let began = 0;

  before(async function () {
    if (!hasBrowser) this.skip();
    began = Date.now();
    service = await judgedService({ folder: at("store") });
    browser = await startBrowser();
    const token = await service.token("owner");
    for (const width of widths) pages.set(width, await signedIn(token, width));
    page = pages.get(1280) as Page;
  });
  after(async () => {
    await browser?.close();
    await service?.close();
    console.log(
      `      the dashboard's tests took ${((Date.now() - began) / 1000).toFixed(1)} s, the judging included`,
    );
  });

  async function signedIn(token: string, width: number = 1280): Promise<Page> {
    const context = await browser.newContext({ viewport: { width, height: 900 } });
    // A hang, not a pace: other work may have the machine.
    context.setDefaultTimeout(120_000);
    const opened = await context.newPage();
    listen(opened);
    await opened.goto(`${service.url}/dashboard#token=${token}`);
    await opened.locator("h1").waitFor();
    return opened;
  }

  function listen(opened: Page): void {
    opened.on("console", (message) => {
      // Browsers note every answer that is a refusal; tests ask for some.
      const isRefusal = /^Failed to load resource: .* status of 4\d\d/.test(message.text());
      if ((message.type() === "error" || message.type() === "warning") && !isRefusal)
        complaints.push(message.text());
    });
    opened.on("pageerror", (error) => complaints.push(error.message));
    opened.on("dialog", (dialog) => {
      complaints.push(`a dialog: ${dialog.message()}`);
      void dialog.dismiss();
    });
    opened.on("request", (request) => {
      if (!request.url().startsWith(service.url)) complaints.push(`asked for ${request.url()}`);
    });
  }

  /** What the service answers to the page's own session. */
  // biome-ignore lint/suspicious/noExplicitAny: what came over the network
  async function ask(path: string, from: Page | BrowserContext = page): Promise<any> {
    const response = await from.request.get(`${service.url}${path}`);
    return response.json();
  }

  async function open(view: string, from: Page = page): Promise<void> {
    await from.goto(`${service.url}/dashboard#${view}`);
    await from.locator(`#view-${view}:not([hidden])`).waitFor();
  }

  const row = (place: Locator, name: string) => place.locator("tbody tr").filter({ hasText: name });
  const cell = (place: Locator, column: string) => place.locator(`td[data-label="${column}"]`);
  const waitFor = (place: Locator, text: string | RegExp) =>
    place.filter({ hasText: text }).first().waitFor();

  it("shows the figures that the calls answer, at both widths", async () => {
    const { judgements, items, lastHour } = await ask("/v1/progress");
    expect(judgements).to.equal(300);
    for (const shown of pages.values()) {
      await open("overview", shown);
      const figure = (name: string) => shown.locator(`[data-figure="${name}"]`).textContent();
      expect(Number(await figure("judgements"))).to.equal(judgements);
      expect(Number(await figure("last-hour"))).to.equal(lastHour);
      for (const state of ["open", "enough", "disputed", "closed"])
        expect(Number(await figure(`items-${state}`)), state).to.equal(items[state]);
    }
  });

  it("shows ratings and agreement as the calls answer them, with intervals", async () => {
    const [{ models }, agreement] = [await ask("/v1/ratings"), await ask("/v1/agreement")];
    await open("quality");
    for (const { model, rating, interval, votes } of models) {
      const shown = row(page.locator("#ratings"), model);
      expect(await cell(shown, "Rating").textContent()).to.equal(Math.round(rating).toLocaleString("en"));
      const low = Math.round(interval.low).toLocaleString("en");
      expect(await cell(shown, "95% interval").textContent()).to.match(new RegExp(`^${low} to `));
      expect(await cell(shown, "Votes").textContent()).to.equal(String(votes));
    }
    const [pair] = agreement;
    const shown = row(page.locator("#agreement"), "pair").first();
    expect(await cell(shown, "Alpha").textContent()).to.equal(pair.alpha.toFixed(2));
    expect(await cell(shown, "95% interval").textContent()).to.include(pair.interval.high.toFixed(2));
    expect(await cell(shown, "From").textContent()).to.include(`${pair.units} units`);
  });

  it("flags the coin-flipper in words, and nobody else", async () => {
    const { annotators } = await ask("/v1/annotators");
    const flagged = annotators.filter(({ flagged }: { flagged: boolean }) => flagged);
    expect(flagged.map(({ name }: { name: string }) => name)).to.deep.equal([COIN_FLIPPER]);
    await open("overview");
    await waitFor(page.locator("#attention li"), /Flagged.*Quentin Quick was right on \d+ of \d+ gold items/);
    await open("people");
    const marked = page.locator("#annotators tbody tr").filter({ hasText: "Flagged" });
    expect(await marked.locator("th .name").allTextContents()).to.deep.equal([COIN_FLIPPER]);
    const { right, count } = flagged[0].gold;
    expect(await cell(marked, "Gold right").textContent()).to.include(`${right} of ${count}`);
  });

  it("raises the alarm where a side is favoured, with gamma and its interval", async () => {
    const { side } = await ask("/v1/annotators");
    expect(side.alarm).to.equal(true);
    await open("quality");
    const words = await page.locator("#side").textContent();
    expect(words).to.include("Alarm: people favour the left side.");
    expect(words)
      .to.include(`γ = +${side.gamma.toFixed(2)}`)
      .and.to.include(`+${side.interval.low.toFixed(2)} to`);
    await open("overview");
    await waitFor(page.locator("#attention li"), /Side bias.*left side/);
  });

  it("warns of ratings that rest on few annotators", async () => {
    await open("quality");
    expect(await page.locator("#ratings").textContent()).to.include("6 annotators, fewer than ten");
  });

  it("draws the hours, and has the same numbers in a table", async () => {
    await open("overview");
    const figure = page.locator("#pace figure").first();
    await figure.locator("svg").waitFor();
    expect(await figure.locator("svg").getAttribute("aria-label")).to.match(
      /Judgements an hour.*at most \d+/,
    );
    await figure.getByText("As a table").click();
    const cells = await cell(figure, "judgements").allTextContents();
    expect(cells.reduce((sum, text) => sum + Number(text), 0)).to.equal(
      (await ask("/v1/progress")).judgements,
    );
  });

  for (const width of widths)
    it(`never scrolls sideways at ${width} pixels, and labels every field`, async () => {
      const shown = pages.get(width) as Page;
      for (const view of views) {
        await open(view, shown);
        if (view === "items") {
          await shown.locator("details.item > summary").first().click();
          await shown.locator("details.item .answer").first().waitFor();
        }
        if (view === "setup") await shown.locator("#settings [data-field=gold]").waitFor();
        expect(await shown.evaluate("document.documentElement.scrollWidth"), view).to.equal(width);
        const nameless = `[...document.querySelectorAll("input:not([type=hidden]), select, textarea, button")].filter((one) =>
          one.labels?.length !== 1 && !one.getAttribute("aria-label") && one.textContent.trim() === "").length`;
        expect(await shown.evaluate(nameless), view).to.equal(0);
        const silent = `[...document.querySelectorAll("main svg")].filter((one) =>
          one.getAttribute("aria-hidden") !== "true" && !one.getAttribute("aria-label")).length`;
        expect(await shown.evaluate(silent), view).to.equal(0);
      }
    });

  it("invites somebody whose link opens the service for them, until it is revoked", async () => {
    await open("people");
    const invite = page.locator("#invite");
    await invite.getByLabel("Name").fill("Zoë Invited");
    await invite.getByLabel("Group").fill("second shift");
    await invite.getByRole("button", { name: "Invite" }).click();
    const link = await invite.getByLabel("Link for Zoë Invited").inputValue();
    expect(link).to.match(new RegExp(`^${service.url}/#token=attune_`));
    await waitFor(page.locator("#annotators tbody th"), /Zoë Invited.*group second shift/);
    const context = await browser.newContext();
    const other = await context.newPage();
    const entered = other.waitForResponse((response) => response.url().endsWith("/v1/session"));
    await other.goto(link);
    expect((await (await entered).json()).name).to.equal("Zoë Invited");
    expect(other.url()).to.not.include("token");
    expect((await context.request.get(`${service.url}/v1/next`)).status()).to.equal(200);
    const token = row(page.locator("#tokens"), "Zoë Invited");
    await token.getByRole("button", { name: "Revoke" }).click();
    await token.getByRole("button", { name: "Yes, revoke" }).click();
    await waitFor(token, "revoked");
    expect((await context.request.get(`${service.url}/v1/next`)).status()).to.equal(401);
    await context.close();
  });

  it("shows a link once", async () => {
    await page.reload();
    await open("people");
    await page.locator("#tokens tbody tr").first().waitFor();
    expect(await page.content()).to.not.include("attune_");
  });

  it("says at the field what is wrong with a setting, and keeps what is right", async () => {
    await open("setup");
    const settings = page.locator("#settings");
    const gold = settings.locator("[data-field=gold]");
    await gold.fill("2");
    await settings.getByRole("button", { name: "Save settings" }).click();
    await settings.locator("[data-field=gold][aria-invalid]").waitFor();
    const wrong = await page.locator(`[id="${await gold.getAttribute("id")}-wrong"]`).textContent();
    expect(wrong).to.match(/<=1|at most 1|too big/i);
    expect(
      await gold.evaluate(
        (one: unknown) =>
          one === (globalThis as { document?: { activeElement: unknown } }).document?.activeElement,
      ),
    ).to.equal(true);
    await gold.fill("0.25");
    await settings.locator('[data-field="overlap.most"]').fill("0");
    await settings.getByRole("button", { name: "Save settings" }).click();
    await settings.locator('[data-field="overlap.most"][aria-invalid]').waitFor();
    expect(await gold.getAttribute("aria-invalid")).to.equal(null);
    await settings.locator('[data-field="overlap.most"]').fill("4");
    await settings.getByRole("button", { name: "Save settings" }).click();
    await waitFor(settings.locator("[role=status]"), "Saved.");
    const { settings: now } = await ask("/v1/settings");
    expect([now.gold, now.overlap.most, now.overlap.least]).to.deep.equal([0.25, 4, 1]);
  });

  it("changes what items ask for", async () => {
    await open("setup");
    const settings = page.locator("#settings");
    await settings.getByLabel("Kind to add").selectOption("rating");
    await settings.getByRole("button", { name: "Add" }).click();
    await settings.getByLabel("Axis").fill("honesty");
    await settings.getByLabel("Low").fill("1");
    await settings.getByLabel("High").fill("7");
    await settings.getByRole("button", { name: "Save settings" }).click();
    await waitFor(settings.locator("[role=status]"), "Saved.");
    const { settings: now } = await ask("/v1/settings");
    expect(now.asks).to.deep.equal([
      { kind: "pair", strength: true },
      { kind: "rating", axis: "honesty", low: 1, high: 7, step: 1 },
    ]);
    await settings.getByRole("button", { name: "Remove rating" }).click();
    await settings.getByRole("button", { name: "Save settings" }).click();
    await waitFor(settings.locator("[role=status]"), "Saved.");
  });

  it("previews guidelines, saves them as a new version, and brings back an older one", async () => {
    await open("setup");
    const guidelines = page.locator("#guidelines");
    for (const [version, text] of [
      [1, "Be **kind**."],
      [2, "Be *brief*."],
    ] as const) {
      await guidelines.getByLabel("Text").fill(text);
      await guidelines.getByRole("button", { name: "Save a new version" }).click();
      await waitFor(guidelines.locator("[role=status]"), `Saved as version ${version}`);
    }
    expect(await guidelines.locator(".preview em").textContent()).to.equal("brief");
    await guidelines.getByLabel("Version").selectOption("1");
    await guidelines.locator(".preview strong").waitFor();
    expect((await ask("/v1/guidelines")).text).to.equal("Be *brief*.");
  });

  it("shows who said what of a disputed item, makes it gold, and closes it", async () => {
    const [disputed] = (await ask("/v1/items?state=disputed")).items;
    await open("items");
    await page.locator("#items").getByLabel("Show").selectOption("state=disputed");
    const card = page.locator("details.item").filter({ hasText: disputed.externalId }).first();
    await card.locator("summary").click();
    const { judgements } = await ask(`/v1/items/${disputed.item}/judgements`);
    await card.locator("tbody tr").first().waitFor();
    expect(await card.locator("tbody tr").count()).to.equal(judgements.length);
    const [first] = judgements;
    const letter = "AB"[first.shown[first.values[0].choice === "left" ? 0 : 1]];
    expect(await cell(card, "Said").first().textContent()).to.match(new RegExp(`^${letter} .*better`));
    await card.getByLabel("Right is").selectOption("right");
    await card.getByRole("button", { name: "Make it gold" }).click();
    await waitFor(card.locator("h4"), "Gold: B better");
    await card.getByRole("button", { name: "Close" }).click();
    await waitFor(card.locator("summary"), "closed");
    const now = (await ask("/v1/items?state=closed")).items;
    expect(now.map(({ item, gold }: Record<string, unknown>) => [item, gold])).to.deep.equal([
      [disputed.item, [{ kind: "pair", choice: "right" }]],
    ]);
  });

  it("adds pasted items, says which line is wrong, and does not add one twice", async () => {
    await open("items");
    const place = page.locator("#add-items");
    if ((await place.getByLabel("Paste items").isVisible()) === false)
      await place.locator("summary").first().click();
    const line = (id: string, answers: unknown) =>
      JSON.stringify({ externalId: id, prompt: "Which?", answers });
    const lookAt = async (...lines: string[]) => {
      await place.getByLabel("Paste items").fill(lines.join("\n"));
      await place.getByRole("button", { name: "Look at them" }).click();
    };
    await lookAt(line("new-1", ["one", "two"]), "", "{");
    await waitFor(place.locator(".problems li"), /^line 3: no JSON/);
    await lookAt("", line("new-1", ["one", "two"]), line("new-2", ["one"]));
    await place.getByRole("button", { name: "Add 2 items" }).click();
    await waitFor(place.locator("[role=status]"), /^line 3: .*two answers/);
    await lookAt(line("new-1", ["one", "two"]), line("q-1", ["one", "two"]));
    await place.getByRole("button", { name: "Add 2 items" }).click();
    await waitFor(place.locator("[role=status]"), /Added 1 item\. 1 item of a known externalId/);
    const added = await ask("/v1/items?after=159");
    expect(added.items.map(({ externalId }: { externalId: string }) => externalId)).to.deep.equal(["new-1"]);
  });

  it("takes hostile names and texts for text", async () => {
    await service.store.write("answers", "addAnnotator", { annotator: "evil", name: HOSTILE });
    await page.reload();
    await open("people");
    await waitFor(page.locator("#annotators th"), HOSTILE);
    await open("items");
    await page.locator("#items").getByLabel("Show").selectOption("");
    await page.locator("details.item summary").filter({ hasText: "q-0" }).first().click();
    await page.locator("details.item[open] .answer").first().waitFor();
    expect(await page.locator("details.item[open]").textContent()).to.include("onerror=");
    expect(await page.evaluate("document.querySelectorAll('main img, main script').length")).to.equal(0);
    expect(await page.title()).to.equal("Helpful answers · attune");
  });

  it("follows what happens without being loaded again", async () => {
    await open("overview");
    const figure = page.locator("[data-figure=judgements]");
    const before = Number(await figure.textContent());
    const annotator = personId(0);
    const leased = await service.store.write("answers", "next", { annotator });
    await service.store.write("answers", "submit", {
      lease: leased?.lease ?? "",
      annotator,
      values: [{ kind: "pair", choice: "tie" }],
      activeMs: 2000,
      keysUsed: false,
      key: "live",
      bodyHash: "",
    });
    await waitFor(figure, String(before + 1));
  });

  it("keeps the focus where something is drawn anew", async () => {
    await open("overview");
    const link = page.locator("#attention a").first();
    await link.focus();
    const words = await link.textContent();
    await link.evaluate((one: { className: string }) => {
      one.className = "before";
    });
    await service.store.write("answers", "addAnnotator", { annotator: "late", name: "Late Comer" });
    await page.locator("#attention a.before").waitFor({ state: "detached" });
    expect(await page.evaluate("document.activeElement.textContent")).to.equal(words);
  });

  it("shows a loop that runs: how it foretold votes, its policy, its rounds, and what has gone wrong", async () => {
    const { loop, told, breakScores, end } = await dashboardLoop(service);
    const shown = await signedIn(await service.token("owner", { project: LOOP_PROJECT }));
    try {
      const { prequential, waiting, trainAfter, lag, policy } = loop.status();
      const { accuracy, votes } = prequential.all ?? { accuracy: 0, votes: 0 };
      await waitFor(shown.locator("#loop"), `${Math.round(100 * accuracy)}% of ${votes} votes`);
      const versions = prequential.versions.map(({ version }) => version).toReversed();
      expect(versions).to.have.length.above(1);
      expect(await shown.locator("#loop tbody th").allTextContents()).to.deep.equal(versions);
      const words = await shown.locator("#loop").textContent();
      expect(words).to.include(`${waiting} of ${trainAfter} judgements`);
      expect(words).to.include(`number ${policy?.number}, ${policy?.policy}`);
      expect(words).to.include(`${lag.mean?.toFixed(1)} policies on average, ${lag.most} at most`);
      expect(await shown.locator("#loop .notice").count()).to.equal(0);
      await breakScores();
      await waitFor(shown.locator("#attention li.bad"), "The scorer is gone.");
      await waitFor(shown.locator("#loop .notice.bad"), "(ATTUNE_FILE)");
      expect(told()).to.deep.equal(["ATTUNE_FILE"]);
    } finally {
      await shown.context().close();
      await end();
    }
  });

  it("offers every kind of rows, and downloads them", async () => {
    await open("export");
    const links = page.locator("#exports tbody a");
    expect(await page.locator("#exports tbody th").allTextContents()).to.deep.equal([...exportKinds]);
    await page.locator("#exports").getByLabel("Split").selectOption("train");
    const downloading = page.waitForEvent("download");
    await links.first().click();
    const download = await downloading;
    expect(download.suggestedFilename()).to.equal("answers-preference-train.jsonl");
    const text = await (await page.request.get(download.url())).text();
    expect(JSON.parse(text.split("\n")[0] ?? ""))
      .to.include({ split: "train" })
      .and.to.have.property("chosen");
  });

  it("is walked through with the keyboard", async () => {
    await open("overview");
    await page.reload();
    await page.locator("#attention li").first().waitFor();
    await page.keyboard.press("Tab");
    const order: string[] = [];
    for (let i = 0; i < 12; i++) {
      order.push(String(await page.evaluate("document.activeElement.textContent")));
      await page.keyboard.press("Tab");
    }
    expect(order.join(" | ")).to.include("Skip to the figures").and.to.include("Overview | Quality | People");
    await page.getByRole("link", { name: "Quality", exact: true }).focus();
    await page.keyboard.press("Enter");
    await page.locator("#view-quality").waitFor();
    expect(
      await page.getByRole("link", { name: "Quality", exact: true }).getAttribute("aria-current"),
    ).to.equal("page");
  });

  it("tells the owner of an empty project what to do next", async () => {
    const empty = await signedIn(await service.emptyProject());
    await waitFor(empty.locator("#attention li.next"), /Write guidelines.*next/);
    await empty.getByRole("link", { name: "Add items" }).click();
    await empty.getByLabel("Paste items").fill(JSON.stringify({ prompt: "Which?", answers: ["one", "two"] }));
    await empty.getByRole("button", { name: "Look at them" }).click();
    await empty.getByRole("button", { name: "Add 1 item" }).click();
    await open("setup", empty);
    await empty.locator("#guidelines").getByLabel("Text").fill("Choose well.");
    await empty.getByRole("button", { name: "Save a new version" }).click();
    await open("overview", empty);
    await waitFor(empty.locator("#attention li.next"), /Invite people.*next/);
    await empty.context().close();
  });

  it("shows an annotator nothing, and says why", async () => {
    const refused = await signedIn(await service.token("annotator", { annotator: personId(0) }));
    expect(await refused.locator("main").textContent()).to.match(/Not open to you.*role annotator \(403\)/);
    expect(await refused.locator("table, dl, nav").count()).to.equal(0);
    for (const path of ["/v1/progress", "/v1/settings", "/v1/items", "/v1/tokens", "/v1/ratings"])
      expect((await refused.request.get(`${service.url}${path}`)).status(), path).to.equal(403);
    await refused.context().close();
  });

  it("shows a reader figures without names, and nothing to change", async () => {
    const reader = await signedIn(await service.token("reader"));
    expect(await reader.locator("nav a").allTextContents()).to.deep.equal(["Overview", "Quality", "People"]);
    await open("people", reader);
    await waitFor(reader.locator("#annotators th"), "annotator 1");
    expect(await reader.content()).to.not.include(COIN_FLIPPER);
    await reader.context().close();
  });

  it("asks for a link where nobody has signed in, and says what is wrong with one", async () => {
    const context = await browser.newContext();
    const stranger = await context.newPage();
    await stranger.goto(`${service.url}/dashboard`);
    await stranger.getByLabel("Link or token").fill("attune_nonsense");
    await stranger.getByRole("button", { name: "Sign in" }).click();
    await waitFor(stranger.locator("[role=status]"), "Expected a token that is in use");
    const token = await service.token("owner");
    await stranger.getByLabel("Link or token").fill(`${service.url}/dashboard#token=${token}`);
    await stranger.getByRole("button", { name: "Sign in" }).click();
    await waitFor(stranger.locator("h1"), "Helpful answers");
    await context.close();
  });

  it("complained about nothing and asked for nothing of elsewhere", () => {
    expect(complaints).to.deep.equal([]);
  });
});
