// Starts the browser that pages are looked at with: ATTUNE_CHROMIUM, or the system's chromium. Must not know a page.

import { existsSync } from "node:fs";
import { type Browser, chromium, type Page } from "playwright-core";

const program = process.env.ATTUNE_CHROMIUM ?? "/usr/bin/chromium";

/** Without a browser the tests of pages are pending; ATTUNE_STRICT, as in CI, makes that a failure. */
export const hasBrowser = existsSync(program) || process.env.ATTUNE_STRICT !== undefined;

export function startBrowser(): Promise<Browser> {
  const args = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
  ];
  return chromium.launch({ executablePath: program, args });
}

export interface OpenPage {
  readonly browser: Browser;
  /** A file on this disk. */
  readonly file: string;
  readonly width: number;
  readonly colours?: "light" | "dark";
}

export interface OpenedPage {
  readonly page: Page;
  /** Errors of the console and of scripts, and what the page asked for besides itself. */
  readonly complaints: readonly string[];
}

export async function openPage({ browser, file, width, colours = "light" }: OpenPage): Promise<OpenedPage> {
  const page = await browser.newPage({ viewport: { width, height: 900 }, colorScheme: colours });
  const complaints: string[] = [];
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning") complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(error.message));
  page.on("request", (request) => {
    if (request.url() !== `file://${file}`) complaints.push(`asked for ${request.url()}`);
  });
  page.on("dialog", (dialog) => {
    complaints.push(`a dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  await page.goto(`file://${file}`);
  return { page, complaints };
}
