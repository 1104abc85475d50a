// Which addresses the service calls, and how little of them it trusts.

import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect } from "chai";
import { checkWebhookUrl, isPublicAddress } from "../../../lib/feedback/webhooks/allowed-address.js";
import { type PostOptions, postWebhook } from "../../../lib/feedback/webhooks/post-webhook.js";
import { failureOf } from "../../errors/expect-failure.js";
import { suiteFolder } from "../../support/temporary-folder.js";
import { withReceiver } from "./sent-webhooks.js";

function post(url: string, options: PostOptions = {}): Promise<string | undefined> {
  const { signal } = new AbortController();
  return postWebhook({ url, headers: { "attune-id": "one" }, body: "{}", signal }, options);
}

const loopback = async () => [{ address: "127.0.0.1", family: 4 }];

describe("addresses of webhooks", () => {
  it("are public machines: no loopback, private or link-local ones, however they are written", () => {
    const inside = [
      ["0.0.0.0", "10.1.2.3", "100.64.0.1", "127.0.0.1", "127.9.9.9", "169.254.169.254", "172.16.0.1"],
      ["172.31.255.255", "192.168.0.1", "192.0.0.8", "198.18.0.1", "224.0.0.1", "255.255.255.255"],
      [
        "::",
        "::1",
        "::ffff:127.0.0.1",
        "::ffff:8.8.8.8",
        "::7f00:1",
        "64:ff9b::7f00:1",
        "fe80::1",
        "fc00::1",
      ],
      ["fd12::1", "ff02::1", "2002:7f00:1::", "2001::1", "2001:db8::1", "fec0::1", "fe80::1%eth0", "", "x"],
    ].flat();
    for (const address of inside) expect(isPublicAddress(address), address).to.equal(false);
    for (const address of ["8.8.8.8", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "2a00:1450::1"])
      expect(isPublicAddress(address), address).to.equal(true);
  });

  it("are refused where they are added: not https, with a password, of this machine in disguise", async () => {
    const bad = [
      "http://example.com/",
      "ftp://example.com/",
      "javascript:alert(1)",
      "example.com",
      "https://user:secret@example.com/",
      "https://127.0.0.1/",
      "https://0x7f.1/",
      "https://2130706433/",
      "https://[::1]/",
      "https://[::ffff:127.0.0.1]/",
      "https://localhost/",
      "https://a.localhost./",
      `https://example.com/${"x".repeat(2000)}`,
    ];
    for (const url of bad) {
      const { code, details } = await failureOf(() => checkWebhookUrl(url, false));
      expect([code, details?.field], url).to.deep.equal(["ATTUNE_OPTION", "url"]);
    }
    expect(checkWebhookUrl("https://example.com:8443/hook?a=b", false).hostname).to.equal("example.com");
    expect(checkWebhookUrl("http://127.0.0.1:1/", true).hostname).to.equal("127.0.0.1");
  });

  it("are asked for once, and the connection goes to the one that was checked", () =>
    withReceiver({}, async (receiver) => {
      const { port } = new URL(receiver.url);
      const asked: string[] = [];
      const resolve = async (host: string) => {
        asked.push(host);
        return [{ address: asked.length === 1 ? "127.0.0.1" : "8.8.8.8", family: 4 }];
      };
      const url = `http://hooks.example:${port}/a`;
      expect(await post(url, { allowPrivate: true, resolve })).to.equal(undefined);
      expect(asked).to.deep.equal(["hooks.example"]);
      expect(receiver.received[0]?.headers.host).to.equal(`hooks.example:${port}`);
    }));

  it("are not called where any of a name's answers is private, or a public one is not encrypted", async () => {
    const mixed = async () => [
      { address: "8.8.8.8", family: 4 },
      { address: "10.0.0.1", family: 4 },
    ];
    expect(await post("https://hooks.example/", { resolve: mixed })).to.include("private network");
    expect(await post("https://hooks.example/", { resolve: loopback })).to.include("private network");
    const inPublic = async () => [{ address: "8.8.8.8", family: 4 }];
    expect(await post("http://hooks.example/", { allowPrivate: true, resolve: inPublic })).to.include(
      "not encrypted",
    );
    expect(await post("https://hooks.example/", { resolve: async () => [] })).to.include("no address");
  });

  it("are not read without end", async () => {
    let sent = 0;
    const server = createServer(async (_request, response) => {
      response.on("error", () => undefined);
      response.writeHead(200);
      for (; !response.destroyed && sent < 2 ** 31; sent += 65_536)
        if (!response.write(Buffer.alloc(65_536))) await new Promise((resolve) => setTimeout(resolve, 1));
    });
    await once(server.listen(0, "127.0.0.1"), "listening");
    const { port } = server.address() as AddressInfo;
    expect(await post(`http://127.0.0.1:${port}/`, { allowPrivate: true })).to.equal(undefined);
    server.close();
    expect(sent).to.be.lessThan(2 ** 26);
  });

  it("are not followed elsewhere, and not waited for without end", () =>
    withReceiver({ headers: { location: "/other" } }, async (receiver) => {
      const allowed = { allowPrivate: true };
      expect(await post(receiver.url, allowed)).to.equal(undefined);
      receiver.status = 302;
      expect(await post(receiver.url, allowed)).to.equal("answered 302");
      receiver.status = 0;
      expect(await post(receiver.url, { ...allowed, timeoutMs: 50 })).to.equal("no answer within 50 ms");
      expect(receiver.received).to.have.length(3);
      const forever = () => new Promise<never>(() => undefined);
      expect(await post("https://a.example/", { timeoutMs: 50, resolve: forever })).to.include("no answer");
      await receiver.close();
      expect(await post(receiver.url, allowed)).to.equal("ECONNREFUSED");
    }));
});

describe("a webhook's certificate", () => {
  const at = suiteFolder();
  it("must be one of an authority that is known, and of the name that was called", async () => {
    const subject = ["-subj", "/CN=hooks.example", "-addext", "subjectAltName=DNS:hooks.example"];
    const files = ["-keyout", at("key.pem"), "-out", at("cert.pem")];
    const kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
    execFileSync("openssl", ["req", "-x509", ...kind, ...subject, ...files], { stdio: "ignore" });
    const [key, cert] = [readFileSync(at("key.pem"), "utf8"), readFileSync(at("cert.pem"), "utf8")];
    await withReceiver({ tls: { key, cert } }, async (receiver) => {
      const { port } = new URL(receiver.url);
      const options = { allowPrivate: true, resolve: loopback };
      expect(await post(`https://hooks.example:${port}/`, { ...options, ca: cert })).to.equal(undefined);
      expect(await post(`https://hooks.example:${port}/`, options)).to.match(/SELF_SIGNED|UNABLE_TO/);
      expect(await post(`https://other.example:${port}/`, { ...options, ca: cert })).to.equal(
        "ERR_TLS_CERT_ALTNAME_INVALID",
      );
      expect(receiver.received).to.have.length(1);
    });
  });
});
