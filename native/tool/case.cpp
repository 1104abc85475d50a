// Apart from whoever calls it, so that it stays a function of its own.
#include "tool/case.h"

namespace attune::tool {

extern "C" void attune_counted(void (*body)(void*), void* context) {
    body(context);
    // No tail call: the body must return to here before the counting ends.
    asm volatile("");
}

}  // namespace attune::tool
