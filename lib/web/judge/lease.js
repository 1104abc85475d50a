// Keeps an item for the person at the page: its lease is renewed each minute. Must not know the item.

import { call } from "../api.js";

const MINUTE = 60_000;

/** `over` is told once when the service has ended the lease. Returns a function that stops. */
export function keepLease({ lease, over }) {
  const timer = setInterval(renew, MINUTE);
  async function renew() {
    try {
      await call("POST", `/v1/leases/${encodeURIComponent(lease)}/renew`);
    } catch (error) {
      // Whoever is offline may come back in time.
      if (error.status !== 409 && error.status !== 404) return;
      clearInterval(timer);
      over();
    }
  }
  return () => clearInterval(timer);
}
