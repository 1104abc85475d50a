// Calls of the service, as its own pages make them: by the session's cookie, with the header that other pages cannot send.
// Must not know what is shown.

/** What the service says went wrong: `code` is stable, `status` is HTTP's; 0 where the service cannot be reached. */
export class CallError extends Error {
  constructor(status, { code, message, field }, retryAfter) {
    super(message);
    this.status = status;
    this.code = code;
    this.field = field;
    /** Seconds. */
    this.retryAfter = retryAfter;
  }
}

/** Where the service is mounted, with a slash behind: this file is its /web/api.js. */
const base = new URL("../", import.meta.url);

/** Where one of the service's paths, such as "/dashboard", is found where the service is mounted. */
export function address(path) {
  const { pathname, search } = new URL(path.replace(/^\//, ""), base);
  return pathname + search;
}

let project;

/** Calls name this project from now on; needed where the token opens several. */
export function useProject(name) {
  project = name;
}

/**
 * The answer's JSON; null for none. `query` holds what is not undefined; `keepalive`: also when the page goes away meanwhile.
 * @throws CallError
 */
export async function call(method, path, { body, query = {}, headers = {}, signal, keepalive = false } = {}) {
  const url = new URL(address(path), location.origin);
  if (project !== undefined) url.searchParams.set("project", project);
  for (const [name, value] of Object.entries(query))
    if (value !== undefined) url.searchParams.set(name, String(value));
  const sent = { "x-attune": "1", ...headers };
  if (body !== undefined) sent["content-type"] = "application/json";
  let response;
  try {
    response = await fetch(url, {
      method,
      headers: sent,
      credentials: "same-origin",
      keepalive,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...(signal === undefined ? {} : { signal }),
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new CallError(0, { code: "OFFLINE", message: "The service cannot be reached." });
  }
  if (response.status === 204) return null;
  const answer = await response.json().catch(() => null);
  if (response.ok) return answer;
  const said = answer ?? { code: "ATTUNE_INTERNAL", message: `The service answered ${response.status}.` };
  throw new CallError(response.status, said, Number(response.headers.get("retry-after")) || undefined);
}

/**
 * Begins with the link's token, if there is one (`#token=…`; it leaves the address at once and never reaches a server's log),
 * else goes on with the cookie. Who one is: `{ role, projects, annotator?, name? }`; undefined where nobody has signed in.
 */
export async function enter() {
  const token = new URLSearchParams(location.hash.slice(1)).get("token");
  if (token !== null) {
    history.replaceState(null, "", location.pathname + location.search);
    return call("POST", "/v1/session", { body: { token } });
  }
  try {
    return await call("GET", "/v1/me");
  } catch (error) {
    if (error.status === 401) return undefined;
    throw error;
  }
}
