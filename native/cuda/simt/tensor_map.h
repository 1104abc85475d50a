// What a tensor map says, where the device is made of ordinary memory.
#pragma once

#include <cstdint>
#include <cstring>

#include "core/dtype.h"
#include "cuda/runtime.h"

namespace attune::simt {

constexpr int64_t kBoxColumns = 64;

struct MatrixBox {
    const bf16_t* data;
    int64_t rows, columns, stride;
    int64_t box_rows;
};
static_assert(sizeof(MatrixBox) <= sizeof(gpu::TensorMap::bytes));

inline const MatrixBox& box_of(const gpu::TensorMap& map) {
    return *reinterpret_cast<const MatrixBox*>(map.bytes);
}

}  // namespace attune::simt
