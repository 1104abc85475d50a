// A conversation in the terminal, or over piped lines: history, streamed answers, Ctrl-C. Must not parse flags.

import type { GenerateOptions, Model } from "../engine/index.js";
import { unknownName } from "../errors/index.js";
import type { GenerateSettings } from "../options/index.js";
import { type ChatMessage, encodeChatPrompt, type Tokenizer } from "../text/index.js";
import { withSystem } from "./prompts.js";
import { exitCodes } from "./report-error.js";
import type { Terminal } from "./terminal.js";

export interface ChatRequest {
  readonly model: Model;
  readonly tokenizer: Tokenizer;
  readonly settings: GenerateSettings;
  readonly sampling: GenerateOptions;
  readonly terminal: Terminal;
}

const commands = {
  "/help": "show these lines",
  "/reset": "begin a new conversation",
  "/exit": "leave",
} as const;

const help = Object.entries(commands)
  .map(([name, text]) => `  ${name.padEnd(8)}${text}\n`)
  .join("");

/** Talks until /exit, the end of the input or a second Ctrl-C; returns the exit code. */
export async function chat(request: ChatRequest): Promise<number> {
  const { terminal, tokenizer, settings } = request;
  // A model without a template is refused before anybody types.
  encodeChatPrompt({ tokenizer, messages: withSystem([{ role: "user", content: "a" }], settings.system) });
  const note = (text: string) => terminal.stderr.write(text);
  if (terminal.interactive)
    note(`Talking with ${settings.model}. Ctrl-C ends an answer, twice leaves.\n${help}`);
  const interrupts = listen(terminal);
  const lines = terminal.readLines();
  const leave = interrupts.left.then(() => undefined);
  let messages: readonly ChatMessage[] = [];
  let turn = 0;
  try {
    for (;;) {
      const line = (await Promise.race([lines.next("> "), leave]))?.trim();
      if (line === undefined) return interrupts.pressed > 1 ? exitCodes.interrupted : exitCodes.done;
      interrupts.pressed = 0;
      if (line === "") continue;
      if (line === "/exit") return exitCodes.done;
      if (line === "/reset") messages = [];
      if (line.startsWith("/")) {
        note(answerCommand(line));
        continue;
      }
      messages = fitting(request, [...messages, { role: "user", content: line }], note);
      const text = await answer(request, { messages, turn, signal: interrupts.begin() });
      messages = [...messages, { role: "assistant", content: text }];
      turn += 1;
      if (interrupts.pressed > 1) return exitCodes.interrupted;
    }
  } finally {
    lines.close();
    interrupts.end();
  }
}

function answerCommand(line: string): string {
  if (line === "/reset") return "A new conversation.\n";
  if (line === "/help") return help;
  return `${unknownName("command", line, Object.keys(commands))}\n`;
}

interface Interrupts {
  /** Ctrl-C since the last line. */
  pressed: number;
  /** Settles at the second one. */
  readonly left: Promise<void>;
  /** The signal of a new answer: the first Ctrl-C aborts it. */
  begin(): AbortSignal;
  end(): void;
}

function listen(terminal: Terminal): Interrupts {
  let running: AbortController | undefined;
  let leave = () => {};
  const left = new Promise<void>((resolve) => {
    leave = resolve;
  });
  const stop = terminal.onInterrupt(() => {
    interrupts.pressed += 1;
    if (running?.signal.aborted === false) running.abort();
    if (interrupts.pressed > 1) leave();
    else terminal.stderr.write("\nCtrl-C again, or /exit, leaves.\n");
  });
  const interrupts: Interrupts = {
    pressed: 0,
    left,
    begin() {
      running = new AbortController();
      return running.signal;
    },
    end: stop,
  };
  return interrupts;
}

interface Turn {
  readonly messages: readonly ChatMessage[];
  readonly turn: number;
  readonly signal: AbortSignal;
}

/** Streams one answer and returns what was said of it, cut where Ctrl-C ended it. */
async function answer(request: ChatRequest, { messages, turn, signal }: Turn): Promise<string> {
  const { model, tokenizer, settings, sampling, terminal } = request;
  const { ids } = encodeChatPrompt({ tokenizer, messages: withSystem(messages, settings.system) });
  let text = "";
  const parts = { ids: [] as number[], logprobs: [] as number[], finish: "aborted" as string };
  try {
    // Another draw in every turn, the same conversation from the same seed.
    for await (const chunk of model.generate([ids], { ...sampling, samples: 1, step: turn, signal })) {
      text += chunk.text;
      parts.ids.push(...chunk.ids);
      parts.logprobs.push(...chunk.logprobs);
      if (chunk.finish !== undefined) parts.finish = chunk.finish;
      if (!settings.json) terminal.stdout.write(chunk.text);
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
  const completion = [{ role: "assistant", content: text }];
  terminal.stdout.write(
    settings.json ? `${JSON.stringify({ prompt: messages, completion, ...parts })}\n` : "\n",
  );
  return text;
}

/** The conversation without its oldest turns where it would leave no room for an answer; says so. */
function fitting(
  { model, tokenizer, settings }: ChatRequest,
  messages: readonly ChatMessage[],
  note: (text: string) => void,
): readonly ChatMessage[] {
  const room = model.maxPositions - Math.min(settings.maxNewTokens, Math.floor(model.maxPositions / 2));
  let kept = messages;
  const length = () =>
    encodeChatPrompt({ tokenizer, messages: withSystem(kept, settings.system) }).ids.length;
  while (kept.length > 2 && length() > room) kept = kept.slice(2);
  const left = (messages.length - kept.length) / 2;
  if (left > 0)
    note(
      `The conversation no longer fits the model's ${model.maxPositions} tokens: ${left} old turns left out.\n`,
    );
  return kept;
}
