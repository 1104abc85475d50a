// Finds cublasLt's functions in the library that the system or the process has.
#include <dlfcn.h>

#include <string>

#include "cuda/cublaslt.h"
#include "cuda/fault.h"

namespace attune::gpu {

namespace {

void* open_library() {
    std::string reasons;
    for (const char* name : {"libcublasLt.so.13", "libcublasLt.so.12"}) {
        if (void* library = dlopen(name, RTLD_NOW | RTLD_LOCAL)) return library;
        const char* reason = dlerror();
        reasons += (reasons.empty() ? "" : "; ") + std::string(reason == nullptr ? name : reason);
    }
    set_failure(Status::Backend, "ATTUNE_CUDA_GEMM=cublaslt: %s", reasons.c_str());
    return nullptr;
}

template <class Function>
bool find(void* library, const char* name, Function*& function) {
    function = reinterpret_cast<Function*>(dlsym(library, name));
    if (function == nullptr) set_failure(Status::Backend, "libcublasLt has no %s", name);
    return function != nullptr;
}

}  // namespace

bool find_cublaslt(CublasLtFunctions& f) {
    // Stays open until the process ends, as cuda_library.h says.
    static void* library = nullptr;
    if (library == nullptr) library = open_library();
    return library != nullptr && find(library, "cublasLtCreate", f.create) &&
           find(library, "cublasLtDestroy", f.destroy) &&
           find(library, "cublasLtMatmulDescCreate", f.product_create) &&
           find(library, "cublasLtMatmulDescDestroy", f.product_destroy) &&
           find(library, "cublasLtMatmulDescSetAttribute", f.product_set) &&
           find(library, "cublasLtMatrixLayoutCreate", f.layout_create) &&
           find(library, "cublasLtMatrixLayoutDestroy", f.layout_destroy) &&
           find(library, "cublasLtMatmulPreferenceCreate", f.preference_create) &&
           find(library, "cublasLtMatmulPreferenceDestroy", f.preference_destroy) &&
           find(library, "cublasLtMatmulPreferenceSetAttribute", f.preference_set) &&
           find(library, "cublasLtMatmulAlgoGetHeuristic", f.choose) &&
           find(library, "cublasLtMatmul", f.multiply);
}

}  // namespace attune::gpu
