// Names of the error codes. Must not know who shows them.
#include "core/error.h"

namespace attune {

const char* code_name(Code code) noexcept {
    switch (code) {
        case Code::Option:
            return "OPTION";
        case Code::Shape:
            return "SHAPE";
        case Code::File:
            return "FILE";
        case Code::Format:
            return "FORMAT";
        case Code::Model:
            return "MODEL";
        case Code::Memory:
            return "MEMORY";
        case Code::Backend:
            return "BACKEND";
        case Code::DeviceLost:
            return "DEVICE_LOST";
        case Code::NotFinite:
            return "NOT_FINITE";
        case Code::Aborted:
            return "ABORTED";
        case Code::Disposed:
            return "DISPOSED";
        case Code::Output:
            return "OUTPUT";
        case Code::Resume:
            return "RESUME";
        case Code::Internal:
            return "INTERNAL";
    }
    return "INTERNAL";
}

}  // namespace attune
