// A borrowed run of file bytes, unaligned loads from it, and file names and keys made safe to print.
// Uses std only; owns nothing.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace attune {

static_assert(std::endian::native == std::endian::little, "safetensors and GGUF are read as little-endian");

struct ByteView {
    const uint8_t* data = nullptr;
    int64_t size = 0;
};

// File data may start at any address, so values are copied out instead of dereferenced.
template <class T>
inline T load_unaligned(const uint8_t* at) noexcept {
    T value;
    std::memcpy(&value, at, sizeof value);
    return value;
}

// "text" in double quotes, cut after 120 bytes, with bytes outside printable ASCII as \xNN: names in a broken
// file may hold anything, and an error text must stay one readable line.
inline std::string quoted(std::string_view text) {
    constexpr size_t longest = 120;
    constexpr char digits[] = "0123456789abcdef";
    std::string out = "\"";
    for (const char letter : text.substr(0, longest)) {
        const auto byte = static_cast<uint8_t>(letter);
        if (byte >= 0x20 && byte < 0x7f) {
            out += letter;
        } else {
            out += "\\x";
            out += digits[byte >> 4];
            out += digits[byte & 15];
        }
    }
    out += text.size() > longest ? "…\"" : "\"";
    return out;
}

}  // namespace attune
