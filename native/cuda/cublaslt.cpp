// The library counts column by column: a row-major c = a b is its c^T = b^T a^T, the same memory read the
// other way round.
#include "cuda/cublaslt.h"

#include <new>

#include "cuda/fault.h"

namespace attune::gpu {

namespace {

// Values of cublasLt.h, cublas_api.h and library_types.h.
constexpr int kFp32 = 0, kBf16 = 14;
constexpr int kComputeFp32 = 68;  // no TF32
constexpr int kTurnFirst = 3, kTurnSecond = 4;
constexpr int kMostWorkspace = 1, kLeastAlignment = 5;  // of a; then of b, c and d
constexpr uint32_t kAlignment = 16;

Status failed(const char* call, int status) {
    set_failure(Status::Backend, "%s: status %d", call, status);
    return Status::Backend;
}

bool readable(const ConstMat& m) {
    return reinterpret_cast<uintptr_t>(m.data) % kAlignment == 0 &&
           m.stride * dtype_size(m.dtype) % kAlignment == 0;
}

int64_t depth_of(const CublasLtProduct& p) {
    return p.turn_a ? p.a.rows : p.a.cols;
}

}  // namespace

CublasLt* CublasLt::open() {
    auto* library = new (std::nothrow) CublasLt;
    if (library == nullptr) return nullptr;
    if (find_cublaslt(library->functions_)) {
        const int status = library->functions_.create(&library->handle_);
        if (status == 0) return library;
        failed("cublasLtCreate", status);
    }
    delete library;
    return nullptr;
}

CublasLt::~CublasLt() {
    for (const auto& [shape, plan] : plans_) {
        for (void* layout : plan.layouts)
            if (layout != nullptr) functions_.layout_destroy(layout);
        if (plan.product != nullptr) functions_.product_destroy(plan.product);
    }
    if (handle_ != nullptr) functions_.destroy(handle_);
}

bool CublasLt::takes(const CublasLtProduct& p) {
    return p.a.dtype == DType::BF16 && p.b.dtype == DType::BF16 && p.c.dtype == DType::F32 && p.c.rows > 0 &&
           p.c.cols > 0 && depth_of(p) > 0 && readable(p.a) && readable(p.b) && readable(p.c) &&
           plan_of(p).status == Status::Ok;
}

Status CublasLt::make(Plan& plan, const CublasLtProduct& p) {
    const auto& f = functions_;
    const auto layout = [&](void** out, int type, const ConstMat& m) {
        return f.layout_create(out, type, static_cast<uint64_t>(m.cols), static_cast<uint64_t>(m.rows),
                               m.stride);
    };
    // b^T comes first.
    const int turn_first = p.turn_b ? 1 : 0, turn_second = p.turn_a ? 1 : 0;
    int status = f.product_create(&plan.product, kComputeFp32, kFp32);
    if (status == 0) status = f.product_set(plan.product, kTurnFirst, &turn_first, sizeof(turn_first));
    if (status == 0) status = f.product_set(plan.product, kTurnSecond, &turn_second, sizeof(turn_second));
    if (status == 0) status = layout(&plan.layouts[0], kBf16, p.b);
    if (status == 0) status = layout(&plan.layouts[1], kBf16, p.a);
    if (status == 0) status = layout(&plan.layouts[2], kFp32, p.c);
    void* preference = nullptr;
    if (status == 0) status = f.preference_create(&preference);
    if (status != 0) return failed("cublasLt: describing a product", status);
    const uint64_t most = kWorkspaceBytes;
    CublasLtChoice choice{};
    int found = 0;
    status = f.preference_set(preference, kMostWorkspace, &most, sizeof(most));
    for (int operand = 0; operand < 4 && status == 0; ++operand)
        status = f.preference_set(preference, kLeastAlignment + operand, &kAlignment, sizeof(kAlignment));
    if (status == 0)
        status = f.choose(handle_, plan.product, plan.layouts[0], plan.layouts[1], plan.layouts[2],
                          plan.layouts[2], preference, 1, &choice, &found);
    f.preference_destroy(preference);
    if (status != 0 || found == 0) return failed("cublasLtMatmulAlgoGetHeuristic", status);
    plan.algorithm = choice.algorithm;
    return Status::Ok;
}

const CublasLt::Plan& CublasLt::plan_of(const CublasLtProduct& p) {
    const Shape shape{p.c.rows,   p.c.cols, depth_of(p), p.a.stride,  p.b.stride,
                      p.c.stride, p.turn_a, p.turn_b,    p.accumulate};
    const auto [place, fresh] = plans_.try_emplace(shape);
    if (fresh) place->second.status = make(place->second, p);
    return place->second;
}

Status CublasLt::multiply(const CublasLtProduct& p, void* workspace, void* queue) {
    const Plan& plan = plan_of(p);
    if (plan.status != Status::Ok) return plan.status;
    const float beta = p.accumulate ? 1.0f : 0.0f;
    const int status =
        functions_.multiply(handle_, plan.product, &p.scale, p.b.data, plan.layouts[0], p.a.data,
                            plan.layouts[1], &beta, p.c.data, plan.layouts[2], p.c.data, plan.layouts[2],
                            &plan.algorithm, workspace, kWorkspaceBytes, queue);
    return status == 0 ? Status::Ok : failed("cublasLtMatmul", status);
}

}  // namespace attune::gpu
