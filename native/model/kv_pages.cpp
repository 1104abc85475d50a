// Slabs are many pages: a device hands out memory slowly.
#include "model/kv_pages.h"

#include <algorithm>

namespace attune {

namespace {
constexpr int64_t kSlabBytes = int64_t{32} << 20;
constexpr int64_t kSlabPages = 64;

int64_t pages_of_slab(int64_t page_bytes) {
    return std::clamp<int64_t>(kSlabBytes / page_bytes, 1, kSlabPages);
}
}  // namespace

void* KvPages::take(const Ops& ops, Stream& stream) {
    if (free_.empty()) {
        const int64_t pages = pages_of_slab(page_bytes_);
        slabs_.emplace_back(ops, stream, static_cast<size_t>(pages * page_bytes_));
        // So that give_back() never needs memory.
        free_.reserve(slabs_.size() * static_cast<size_t>(pages));
        for (int64_t i = pages; i-- > 0;) free_.push_back(slabs_.back().data() + i * page_bytes_);
    }
    void* page = free_.back();
    free_.pop_back();
    return page;
}

int64_t KvPages::bytes(int64_t page_bytes, int64_t pages) {
    const int64_t each = pages_of_slab(page_bytes);
    return (pages + each - 1) / each * each * page_bytes;
}

}  // namespace attune
