// How messages write sizes, as lib/errors/size-text.ts does. Allocates nothing: memory may be what is
// missing.
#pragma once

#include <cstdint>
#include <cstdio>

namespace attune {

// 1.20 GB, 3.4 MB, 12 bytes
struct SizeText {
    char text[32];

    explicit SizeText(int64_t bytes) {
        const auto write = [&](double unit, int digits, const char* name) {
            std::snprintf(text, sizeof(text), "%.*f %s", digits, static_cast<double>(bytes) / unit, name);
        };
        if (bytes >= 1'000'000'000)
            write(1e9, 2, "GB");
        else if (bytes >= 1'000'000)
            write(1e6, 1, "MB");
        else if (bytes >= 1'000)
            write(1e3, 1, "KB");
        else
            write(1, 0, "bytes");
    }
};

}  // namespace attune
