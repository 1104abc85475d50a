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

void DecodedTokens::clear() {
    sequences.clear();
    tokens.clear();
    logprobs.clear();
    model_logprobs.clear();
    finished.clear();
}

Generation::Generation(const ModelConfig& config, DType dtype, const Ops& ops,
                       std::vector<std::vector<int32_t>> prompts, GenerationOptions options)
    : config_(config),
      dtype_(dtype),
      layout_(config, dtype, ops),
      pages_(layout_.paged() ? layout_.page_bytes() : 0),
      options_(std::move(options)) {
    if (options_.sampling.vocabulary == 0) options_.sampling.vocabulary = config.vocabulary;
    for (std::vector<int32_t>& ids : prompts) prompts_.push_back({std::move(ids), options_.samples, nullptr});
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
// Tokens that a sequence can have.
int64_t most_tokens(const ModelConfig& config, int64_t prompt, int64_t max_new_tokens) {
    return std::min(max_new_tokens, config.max_positions - prompt);
}

// Those whose keys are kept: the last one is never read.
int64_t own_capacity(const ModelConfig& config, int64_t prompt, int64_t max_new_tokens) {
    return std::max<int64_t>(1, most_tokens(config, prompt, max_new_tokens) - 1);
}
}  // namespace

int64_t Generation::cache_bytes(const ModelConfig& config, DType dtype, const Ops& ops,
                                const std::vector<int32_t>& prompt_lengths,
                                const GenerationOptions& options) {
    const KvLayout layout(config, dtype, ops);
    // Pages, or bytes where each segment has one page.
    const auto need = [&](int64_t keys) {
        return layout.paged() ? layout.pages_of(keys) : layout.bytes_of(keys);
    };
    std::vector<int64_t> prompts, sequences;
    for (const int64_t length : prompt_lengths) {
        prompts.push_back(need(length));
        sequences.push_back(need(own_capacity(config, length, options.max_new_tokens)));
    }
    // Sequences are admitted in order: neighbours share a prompt, and one further prompt may be half
    // admitted.
    const auto largest = [](std::vector<int64_t>& needs, int64_t count) {
        std::sort(needs.begin(), needs.end(), std::greater<>());
        int64_t sum = 0;
        for (size_t i = 0; i < needs.size() && static_cast<int64_t>(i) < count; ++i) sum += needs[i];
        return sum;
    };
    const int64_t most = *std::max_element(sequences.begin(), sequences.end());
    const auto total = static_cast<int64_t>(prompt_lengths.size()) * options.samples;
    const int64_t all = largest(prompts, options.batch_size + 1) +
                        (options.samples == 1 ? largest(sequences, options.batch_size)
                                              : std::min(options.batch_size, total) * most);
    return layout.paged() ? KvPages::bytes(layout.page_bytes(), all) : all;
}

// All memory of a sequence is taken here but that of its keys, which one that ends at once never needs.
void Generation::admit(Trunk& trunk, Stream& stream) {
    const auto total = static_cast<int64_t>(ended_.size());
    for (; static_cast<int64_t>(living_.size()) < options_.batch_size && waiting_ < total; ++waiting_) {
        if (ended_[static_cast<size_t>(waiting_)]) continue;
        Sequence sequence{waiting_, {}, {}, nullptr};
        const std::vector<int32_t>& prompt = prompt_of(waiting_).ids;
        const auto length = static_cast<int64_t>(prompt.size());
        const int64_t most = most_tokens(config_, length, options_.max_new_tokens);
        trunk.reserve_positions(length + most, stream);
        sequence.tokens.reserve(static_cast<size_t>(most));
        if (options_.sampling.penalty != 1.0f) {
            sequence.seen = prompt;
            std::sort(sequence.seen.begin(), sequence.seen.end());
            sequence.seen.erase(std::unique(sequence.seen.begin(), sequence.seen.end()), sequence.seen.end());
            sequence.seen.reserve(sequence.seen.size() + static_cast<size_t>(most));
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
}

void Generation::next(DecodedTokens& decoded, const GenerationModel& model, Stream& stream) {
    decoded.clear();
    if (model.weights_version != weights_version_) refresh(model, stream);
    admit(model.trunk, stream);
    if (living_.empty()) return;
    fill_new_prompts(model, stream);
    draw(decoded, model, decode(model, stream), stream);
    append(decoded);
}

// The last token of a sequence joins those that go through the trunk in this step.
void Generation::feed(size_t index, const GenerationModel& model, Stream& stream) {
    Sequence& sequence = living_[index];
    Prompt& prompt = prompt_of(sequence.number);
    const auto fed = static_cast<int64_t>(sequence.tokens.size()) - 1;
    const auto prompt_length = static_cast<int64_t>(prompt.ids.size());
    if (sequence.own == nullptr)
        sequence.own = std::make_unique<KvSegment>(
            layout_, own_capacity(config_, prompt_length, options_.max_new_tokens), pages_, model.ops,
            stream);
    sequence.own->reserve(fed + 1, model.ops, stream);
    // A step that was cancelled behind the trunk is done again.
    sequence.own->set_length(fed);
    work_.fed.tokens.push_back(sequence.tokens.back());
    work_.fed.positions.push_back(static_cast<int32_t>(prompt_length + fed));
    work_.rows.push_back({prompt.cache.get(), sequence.own.get()});
}

Mat Generation::states(int64_t index, int64_t count) const {
    return {work_.states.data() + index * config_.width * dtype_size(dtype_), dtype_, count, config_.width,
            config_.width};
}

// Steps with as many rows in the trunk and in the head are likely to be the same work.
void Generation::begin_step(const GenerationModel& model, Stream& stream) const {
    const uint64_t key = static_cast<uint64_t>(work_.rows.size()) << 32 | living_.size();
    check(model.ops.begin_step(key, &stream), "begin_step");
}

// States [living][C] that predict the next tokens: of fresh sequences their prompt's last row, of the others
// their last token's, which goes through the trunk here.
ConstMat Generation::decode(const GenerationModel& model, Stream& stream) {
    const auto count = static_cast<int64_t>(living_.size());
    work_.fed.tokens.clear();
    work_.fed.positions.clear();
    work_.rows.clear();
    for (size_t i = 0; i < living_.size(); ++i)
        if (!living_[i].tokens.empty()) feed(i, model, stream);
    const auto fed = static_cast<int64_t>(work_.rows.size());
    if (fed < count)
        work_.states.grow(model.ops, stream, static_cast<size_t>(count * config_.width * dtype_size(dtype_)));
    begin_step(model, stream);
    ConstMat out;
    if (fed > 0) {
        work_.cache.decode(work_.rows);
        out = trunk_pass(model, work_.fed, stream);
    }
    if (fed == count) return out;
    // Fresh ones join between the others, which are copied in runs.
    const auto copy = [&](int64_t first, ConstMat from) {
        if (from.rows > 0) check(model.ops.copy(states(first, from.rows), from, &stream), "copy");
    };
    int64_t run = 0, passed = 0;  // where the others go on, among the living and in the trunk's output
    for (int64_t i = 0; i <= count; ++i) {
        const bool end = i == count;
        if (!end && !living_[static_cast<size_t>(i)].tokens.empty()) continue;
        copy(run, {static_cast<const std::byte*>(out.data) + passed * config_.width * dtype_size(dtype_),
                   dtype_, i - run, config_.width, config_.width});
        passed += i - run;
        if (!end) copy(i, last_row(prompt_of(living_[static_cast<size_t>(i)].number)));
        run = i + 1;
    }
    return states(0, count);
}

void Generation::draw(DecodedTokens& decoded, const GenerationModel& model, ConstMat states, Stream& stream) {
    const size_t count = living_.size();
    decoded.tokens.resize(count);
    decoded.logprobs.resize(count);
    decoded.model_logprobs.resize(count);
    work_.targets.targets.clear();
    work_.samples.clear();
    const Philox random{options_.seed};
    for (size_t i = 0; i < count; ++i) {
        const Sequence& sequence = living_[i];
        const auto words = random(RandomStream::Sample, options_.step, static_cast<uint32_t>(sequence.number),
                                  static_cast<uint32_t>(sequence.tokens.size()));
        work_.targets.targets.push_back({static_cast<int32_t>(i), 0});
        work_.samples.push_back(
            {Philox::uniform(words[0]), sequence.seen.data(), static_cast<int64_t>(sequence.seen.size())});
    }
    model.head.gather(model.weights, states, work_.targets, HeadKind::Tokens, stream);
    const auto sample = [&](int64_t first, Mat logits) {
        const Samples out{decoded.tokens.data() + first, decoded.logprobs.data() + first,
                          decoded.model_logprobs.data() + first};
        check(model.ops.sample(out, logits, work_.samples.data() + first, options_.sampling, &stream),
              "sample");
    };
    // A reference: what the lambda captures would be allocated.
    model.head.visit_logits(model.weights, std::ref(sample), stream);
    for (size_t i = 0; i < count; ++i)
        require(decoded.tokens[i] >= 0, Code::NotFinite, "Sequence ", living_[i].number, ", token ",
                living_[i].tokens.size(), ": expected finite logits but the model gave NaN or infinity.");
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
    size_t going_on = 0;
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
        if (state != Finish::No)
            release(sequence.number);
        else if (going_on++ != i)
            living_[going_on - 1] = std::move(sequence);
    }
    living_.erase(living_.begin() + static_cast<int64_t>(going_on), living_.end());
}

}  // namespace attune
