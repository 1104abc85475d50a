// When the open items will be done, from how fast judgements come. Pure.

const HOUR = 3_600_000;

/**
 * `hours`: what /v1/rate?by=hour answers. By the pace of the last full hour and this one, and of the last 24; hidden
 * checks take no item further and do not count. `undefined`: nothing was judged in that time.
 */
export function timeLeft({ buckets, wanted, now }) {
  const paceOf = (hours) => {
    const lately = buckets.slice(-hours);
    const begun = lately.findIndex(({ counted }) => counted > 0);
    if (begun < 0) return undefined;
    // A project that is younger than the time looked at is not slower for it.
    const from = buckets.slice(0, -hours).some(({ counted }) => counted > 0)
      ? lately[0].from
      : lately[begun].from;
    const sum = lately.reduce((all, { counted }) => all + counted, 0);
    // Of an hour that has just begun nothing can be said yet.
    return sum / Math.max(HOUR / 4, now - from);
  };
  const left = (pace) => (pace === undefined ? undefined : wanted / pace);
  return { byHour: left(paceOf(2)), byDay: left(paceOf(25)) };
}
