// What the ops of attention share on the host: the choice of tiles by head width, rows whose heads begin at
// whole chunks, and the launch of the forward kernel. Knows no gradient.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "cuda/attention_forward.h"
#include "cuda/attention_hopper_forward.h"
#include "cuda/attention_keys.h"
#include "cuda/device.h"
#include "cuda/matrix.h"

namespace attune::gpu {

// Work space of the ops, by slot.
constexpr int kStatsSlot = 0, kUpstreamSlot = 1, kTurnsSlot = 2, kAlignedSlot = 3;

// Arrays that are the same in every layer of a step (Device::stage_again).
enum Staged { kStoredRows, kSeenRows, kPages, kTiles };

// body(Count<width>{}) with the least tile width that holds D.
template <class Body>
Status with_width(int64_t D, const Body& body) {
    return D <= 64 ? body(Count<64>{}) : D <= 128 ? body(Count<128>{}) : body(Count<256>{});
}

// Heads of kChunk numbers and more begin at multiples of 16 bytes.
inline bool in_whole_chunks(const ConstMat& m, int64_t D) {
    return D % kChunk == 0 && in_chunks(m);
}

// to[rows, heads * pitch] = from[rows, heads * D], zeros between.
template <class T>
__global__ void align_heads_kernel(T* to, View<const T> from, int64_t rows, int64_t heads, int D, int pitch) {
    const int64_t index = thread_index();
    if (index >= rows * heads * pitch) return;
    const int64_t d = index % pitch, head = index / pitch % heads, row = index / (pitch * heads);
    store_number(to + index, d < D ? load_number(from.row(row) + head * D + d) : 0.0f);
}

// Rows that kernels copy in chunks: qkv where it allows that, else a copy of it. Null data: no memory.
template <class T>
View<const T> aligned_heads(const ConstMat& qkv, const HeadSizes& sizes, Device& device) {
    if (in_whole_chunks(qkv, sizes.D)) return view_of<T>(qkv);
    const int64_t heads = sizes.H + 2 * int64_t{sizes.G}, stride = heads * sizes.pitch;
    T* copy = device.workspace<T>(kAlignedSlot, qkv.rows * stride);
    if (copy == nullptr) return {nullptr, 0};
    const Status status =
        launch("attention_rows", align_heads_kernel<T>, {blocks_for(qkv.rows * stride)}, kThreads, 0,
               device.queue(), copy, view_of<T>(qkv), qkv.rows, heads, sizes.D, sizes.pitch);
    return {status == Status::Ok ? copy : nullptr, stride};
}

// Tiles of at most `most` rows of `rows` (query, head) pairs.
inline void append_tiles(std::vector<QueryTile>& tiles, int64_t segment, int64_t rows, int64_t most) {
    for (int64_t first = 0; first < rows; first += most)
        tiles.push_back({static_cast<int32_t>(segment), static_cast<int32_t>(first),
                         static_cast<int32_t>(std::min(most, rows - first))});
}

template <class T, int kWidth>
inline constexpr bool kHopperAttends = sizeof(T) == 2 && kWidth <= 128;

// list(most rows of a tile): the tiles of queries. Which kernel it is depends on the device, T and kWidth
// alone.
template <class T, int kWidth, class Keys, class List>
Status launch_forward(const char* name, const Mat& out, float* lse, const Keys& keys, const List& list,
                      Device& device) {
    const auto run = [&](auto kernel, int rows, int threads, size_t shared) {
        const std::vector<QueryTile> tiles = list(int64_t{rows});
        const QueryTile* staged =
            device.stage_again(kTiles, tiles.data(), static_cast<int64_t>(tiles.size()));
        if (staged == nullptr) return Status::Memory;
        return launch(
            name, kernel, {static_cast<unsigned>(tiles.size()), static_cast<unsigned>(keys.sizes.G)},
            static_cast<unsigned>(threads), shared, device.queue(), any_view(out), lse, keys, staged);
    };
    if constexpr (kHopperAttends<T, kWidth>)
        if (device.has_wgmma()) {
            using Shape = HopperForwardShape<kWidth>;
            return run(attention_hopper_kernel<kWidth, Keys>, Shape::kRows, Shape::kThreads,
                       1024 + sizeof(HopperForwardShared<Shape>));
        }
    using Shape = ForwardShape<T, kWidth>;
    return run(attention_kernel<T, kWidth, Keys>, Shape::kRows, Shape::kThreads,
               sizeof(ForwardShared<T, Shape>));
}

}  // namespace attune::gpu
