// How tiles and results of attention become factors of wgmma. Knows neither segments nor masks.
#pragma once

#include <cstddef>
#include <cstdint>

#include "cuda/attention_product.h"
#include "cuda/attention_tile.h"
#include "cuda/gpu.h"
#include "cuda/hopper.h"

namespace attune::gpu {

constexpr uint64_t kSixteenRows = 16 * 128 / 16;  // on in a descriptor, whose units are 16 bytes

// What a tile's panel of 64 columns is to wgmma.
template <class Tile>
__device__ inline uint64_t panel_descriptor(const Tile& tile, int panel, int row0) {
    constexpr int kPanelBytes = static_cast<int>(Tile::kRows) * 128;
    const auto* bytes = reinterpret_cast<const std::byte*>(tile.numbers);
    return slab_descriptor(bytes + panel * kPanelBytes + row0 * 128, kPanelBytes);
}

// Results of a product become the left factor of the next: columns are its depth.
template <int kCount, int kWide>
__device__ inline void pack_left(uint32_t (&words)[kCount][4], const float (&results)[1][kWide][4]) {
    const LeftHeld held{results};
#pragma unroll
    for (int step = 0; step < kCount; ++step) held.fragment(words[step], 0, 0, step);
}

}  // namespace attune::gpu
