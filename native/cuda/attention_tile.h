// Tiles of attention in shared memory: rows of numbers in chunks of 16 bytes, that arrive by asynchronous
// copies. Knows neither products nor segments.
//
// A tile lies in panels of up to 128 bytes of every row, and a row's chunks change places by its number, so
// that the eight rows of one matrix of ldmatrix meet every bank once, along the rows and across them.
#pragma once

#include <cstdint>

#include "cuda/gpu.h"

namespace attune::gpu {

template <class T, unsigned kRows_, unsigned kCols_>
struct Tile {
    using Number = T;
    static constexpr unsigned kRows = kRows_, kCols = kCols_;
    static constexpr unsigned kChunk = 16 / sizeof(T);   // numbers
    static constexpr unsigned kChunks = kCols / kChunk;  // of a row
    static constexpr unsigned kPanel = kChunks < 8 ? kChunks : 8;
    static_assert(kChunks % kPanel == 0 && 8 % kPanel == 0 && kPanel > 1);

    alignas(16) T numbers[kRows * kCols];

    __device__ static unsigned turn(unsigned row) { return row * kPanel / 8 % kPanel; }
    __device__ static unsigned chunk_at(unsigned row, unsigned chunk) {
        return ((chunk / kPanel * kRows + row) * kPanel + (chunk % kPanel ^ turn(row))) * kChunk;
    }
    __device__ T* chunk(unsigned row, unsigned chunk) { return numbers + chunk_at(row, chunk); }
    __device__ const T* chunk(unsigned row, unsigned chunk) const { return numbers + chunk_at(row, chunk); }
    // What is the lane's own of chunk(row0 + row, chunk0 + chunk) is `lane` = chunk_at(row, chunk), where
    // row0 is a multiple of 8 or row is 0, and chunk0 has no bit in common with chunk.
    __device__ const T* from_lane(unsigned lane, unsigned row0, unsigned chunk0) const {
        return numbers + (chunk0 / kPanel * kRows + row0) * kPanel * kChunk +
               (lane ^ (chunk0 % kPanel ^ turn(row0)) * kChunk);
    }
    __device__ T* at(unsigned row, unsigned col) { return chunk(row, col / kChunk) + col % kChunk; }
    __device__ const T* at(unsigned row, unsigned col) const {
        return chunk(row, col / kChunk) + col % kChunk;
    }
};

// tile(row, col) = from(row)[col], for rows below `rows` and the chunks that begin below `columns`; zeros
// elsewhere. By all kThreads threads of the block; from(0) is memory, if nothing else.
template <int kThreads, class Tile, class From>
__device__ inline void copy_tile(Tile& tile, int rows, int columns, const From& from) {
    constexpr unsigned kEach = kThreads / Tile::kChunks;  // rows at once
    static_assert(kThreads % Tile::kChunks == 0 && Tile::kRows % kEach == 0);
    const unsigned thread = computed_here(threadIdx.x);
    const unsigned first = thread / Tile::kChunks, chunk = thread % Tile::kChunks;
    const int col = static_cast<int>(chunk * Tile::kChunk);
#pragma unroll
    for (unsigned row = first; row < first + Tile::kRows; row += kEach) {
        const bool inside = static_cast<int>(row) < rows && col < columns;
        copy_async(tile.chunk(row, chunk), from(inside ? static_cast<int>(row) : 0) + col, inside);
    }
}

// The same where rows lie `stride` apart.
template <int kThreads, class Tile>
__device__ inline void copy_rows(Tile& tile, int rows, int columns, const typename Tile::Number* from,
                                 int64_t stride) {
    constexpr unsigned kEach = kThreads / Tile::kChunks;
    static_assert(kThreads % Tile::kChunks == 0 && Tile::kRows % kEach == 0);
    const unsigned thread = computed_here(threadIdx.x);
    const unsigned first = thread / Tile::kChunks, chunk = thread % Tile::kChunks;
    const int col = static_cast<int>(chunk * Tile::kChunk);
    const typename Tile::Number* at = from + static_cast<int>(first) * stride + col;
#pragma unroll
    for (unsigned row = first; row < first + Tile::kRows; row += kEach) {
        const bool inside = static_cast<int>(row) < rows && col < columns;
        copy_async(tile.chunk(row, chunk), inside ? at : from, inside);
        at += static_cast<int>(kEach) * stride;
    }
}

}  // namespace attune::gpu
