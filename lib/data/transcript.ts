// Reads transcripts in the form of Anthropic's hh-rlhf ("\n\nHuman: … \n\nAssistant: …") as messages.
// Must not render or tokenise.

import type { ChatMessage } from "../text/index.js";

const HEADING = /(?:^|\n\n)(Human|Assistant):/g;

const roles: Readonly<Record<string, string>> = { Human: "user", Assistant: "assistant" };

/** Turns with the white space around them taken off, or undefined when the text does not begin with a heading. */
export function transcriptMessages(text: string): readonly ChatMessage[] | undefined {
  const headings = [...text.matchAll(HEADING)];
  const [first] = headings;
  if (first === undefined || text.slice(0, first.index).trim() !== "") return undefined;
  return headings.map((heading, i) => {
    const end = headings[i + 1]?.index ?? text.length;
    const content = text.slice(heading.index + heading[0].length, end).trim();
    return { role: roles[heading[1] ?? ""] ?? "", content };
  });
}

/** A prompt: its last turn is the heading of the answer, with nothing behind it. */
export function transcriptPrompt(text: string): readonly ChatMessage[] | undefined {
  const messages = transcriptMessages(text);
  const last = messages?.at(-1);
  if (last?.role !== "assistant" || last.content !== "") return undefined;
  return messages?.slice(0, -1);
}

/** An answer behind such a prompt; further turns may follow. */
export function transcriptAnswer(text: string): readonly ChatMessage[] | undefined {
  return transcriptMessages(`\n\nAssistant:${text}`);
}
