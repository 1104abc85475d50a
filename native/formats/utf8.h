// UTF-8: checks a string and appends one code point. Uses std only; no normalisation, no other encoding.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace attune {

// Offset of the first byte that is not valid UTF-8 (overlong forms and surrogates included), or -1.
inline int64_t first_invalid_utf8(std::string_view text) noexcept {
    constexpr uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    const auto size = static_cast<int64_t>(text.size());
    for (int64_t at = 0; at < size;) {
        const auto lead = static_cast<uint8_t>(text[at]);
        if (lead < 0x80) {
            ++at;
            continue;
        }
        const int length = lead >= 0xf0 && lead < 0xf8 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 0;
        if (length == 0 || lead >= 0xf8 || at + length > size) return at;
        uint32_t code_point = lead & (0x7fu >> length);
        for (int i = 1; i < length; ++i) {
            const auto next = static_cast<uint8_t>(text[at + i]);
            if ((next & 0xc0) != 0x80) return at;
            code_point = (code_point << 6) | (next & 0x3fu);
        }
        const bool surrogate = code_point >= 0xd800 && code_point < 0xe000;
        if (code_point < smallest[length] || code_point > 0x10ffff || surrogate) return at;
        at += length;
    }
    return -1;
}

// code_point <= 0x10ffff and no surrogate
inline void append_utf8(std::string& out, uint32_t code_point) {
    if (code_point < 0x80) {
        out += static_cast<char>(code_point);
    } else if (code_point < 0x800) {
        out += static_cast<char>(0xc0 | (code_point >> 6));
        out += static_cast<char>(0x80 | (code_point & 0x3f));
    } else if (code_point < 0x10000) {
        out += static_cast<char>(0xe0 | (code_point >> 12));
        out += static_cast<char>(0x80 | ((code_point >> 6) & 0x3f));
        out += static_cast<char>(0x80 | (code_point & 0x3f));
    } else {
        out += static_cast<char>(0xf0 | (code_point >> 18));
        out += static_cast<char>(0x80 | ((code_point >> 12) & 0x3f));
        out += static_cast<char>(0x80 | ((code_point >> 6) & 0x3f));
        out += static_cast<char>(0x80 | (code_point & 0x3f));
    }
}

}  // namespace attune
