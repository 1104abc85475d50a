// Finds functions longer than a limit: TypeScript by its own parser, C++ by the layout that clang-format gives.
// Must not know which limit applies where.

import ts from "typescript";

/** Functions of a file above `limit` lines: where, how long, which. */
export function longFunctions(file, text, limit) {
  return file.endsWith(".ts") ? longTypeScript(file, text, limit) : longCpp(text, limit);
}

function longTypeScript(file, text, limit) {
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.ES2022, true);
  const found = [];
  const visit = (node) => {
    if (ts.isFunctionLike(node) && "body" in node && node.body !== undefined) {
      const first = source.getLineAndCharacterOfPosition(node.getStart()).line + 1;
      const last = source.getLineAndCharacterOfPosition(node.end).line + 1;
      const length = last - first + 1;
      if (length > limit) found.push({ line: first, length, title: node.name?.getText() ?? "a function" });
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

/**
 * A function ends with a lone `}` at the indentation at which it began: 0, or 4 inside a struct. It began at the
 * first line of that indentation since the last one that ended something.
 */
function longCpp(text, limit) {
  const lines = text.split("\n");
  return [0, 4].flatMap((indent) => functionsAt(lines, indent)).filter(({ length }) => length > limit);
}

function functionsAt(lines, indent) {
  const pad = " ".repeat(indent);
  const found = [];
  let start = -1;
  for (const [index, line] of lines.entries()) {
    const here = line.startsWith(pad) && line[indent] !== undefined && line[indent] !== " ";
    if (!here) continue;
    const content = line.slice(indent);
    if (content === "}" || content.startsWith("} ")) {
      if (start >= 0 && content === "}") {
        found.push({ line: start + 1, length: index - start + 1, title: lines[start].trim().slice(0, 60) });
      }
      start = -1;
    } else if (
      /^(#|\/\/|namespace\b|template\b|struct\b|class\b|enum\b|public:|private:)/.test(content) ||
      /[;:]$/.test(content)
    ) {
      start = -1;
    } else if (start < 0 && /\(/.test(content)) {
      start = index;
    }
  }
  return found;
}
