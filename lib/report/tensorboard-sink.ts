// Writes the metrics of a run as TensorBoard event files beside metrics.jsonl: OUTPUT/tensorboard. A trainer gets it as
// a function. Must not import a trainer.

import { closeSync, mkdirSync, openSync, writeSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { fail, reasonOf } from "../errors/index.js";
import { type Scalar, scalarEvent, sessionStartEvent, versionEvent } from "./tensorboard-event.js";
import { frameRecord } from "./tensorboard-record.js";

export interface TensorboardOptions {
  /** Default: the system's. */
  readonly clock?: () => Date;
  /** Part of the file's name. Default: this machine's. */
  readonly host?: string;
}

export interface TensorboardStart {
  readonly folder: string;
  /** The run goes on behind this step: what was written for later ones no longer counts. */
  readonly resumedFrom: number | undefined;
}

export interface TensorboardSink {
  write(line: Readonly<Record<string, unknown>>): void;
  close(): void;
}

/** Scalars of a metrics line: `train/…`, or `eval/…` without the `eval_` of its keys. NaN and infinity are kept. */
export function scalarsOf(line: Readonly<Record<string, unknown>>): readonly Scalar[] {
  const split = line.split === "eval" ? "eval" : "train";
  return Object.entries(line).flatMap(([key, value]) =>
    typeof value === "number" && key !== "step"
      ? { tag: `${split}/${key.replace(/^eval_/, "")}`, value }
      : [],
  );
}

/**
 * For `metricsSink` of a trainer: `dpo({ …, metricsSink: tensorboardSink() })`. Each start of a run writes a file of its
 * own, as TensorBoard expects.
 */
export function tensorboardSink(
  options: TensorboardOptions = {},
): (start: TensorboardStart) => TensorboardSink {
  const { clock = () => new Date(), host = hostname() } = options;
  const seconds = () => clock().getTime() / 1000;
  return ({ folder, resumedFrom }) => {
    const { file, path } = openFile(join(folder, "tensorboard"), Math.floor(seconds()), host);
    const write = (event: Uint8Array) => append(file, path, frameRecord(event));
    write(versionEvent(seconds()));
    if (resumedFrom !== undefined) write(sessionStartEvent(seconds(), resumedFrom + 1));
    return {
      write(line) {
        const scalars = scalarsOf(line);
        if (scalars.length > 0) write(scalarEvent({ time: seconds(), step: Number(line.step), scalars }));
      },
      close: () => closeSync(file),
    };
  };
}

/** A new file; TensorBoard reads the files of a folder in the order of their names. */
function openFile(folder: string, second: number, host: string) {
  const name = `events.out.tfevents.${second}.${host.replaceAll(/[^\w.-]/g, "_")}.${process.pid}`;
  try {
    mkdirSync(folder, { recursive: true });
    for (let count = 0; ; count++) {
      const path = join(folder, `${name}.${count}`);
      try {
        return { file: openSync(path, "ax"), path };
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
      }
    }
  } catch (error) {
    throw unwritable(folder, error);
  }
}

function append(file: number, path: string, bytes: Uint8Array): void {
  try {
    for (let done = 0; done < bytes.length; ) done += writeSync(file, bytes, done);
  } catch (error) {
    throw unwritable(path, error);
  }
}

function unwritable(path: string, error: unknown) {
  const text = `Cannot write ${path}: ${reasonOf(error)}.`;
  return fail("ATTUNE_OUTPUT", text, { cause: error, details: { path } });
}
