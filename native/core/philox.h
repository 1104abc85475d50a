// Philox4x32-10 (Salmon et al. 2011): counter-based random words, so any draw is a function of its
// coordinates. Key = 64-bit seed; counter = (stream, step, row, position).
#pragma once

#include <array>
#include <cstdint>

namespace attune {

enum class RandomStream : uint32_t {
    Init,
    Shuffle,
    Sample,
    Bootstrap,
    Project,
    Principle,
    Side,
    Gold,
    Simulate,
    Select
};

struct Philox {
    uint64_t seed;

    std::array<uint32_t, 4> operator()(RandomStream stream, uint32_t step, uint32_t row,
                                       uint32_t position) const {
        std::array<uint32_t, 4> counter{static_cast<uint32_t>(stream), step, row, position};
        uint32_t key0 = static_cast<uint32_t>(seed);
        uint32_t key1 = static_cast<uint32_t>(seed >> 32);
        for (int round = 0; round < 10; ++round) {
            const uint64_t product0 = uint64_t{0xD2511F53u} * counter[0];
            const uint64_t product1 = uint64_t{0xCD9E8D57u} * counter[2];
            counter = {
                static_cast<uint32_t>(product1 >> 32) ^ counter[1] ^ key0, static_cast<uint32_t>(product1),
                static_cast<uint32_t>(product0 >> 32) ^ counter[3] ^ key1, static_cast<uint32_t>(product0)};
            key0 += 0x9E3779B9u;
            key1 += 0xBB67AE85u;
        }
        return counter;
    }

    // [0, 1): the top 24 bits.
    static float uniform(uint32_t word) { return static_cast<float>(word >> 8) * 0x1p-24f; }
};

}  // namespace attune
