// What the page says in words: names of answers, and what went wrong. Must not know the page.

const numbers = [
  "one",
  "two",
  "three",
  "four",
  "five",
  "six",
  "seven",
  "eight",
  "nine",
  "ten",
  "eleven",
  "twelve",
];

/** "answer one"; alone it is "the answer". */
export function answerName(place, count) {
  return count === 1 ? "the answer" : `answer ${numbers[place] ?? place + 1}`;
}

export function capital(text) {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}

/** "a", "a and b", "a, b and c" */
export function listed(parts) {
  return parts.length < 2 ? parts.join("") : `${parts.slice(0, -1).join(", ")} and ${parts.at(-1)}`;
}

export function plural(count, one, many = `${one}s`) {
  return `${count} ${count === 1 ? one : many}`;
}

/** What a refused or failed call means for whoever judges. */
export function wordsOf(error) {
  const { status, code, message } = error;
  if (status === 0) return "The service cannot be reached.";
  if (status === 401) return "You are not signed in any more, or your link is out of use.";
  if (status === 403) return `This is not open to you. ${message}`;
  if (status === 429) return "Too many calls in a short time.";
  if (code === "ATTUNE_LEASE" || code === "ATTUNE_CONFLICT")
    return "This was answered, passed over or closed already, perhaps in another window.";
  if (status === 404) return `The service does not know this any more. ${message}`;
  if (status === 422) return `The service did not take this. ${message}`;
  if (status >= 500) return "The service has a problem of its own.";
  return message ?? String(error);
}

/** How long ago, roughly. */
export function ago(milliseconds) {
  const minutes = Math.round(milliseconds / 60_000);
  if (minutes < 1) return "just now";
  if (minutes < 60) return `${plural(minutes, "minute")} ago`;
  const hours = Math.round(minutes / 60);
  return hours < 24 ? `${plural(hours, "hour")} ago` : `${plural(Math.round(hours / 24), "day")} ago`;
}
