// Who may import whom: the table of the house, one entry per room. Data only.

/** What the two rooms on top, the toy world and the command line, may use. */
const everything = [
  "engine",
  "text",
  "data",
  "preference",
  "rollout",
  "judge",
  "evaluate",
  "train",
  "feedback",
  "server",
  "report",
];

/** Rooms of lib/ and the rooms each may import; every room may use itself, errors and options. */
export const libraryRooms = {
  errors: [],
  options: [],
  text: [],
  preference: ["text"],
  report: ["text", "preference"],
  data: ["text", "preference"],
  engine: ["text", "data"],
  evaluate: ["engine", "text", "data", "preference", "rollout"],
  rollout: ["engine", "text", "data", "preference"],
  judge: ["engine", "text", "data", "preference", "rollout"],
  train: ["engine", "rollout", "evaluate", "text", "data", "preference"],
  feedback: ["data", "preference"],
  server: ["feedback", "report"],
  web: [],
  world: everything,
  cli: [...everything, "world"],
  index: ["engine", "text", "data", "preference", "rollout", "judge", "evaluate", "train", "report"],
};

/** Rooms whose types alone may be imported (`import type`). */
export const libraryTypes = {
  text: ["data", "preference", "report"],
  preference: ["data", "report"],
  report: ["data"],
  server: ["engine"],
};

/** Loops that must not import each other: files of lib/train by name. */
export const trainLoops = ["sft", "reward", "dpo", "kto", "ppo", "rloo", "grpo", "online-dpo"];

/** Rooms of native/ and the rooms each may include; `formula` means the headers loss/*_formula.h. */
export const nativeRooms = {
  core: [],
  formats: ["core"],
  cpu: ["core", "formula"],
  cuda: ["core", "formula"],
  model: ["core"],
  loss: ["core"],
  optim: ["core"],
  generate: ["core", "model"],
  session: ["core", "model", "loss", "optim", "formats"],
  bench: ["core", "model"],
  binding: ["core", "formats", "cpu", "cuda", "model", "loss", "optim", "generate", "session", "bench"],
  tool: ["core", "formats", "cpu", "cuda", "model", "loss", "optim", "generate", "session", "bench"],
};

/** Headers that only one room may include. */
export const ownHeaders = { "napi.h": "binding", "node_api.h": "binding" };

/** Lines of a file and of a function; trainers get more room. */
export const limits = { fileLines: 500, trainerLines: 600, functionLines: 60 };
