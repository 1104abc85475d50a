// Memory of caches in pages of one size, for backends that ask for it: taken in slabs, handed from a sequence
// that ends to one that grows. Knows neither layers nor heads.
#pragma once

#include <cstdint>
#include <vector>

#include "core/ops.h"
#include "core/tensor_memory.h"

namespace attune {

class KvPages {
  public:
    explicit KvPages(int64_t page_bytes) : page_bytes_(page_bytes) {}
    KvPages(const KvPages&) = delete;
    KvPages& operator=(const KvPages&) = delete;

    // Zeros or what an earlier owner left. Throws Code::Memory.
    void* take(const Ops& ops, Stream& stream);
    void give_back(void* page) { free_.push_back(page); }

    // Of `pages` pages that are in use at once.
    static int64_t bytes(int64_t page_bytes, int64_t pages);

  private:
    int64_t page_bytes_;
    std::vector<TensorMemory> slabs_;
    std::vector<void*> free_;
};

}  // namespace attune
