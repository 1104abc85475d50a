// What a receiver takes for a delivery of the service.

import { createHmac } from "node:crypto";
import { expect } from "chai";
import { type VerifyWebhook, verifyWebhook } from "../../../lib/feedback/index.js";
import { failureOf } from "../../errors/expect-failure.js";

const secret = "attune_hook_for-tests";
const NOW = 1_700_000_000_000;
const body = '{"seq":7,"type":"item.closed"}';

/** By its definition, not by what is tested. */
function signed(id: string, time: number, text: string, key = secret): Record<string, string> {
  const hash = createHmac("sha256", key).update(`${id}.${time}.${text}`, "utf8").digest("hex");
  return { "attune-id": id, "attune-time": String(time), "attune-signature": `v1=${hash}` };
}

async function refusal(input: Partial<VerifyWebhook>): Promise<readonly unknown[]> {
  const all = { headers: signed("a", NOW, body), body, secret, now: NOW, ...input };
  const { code, details } = await failureOf(() => verifyWebhook(all));
  return [code, details?.status];
}

describe("a delivery that is received", () => {
  it("is read where its signature is right, whatever its headers came in, as text or bytes", () => {
    const headers = signed("a", NOW, body);
    for (const one of [headers, new Headers(headers)])
      for (const text of [body, Buffer.from(body)]) {
        const { id, event } = verifyWebhook({ headers: one, body: text, secret, now: NOW });
        expect([id, event.seq]).to.deep.equal(["a", 7]);
      }
    const two = { ...headers, "attune-signature": `v1=00 ${headers["attune-signature"]}` };
    expect(verifyWebhook({ headers: two, body, secret, now: NOW }).id).to.equal("a");
  });

  it("is refused with another secret, id, time or body, or without a signature", async () => {
    const headers = signed("a", NOW, body);
    const wrong: Partial<VerifyWebhook>[] = [
      { secret: "other" },
      { headers: { ...headers, "attune-id": "b" } },
      { headers: { ...headers, "attune-time": String(NOW + 1) } },
      { body: body.replace("7", "8") },
      { headers: { ...headers, "attune-signature": "v1=" } },
      { headers: { ...headers, "attune-signature": String(headers["attune-signature"]).slice(3) } },
      {
        headers: { ...headers, "attune-signature": String(headers["attune-signature"]).replace("v1", "v0") },
      },
    ];
    for (const one of wrong) expect(await refusal(one)).to.deep.equal(["ATTUNE_AUTH", 401]);
    for (const name of Object.keys(headers))
      expect(await refusal({ headers: { ...headers, [name]: undefined } })).to.deep.equal([
        "ATTUNE_REQUEST",
        400,
      ]);
    expect(await refusal({ headers: signed("a", Number.NaN, body) })).to.deep.equal(["ATTUNE_REQUEST", 400]);
    expect(await refusal({ headers: signed("a", NOW, "{"), body: "{" })).to.deep.equal([
      "ATTUNE_REQUEST",
      400,
    ]);
  });

  it("is refused when it is more than five minutes old, or ahead", async () => {
    const minutes = 5 * 60_000;
    for (const now of [NOW + minutes, NOW - minutes])
      expect(verifyWebhook({ headers: signed("a", NOW, body), body, secret, now }).id).to.equal("a");
    for (const now of [NOW + minutes + 1, NOW - minutes - 1])
      expect(await refusal({ now })).to.deep.equal(["ATTUNE_AUTH", 401]);
  });

  it("is refused when it comes again, with an answer that ends it", async () => {
    const seen = new Set<string>();
    const headers = signed("a", NOW, body);
    seen.add(verifyWebhook({ headers, body, secret, now: NOW, seen }).id);
    expect(await refusal({ seen })).to.deep.equal(["ATTUNE_CONFLICT", 200]);
    const later = signed("a", NOW + 1000, body);
    expect(await refusal({ headers: later, seen })).to.deep.equal(["ATTUNE_CONFLICT", 200]);
  });
});
