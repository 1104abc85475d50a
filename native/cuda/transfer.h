// Copies from the host's pinned memory beside what a device computes: a queue of their own, and the order
// between it and the device's. One command thread at a time, except for finish().
#pragma once

#include <cstdint>

#include "cuda/queue.h"

namespace attune::gpu {

class Transfers {
  public:
    // queue: that the device computes in. Null where there is no memory: last_failure() says why.
    static Transfers* open(Queue* queue);
    ~Transfers();
    Transfers(const Transfers&) = delete;
    Transfers& operator=(const Transfers&) = delete;

    // Begins when all that is in the device's queue now is done: nobody reads the old contents any more.
    Status fetch(void* device, const void* pinned, int64_t bytes);
    // What comes into the device's queue from now on waits for every copy so far.
    Status join();
    // Until no copy is under way.
    Status finish();

    RawQueue* queue() const { return copies_; }

  private:
    explicit Transfers(Queue* queue) : queue_(queue) {}

    Queue* queue_;
    RawQueue* copies_ = nullptr;
    void* computed_ = nullptr;  // event: what the next copy comes after
    void* copied_ = nullptr;    // event: the last copy
};

}  // namespace attune::gpu
