// The contract of PackedBatch, checked once per batch before any op sees it.
#include "core/batch.h"

#include "core/error.h"

namespace attune {

namespace {

void check_segments(const PackedBatch& batch) {
    int64_t next = 0;
    for (size_t i = 0; i < batch.segments.size(); ++i) {
        const Segment& segment = batch.segments[i];
        require(segment.start == next && segment.length > 0, Code::Shape, "segments[", i,
                "]: expected start ", next, " and a positive length but got start ", segment.start,
                ", length ", segment.length, ".");
        require(segment.prefix >= -1 && segment.prefix < static_cast<int32_t>(i), Code::Shape, "segments[", i,
                "]: expected prefix -1 or an earlier segment but got ", segment.prefix, ".");
        require(segment.prefix < 0 || batch.segments[static_cast<size_t>(segment.prefix)].prefix < 0,
                Code::Shape, "segments[", i, "]: prefix ", segment.prefix,
                " has a prefix itself; prefixes do not chain.");
        next += segment.length;
    }
    require(next == batch.rows(), Code::Shape, "segments: expected to cover ", batch.rows(),
            " rows but cover ", next, ".");
}

// Attention takes positions from the segments and rotation from the positions: they must agree.
void check_positions(const PackedBatch& batch) {
    for (const Segment& segment : batch.segments) {
        const int64_t first =
            segment.prefix < 0 ? 0 : batch.segments[static_cast<size_t>(segment.prefix)].length;
        for (int64_t i = 0; i < segment.length; ++i) {
            const int64_t row = segment.start + i;
            require(batch.positions[static_cast<size_t>(row)] == first + i, Code::Shape, "positions[", row,
                    "]: expected ", first + i,
                    " from its segment (they count on from the prefix's end) but got ",
                    batch.positions[static_cast<size_t>(row)], ".");
        }
    }
}

template <class Range>
void check_cover(const std::vector<Range>& ranges, int64_t total, const char* name, const char* of) {
    int64_t next = 0;
    for (size_t i = 0; i < ranges.size(); ++i) {
        require(ranges[i].first == next && ranges[i].count >= 0, Code::Shape, name, "[", i,
                "]: expected first ", next, " and a count >= 0 but got first ", ranges[i].first, ", count ",
                ranges[i].count, ".");
        next += ranges[i].count;
    }
    require(next == total, Code::Shape, name, ": expected to cover ", total, " ", of, " but cover ", next,
            ".");
}

}  // namespace

void PackedBatch::check(int64_t vocabulary, int64_t max_positions) const {
    require(positions.size() == tokens.size(), Code::Shape, "positions: expected ", tokens.size(),
            " but got ", positions.size(), ".");
    for (size_t i = 0; i < tokens.size(); ++i) {
        require(tokens[i] >= 0 && tokens[i] < vocabulary, Code::Shape, "tokens[", i,
                "]: expected an id in [0, ", vocabulary, ") but got ", tokens[i],
                ". Does the tokenizer belong to this model?");
        require(positions[i] >= 0 && positions[i] < max_positions, Code::Shape, "positions[", i,
                "]: expected a position below the model's ", max_positions, " but got ", positions[i],
                ". Shorten the rows (--max-length).");
    }
    check_segments(*this);
    check_positions(*this);
    for (size_t i = 0; i < targets.size(); ++i) {
        require(targets[i].row >= 0 && targets[i].row < rows(), Code::Shape, "targets[", i,
                "]: expected a row in [0, ", rows(), ") but got ", targets[i].row, ".");
        require(targets[i].token >= 0 && targets[i].token < vocabulary, Code::Shape, "targets[", i,
                "]: expected an id in [0, ", vocabulary, ") but got ", targets[i].token, ".");
    }
    if (!completions.empty() || !groups.empty()) {
        check_cover(completions, static_cast<int64_t>(targets.size()), "completions", "targets");
        check_cover(groups, static_cast<int64_t>(completions.size()), "groups", "completions");
    }
}

}  // namespace attune
