// Barriers, boxes and products of 128 threads, as the PTX ISA describes them: descriptors and swizzles are
// decoded from the bits that the hardware gets.
#include "cuda/simt/hopper_simt.h"

#include <cstring>
#include <deque>
#include <stdexcept>
#include <vector>

#include "core/dtype.h"
#include "cuda/gpu.h"
#include "cuda/simt/tensor_map.h"

namespace attune::gpu {

// ---- barriers

namespace {
void end_phase_if_complete(TransferBarrier& barrier) {
    if (barrier.missing > 0 || barrier.bytes != 0) return;
    barrier.phase ^= 1;
    barrier.missing = barrier.arrivals & 0x7fff;
    simt::note_change();
}
}  // namespace

void start_barrier(TransferBarrier& barrier, unsigned arrivals) {
    barrier = {0, static_cast<uint16_t>(arrivals), static_cast<uint16_t>(arrivals), 0};
}

void arrive(TransferBarrier& barrier) {
    arrive_expecting(barrier, 0);
}

void arrive_expecting(TransferBarrier& barrier, unsigned bytes) {
    if (barrier.missing == 0)
        throw std::runtime_error("simt: more arrivals at a barrier than it was started with");
    barrier.bytes += static_cast<int32_t>(bytes);
    --barrier.missing;
    end_phase_if_complete(barrier);
}

void wait_for(TransferBarrier& barrier, unsigned parity) {
    while (barrier.phase == parity) simt::wait_for_change();
}

// ---- boxes

namespace {
// Bits 4 to 6 of an address change by bits 7 to 9.
uint32_t swizzled(uint32_t address) {
    return address ^ (address >> 7 & 7u) << 4;
}

void bring_box(uint32_t target, const TensorMap& map, int64_t column, int64_t row) {
    const simt::MatrixBox& box = simt::box_of(map);
    for (int64_t i = 0; i < box.box_rows; ++i)
        for (int64_t j = 0; j < simt::kBoxColumns; ++j) {
            const int64_t x = column + j, y = row + i;
            const bool inside = x >= 0 && y >= 0 && x < box.columns && y < box.rows;
            const bf16_t value = inside ? box.data[y * box.stride + x] : bf16_t{0};
            const auto offset = static_cast<uint32_t>((i * simt::kBoxColumns + j) * 2);
            std::memcpy(simt::shared_memory() + swizzled(target + offset), &value, sizeof(value));
        }
}
}  // namespace

void fetch_box(void* shared, const TensorMap& map, int64_t column, int64_t row, TransferBarrier& barrier) {
    const uint32_t target = shared_address(shared);
    if (target % 1024 != 0) throw std::runtime_error("simt: a box must begin at a multiple of 1024 bytes");
    const auto bytes = static_cast<int32_t>(simt::box_of(map).box_rows * simt::kBoxColumns * 2);
    simt::happen_later([=, &map, &barrier] {
        bring_box(target, map, column, row);
        barrier.bytes -= bytes;
        end_phase_if_complete(barrier);
    });
}

// ---- products

uint64_t slab_descriptor(const std::byte* slabs, int group_bytes) {
    constexpr uint64_t kSwizzle128 = uint64_t{1} << 62, kEightRows = 1024 >> 4;
    return kSwizzle128 | kEightRows << 32 | uint64_t{static_cast<uint32_t>(group_bytes) >> 4} << 16 |
           (shared_address(slabs) & 0x3ffffu) >> 4;
}

namespace {

constexpr uint32_t kDepth = 16;

// Numbers (outer, 0 to 15) of an operand: PTX ISA, "Matrix descriptor" and "Shared memory matrix layout".
void load_depths(float (&out)[kDepth], uint64_t descriptor, bool turned, uint32_t outer) {
    const auto field = [&](int shift) { return static_cast<uint32_t>(descriptor >> shift & 0x3fffu) << 4; };
    const uint32_t start = field(0), leading = field(16), stride = field(32);
    const std::byte* shared = simt::shared_memory();
    bf16_t numbers[kDepth];
    if (turned) {
        const uint32_t first = start + outer / 64 * leading + outer % 64 * 2;
        for (uint32_t l = 0; l < kDepth; ++l)
            std::memcpy(&numbers[l], shared + swizzled(first + l / 8 * stride + l % 8 * 128), sizeof(bf16_t));
    } else {
        const uint32_t first = start + outer / 8 * stride + outer % 8 * 128;
        for (uint32_t half = 0; half < 2; ++half)  // chunks of 16 bytes stay together
            std::memcpy(&numbers[8 * half], shared + swizzled(first + 16 * half), 16);
    }
    for (uint32_t l = 0; l < kDepth; ++l) out[l] = bits_to_float(uint32_t{numbers[l]} << 16);
}

// The 16 numbers of rows r and r + 8 of the thread's warp.
void gather_left(float (&left)[2][kDepth], const AskedProduct& product) {
    const unsigned thread = simt::place().thread.x % 128, lane = thread % 32;
    if (product.held == nullptr) {
        for (uint32_t half = 0; half < 2; ++half)
            load_depths(left[half], product.a, product.turned_a, thread / 32 * 16 + lane / 4 + 8 * half);
        return;
    }
    const std::byte* lanes = simt::exchange(product.held, 4 * sizeof(uint32_t));
    for (uint32_t l = 0; l < kDepth; ++l)
        for (uint32_t half = 0; half < 2; ++half) {
            // Word half + 2 (l / 8) of the lane that holds pair l / 2 of the row.
            uint32_t word;
            std::memcpy(
                &word,
                lanes + (lane / 4 * 4 + l % 8 / 2) * simt::kExchangeBytes + (half + l / 8 * 2) * sizeof(word),
                sizeof(word));
            left[half][l] = bits_to_float(l % 2 == 0 ? word << 16 : word & 0xffff0000u);
        }
}

void make_product(const AskedProduct& product) {
    if ((product.held == nullptr && product.a >> 62 != 1) || product.b >> 62 != 1)
        throw std::runtime_error("simt: wgmma's operands are swizzled by 128 bytes here");
    const uint32_t p = simt::place().thread.x % 4;
    float left[2][kDepth];
    gather_left(left, product);
    for (int x = 0; x < product.columns / 8; ++x)
        for (uint32_t i = 0; i < 2; ++i) {
            float right[kDepth];
            const uint32_t column = 8 * static_cast<uint32_t>(x) + 2 * p + i;
            load_depths(right, product.b, product.turned_b, column);
            for (uint32_t half = 0; half < 2; ++half) {
                float sum = product.add ? product.c[x][2 * half + i] : 0.0f;
                for (uint32_t l = 0; l < kDepth; ++l) sum += left[half][l] * right[l];
                product.c[x][2 * half + i] = sum;
            }
        }
}

}  // namespace

void ask_for_product(const AskedProduct& product) {
    // Nobody may read c before it is waited for.
    simt::defer([product] { make_product(product); });
}

void commit_products() {
    simt::commit_deferred();
}

void wait_for_products(int later) {
    simt::wait_for_deferred(later);
    simt::wait_for_warp();  // the warps of a product end together, lanes by lanes at least
}

}  // namespace attune::gpu
