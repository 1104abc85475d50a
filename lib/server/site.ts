// Where browsers find the service: below which path, and under which address when another server stands in front.
// Must not know requests.

import { fail } from "../errors/index.js";

/** Where browsers find the service. */
export interface SiteOptions {
  /** What browsers open, where a server with TLS stands in front: `https://feedback.example.com/judge`. */
  readonly publicUrl?: string;
  /** Below which path the service is mounted: `/feedback`. Default: the path of publicUrl, else none. */
  readonly basePath?: string;
}

export interface Site {
  /** Empty, or with a slash in front and none behind. */
  readonly basePath: string;
  readonly publicUrl: URL | undefined;
}

/** @throws ATTUNE_OPTION */
export function siteOf({ publicUrl, basePath }: SiteOptions): Site {
  const url = publicUrl === undefined ? undefined : readUrl(publicUrl);
  const path = (basePath ?? url?.pathname ?? "").replace(/\/+$/, "");
  if (!/^(?:\/[\w.~-]+)*$/.test(path))
    throw fail(
      "ATTUNE_OPTION",
      `Expected a base path such as /feedback but received ${JSON.stringify(path)}.`,
    );
  return { basePath: path, publicUrl: url };
}

function readUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url !== undefined && /^https?:$/.test(url.protocol) && url.search === "" && url.hash === "") return url;
  throw fail(
    "ATTUNE_OPTION",
    `Expected a public URL such as https://feedback.example.com but received ${text}.`,
  );
}
