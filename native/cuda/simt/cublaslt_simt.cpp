// cublasLt's calls over ordinary memory, as its documentation describes them: matrices column by column, d =
// alpha op(a) op(b) + beta c. Checks that cublaslt.cpp asks for the products that it means.
#include <cstring>
#include <memory>

#include "core/dtype.h"
#include "cuda/cublaslt.h"
#include "cuda/simt/runtime_simt.h"

namespace attune::gpu {

namespace {

constexpr int kOk = 0, kInvalid = 7;
constexpr int kFp32 = 0, kBf16 = 14, kComputeFp32 = 68;

struct Product {
    int turned[2] = {0, 0};
};
struct MatrixLayout {
    int type;
    uint64_t rows, columns;
    int64_t stride;
};

template <class T>
int make(void** out, T value) {
    *out = new T(value);
    return kOk;
}
template <class T>
int end(void* object) {
    delete static_cast<T*>(object);
    return kOk;
}

int set_product(void* product, int attribute, const void* value, size_t bytes) {
    if ((attribute != 3 && attribute != 4) || bytes != sizeof(int)) return kInvalid;
    std::memcpy(&static_cast<Product*>(product)->turned[attribute - 3], value, bytes);
    return kOk;
}

// Number (row, column) of op(m).
float number_of(const MatrixLayout& m, const void* data, bool turned, uint64_t row, uint64_t column) {
    const uint64_t at = turned ? column + row * static_cast<uint64_t>(m.stride)
                               : row + column * static_cast<uint64_t>(m.stride);
    return m.type == kFp32 ? static_cast<const float*>(data)[at]
                           : bf16_to_float(static_cast<const bf16_t*>(data)[at]);
}

struct Sizes {
    uint64_t m, n, k;
    bool fit;
};
Sizes sizes_of(const Product& product, const MatrixLayout& a, const MatrixLayout& b, const MatrixLayout& c) {
    const uint64_t rows = product.turned[0] ? a.columns : a.rows,
                   depth = product.turned[0] ? a.rows : a.columns;
    const uint64_t depth_b = product.turned[1] ? b.columns : b.rows;
    const uint64_t columns = product.turned[1] ? b.rows : b.columns;
    return {rows, columns, depth,
            depth == depth_b && c.rows == rows && c.columns == columns &&
                a.stride >= static_cast<int64_t>(a.rows) && b.stride >= static_cast<int64_t>(b.rows) &&
                a.type == kBf16 && b.type == kBf16 && c.type == kFp32};
}

int choose(void*, void* product, void* a, void* b, void* c, void*, void*, int, CublasLtChoice* choices,
           int* found) {
    const auto layout = [](void* m) { return *static_cast<MatrixLayout*>(m); };
    *found = sizes_of(*static_cast<Product*>(product), layout(a), layout(b), layout(c)).fit ? 1 : 0;
    choices[0] = {};
    choices[0].algorithm.data[0] = 1;
    return *found == 1 ? kOk : kInvalid;
}

int multiply(void*, void* product, const void* alpha, const void* a, void* a_layout, const void* b,
             void* b_layout, const void* beta, const void* c, void* c_layout, void* d, void*,
             const CublasLtAlgorithm* algorithm, void* workspace, size_t workspace_bytes, void* queue) {
    if (c != d || algorithm->data[0] != 1 || workspace == nullptr || workspace_bytes == 0) return kInvalid;
    for (const void* place : {a, b, c, static_cast<const void*>(workspace)})
        simt::expect_device_pointer("cublasLtMatmul", place);
    const auto layout = [](void* m) { return *static_cast<MatrixLayout*>(m); };
    const Product p = *static_cast<Product*>(product);
    const MatrixLayout la = layout(a_layout), lb = layout(b_layout), lc = layout(c_layout);
    const float scale = *static_cast<const float*>(alpha), keep = *static_cast<const float*>(beta);
    const Sizes sizes = sizes_of(p, la, lb, lc);
    simt::enqueue(static_cast<RawQueue*>(queue), [=] {
        auto* out = static_cast<float*>(d);
        for (uint64_t j = 0; j < sizes.n; ++j)
            for (uint64_t i = 0; i < sizes.m; ++i) {
                float sum = 0;
                for (uint64_t l = 0; l < sizes.k; ++l)
                    sum +=
                        number_of(la, a, p.turned[0] != 0, i, l) * number_of(lb, b, p.turned[1] != 0, l, j);
                float& at = out[i + j * static_cast<uint64_t>(lc.stride)];
                at = scale * sum + (keep == 0 ? 0 : keep * at);
            }
    });
    return kOk;
}

}  // namespace

bool find_cublaslt(CublasLtFunctions& f) {
    f.create = [](void** handle) { return make(handle, 0); };
    f.destroy = end<int>;
    f.product_create = [](void** product, int compute, int scale) {
        return compute == kComputeFp32 && scale == kFp32 ? make(product, Product{}) : kInvalid;
    };
    f.product_destroy = end<Product>;
    f.product_set = set_product;
    f.layout_create = [](void** out, int type, uint64_t rows, uint64_t columns, int64_t stride) {
        return make(out, MatrixLayout{type, rows, columns, stride});
    };
    f.layout_destroy = end<MatrixLayout>;
    f.preference_create = [](void** preference) { return make(preference, 0); };
    f.preference_destroy = end<int>;
    f.preference_set = [](void*, int attribute, const void*, size_t bytes) {
        const bool known = (attribute == 1 && bytes == sizeof(uint64_t)) ||
                           (attribute >= 5 && attribute <= 8 && bytes == sizeof(uint32_t));
        return known ? kOk : kInvalid;
    };
    f.choose = choose;
    f.multiply = multiply;
    return true;
}

}  // namespace attune::gpu
