// `attune feedback serve`: what it makes, prints, serves and how it ends; once as a process of its own where no addon is.

import { spawn } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { suiteFolder } from "../support/temporary-folder.js";
import { commandLine, type Outcome } from "./command-line.js";

const main = join(dirname(fileURLToPath(import.meta.url)), "..", "..", "lib", "cli", "main.ts");

interface Printed {
  readonly url: string;
  readonly link: string;
  readonly port: number;
  readonly project: string;
}

/** Serves until `work` is done, then Ctrl-C. */
async function serving(args: readonly string[], work: (printed: Printed) => Promise<void>): Promise<Outcome> {
  let working: Promise<void> | undefined;
  const outcome = await commandLine(["feedback", "serve", "--port", "0", "--json", ...args], {
    onOutput: (stdout, interrupt) => {
      working ??= work(JSON.parse(stdout) as Printed).finally(interrupt);
    },
  });
  await working;
  return outcome;
}

function tokenOf({ link }: Printed): string {
  return new URLSearchParams(new URL(link).hash.slice(1)).get("token") ?? "";
}

async function call(printed: Printed, path: string, body?: unknown) {
  const response = await fetch(`${printed.url}${path}`, {
    method: body === undefined ? "GET" : "POST",
    headers: {
      authorization: `Bearer ${tokenOf(printed)}`,
      "idempotency-key": "k",
      ...(body === undefined ? {} : { "content-type": "application/json" }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, body: text === "" ? null : JSON.parse(text) };
}

describe("attune feedback serve", () => {
  const at = suiteFolder();

  it("tells webhooks what happens", async () => {
    let heard: (type: unknown) => void = () => undefined;
    const told = new Promise((resolve) => {
      heard = resolve;
    });
    const receiver = createServer((request, response) => {
      let body = "";
      request.on("data", (piece) => {
        body += piece;
      });
      request.on("end", () => {
        response.end();
        heard([JSON.parse(body).type, /^v1=/.test(String(request.headers["attune-signature"]))]);
      });
    });
    await new Promise<void>((resolve) => receiver.listen(0, "127.0.0.1", resolve));
    try {
      await serving(["--store", at("webhooks"), "--allow-private-webhooks"], async (printed) => {
        const url = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/`;
        const made = await call(printed, "/v1/webhooks", { url, types: ["item.added"] });
        expect(made.status).to.equal(200);
        const items = [{ prompt: "?", answers: [{ content: "a" }, { content: "b" }] }];
        await call(printed, "/v1/items", { items });
        expect(await told).to.deep.equal(["item.added", true]);
      });
    } finally {
      receiver.close();
    }
  });

  it("makes a project with items and guidelines, lets its owner judge, and goes on where it ended", async () => {
    const [items, guidelines, store] = [at("items.jsonl"), at("guidelines.md"), at("store")];
    const item = (n: number) => ({
      externalId: `i${n}`,
      prompt: `${n}?`,
      answers: [{ content: "a" }, { content: "b" }],
    });
    writeFileSync(items, [1, 2, 3].map((n) => JSON.stringify(item(n))).join("\n"));
    writeFileSync(guidelines, "Be kind.");
    const args = ["--store", store, "--name", "My shop", "--items", items, "--guidelines", guidelines];
    const first = await serving(args, async (printed) => {
      expect(printed.project).to.equal("main");
      expect((await call(printed, "/v1/me")).body).to.deep.include({ role: "owner", annotator: "owner" });
      expect((await call(printed, "/v1/guidelines")).body).to.deep.equal({ version: 1, text: "Be kind." });
      const { body: leased } = await call(printed, "/v1/next");
      const values = [{ kind: "pair", choice: "left", strength: 1 }];
      expect((await call(printed, "/v1/judgements", { lease: leased.lease, values })).status).to.equal(200);
    });
    expect([first.code, first.quits]).to.deep.equal([0, []]);
    expect(first.stderr).to.include("3 items added");
    const second = await serving([...args, "--selector", "gap"], async (printed) => {
      expect((await call(printed, "/v1/progress")).body).to.deep.include({ judgements: 1, people: 1 });
      expect((await call(printed, "/v1/guidelines")).body.version).to.equal(1);
    });
    expect(second.stderr).to.include("0 items added, 3 were there already");
  });

  it("names the line of an item that is none, and serves nothing", async () => {
    const items = at("wrong.jsonl");
    writeFileSync(
      items,
      '{"prompt": "a", "answers": [{"content": "b"}, {"content": "c"}]}\n{"prompt": "a"}\n',
    );
    const args = ["feedback", "serve", "--port", "0", "--store", at("wrong"), "--items", items];
    const { code, stdout, stderr } = await commandLine(args);
    expect([code, stdout]).to.deep.equal([2, ""]);
    expect(stderr)
      .to.include("wrong.jsonl")
      .and.include("2")
      .and.include("answers")
      .and.match(/\[ATTUNE_DATA/);
  });

  it("says that a port is in use, and closes the store", async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", () => resolve()));
    const { port } = other.address() as AddressInfo;
    const store = at("port");
    const { code, stderr } = await commandLine([
      "feedback",
      "serve",
      "--store",
      store,
      "--port",
      String(port),
    ]);
    other.close();
    expect(code).to.equal(2);
    expect(stderr).to.include(`${port} is in use`).and.include("[ATTUNE_OPTION]");
    expect((await commandLine(["feedback", "rebuild", "--store", store])).code).to.equal(0);
  });

  it("refuses an address for others without TLS, and names the remedy", async () => {
    const args = ["feedback", "serve", "--store", at("open"), "--port", "0", "--host", "0.0.0.0"];
    const { code, stderr } = await commandLine(args);
    expect(code).to.equal(2);
    expect(stderr).to.include("Expected TLS for 0.0.0.0");
  });

  it("gives one more person a link by the link of the service that runs", async () => {
    await serving(["--store", at("invite")], async (printed) => {
      const invite = ["feedback", "token", "--link", printed.link, "--annotator", "mia", "--name", "Mia"];
      const { code, stdout } = await commandLine(invite);
      expect(code).to.equal(0);
      const hers = { ...printed, link: stdout.trim() };
      expect((await call(hers, "/v1/me")).body).to.deep.include({ role: "annotator", name: "Mia" });
      const listed = await commandLine(["feedback", "token", "--link", printed.link, "--list"]);
      expect(listed.stdout)
        .to.match(/annotator +mia +Mia .*in use/)
        .and.to.match(/owner .*until/);
      const backup = at("invite.db");
      const copied = await commandLine(["feedback", "backup", "--store", at("invite"), "--output", backup]);
      expect([copied.code, existsSync(backup)], copied.stderr).to.deep.equal([0, true]);
      const wrong = await commandLine(["feedback", "token", "--link", printed.url, "--annotator", "ben"]);
      expect([wrong.code, wrong.stderr.includes("the whole link")]).to.deep.equal([2, true]);
    });
  });

  it("ends at once at the second Ctrl-C", async () => {
    let times = 0;
    const { quits } = await commandLine(["feedback", "serve", "--port", "0", "--store", at("twice")], {
      onOutput: (_, interrupt) => {
        times += 1;
        if (times > 1) return;
        interrupt();
        interrupt();
      },
    });
    expect(quits).to.deep.equal([130]);
  });

  it("shows a demo with every kind of judgement, people at work and figures to look at", async () => {
    const kinds = new Set<string>();
    const { code, stderr } = await serving(["--demo"], async (printed) => {
      for (let i = 0; i < 12; i++) {
        const { status, body: leased } = await call(printed, "/v1/next");
        expect(status).to.equal(200);
        for (const { kind } of leased.asks) kinds.add(kind);
        await call(printed, "/v1/skips", { lease: leased.lease, reason: "other" });
      }
      expect((await call(printed, "/v1/progress")).body.judgements).to.be.above(20);
      const { models } = (await call(printed, "/v1/ratings?draws=100")).body;
      expect(models.map(({ model }: { model: string }) => model)).to.have.members(["alpha", "beta", "gamma"]);
      expect(models[0].model).to.equal("alpha");
      expect((await call(printed, "/v1/agreement?draws=100")).body).to.not.be.empty;
      const { annotators } = (await call(printed, "/v1/annotators")).body;
      expect(annotators.filter(({ group }: { group?: string }) => group === "simulated")).to.have.lengthOf(3);
      const rows = await fetch(`${printed.url}/v1/export?kind=preference`, {
        headers: { authorization: `Bearer ${tokenOf(printed)}` },
      });
      expect(await rows.text()).to.equal("");
    });
    expect(code).to.equal(0);
    expect(stderr).to.include("nothing of it is kept");
    expect(kinds).to.include("pair");
    expect(kinds.size).to.be.above(1);
  });

  it("runs as a process where no addon is: a link, a page, Ctrl-C", async () => {
    const child = spawn(
      process.execPath,
      ["--import", "tsx", main, "feedback", "serve", "--demo", "--port", "0"],
      {
        stdio: ["ignore", "pipe", "pipe"],
        env: { ...process.env, ATTUNE_ADDON: at("nowhere.node") },
      },
    );
    let [stdout, stderr] = ["", ""];
    child.stderr.on("data", (piece: Buffer) => {
      stderr += piece.toString();
    });
    const ended = new Promise<number | null>((resolve) => child.on("close", (code) => resolve(code)));
    await new Promise<void>((resolve, reject) => {
      child.stdout.on("data", (piece: Buffer) => {
        stdout += piece.toString();
        if (stdout.includes("\n")) resolve();
      });
      child.on("close", () => reject(new Error(stderr)));
    });
    expect(stdout).to.match(/^http:\/\/127\.0\.0\.1:\d+\/#token=attune_\S+\n$/);
    const page = await fetch(new URL("/", stdout));
    expect([page.status, page.headers.get("content-type")]).to.deep.equal([200, "text/html; charset=utf-8"]);
    child.kill("SIGINT");
    expect(await ended).to.equal(0);
    expect(stderr).to.include("Ctrl-C ends it").and.not.include("ATTUNE_");
  });
});
