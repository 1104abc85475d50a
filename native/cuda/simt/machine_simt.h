// The machine that the simulated runtime shows, and what goes wrong on it: told by ATTUNE_SIMT, or by a
// check. A plan is words between spaces.
//
//   devices=2 memory=64 capability=75 driver=12040 toolkit=12060: how many, MiB of each, what they are, what
//   the driver knows, what the library was built with.
//
//   slow=20: milliseconds that each kernel takes.
//
//   CALL=ERROR, CALL@N=ERROR: every call, or the N-th from now on, fails with that cudaError_t; of launch one
//   that stays with the device shows where the queue is waited for.
//
// Knows no memory and no queue.
#pragma once

#include <cstdint>
#include <string>

namespace attune::simt {

enum class Call : int32_t { Count, Properties, Use, Code, Queue, Free, Allocate, Pinned, Launch, Copy, Wait };

constexpr int kMostDevices = 4;

struct MachineFacts {
    int devices = 1;
    int64_t memory_bytes = int64_t{4} << 30;
    int capability = 90;
    int driver = 13000;
    int toolkit = 13000;
    int slow = 0;
};

// A new plan counts calls from 1, and devices that were lost are there again. Throws std::runtime_error for a
// word that it does not know.
void set_plan(const std::string& plan);
// As ATTUNE_SIMT says, where that has changed: looked at when devices are counted or opened. A plan of
// set_plan() stays until it does.
void read_environment();

MachineFacts machine_facts();
// 0, or the cudaError_t with which this call on that device fails. One that stays is met by every later call.
int error_of(Call call, int device);
// The device is lost from now on.
void lose_device(int device, int error);
int lost_error(int device);

}  // namespace attune::simt
