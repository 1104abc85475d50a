// mma.sync and ldmatrix for fibers: the fragments of all lanes become matrices, and each lane computes what
// is its own.
#include <cstring>

#include "cuda/gpu.h"

namespace attune::gpu {

namespace {
// What a lane brings: four words of A, two of B.
struct Fragments {
    uint32_t a[4];
    uint32_t b[2];
};

float half_of(uint32_t word, int which) {
    return bits_to_float(which == 0 ? word << 16 : word & 0xffff0000u);
}
}  // namespace

void mma_bf16(float (&c)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
    Fragments own;
    std::memcpy(own.a, a, sizeof(own.a));
    std::memcpy(own.b, b, sizeof(own.b));
    const std::byte* lanes = simt::exchange(&own, sizeof(own));
    const auto lane = [&](int index) {
        Fragments other;
        std::memcpy(&other, lanes + static_cast<size_t>(index) * simt::kExchangeBytes, sizeof(other));
        return other;
    };
    const int self = static_cast<int>(simt::place().warp_thread), r = self / 4, p = self % 4;
    // a(i, k): row i is of lanes 4 (i % 8) + (k / 2) % 4, word i / 8 + 2 (k / 8); b(k, j) likewise.
    for (int pair = 0; pair < 8; ++pair) {
        const Fragments rows = lane(4 * r + pair % 4);
        const Fragments columns[2] = {lane(4 * (2 * p) + pair % 4), lane(4 * (2 * p + 1) + pair % 4)};
        for (int half = 0; half < 2; ++half)
            for (int i = 0; i < 2; ++i)
                for (int j = 0; j < 2; ++j)
                    c[2 * i + j] +=
                        half_of(rows.a[i + 2 * (pair / 4)], half) * half_of(columns[j].b[pair / 4], half);
    }
}

namespace {
// out[m] = numbers (row, column) and (row, column + 1) of matrix m, or (column, row) and (column + 1, row).
void load_fragments(uint32_t (&out)[4], const void* row, bool turned) {
    const std::byte* lanes = simt::exchange(&row, sizeof(row));
    const int self = static_cast<int>(simt::place().warp_thread), r = self / 4, p = self % 4;
    for (int matrix = 0; matrix < 4; ++matrix) {
        const auto number = [&](int i, int j) {
            const std::byte* from;
            std::memcpy(&from, lanes + static_cast<size_t>(8 * matrix + i) * simt::kExchangeBytes,
                        sizeof(from));
            uint16_t value;
            std::memcpy(&value, from + 2 * j, sizeof(value));
            return uint32_t{value};
        };
        out[matrix] = turned ? number(2 * p, r) | number(2 * p + 1, r) << 16
                             : number(r, 2 * p) | number(r, 2 * p + 1) << 16;
    }
}
}  // namespace

void load_matrices(uint32_t (&out)[4], const void* row) {
    load_fragments(out, row, false);
}

void load_matrices_turned(uint32_t (&out)[4], const void* row) {
    load_fragments(out, row, true);
}

}  // namespace attune::gpu
