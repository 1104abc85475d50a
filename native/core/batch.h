// PackedBatch: the single currency between TypeScript and native code. There is no padding and no attention
// mask. Plain data with a check; knows nothing of models or losses.
#pragma once

#include <cstdint>
#include <vector>

namespace attune {

// A run of trunk rows. Its queries see their own keys causally and, when prefix >= 0, all keys of that
// earlier segment. Prefixes do not chain: the segment named by prefix has prefix -1.
struct Segment {
    int32_t start;   // first trunk row
    int32_t length;  // rows
    int32_t prefix;  // index of an earlier segment, or -1
};

struct Target {
    int32_t row;    // trunk row whose hidden state predicts the token
    int32_t token;  // the token to be scored
};

// Consecutive targets that belong together: the scored tokens of one completion.
struct Completion {
    int32_t first;  // index of the first target
    int32_t count;
};

// Completions whose loss is computed together: one for SFT, a pair for DPO, K for a ranking.
struct Group {
    int32_t first;  // index of the first completion
    int32_t count;
};

struct PackedBatch {
    std::vector<int32_t> tokens;     // [T]
    std::vector<int32_t> positions;  // [T] from 0 in a segment, or on from its prefix's end
    std::vector<Segment> segments;   // cover [0, T) in order
    std::vector<Target> targets;
    std::vector<Completion> completions;
    std::vector<Group> groups;

    int64_t rows() const { return static_cast<int64_t>(tokens.size()); }

    // Throws Code::Shape naming the first entry that breaks the contract (ranges, order, chained prefixes,
    // vocabulary).
    void check(int64_t vocabulary, int64_t max_positions) const;
};

}  // namespace attune
