// NVIDIA's library of matrix products, where it is installed and asked for (ATTUNE_CUDA_GEMM=cublaslt):
// gradients of bf16 models. It picks kernels by the shape of a product, so that a row's bits depend on the
// other rows: the way forward, whose log-probs must be the sampler's, stays with the own kernels. Never
// linked; found at run time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <tuple>

#include "core/ops.h"

namespace attune::gpu {

// What is used of cublasLt.h (versions 12 and 13), with prototypes of our own: handles are opaque, statuses 0
// for success.
struct CublasLtAlgorithm {
    uint64_t data[8];
};
struct CublasLtChoice {
    CublasLtAlgorithm algorithm;
    size_t workspace_bytes;
    int status;
    float waves;
    int reserved[4];
};
struct CublasLtFunctions {
    int (*create)(void** handle);
    int (*destroy)(void* handle);
    int (*product_create)(void** product, int compute_type, int scale_type);
    int (*product_destroy)(void* product);
    int (*product_set)(void* product, int attribute, const void* value, size_t bytes);
    int (*layout_create)(void** layout, int type, uint64_t rows, uint64_t columns, int64_t stride);
    int (*layout_destroy)(void* layout);
    int (*preference_create)(void** preference);
    int (*preference_destroy)(void* preference);
    int (*preference_set)(void* preference, int attribute, const void* value, size_t bytes);
    int (*choose)(void* handle, void* product, void* a, void* b, void* c, void* d, void* preference,
                  int wanted, CublasLtChoice* choices, int* found);
    int (*multiply)(void* handle, void* product, const void* alpha, const void* a, void* a_layout,
                    const void* b, void* b_layout, const void* beta, const void* c, void* c_layout, void* d,
                    void* d_layout, const CublasLtAlgorithm* algorithm, void* workspace,
                    size_t workspace_bytes, void* queue);
};
// False with last_failure() where there is none. cublaslt_library.cpp, or simt/cublaslt_simt.cpp for checks.
bool find_cublaslt(CublasLtFunctions& functions);

// A row-major matrix c [M, N] fp32 = scale * op(a) op(b) (+ c): a, b bf16 as they lie, turned over where
// said.
struct CublasLtProduct {
    Mat c;
    ConstMat a, b;
    bool turn_a = false, turn_b = false;
    float scale = 1;
    bool accumulate = false;
};

class CublasLt {
  public:
    static constexpr int64_t kWorkspaceBytes = int64_t{32} << 20;

    // Null with last_failure() where the library cannot be used.
    static CublasLt* open();
    ~CublasLt();
    CublasLt(const CublasLt&) = delete;
    CublasLt& operator=(const CublasLt&) = delete;

    // The library has a kernel for it; where not, the own ones do it.
    bool takes(const CublasLtProduct& product);
    // workspace: kWorkspaceBytes on the device.
    Status multiply(const CublasLtProduct& product, void* workspace, void* queue);

  private:
    // What the library was told about products of one shape, and the kernel that it chose.
    struct Plan {
        void* product = nullptr;
        void* layouts[3] = {};  // a, b, c as the library counts: column by column
        CublasLtAlgorithm algorithm{};
        Status status = Status::Ok;
    };
    using Shape = std::tuple<int64_t, int64_t, int64_t, int64_t, int64_t, int64_t, bool, bool, bool>;

    CublasLt() = default;
    const Plan& plan_of(const CublasLtProduct& product);
    Status make(Plan& plan, const CublasLtProduct& product);

    CublasLtFunctions functions_{};
    void* handle_ = nullptr;
    std::map<Shape, Plan> plans_;
};

}  // namespace attune::gpu
