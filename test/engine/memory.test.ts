// How much memory is left, from the files of both cgroup versions, and the refusal with its numbers.

import { expect } from "chai";
import type { MemoryUse } from "../../lib/engine/contract.js";
import {
  availableMemory,
  requireKlMemory,
  requireMemory,
  requireWeightsMemory,
  workspaceBytes,
} from "../../lib/engine/memory.js";
import { failureOf } from "../errors/expect-failure.js";

const GIB = 2 ** 30;

function files(contents: Readonly<Record<string, string>>): (path: string) => string | undefined {
  return (path) => contents[path];
}

const machine = { "/proc/meminfo": `MemTotal: 99 kB\nMemAvailable:   ${8 * 1024 * 1024} kB\n` };

const use = (parts: Partial<MemoryUse>): MemoryUse => {
  const all = {
    weightsBf16: 0,
    weightsFp32: 0,
    gradients: 0,
    optimizer: 0,
    activations: 0,
    head: 0,
    ...parts,
  };
  const total = Object.values(all).reduce((sum, bytes) => sum + bytes, 0);
  return { weightsHost: 0, ...all, total: total - (parts.weightsHost ?? 0) };
};

describe("available memory", () => {
  it("is MemAvailable where no group limits it", () => {
    const read = files({ ...machine, "/proc/self/cgroup": "0::/\n", "/sys/fs/cgroup/memory.max": "max\n" });
    expect(availableMemory({ read })).to.deep.equal({ bytes: 8 * GIB, limit: "free memory of the machine" });
  });

  it("is what a version 2 group has left, its page cache not counted", () => {
    const read = files({
      ...machine,
      "/proc/self/cgroup": "0::/job\n",
      "/sys/fs/cgroup/job/memory.max": `${4 * GIB}\n`,
      "/sys/fs/cgroup/job/memory.current": `${3 * GIB}\n`,
      "/sys/fs/cgroup/job/memory.stat": `anon 5\ninactive_file ${GIB}\n`,
    });
    expect(availableMemory({ read })).to.deep.equal({
      bytes: 2 * GIB,
      limit: "memory limit of the control group",
    });
  });

  it("is what a group further up has left when that is less", () => {
    const read = files({
      ...machine,
      "/proc/self/cgroup": "0::/outer/inner\n",
      "/sys/fs/cgroup/outer/inner/memory.max": "max\n",
      "/sys/fs/cgroup/outer/memory.max": `${GIB}\n`,
      "/sys/fs/cgroup/outer/memory.current": "0\n",
    });
    expect(availableMemory({ read }).bytes).to.equal(GIB);
  });

  it("is what a version 1 group has left", () => {
    const read = files({
      ...machine,
      "/proc/self/cgroup": "5:cpu:/job\n4:memory:/job\n",
      "/sys/fs/cgroup/memory/job/memory.limit_in_bytes": `${3 * GIB}\n`,
      "/sys/fs/cgroup/memory/job/memory.usage_in_bytes": `${GIB}\n`,
    });
    expect(availableMemory({ read }).bytes).to.equal(2 * GIB);
  });
});

describe("requireMemory", () => {
  const model = {
    plan: ({ training }: { training: boolean }) =>
      use({ weightsFp32: 2 * GIB, ...(training ? { gradients: 2 * GIB, optimizer: 4 * GIB } : {}) }),
    memory: () => use({ weightsFp32: 2 * GIB }),
  };
  const available = (bytes: number) => ({ bytes, limit: "free memory of the machine" as const });

  it("lets a run through that fits beside what is held already", () => {
    const space = workspaceBytes({ activations: 0 });
    requireMemory({ model, rows: 8, targets: 8, available: available(6 * GIB + space) });
  });

  it("counts the kernels' work space", async () => {
    const error = await failureOf(() =>
      requireMemory({ model, rows: 8, targets: 8, available: available(6 * GIB) }),
    );
    expect(error.message).to.match(/work space of the kernels 3\d\.\d MB/);
  });

  it("refuses a run that does not fit, with the numbers by purpose", async () => {
    const error = await failureOf(() =>
      requireMemory({ model, rows: 8, targets: 8, snapshots: 1, available: available(7 * GIB) }),
    );
    expect(error.code).to.equal("ATTUNE_MEMORY");
    for (const part of [
      "8.62 GB of further memory",
      "7.52 GB are left",
      "optimizer state 4.29 GB",
      "reference snapshot 2.15 GB",
    ])
      expect(error.message).to.contain(part);
  });

  it("counts a copy whose layers the host keeps where each part of it lies", async () => {
    const kept = {
      ...model,
      plan: ({ training, weights }: { training: boolean; weights?: string }) =>
        weights === "host" ? use({ weightsFp32: GIB, weightsHost: 8 * GIB }) : model.plan({ training }),
    };
    const space = workspaceBytes({ activations: 0 });
    const need = (hostBytes: number) =>
      requireMemory({
        model: kept,
        rows: 8,
        targets: 8,
        snapshots: 1,
        snapshotWeights: "host",
        available: available(7 * GIB + space),
        hostAvailable: available(hostBytes),
      });
    need(8 * GIB);
    const error = await failureOf(() => need(8 * GIB - 1));
    expect(error.code).to.equal("ATTUNE_MEMORY");
    expect(error.message).to.contain("weights that the host keeps 8.59 GB");
  });

  it("refuses to load weights that do not fit", async () => {
    const error = await failureOf(() => requireWeightsMemory(3 * GIB, available(GIB)));
    expect(error.message).to.contain("Expected 3.22 GB of further memory but only 1.07 GB are left");
  });
});

describe("requireKlMemory", () => {
  const planned = { activations: GIB, head: GIB };
  const space = workspaceBytes(planned);
  const need = (left: number, held = { activations: 0, head: 0 }) => ({
    reference: GIB,
    planned,
    held,
    available: { bytes: left, limit: "free memory of the machine" as const },
  });

  it("counts both passes, the reference's states and logits, and the kernels' work space", () => {
    requireKlMemory(need(3 * GIB + space));
    expect(() => requireKlMemory(need(3 * GIB + space - 1))).to.throw(
      /Expected 3\.31 GB .* the reference's states and logits 1\.07 GB/,
    );
  });

  it("takes off what is held already, and no more than is needed of each", () => {
    requireKlMemory(need(2 * GIB + space, { activations: 5 * GIB, head: 0 }));
    expect(() => requireKlMemory(need(2 * GIB + space - 1, { activations: 5 * GIB, head: 0 }))).to.throw(
      /Expected/,
    );
  });
});
