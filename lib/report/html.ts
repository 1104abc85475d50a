// HTML as a value of its own: what is put into a template is escaped unless it is HTML already. Pure.

/** Text that is HTML. */
export interface Html {
  readonly html: string;
}

type Part = Html | string | number | undefined | readonly Part[];

/** html`<p>${text}</p>`: texts are escaped, lists joined, undefined is nothing. */
export function html(strings: TemplateStringsArray, ...parts: readonly Part[]): Html {
  return { html: strings.map((text, i) => text + render(parts[i])).join("") };
}

function render(part: Part): string {
  if (part === undefined) return "";
  if (typeof part === "string") return escapeHtml(part);
  if (typeof part === "number") return String(part);
  return "html" in part ? part.html : part.map(render).join("");
}

/** For text between tags and in quoted attributes; control characters that no page may hold become visible. */
export function escapeHtml(text: string): string {
  const entities: Readonly<Record<string, string>> = {
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
    '"': "&quot;",
    "'": "&#39;",
  };
  return text
    .replaceAll(/[&<>"']/g, (character) => entities[character] ?? character)
    .replaceAll(/[^\t\n\r\u0020-\u007e\u00a0-\uffff]/g, "\ufffd")
    .replaceAll(/[\u202a-\u202e\u2066-\u2069\ufffe\uffff]/g, "\ufffd");
}

/** JSON that may stand inside a script element; no text in it can end the element. NaN and infinities become null. */
export function jsonForScript(value: unknown): Html {
  return {
    html: JSON.stringify(value)
      .replaceAll("<", "\\u003c")
      .replaceAll(/[\u2028\u2029]/g, escapedUnit),
  };
}

function escapedUnit(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16)}`;
}

/** Escapes a description and sets its `code` as code. */
export function described(markdown: string): Html {
  const parts = markdown
    .split("`")
    .map((text, i) => (i % 2 === 1 ? html`<code>${text}</code>` : html`${text}`));
  return html`${parts}`;
}

/** A table that scrolls by itself where it is too wide, also by keyboard. */
export function scrollTable(label: string, head: Html, body: readonly Html[]): Html {
  return html`<div class="scroll" tabindex="0" role="region" aria-label="${label}"><table>
<thead>${head}</thead>
<tbody>${body}</tbody>
</table></div>
`;
}
