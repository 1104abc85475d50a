// Typed errors of the core: thrown as Error{code, text}, turned into JavaScript errors in binding/ only.
// Knows nothing of Node; never exits, aborts or asserts on input.
#pragma once

#include <exception>
#include <sstream>
#include <string>
#include <utility>

namespace attune {

// The JavaScript side sees these as "ATTUNE_" + code_name(code).
enum class Code {
    Option,
    Shape,
    File,
    Format,
    Model,
    Memory,
    Backend,
    DeviceLost,
    NotFinite,
    Aborted,
    Disposed,
    Output,
    Resume,
    Internal
};

const char* code_name(Code code) noexcept;

struct Error : std::exception {
    Error(Code error_code, std::string error_text) : code(error_code), text(std::move(error_text)) {}
    const char* what() const noexcept override { return text.c_str(); }
    Code code;
    std::string text;
};

template <class... Parts>
[[noreturn]] void raise(Code code, const Parts&... parts) {
    std::ostringstream out;
    (out << ... << parts);
    throw Error(code, out.str());
}

template <class... Parts>
inline void require(bool ok, Code code, const Parts&... parts) {
    if (!ok) [[unlikely]]
        raise(code, parts...);
}

}  // namespace attune
