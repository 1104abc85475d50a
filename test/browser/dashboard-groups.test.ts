// The owner's dashboard in a real browser: figures by group and by another choice of ratings, and files of other programs.

import { expect } from "chai";
import type { Browser, Locator, Page } from "playwright-core";
import { importFormats, styleTerms } from "../../lib/feedback/index.js";
import { suiteFolder } from "../support/temporary-folder.js";
import { hasBrowser, startBrowser } from "./browser.js";
import { type JudgedService, judgedService } from "./judged-project.js";

const GROUP = "first shift";

describe("groups and imports on the owner's dashboard", function () {
  this.timeout(300_000);
  const at = suiteFolder();
  let service: JudgedService;
  let browser: Browser;
  let page: Page;

  before(async function () {
    if (!hasBrowser) this.skip();
    service = await judgedService({ folder: at("store") });
    browser = await startBrowser();
    const context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
    context.setDefaultTimeout(120_000);
    page = await context.newPage();
    await page.goto(`${service.url}/dashboard#token=${await service.token("owner")}`);
    await page.locator("h1").waitFor();
  });
  after(async () => {
    await browser?.close();
    await service?.close();
  });

  // biome-ignore lint/suspicious/noExplicitAny: what came over the network
  async function ask(path: string): Promise<any> {
    return (await page.request.get(`${service.url}${path}`)).json();
  }
  async function open(view: string): Promise<void> {
    await page.goto(`${service.url}/dashboard#${view}`);
    await page.locator(`#view-${view}:not([hidden])`).waitFor();
  }
  const row = (place: Locator, name: string) => place.locator("tbody tr").filter({ hasText: name });
  const cell = (place: Locator, column: string) => place.locator(`td[data-label="${column}"]`);
  const shows = (place: Locator, text: string) => place.filter({ hasText: text }).first().waitFor();

  /** Of what a call answers: votes and the best model's rating are on the page. */
  async function showsRatings(query: string): Promise<void> {
    const { models, votes } = await ask(`/v1/ratings?${query}`);
    const ratings = page.locator("#ratings");
    await shows(ratings.locator("p"), `${votes} votes`);
    const [{ model, rating }] = models;
    await shows(cell(row(ratings, model), "Rating"), Math.round(rating).toLocaleString("en"));
  }

  it("rates by one group's votes alone, and goes back to everybody's", async () => {
    await open("quality");
    const ratings = page.locator("#ratings");
    const [everybody, group] = [await ask("/v1/ratings"), await ask(`/v1/ratings?group=${GROUP}`)];
    expect(group.votes).to.be.below(everybody.votes);
    await ratings.getByLabel("Annotators").selectOption(GROUP);
    await showsRatings(`group=${GROUP}`);
    const { side } = await ask("/v1/annotators");
    expect(await page.locator("#side").textContent()).to.include(side.gamma.toFixed(2));
    await ratings.getByLabel("Annotators").selectOption("");
    await showsRatings("");
  });

  it("takes terms of style out, and shows what they are worth", async () => {
    await open("quality");
    const ratings = page.locator("#ratings");
    const boxes = ratings.locator("input[type=checkbox]");
    expect(
      await boxes.evaluateAll((all) => all.map((one) => (one as unknown as { value: string }).value)),
    ).to.deep.equal([...styleTerms]);
    await ratings.getByLabel("length").check();
    const { styles } = await ask("/v1/ratings?styles=length");
    const worth = cell(row(ratings, "length"), "Worth");
    await worth.waitFor();
    expect((await worth.textContent())?.replace("−", "-")).to.include(styles[0].coefficient.toFixed(2));
    await ratings.getByLabel("length").uncheck();
    await worth.waitFor({ state: "detached" });
  });

  it("counts ties as Davidson does, on request", async () => {
    await open("quality");
    const ratings = page.locator("#ratings");
    const { tieStrength } = await ask("/v1/ratings?ties=davidson");
    await ratings.getByLabel("Ties count as").selectOption("davidson");
    await shows(ratings.locator("p"), `ν = ${tieStrength.toFixed(2)}`);
    await ratings.getByLabel("Ties count as").selectOption("half");
  });

  it("shows each group's agreement below that of all, and whether it prefers what all prefer", async () => {
    const [[pair], { groups }] = [await ask("/v1/agreement"), await ask("/v1/annotators")];
    await open("quality");
    const shown = row(page.locator("#agreement"), GROUP);
    await shown.first().waitFor();
    expect(await cell(shown, "Alpha").first().textContent()).to.equal(
      pair.byGroup[GROUP].alpha.toFixed(2).replace("-", "−"),
    );
    await open("people");
    const [{ withAll, judgements }] = groups;
    const own = row(page.locator("#annotators table").last(), GROUP);
    expect(await cell(own, "Judgements").textContent()).to.equal(String(judgements));
    expect(await cell(own, "Prefers what all prefer").textContent()).to.include(`of ${withAll.count} pair`);
  });

  it("imports files of other programs, a second time without harm", async () => {
    await open("items");
    const place = page.locator("#imports");
    await place.locator("summary").first().click();
    const offered = await place
      .getByLabel("It is of")
      .locator("option")
      .evaluateAll((all) => all.map((one) => (one as unknown as { value: string }).value));
    expect(offered.toSorted()).to.deep.equal(["auto", ...importFormats].toSorted());
    const hh = (text: string) => `\n\nHuman: Which?\n\nAssistant: ${text}`;
    const name = "pairs.jsonl";
    const lines = [1, 2].map((i) => JSON.stringify({ chosen: hh(`yes ${i}`), rejected: hh(`no ${i}`) }));
    const send = async () => {
      const file = { name, mimeType: "application/jsonl", buffer: Buffer.from(lines.join("\n")) };
      await place.getByLabel("File", { exact: true }).setInputFiles(file);
      await place.getByRole("button", { name: "Import" }).click();
    };
    await place.getByLabel("It is of").selectOption("hh");
    await send();
    await shows(place.locator("li"), "2 items, 2 judgements of people");
    await send();
    await shows(place.locator("li"), "there already: 2 items, 2 judgements");
    lines.push("{");
    await send();
    await shows(place.locator("[role=status]"), "Line 3 is no JSON.");
  });

  it("names the command that backs the store up", async () => {
    await open("export");
    await shows(page.locator("#backup pre"), "attune feedback backup --store");
  });
});
