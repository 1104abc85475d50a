// Where a request comes from, as far as the connection says: headers say whatever their sender likes. Must not know routes.

import type { Context } from "hono";

/** Empty where the request did not come over a connection. */
export function remoteAddress({ env }: Context): string {
  const { incoming } = (env ?? {}) as { incoming?: { socket?: { remoteAddress?: string } } };
  return incoming?.socket?.remoteAddress ?? "";
}
