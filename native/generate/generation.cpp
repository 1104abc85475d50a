// The life of sequences: admission, one token per step, the end. Filling caches is generation_fill.cpp.
#include "generate/generation.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <string>
#include <utility>

#include "core/backend.h"
#include "core/error.h"

namespace attune {

Generation::Generation(const ModelConfig& config, DType dtype, std::vector<std::vector<int32_t>> prompts,
                       GenerationOptions options)
    : config_(config), dtype_(dtype), options_(std::move(options)) {
    if (options_.sampling.vocabulary == 0) options_.sampling.vocabulary = config.vocabulary;
    for (std::vector<int32_t>& ids : prompts)
        prompts_.push_back({std::move(ids), options_.samples, nullptr, {}});
    check_options();
    check_prompts();
    ended_.resize(prompts_.size() * static_cast<size_t>(options_.samples));
}

void Generation::check_options() const {
    const SampleSettings& s = options_.sampling;
    const auto expect = [](bool ok, const char* name, const char* expected, auto received) {
        require(ok, Code::Option, "Expected ", name, " ", expected, " but received ", received, ".");
    };
    expect(options_.max_new_tokens >= 1, "maxNewTokens", "of at least 1", options_.max_new_tokens);
    expect(options_.samples >= 1, "samples", "of at least 1", options_.samples);
    expect(options_.batch_size >= 1, "batchSize", "of at least 1", options_.batch_size);
    expect(static_cast<int64_t>(prompts_.size()) < (int64_t{1} << 31) / options_.samples, "samples",
           "times prompts below 2^31", options_.samples);
    expect(s.temperature >= 0 && std::isfinite(s.temperature), "temperature", "of 0 (greedy) or more",
           s.temperature);
    expect(s.temperature == 0 || s.temperature >= 1e-4f, "temperature", "of 0 (greedy) or at least 0.0001",
           s.temperature);
    expect(s.top_k >= 0, "topK", "of 0 (all) or more", s.top_k);
    expect(s.top_p > 0 && s.top_p <= 1, "topP", "in (0, 1]", s.top_p);
    expect(s.min_p >= 0 && s.min_p <= 1, "minP", "in [0, 1]", s.min_p);
    expect(s.penalty > 0 && std::isfinite(s.penalty), "repetitionPenalty", "above 0", s.penalty);
    expect(s.vocabulary >= 1 && s.vocabulary <= config_.vocabulary, "vocabulary", "from 1 to the model's",
           s.vocabulary);
    for (const int32_t id : options_.stop_tokens)
        expect(id >= 0 && id < config_.vocabulary, "stopTokens", "of the model's vocabulary", id);
    require(config_.score_heads == 0, Code::Model,
            "Expected a language model to sample from but this one is a reward model.");
}

void Generation::check_prompts() const {
    for (size_t i = 0; i < prompts_.size(); ++i) {
        const std::vector<int32_t>& ids = prompts_[i].ids;
        require(!ids.empty(), Code::Shape, "prompts[", i,
                "]: expected at least one token, which predicts the first new one.");
        require(static_cast<int64_t>(ids.size()) < config_.max_positions, Code::Shape, "prompts[", i,
                "]: expected fewer tokens than the model's ", config_.max_positions, " positions but got ",
                ids.size(), ". Shorten it.");
        for (const int32_t id : ids)
            require(id >= 0 && id < config_.vocabulary, Code::Shape, "prompts[", i, "]: expected ids in [0, ",
                    config_.vocabulary, ") but got ", id, ". Does the tokenizer belong to this model?");
    }
}

namespace {
// Tokens of a sequence whose keys are kept: the last one is never read.
int64_t own_capacity(const ModelConfig& config, int64_t prompt, int64_t max_new_tokens) {
    return std::max<int64_t>(1, std::min(max_new_tokens, config.max_positions - prompt) - 1);
}
}  // namespace

int64_t Generation::cache_bytes(const ModelConfig& config, DType dtype,
                                const std::vector<int32_t>& prompt_lengths,
                                const GenerationOptions& options) {
    std::vector<int64_t> prompts, sequences;
    for (const int64_t length : prompt_lengths) {
        prompts.push_back(KvSegment::bytes(config, dtype, length));
        sequences.push_back(
            KvSegment::bytes(config, dtype, own_capacity(config, length, options.max_new_tokens)));
    }
    // Sequences are admitted in order: neighbours share a prompt, and one further prompt may be half
    // admitted.
    const auto largest = [](std::vector<int64_t>& bytes, int64_t count) {
        std::sort(bytes.begin(), bytes.end(), std::greater<>());
        int64_t sum = 0;
        for (size_t i = 0; i < bytes.size() && static_cast<int64_t>(i) < count; ++i) sum += bytes[i];
        return sum;
    };
    const int64_t most = *std::max_element(sequences.begin(), sequences.end());
    const auto total = static_cast<int64_t>(prompt_lengths.size()) * options.samples;
    return largest(prompts, options.batch_size + 1) + (options.samples == 1
                                                           ? largest(sequences, options.batch_size)
                                                           : std::min(options.batch_size, total) * most);
}

void Generation::admit() {
    const auto total = static_cast<int64_t>(ended_.size());
    for (; static_cast<int64_t>(living_.size()) < options_.batch_size && waiting_ < total; ++waiting_) {
        if (ended_[static_cast<size_t>(waiting_)]) continue;
        Sequence sequence{waiting_, {}, {}, nullptr};
        if (options_.sampling.penalty != 1.0f) {
            sequence.seen = prompt_of(waiting_).ids;
            std::sort(sequence.seen.begin(), sequence.seen.end());
            sequence.seen.erase(std::unique(sequence.seen.begin(), sequence.seen.end()), sequence.seen.end());
        }
        living_.push_back(std::move(sequence));
    }
}

void Generation::finish(int64_t sequence) {
    require(sequence >= 0 && sequence < static_cast<int64_t>(ended_.size()), Code::Option,
            "Expected a sequence in [0, ", ended_.size(), ") but received ", sequence, ".");
    if (sequence >= waiting_) {
        if (!ended_[static_cast<size_t>(sequence)]) release(sequence);
        ended_[static_cast<size_t>(sequence)] = true;
        return;
    }
    const auto found = std::find_if(living_.begin(), living_.end(),
                                    [&](const Sequence& living) { return living.number == sequence; });
    if (found == living_.end()) return;
    living_.erase(found);
    release(sequence);
}

// A prompt's keys go with the last of its sequences.
void Generation::release(int64_t sequence) {
    Prompt& prompt = prompt_of(sequence);
    if (--prompt.open > 0) return;
    prompt.cache.reset();
    prompt.last_row = {};
}

DecodedTokens Generation::next(const GenerationModel& model, Stream& stream) {
    if (model.weights_version != weights_version_) refresh(model, stream);
    admit();
    if (living_.empty()) return {};
    fill_new_prompts(model, stream);
    DecodedTokens decoded = draw(model, decode(model, stream), stream);
    append(decoded);
    return decoded;
}

// States [living][C] that predict the next tokens: of fresh sequences their prompt's last row, of the others
// their last token's, which goes through the trunk here.
Mat Generation::decode(const GenerationModel& model, Stream& stream) {
    const int64_t row_bytes = config_.width * dtype_size(dtype_);
    states_.resize(living_.size() * static_cast<size_t>(row_bytes));
    const auto state = [&](size_t index) {
        return Mat{states_.data() + static_cast<int64_t>(index) * row_bytes, dtype_, 1, config_.width,
                   config_.width};
    };
    PackedBatch batch;
    std::vector<KvCache::Row> rows;
    std::vector<size_t> places;
    for (size_t i = 0; i < living_.size(); ++i) {
        Sequence& sequence = living_[i];
        Prompt& prompt = prompt_of(sequence.number);
        if (sequence.tokens.empty()) {
            const ConstMat last{prompt.last_row.data(), dtype_, 1, config_.width, config_.width};
            check(model.ops.copy(state(i), last, &stream), "copy");
            continue;
        }
        const auto fed = static_cast<int64_t>(sequence.tokens.size()) - 1;
        const auto prompt_length = static_cast<int64_t>(prompt.ids.size());
        if (sequence.own == nullptr)
            sequence.own = std::make_unique<KvSegment>(
                config_, dtype_, own_capacity(config_, prompt_length, options_.max_new_tokens));
        // A step that was cancelled behind the trunk is done again.
        sequence.own->set_length(fed);
        batch.tokens.push_back(sequence.tokens.back());
        batch.positions.push_back(static_cast<int32_t>(prompt_length + fed));
        rows.push_back({prompt.cache.get(), sequence.own.get()});
        places.push_back(i);
    }
    if (!rows.empty()) {
        KvCache cache(model.ops);
        cache.decode(std::move(rows));
        const ConstMat out = trunk_pass(model, batch, cache, stream);
        for (size_t i = 0; i < places.size(); ++i) {
            const auto* from = static_cast<const std::byte*>(out.data) + static_cast<int64_t>(i) * row_bytes;
            check(model.ops.copy(state(places[i]), {from, dtype_, 1, config_.width, config_.width}, &stream),
                  "copy");
        }
    }
    return {states_.data(), dtype_, static_cast<int64_t>(living_.size()), config_.width, config_.width};
}

DecodedTokens Generation::draw(const GenerationModel& model, ConstMat states, Stream& stream) {
    const size_t count = living_.size();
    DecodedTokens decoded;
    decoded.tokens.resize(count);
    decoded.logprobs.resize(count);
    decoded.model_logprobs.resize(count);
    PackedBatch targets;
    std::vector<SampleRow> rows;
    const Philox random{options_.seed};
    for (size_t i = 0; i < count; ++i) {
        const Sequence& sequence = living_[i];
        const auto words = random(RandomStream::Sample, options_.step, static_cast<uint32_t>(sequence.number),
                                  static_cast<uint32_t>(sequence.tokens.size()));
        targets.targets.push_back({static_cast<int32_t>(i), 0});
        rows.push_back(
            {Philox::uniform(words[0]), sequence.seen.data(), static_cast<int64_t>(sequence.seen.size())});
    }
    model.head.gather(model.weights, states, targets, HeadKind::Tokens, stream);
    model.head.visit_logits(
        model.weights,
        [&](int64_t first, Mat logits) {
            const Samples out{decoded.tokens.data() + first, decoded.logprobs.data() + first,
                              decoded.model_logprobs.data() + first};
            check(model.ops.sample(out, logits, rows.data() + first, options_.sampling, &stream), "sample");
        },
        stream);
    for (size_t i = 0; i < count; ++i)
        require(decoded.tokens[i] >= 0, Code::NotFinite, "Sequence ", living_[i].number, ", token ",
                living_[i].tokens.size(), ": expected finite logits but the model gave NaN or infinity.");
    return decoded;
}

Finish Generation::state_after(const Sequence& sequence) const {
    const std::vector<int32_t>& stops = options_.stop_tokens;
    const auto count = static_cast<int64_t>(sequence.tokens.size());
    const auto prompt =
        static_cast<int64_t>(prompts_[static_cast<size_t>(sequence.number / options_.samples)].ids.size());
    if (std::find(stops.begin(), stops.end(), sequence.tokens.back()) != stops.end())
        return Finish::StopToken;
    if (count >= options_.max_new_tokens) return Finish::NewTokens;
    return prompt + count >= config_.max_positions ? Finish::Positions : Finish::No;
}

// Tokens join their sequences; those that have finished leave and give their memory back.
void Generation::append(DecodedTokens& decoded) {
    std::vector<Sequence> going_on;
    going_on.reserve(living_.size());
    for (size_t i = 0; i < living_.size(); ++i) {
        Sequence& sequence = living_[i];
        const int32_t token = decoded.tokens[i];
        sequence.tokens.push_back(token);
        if (options_.sampling.penalty != 1.0f &&
            std::find(sequence.seen.begin(), sequence.seen.end(), token) == sequence.seen.end())
            sequence.seen.push_back(token);
        const Finish state = state_after(sequence);
        decoded.sequences.push_back(static_cast<int32_t>(sequence.number));
        decoded.finished.push_back(static_cast<uint8_t>(state));
        if (state == Finish::No)
            going_on.push_back(std::move(sequence));
        else
            release(sequence.number);
    }
    living_ = std::move(going_on);
}

}  // namespace attune
