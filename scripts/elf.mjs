// Reads of a shared library for 64-bit Linux what it needs and what it shows: libraries, versions of their symbols, and
// the names that others can link with. Must not run any other program.

import { readFileSync } from "node:fs";

const sectionTypes = { strings: 3, dynamic: 6, symbols: 11, versionNeeds: 0x6ffffffe };
const neededTag = 1;

/** Sections as { type, offset, size, link, entrySize }; `link` is the number of the section with their strings. */
function sections(file) {
  const offset = Number(file.readBigUInt64LE(0x28));
  const [size, count] = [file.readUInt16LE(0x3a), file.readUInt16LE(0x3c)];
  return Array.from({ length: count }, (_, i) => {
    const at = offset + i * size;
    const number = (field) => Number(file.readBigUInt64LE(at + field));
    return {
      type: file.readUInt32LE(at + 4),
      offset: number(0x18),
      size: number(0x20),
      link: file.readUInt32LE(at + 0x28),
      entrySize: number(0x38),
    };
  });
}

function textAt(file, offset) {
  return file.toString("utf8", offset, file.indexOf(0, offset));
}

function neededLibraries(file, { offset, size }, strings) {
  const names = [];
  for (let at = offset; at < offset + size; at += 16) {
    if (Number(file.readBigInt64LE(at)) === neededTag)
      names.push(textAt(file, strings.offset + Number(file.readBigUInt64LE(at + 8))));
  }
  return names;
}

/** Lists within a list: libraries, and of each the versions. */
function neededVersions(file, { offset }, strings) {
  const versions = [];
  for (let at = offset, next = 1; next !== 0; at += next) {
    let of = at + file.readUInt32LE(at + 8);
    for (let left = file.readUInt16LE(at + 2); left > 0; left--) {
      versions.push(textAt(file, strings.offset + file.readUInt32LE(of + 8)));
      of += file.readUInt32LE(of + 12);
    }
    next = file.readUInt32LE(at + 12);
  }
  return versions;
}

/** Symbols that are defined here and not local. */
function shownSymbols(file, { offset, size, entrySize }, strings) {
  const names = [];
  for (let at = offset; at < offset + size; at += entrySize) {
    const [binding, section] = [file[at + 4] >> 4, file.readUInt16LE(at + 6)];
    if (binding !== 0 && section !== 0) names.push(textAt(file, strings.offset + file.readUInt32LE(at)));
  }
  return names;
}

/** { needed: library names, versions: such as "GLIBC_2.34", exported: names } */
export function readElf(path) {
  const file = readFileSync(path);
  if (file.toString("latin1", 0, 6) !== "\x7fELF\x02\x01")
    throw new Error(`${path} is no little-endian 64-bit ELF file`);
  const all = sections(file);
  const of = (type, read) => {
    const found = all.find((section) => section.type === type);
    return found === undefined ? [] : read(file, found, all[found.link]);
  };
  return {
    needed: of(sectionTypes.dynamic, neededLibraries),
    versions: of(sectionTypes.versionNeeds, neededVersions),
    exported: of(sectionTypes.symbols, shownSymbols),
  };
}

const parts = (version) => version.split(".").map(Number);

/** Whether a dotted number comes after another one. */
function later(one, other) {
  const [own, their] = [parts(one), parts(other)];
  for (let i = 0; i < Math.max(own.length, their.length); i++)
    if ((own[i] ?? 0) !== (their[i] ?? 0)) return (own[i] ?? 0) > (their[i] ?? 0);
  return false;
}

/** The least version that has all of `family` ("GLIBC", "GLIBCXX"); undefined where nothing of it is needed. */
export function leastVersion(versions, family) {
  const own = versions
    .map((name) => new RegExp(`^${family}_([0-9.]+)$`).exec(name)?.[1])
    .filter((version) => version !== undefined);
  return own.reduce(
    (least, version) => (least === undefined || later(version, least) ? version : least),
    undefined,
  );
}
