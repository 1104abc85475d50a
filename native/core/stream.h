// What an op runs on: the CPU's thread pool and scratch memory, or (behind `device`) a GPU with a stream.
// Opaque to model, loss and optim code, which only pass it on.
#pragma once

#include <atomic>
#include <cstdint>

namespace attune {

class ThreadPool;
class Scratch;

struct Stream {
    ThreadPool* pool = nullptr;  // CPU
    Scratch* scratch = nullptr;  // CPU: grow-only memory for packing and partial sums
    const std::atomic<bool>* cancelled =
        nullptr;             // looked at between layers by the model code, never inside ops
    void* device = nullptr;  // of a CUDA backend, which alone knows its type
};

}  // namespace attune
