// Calls a minute: who is slowed down, and who is forgotten when there are too many to remember.

import { expect } from "chai";
import { RateLimit } from "../../lib/server/rate-limit.js";
import { failureOf } from "../errors/expect-failure.js";

function limitOf(perMinute: number, most?: number) {
  const at = { now: 1_700_000_000_000 };
  const options = { perMinute, clock: () => at.now, ...(most === undefined ? {} : { most }) };
  return { at, limit: new RateLimit(options) };
}

const isRefused = async (limit: RateLimit, name: string) => {
  try {
    limit.take(name);
    return false;
  } catch {
    return true;
  }
};

describe("a rate limit", () => {
  it("lets so many calls through at once and then as many as the minute gives, by name", async () => {
    const { at, limit } = limitOf(60);
    for (let i = 0; i < 60; i++) limit.take("a");
    const { code, details } = await failureOf(() => limit.take("a"));
    expect([code, details?.retryAfter]).to.deep.equal(["ATTUNE_RATE", 1]);
    limit.take("b");
    at.now += 999;
    expect(await isRefused(limit, "a")).to.equal(true);
    at.now += 1;
    limit.take("a");
    expect(await isRefused(limit, "a")).to.equal(true);
  });

  it("gives nothing for a clock that jumps back, and no more than a minute's for one that jumps ahead", async () => {
    const { at, limit } = limitOf(3);
    for (let i = 0; i < 3; i++) limit.take("a");
    at.now -= 3_600_000;
    expect(await isRefused(limit, "a")).to.equal(true);
    at.now += 20_000;
    limit.take("a");
    expect(await isRefused(limit, "a")).to.equal(true);
    at.now += 86_400_000;
    for (let i = 0; i < 3; i++) limit.take("a");
    expect(await isRefused(limit, "a")).to.equal(true);
  });

  it("takes back what did not count", async () => {
    const { limit } = limitOf(1);
    limit.take("a");
    limit.giveBack("a");
    limit.giveBack("a");
    limit.take("a");
    expect(await isRefused(limit, "a")).to.equal(true);
  });

  it("forgets who has called for a minute no more, and of too many the one that called longest ago", async () => {
    const { at, limit } = limitOf(2, 3);
    for (const name of ["a", "b", "c", "a"]) limit.take(name);
    limit.take("d");
    expect(limit.size).to.equal(3);
    expect(await isRefused(limit, "a"), "who goes on calling is not forgotten").to.equal(true);
    limit.take("c");
    expect(await isRefused(limit, "c")).to.equal(true);
    at.now += 60_000;
    limit.take("e");
    expect(limit.size).to.equal(1);
  });
});
