// The switch saves what the calling convention lets a caller rely on, and changes the stack. swapcontext
// would ask the kernel for the signal mask each time, which is most of the time of a short kernel.
#include "cuda/simt/fiber.h"

#include <cstdint>

namespace attune::simt {

extern "C" void attune_simt_switch(void** save, void* load);

asm(R"(
.text
.globl attune_simt_switch
.hidden attune_simt_switch
.type attune_simt_switch, @function
attune_simt_switch:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
.size attune_simt_switch, .-attune_simt_switch
)");

namespace {
// Whose body begins; read once, by enter() on the new stack.
thread_local Fiber* starting = nullptr;
}  // namespace

void Fiber::enter(Fiber* fiber) {
    fiber->body_(fiber->argument_);
    fiber->done_ = true;
    fiber->yield();  // never comes back
}

void Fiber::start(std::byte* stack, size_t bytes, void (*body)(void*), void* argument) {
    body_ = body;
    argument_ = argument;
    done_ = false;
    // As if entry() had been called: aligned to 16 before the call, then its return address.
    auto top = (reinterpret_cast<uintptr_t>(stack) + bytes) & ~uintptr_t{15};
    auto* frame = reinterpret_cast<void**>(top);
    *--frame = nullptr;  // where entry() would return to
    *--frame = reinterpret_cast<void*>(+[] { enter(starting); });
    for (int i = 0; i < 6; ++i) *--frame = nullptr;  // the registers
    own_ = frame;
}

void Fiber::resume() {
    starting = this;
    attune_simt_switch(&caller_, own_);
}

void Fiber::yield() {
    attune_simt_switch(&own_, caller_);
}

}  // namespace attune::simt
