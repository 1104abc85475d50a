// Sampling with caches in pages, as a device asks for them, on the CPU: the tokens and log-probs of caches in
// one piece, in as little memory as was planned. Must not know what a page holds.
#include <string>
#include <vector>

#include "core/backend.h"
#include "generate/generation.h"
#include "tool/check.h"
#include "tool/check_data.h"
#include "tool/tiny_model.h"

namespace attune::tool {

namespace {

const Ops* counted_ops = nullptr;
int64_t slab_bytes = 0;
int64_t counted_bytes = 0;  // of slabs of pages

Status counted_grow(MemoryBlock* block, int64_t bytes, Stream* stream) {
    if (bytes == slab_bytes) counted_bytes += bytes;
    return counted_ops->memory_grow(block, bytes, stream);
}

std::vector<std::vector<int32_t>> prompts_of(int32_t count) {
    std::vector<std::vector<int32_t>> prompts;
    for (int32_t i = 0; i < count; ++i) {
        std::vector<int32_t>& ids = prompts.emplace_back();
        for (int32_t j = 0; j <= i % 7 * 5; ++j) ids.push_back((7 * i + 3 * j) % 90);
    }
    return prompts;
}

// Everything that was sampled.
std::vector<double> sample_all(const Ops& ops, Session& session, const GenerationOptions& options,
                               Stream& stream) {
    const ModelView view = session.view();
    const GenerationModel model{ops,        view.config, view.dtype,   view.weights,
                                view.trunk, view.head,   view.adapter, session.weights_version()};
    Generation generation(view.config, view.dtype, ops, prompts_of(40), options);
    std::vector<double> all;
    DecodedTokens decoded;
    do {
        generation.next(decoded, model, stream);
        all.insert(all.end(), decoded.sequences.begin(), decoded.sequences.end());
        all.insert(all.end(), decoded.tokens.begin(), decoded.tokens.end());
        append(all, decoded.model_logprobs);
    } while (!decoded.sequences.empty());
    return all;
}

void check_pages(Checks& checks) {
    Stream& stream = *checks.stream(2);
    const TemporaryFolder folder;
    const auto session = load_tiny(checks.ops(), stream, DType::F32, tiny_config(), folder);
    GenerationOptions options;
    options.max_new_tokens = 40;
    options.samples = 2;
    options.batch_size = 5;
    options.stop_tokens = {3};
    options.seed = 2;
    const std::vector<double> want = sample_all(checks.ops(), *session, options, stream);
    std::vector<int32_t> lengths;
    for (const std::vector<int32_t>& ids : prompts_of(40))
        lengths.push_back(static_cast<int32_t>(ids.size()));
    for (const int32_t shift : {4, 5, 8}) {
        const std::string name = "generation in pages of " + std::to_string(1 << shift);
        counted_ops = &checks.ops();
        Ops paged = checks.ops();
        paged.cache_page_shift = shift;
        paged.memory_grow = counted_grow;
        const KvLayout layout(session->config(), DType::F32, paged);
        slab_bytes = KvPages::bytes(layout.page_bytes(), 1);
        counted_bytes = 0;
        checks.expect_same(name, sample_all(paged, *session, options, stream), want);
        const int64_t planned =
            Generation::cache_bytes(session->config(), DType::F32, paged, lengths, options);
        checks.expect(name + " takes what was planned", counted_bytes > 0 && counted_bytes <= planned,
                      std::to_string(counted_bytes) + " for " + std::to_string(planned));
        // Of every sequence without handing pages on.
        int64_t pages = 0;
        for (const int32_t length : lengths) pages += layout.pages_of(length) + 2 * layout.pages_of(39);
        checks.expect(name + " hands pages on", counted_bytes < pages * layout.page_bytes());
        options.seed = 3;
        checks.expect(name + " (planted error)", sample_all(paged, *session, options, stream) != want);
        options.seed = 2;
    }
}

const Register pages("decoding_pages", Runs::PerCpuIsa, check_pages);

}  // namespace

}  // namespace attune::tool
