// Fills caches of prompts and, when the weights have changed, of all that was sampled so far: ordinary packed
// passes with a prompt and its samples as segments.
#include <algorithm>
#include <utility>

#include "core/backend.h"
#include "generate/generation.h"

namespace attune {

ConstMat Generation::trunk_pass(const GenerationModel& model, const PackedBatch& batch, Stream& stream) {
    const ConstMat out =
        model.trunk.forward(model.weights, batch, false, stream, {model.adapter, &work_.cache});
    trunk_rows_ += batch.rows();
    ++weight_passes_;
    return out;
}

Mat Generation::last_row(const Prompt& prompt) const {
    const int64_t index = &prompt - prompts_.data();
    return {last_rows_.data() + index * config_.width * dtype_size(dtype_), dtype_, 1, config_.width,
            config_.width};
}

void Generation::fill_new_prompts(const GenerationModel& model, Stream& stream) {
    std::vector<Filling> fillings;
    for (const Sequence& sequence : living_) {
        Prompt* prompt = &prompt_of(sequence.number);
        if (prompt->cache != nullptr || (!fillings.empty() && fillings.back().prompt == prompt)) continue;
        fillings.push_back({prompt, {}, static_cast<int64_t>(prompt->ids.size())});
    }
    fill(model, std::move(fillings), stream);
}

// Stale keys and values of everything that has some are made again.
void Generation::refresh(const GenerationModel& model, Stream& stream) {
    std::vector<Filling> fillings;
    const auto begin = [&](Prompt& prompt) {
        fillings.push_back({&prompt, {}, static_cast<int64_t>(prompt.ids.size())});
    };
    for (Prompt& prompt : prompts_) {
        if (prompt.cache == nullptr) continue;
        begin(prompt);
        for (Sequence& sequence : living_) {
            const auto rows = static_cast<int64_t>(sequence.tokens.size()) - 1;
            if (&prompt_of(sequence.number) != &prompt || rows <= 0) continue;
            if (!fillings.back().sequences.empty() && fillings.back().rows + rows > options_.prefill_rows)
                begin(prompt);
            fillings.back().sequences.push_back(&sequence);
            fillings.back().rows += rows;
        }
    }
    fill(model, std::move(fillings), stream);
    weights_version_ = model.weights_version;
}

void Generation::fill(const GenerationModel& model, std::vector<Filling> fillings, Stream& stream) {
    for (size_t first = 0; first < fillings.size();) {
        size_t last = first + 1;
        int64_t rows = fillings[first].rows;
        for (; last < fillings.size() && rows + fillings[last].rows <= options_.prefill_rows; ++last)
            rows += fillings[last].rows;
        fill_batch(model, fillings.data() + first, fillings.data() + last, stream);
        first = last;
    }
}

void Generation::fill_batch(const GenerationModel& model, const Filling* first, const Filling* last,
                            Stream& stream) {
    PackedBatch batch;
    std::vector<KvSegment*> segments;
    std::vector<std::unique_ptr<KvSegment>> fresh;
    const auto append = [&](const int32_t* ids, int64_t count, int64_t position, int32_t prefix,
                            KvSegment* segment) {
        batch.segments.push_back({static_cast<int32_t>(batch.rows()), static_cast<int32_t>(count), prefix});
        batch.tokens.insert(batch.tokens.end(), ids, ids + count);
        for (int64_t i = 0; i < count; ++i) batch.positions.push_back(static_cast<int32_t>(position + i));
        segments.push_back(segment);
    };
    std::vector<int32_t> last_rows;
    for (const Filling* filling = first; filling != last; ++filling) {
        Prompt& prompt = *filling->prompt;
        const auto length = static_cast<int64_t>(prompt.ids.size());
        fresh.push_back(prompt.cache == nullptr
                            ? std::make_unique<KvSegment>(layout_, length, pages_, model.ops, stream)
                            : nullptr);
        KvSegment* cache = fresh.back() == nullptr ? prompt.cache.get() : fresh.back().get();
        cache->reserve(length, model.ops, stream);
        const auto prefix = static_cast<int32_t>(batch.segments.size());
        append(prompt.ids.data(), length, 0, -1, cache);
        last_rows.push_back(static_cast<int32_t>(batch.rows()) - 1);
        for (Sequence* sequence : filling->sequences)
            append(sequence->tokens.data(), static_cast<int64_t>(sequence->tokens.size()) - 1, length, prefix,
                   sequence->own.get());
    }
    last_rows_.grow(model.ops, stream,
                    prompts_.size() * static_cast<size_t>(config_.width * dtype_size(dtype_)));
    work_.cache.prefill(segments);
    const ConstMat out = trunk_pass(model, batch, stream);
    for (size_t i = 0; i < last_rows.size(); ++i) {
        Prompt& prompt = *first[i].prompt;
        check(model.ops.gather_rows(last_row(prompt), out, &last_rows[i], &stream), "gather_rows");
        // Only now: a pass that was cancelled has filled nothing.
        if (fresh[i] != nullptr) prompt.cache = std::move(fresh[i]);
    }
}

}  // namespace attune
