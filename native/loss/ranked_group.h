// The ranking of one group of a batch, with its loss's part of the memory given. Private to loss/.
#pragma once

#include <algorithm>
#include <cstdint>

#include "loss/loss_options.h"
#include "loss/loss_space.h"

namespace attune {

class RankedGroup {
  public:
    // Completions [first, first + count) are the group. One group at a time works in the space.
    RankedGroup(const RankingOptions& options, int64_t group, int64_t first, int64_t count, LossSpace& space)
        : ranks_(options.ranks.data() + first), count_(static_cast<int32_t>(count)), placed_(count_) {
        space.order.resize(static_cast<size_t>(count));
        if (!options.placed.empty() && options.placed[static_cast<size_t>(group)] > 0)
            placed_ = options.placed[static_cast<size_t>(group)];
        if (options.entry->largest_tie > 0)
            space.subsets.resize(size_t{3} << largest_tie(options, group, first, count));
        space_ = {space.order.data(), space.subsets.data()};
    }

    Ranking ranking() const { return {ranks_, count_, placed_}; }
    ListwiseSpace space() const { return space_; }

    // The most items with a place that share a rank.
    static int64_t largest_tie(const RankingOptions& options, int64_t group, int64_t first, int64_t count) {
        const int32_t* ranks = options.ranks.data() + first;
        const int32_t placed = options.placed.empty() ? 0 : options.placed[static_cast<size_t>(group)];
        int64_t largest = 0;
        for (int64_t i = 0; i < count; ++i) {
            const auto better = std::count_if(ranks, ranks + count, [&](int32_t r) { return r < ranks[i]; });
            if (placed == 0 || better < placed)
                largest = std::max<int64_t>(largest, std::count(ranks, ranks + count, ranks[i]));
        }
        return largest;
    }

  private:
    const int32_t* ranks_;
    int32_t count_;
    int32_t placed_;
    ListwiseSpace space_{};
};

}  // namespace attune
