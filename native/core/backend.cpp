// Status to Error. The picking itself is cpu/cpu_ops.cpp.
#include "core/backend.h"

#include "core/error.h"

namespace attune {

void check(Status status, const char* op) {
    switch (status) {
        case Status::Ok:
            return;
        case Status::Shape:
            raise(Code::Shape, op, ": the operands' shapes do not fit each other.");
        case Status::Memory:
            raise(Code::Memory, op, ": not enough memory for its workspace.");
        case Status::Backend:
            raise(Code::Backend, op, ": the device reported an error.");
        case Status::Lost:
            raise(Code::DeviceLost, op, ": the device is lost to this engine, which can only be disposed.");
    }
}

}  // namespace attune
