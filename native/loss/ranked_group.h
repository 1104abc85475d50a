// The ranking of one group of a batch with the memory that its loss works in. Private to loss/.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "loss/loss_options.h"

namespace attune {

class RankedGroup {
  public:
    // Completions [first, first + count) are the group.
    RankedGroup(const RankingOptions& options, int64_t group, int64_t first, int64_t count)
        : ranks_(options.ranks.data() + first),
          count_(static_cast<int32_t>(count)),
          placed_(count_),
          order_(static_cast<size_t>(count)) {
        if (!options.placed.empty() && options.placed[static_cast<size_t>(group)] > 0)
            placed_ = options.placed[static_cast<size_t>(group)];
        if (options.entry->largest_tie > 0)
            subsets_.resize(size_t{3} << largest_tie(options, group, first, count));
    }

    Ranking ranking() const { return {ranks_, count_, placed_}; }
    ListwiseSpace space() { return {order_.data(), subsets_.data()}; }

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
    std::vector<int32_t> order_;
    std::vector<double> subsets_;
};

}  // namespace attune
