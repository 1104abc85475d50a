// Fibers: functions that give the processor up by themselves and go on later. x86-64 only; for checks of CUDA
// kernels. Knows nothing of kernels.
#pragma once

#include <cstddef>
#include <memory>

namespace attune::simt {

class Fiber {
  public:
    // `stack` must outlive it. body(argument) runs at the first resume().
    void start(std::byte* stack, size_t bytes, void (*body)(void* argument), void* argument);
    // Runs until the body yields or returns; called from outside of all fibers.
    void resume();
    // Back to where resume() was called; from inside the fiber.
    void yield();
    bool done() const { return done_; }

  private:
    static void enter(Fiber* fiber);

    void* own_ = nullptr;  // stack pointers
    void* caller_ = nullptr;
    void (*body_)(void*) = nullptr;
    void* argument_ = nullptr;
    bool done_ = true;
};

}  // namespace attune::simt
