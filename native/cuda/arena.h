// The memory that one engine has of a device: slabs of the device's, from which blocks are cut and to which
// they go back. Knows sizes and addresses alone; neither queues nor threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <utility>

#include "core/ops.h"

namespace attune::gpu {

class Arena {
  public:
    Arena() = default;
    ~Arena();
    Arena(const Arena&) = delete;
    Arena& operator=(const Arena&) = delete;

    // Whole units of memory.
    static int64_t rounded(int64_t bytes);

    // The smallest free piece that is large enough, cut to size. False: there is none.
    bool take(MemoryBlock& block, int64_t bytes);
    // Joined with free neighbours of its slab. Allocates nothing.
    void give_back(void* data) noexcept;

    // Another slab, of at least so much and of a useful size where the device has it.
    Status grow(int64_t bytes);
    // Slabs that nothing is cut from go back to the device, whose work must not need them any more.
    void release_free_slabs() noexcept;

    int64_t reserved_bytes() const { return reserved_; }  // of all slabs
    int64_t free_bytes() const { return free_bytes_; }
    int64_t largest_free() const { return free_.empty() ? 0 : free_.rbegin()->first; }

  private:
    using FreePieces = std::set<std::pair<int64_t, std::byte*>>;  // by size, then address
    struct Piece {
        int64_t bytes;
        bool starts_slab;
        FreePieces::node_type node{};  // its entry while it is in use, so that giving it back needs none
    };
    using Pieces = std::map<std::byte*, Piece>;

    bool is_free(const Pieces::const_iterator& piece) const { return piece->second.node.empty(); }
    Status add_slab(int64_t bytes);
    void split(Pieces::iterator piece, int64_t bytes);
    void join_next(Pieces::iterator piece);

    Pieces pieces_;
    FreePieces free_;
    int64_t reserved_ = 0;
    int64_t free_bytes_ = 0;
};

}  // namespace attune::gpu
