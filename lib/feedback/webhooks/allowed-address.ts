// Which addresses the service may call: https, and machines of the public network, so that nobody reaches through it what
// stands beside it. An own network is allowed by an option. Must not call anything.

import { BlockList, isIP } from "node:net";
import { fail } from "../../errors/index.js";

/** Networks that are no public machine's (IANA's registry of special addresses). */
const privateFour = [
  "0.0.0.0/8",
  "10.0.0.0/8",
  "100.64.0.0/10",
  "127.0.0.0/8",
  "169.254.0.0/16",
  "172.16.0.0/12",
  "192.0.0.0/24",
  "192.0.2.0/24",
  "192.88.99.0/24",
  "192.168.0.0/16",
  "198.18.0.0/15",
  "198.51.100.0/24",
  "203.0.113.0/24",
  "224.0.0.0/3",
];
/** Inside 2000::/3, the only part in which public machines are: Teredo and its like, examples, 6to4. */
const privateSix = ["2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"];

function listOf(networks: readonly string[], family: "ipv4" | "ipv6"): BlockList {
  const list = new BlockList();
  for (const network of networks) {
    const [address = "", bits] = network.split("/");
    list.addSubnet(address, Number(bits), family);
  }
  return list;
}

const blockedFour = listOf(privateFour, "ipv4");
const blockedSix = listOf(privateSix, "ipv6");
const publicSix = listOf(["2000::/3"], "ipv6");

/** Whether an address may be a machine of the public network. */
export function isPublicAddress(address: string): boolean {
  // A zone ("fe80::1%eth0") belongs to the own network alone.
  if (isIP(address) === 4) return !blockedFour.check(address, "ipv4");
  if (isIP(address) !== 6 || address.includes("%")) return false;
  // Others hold addresses of four bytes (::ffff:127.0.0.1) or stay inside a network.
  return publicSix.check(address, "ipv6") && !blockedSix.check(address, "ipv6");
}

/** The host as an address, where it is none's name. */
export function literalAddress({ hostname }: URL): string | undefined {
  const bare = hostname.replace(/^\[(.*)\]$/, "$1");
  return isIP(bare) === 0 ? undefined : bare;
}

export const LONGEST_URL = 2000;

/** What can be said before anybody is asked for the name. @throws ATTUNE_OPTION */
export function checkWebhookUrl(text: string, allowPrivate: boolean): URL {
  const refused = (reason: string) =>
    fail("ATTUNE_OPTION", `Expected the URL of a webhook ${reason}.`, { details: { field: "url" } });
  if (text.length > LONGEST_URL) throw refused(`of at most ${LONGEST_URL} characters`);
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw refused("such as https://example.com/hook");
  }
  if (url.protocol !== "https:" && !(allowPrivate && url.protocol === "http:"))
    throw refused("to begin with https://");
  if (url.username !== "" || url.password !== "") throw refused("without a name and password");
  const address = literalAddress(url);
  const local = address === undefined ? /(^|\.)localhost\.?$/.test(url.hostname) : !isPublicAddress(address);
  if (local && !allowPrivate) throw refused("of a public machine; private networks need allowPrivate");
  return url;
}
