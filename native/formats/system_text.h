// The words of an errno value. Uses std only.
#pragma once

#include <string>
#include <system_error>

namespace attune {

// Thread-safe, unlike strerror: "No such file or directory".
inline std::string system_text(int error_number) {
    return std::generic_category().message(error_number);
}

}  // namespace attune
