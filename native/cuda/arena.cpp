// Best fit, with neighbours joined at once: what is free is as large as it can be without moving anything.
#include "cuda/arena.h"

#include <algorithm>
#include <iterator>

#include "cuda/runtime.h"

namespace attune::gpu {

namespace {
constexpr int64_t kUnit = 512;
constexpr int64_t kSlabUnit = int64_t{2} << 20;  // a page of the device
constexpr int64_t kSlab = int64_t{64} << 20;     // small blocks share one
}  // namespace

Arena::~Arena() {
    for (const auto& [at, piece] : pieces_)
        if (piece.starts_slab) release(at);
}

int64_t Arena::rounded(int64_t bytes) {
    return std::max(kUnit, (bytes + kUnit - 1) / kUnit * kUnit);
}

bool Arena::take(MemoryBlock& block, int64_t bytes) {
    const int64_t size = rounded(bytes);
    const auto found = free_.lower_bound({size, nullptr});
    if (found == free_.end()) return false;
    const auto piece = pieces_.find(found->second);
    if (piece->second.bytes > size) split(piece, size);
    piece->second.node = free_.extract({piece->second.bytes, piece->first});
    free_bytes_ -= size;
    block = {piece->first, size};
    return true;
}

// A free piece into one of `bytes` and the rest. Where memory of the host runs out nothing has changed.
void Arena::split(Pieces::iterator piece, int64_t bytes) {
    const int64_t rest = piece->second.bytes - bytes;
    std::byte* const at = piece->first + bytes;
    FreePieces entry;
    entry.emplace(rest, at);
    pieces_.emplace_hint(std::next(piece), at, Piece{rest, false});
    free_.merge(entry);
    auto node = free_.extract({piece->second.bytes, piece->first});
    piece->second.bytes = bytes;
    node.value().first = bytes;
    free_.insert(std::move(node));
}

void Arena::give_back(void* data) noexcept {
    auto piece = pieces_.find(static_cast<std::byte*>(data));
    free_bytes_ += piece->second.bytes;
    piece->second.node.value() = {piece->second.bytes, piece->first};
    free_.insert(std::move(piece->second.node));
    piece->second.node = {};
    join_next(piece);
    if (!piece->second.starts_slab && is_free(std::prev(piece))) join_next(std::prev(piece));
}

// With the piece behind it, where that is of the same slab and free.
void Arena::join_next(Pieces::iterator piece) {
    const auto next = std::next(piece);
    if (next == pieces_.end() || next->second.starts_slab || !is_free(next)) return;
    free_.erase({next->second.bytes, next->first});
    auto node = free_.extract({piece->second.bytes, piece->first});
    piece->second.bytes += next->second.bytes;
    pieces_.erase(next);
    node.value().first = piece->second.bytes;
    free_.insert(std::move(node));
}

Status Arena::add_slab(int64_t bytes) {
    void* memory = nullptr;
    if (const Status status = allocate(&memory, bytes); status != Status::Ok) return status;
    auto* const at = static_cast<std::byte*>(memory);
    try {
        FreePieces entry;
        entry.emplace(bytes, at);
        pieces_.emplace(at, Piece{bytes, true});
        free_.merge(entry);
    } catch (...) {
        release(memory);
        throw;
    }
    reserved_ += bytes;
    free_bytes_ += bytes;
    return Status::Ok;
}

Status Arena::grow(int64_t bytes) {
    const int64_t least = rounded(bytes);
    const int64_t useful = (std::max(least, kSlab) + kSlabUnit - 1) / kSlabUnit * kSlabUnit;
    const Status status = add_slab(useful);
    return status == Status::Memory && least < useful ? add_slab(least) : status;
}

void Arena::release_free_slabs() noexcept {
    for (auto piece = pieces_.begin(); piece != pieces_.end();) {
        const auto next = std::next(piece);
        if (piece->second.starts_slab && is_free(piece) &&
            (next == pieces_.end() || next->second.starts_slab)) {
            free_.erase({piece->second.bytes, piece->first});
            release(piece->first);
            reserved_ -= piece->second.bytes;
            free_bytes_ -= piece->second.bytes;
            pieces_.erase(piece);
        }
        piece = next;
    }
}

}  // namespace attune::gpu
