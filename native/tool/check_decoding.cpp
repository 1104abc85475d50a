// Attention over the cache against attention over the packed batch: the same bits for every token, whatever
// decodes beside it; and that against the double-precision reference. Must not look inside the ops.
#include <string>
#include <vector>

#include "cpu/reference_attention.h"
#include "tool/check.h"
#include "tool/check_data.h"

namespace attune::tool {

namespace {

using Doubles = std::vector<double>;

struct Shape {
    int64_t H, G, D, window;

    AttentionDims dims() const {
        AttentionDims dims;
        dims.H = H;
        dims.G = G;
        dims.D = D;
        dims.scale = static_cast<float>(1 / std::sqrt(static_cast<double>(D)));
        dims.window = window;
        return dims;
    }
};

// A segment's cache: of two layers, the second of which is used.
struct Cache {
    std::vector<AlignedBytes> memory;
    std::vector<void*> pages;
    int64_t layer_bytes;  // of a page
    CachedSegment segment;

    Cache(const Shape& shape, DType dtype, int64_t capacity, int32_t page_shift) {
        const bool whole = page_shift == kOnePage;
        const int64_t keys = whole ? capacity : int64_t{1} << page_shift;
        const int64_t count = whole ? 1 : (capacity + keys - 1) / keys;
        const int64_t stride = (keys + kCacheKeys - 1) / kCacheKeys * 2 * kCacheKeys * cache_width(shape.D);
        layer_bytes = shape.G * stride * dtype_size(dtype);
        for (int64_t i = 0; i < count; ++i) {
            memory.push_back(allocate_aligned(static_cast<size_t>(2 * layer_bytes)));
            // NaN: what no key has reached must not matter.
            std::memset(memory.back().get(), 0xff, static_cast<size_t>(2 * layer_bytes));
            pages.push_back(memory.back().get());
        }
        segment = {pages.data(), page_shift, stride, shape.G * stride, 0};
    }
    // The first layer is as it was.
    bool guard_intact() const {
        for (const AlignedBytes& page : memory)
            for (int64_t i = 0; i < layer_bytes; ++i)
                if (page.get()[i] != std::byte{0xff}) return false;
        return true;
    }
};

// A prompt and branches of it, packed, with the outputs of attention_forward.
struct Packed {
    Shape shape;
    DType dtype;
    std::vector<Segment> segments;
    TestMatrix qkv, out;
    std::vector<float> lse;

    Packed(Checks& checks, const Shape& sizes, DType type, int32_t prompt,
           const std::vector<int32_t>& branches)
        : shape(sizes),
          dtype(type),
          segments(cut(prompt, branches)),
          qkv(type, rows(), (shape.H + 2 * shape.G) * shape.D, 3),
          out(type, rows(), shape.H * shape.D, 5),
          lse(poisoned(shape.H * rows())) {
        Random random(7);
        qkv.randomise(random);
        checks.expect_ok("attention", checks.ops().attention_forward(out.mat(), lse.data(), qkv.view(),
                                                                     dims(), checks.stream()));
    }
    static std::vector<Segment> cut(int32_t prompt, const std::vector<int32_t>& branches) {
        std::vector<Segment> segments{{0, prompt, -1}};
        for (const int32_t length : branches)
            segments.push_back({segments.back().start + segments.back().length, length, 0});
        return segments;
    }
    int64_t rows() const { return segments.back().start + int64_t{segments.back().length}; }
    AttentionDims dims() const {
        AttentionDims dims = shape.dims();
        dims.segments = segments.data();
        dims.segment_count = static_cast<int64_t>(segments.size());
        return dims;
    }
};

void add_row(Doubles& all, const TestMatrix& out, const std::vector<float>& lse, int64_t heads, int64_t row) {
    for (int64_t c = 0; c < out.cols(); ++c) all.push_back(out.at(row, c));
    for (int64_t h = 0; h < heads; ++h)
        all.push_back(static_cast<double>(lse[static_cast<size_t>(h * out.rows() + row)]));
}

// Decodes all branches side by side from token `first` on; a branch leaves when its tokens are used up.
// Returns outputs and lse of every row, in the order of the steps, and adds those of the packed pass to
// `want`.
Doubles decode(Checks& checks, const Packed& packed, const Cache& prompt, std::vector<Cache>& own,
               int32_t first, Doubles& want, int threads) {
    Doubles got;
    int32_t longest = 0;
    for (const Segment& segment : packed.segments) longest = std::max(longest, segment.length);
    for (int32_t token = first; token < longest; ++token) {
        std::vector<int64_t> sources;
        std::vector<CachedRow> rows;
        for (size_t branch = 0; branch < own.size(); ++branch) {
            const Segment& segment = packed.segments[branch + 1];
            if (token >= segment.length) continue;
            sources.push_back(segment.start + token);
            rows.push_back({prompt.segment, own[branch].segment});
            ++own[branch].segment.length;
        }
        const auto count = static_cast<int64_t>(sources.size());
        if (count == 0) break;
        TestMatrix qkv(packed.dtype, count, packed.qkv.cols(), 1),
            out(packed.dtype, count, packed.out.cols(), 2);
        qkv.assign([&](int64_t i, int64_t c) { return packed.qkv.at(sources[static_cast<size_t>(i)], c); });
        std::vector<float> lse = poisoned(packed.shape.H * count);
        checks.expect_ok("attention_cached",
                         checks.ops().attention_cached(out.mat(), lse.data(), qkv.view(), rows.data(),
                                                       packed.shape.dims(), checks.stream(threads)));
        checks.expect("attention_cached guards", out.guards_intact() && qkv.guards_intact());
        for (int64_t i = 0; i < count; ++i) {
            add_row(got, out, lse, packed.shape.H, i);
            add_row(want, packed.out, packed.lse, packed.shape.H, sources[static_cast<size_t>(i)]);
        }
    }
    return got;
}

// Prompts and branches as `packed` has them, in caches.
struct Caches {
    Caches(const Packed& packed, int32_t page_shift)
        : prompt(packed.shape, packed.dtype, packed.segments[0].length, page_shift) {
        for (size_t i = 1; i < packed.segments.size(); ++i)
            own.emplace_back(packed.shape, packed.dtype, packed.segments[i].length, page_shift);
    }
    void store_prompt(Checks& checks, const Packed& packed, const TestMatrix& qkv) {
        std::vector<CachedSegment> targets(packed.segments.size());
        targets[0] = prompt.segment;
        targets[0].length = 0;
        checks.expect_ok("cache_store", checks.ops().cache_store(targets.data(), qkv.view(), packed.dims(),
                                                                 checks.stream()));
        prompt.segment.length = packed.segments[0].length;
    }
    void store_branches(Checks& checks, const Packed& packed) {
        std::vector<CachedSegment> targets(packed.segments.size());
        for (size_t i = 0; i < own.size(); ++i) targets[i + 1] = own[i].segment;
        checks.expect_ok("cache_store", checks.ops().cache_store(targets.data(), packed.qkv.view(),
                                                                 packed.dims(), checks.stream()));
    }
    bool guards_intact() const {
        bool intact = prompt.guard_intact();
        for (const Cache& cache : own) intact = intact && cache.guard_intact();
        return intact;
    }

    Cache prompt;
    std::vector<Cache> own;
};

void compare(Checks& checks, const std::string& name, const Packed& packed, int32_t page_shift) {
    for (const int threads : {1, 3}) {
        Caches caches(packed, page_shift);
        caches.store_prompt(checks, packed, packed.qkv);
        Doubles want;
        const Doubles got = decode(checks, packed, caches.prompt, caches.own, 0, want, threads);
        checks.expect_same(name + " with " + std::to_string(threads) + " threads", got, want);
        checks.expect(name + " stays in its layer", caches.guards_intact());
    }

    // Caches made by one packed pass instead of token by token: the last tokens are the same.
    Caches filled(packed, page_shift);
    filled.store_prompt(checks, packed, packed.qkv);
    filled.store_branches(checks, packed);
    int32_t last = INT32_MAX;
    for (size_t i = 1; i < packed.segments.size(); ++i) last = std::min(last, packed.segments[i].length - 1);
    for (Cache& cache : filled.own) cache.segment.length = last;
    Doubles want;
    const Doubles got = decode(checks, packed, filled.prompt, filled.own, last, want, 2);
    checks.expect_same(name + " behind a packed pass", got, want);

    // A wrong key must show, where the window still sees it.
    Caches wrong(packed, page_shift);
    TestMatrix qkv = packed.qkv;
    const int64_t row = packed.segments[0].length - 1, column = packed.shape.H * packed.shape.D;
    qkv.assign(
        [&](int64_t i, int64_t c) { return packed.qkv.at(i, c) + (i == row && c == column ? 3.0 : 0.0); });
    wrong.store_prompt(checks, packed, qkv);
    want.clear();
    const bool differs = decode(checks, packed, wrong.prompt, wrong.own, 0, want, 2) != want;
    checks.expect(name + " (planted error)", differs == (packed.shape.window != 1));
}

// In pages as the backend asks for them; where it leaves the choice, in one, in the smallest and in others.
std::vector<int32_t> page_shifts(const Checks& checks) {
    const int32_t asked = checks.ops().cache_page_shift;
    if (asked != kOnePage) return {asked};
    return {kOnePage, 4, 6};
}

void check_bits(Checks& checks) {
    const std::vector<int32_t> few{5, 1, 9}, crossing{130, 3, 140, 128};
    for (const DType dtype : {DType::F32, DType::BF16}) {
        const auto run = [&](const char* name, const Shape& shape, int32_t prompt,
                             const std::vector<int32_t>& own) {
            const Packed packed(checks, shape, dtype, prompt, own);
            for (const int32_t shift : page_shifts(checks))
                compare(checks,
                        std::string("decoding ") + name + " " + dtype_name(dtype) +
                            (shift == kOnePage ? "" : " in pages of " + std::to_string(1 << shift)),
                        packed, shift);
        };
        run("one head", {1, 1, 1, 0}, 1, {2});
        run("SmolLM2 heads", {9, 3, 64, 0}, 64, few);
        run("one tile and one", {4, 2, 20, 0}, 129, crossing);
        run("many tiles", {2, 2, 16, 0}, 300, few);
        run("seven heads on one", {7, 1, 24, 0}, 33, few);
        run("sixteen heads on one", {16, 1, 10, 0}, 15, few);
        run("wide heads", {2, 1, 128, 0}, 40, few);
        run("window below a tile", {4, 2, 20, 17}, 100, crossing);
        run("window above a tile", {6, 2, 16, 150}, 170, crossing);
        run("window of one", {2, 1, 16, 1}, 20, few);
    }
}

// The packed pass is compared with the reference elsewhere; here one whole decode is, in case both were
// wrong.
void check_reference(Checks& checks) {
    const Shape shape{6, 2, 24, 0};
    const Packed packed(checks, shape, DType::F32, 37, {21});
    Doubles out, lse;
    reference::attention_forward(out, lse, packed.qkv.values(), packed.dims(), packed.rows());
    Caches caches(packed, page_shifts(checks).back());
    caches.store_prompt(checks, packed, packed.qkv);
    Doubles packed_rows;
    const Doubles got = decode(checks, packed, caches.prompt, caches.own, 0, packed_rows, 2);
    Doubles want;
    for (int64_t row = 37; row < packed.rows(); ++row) {
        for (int64_t c = 0; c < 6 * 24; ++c) want.push_back(out[static_cast<size_t>(row * 6 * 24 + c)]);
        for (int64_t h = 0; h < 6; ++h) want.push_back(lse[static_cast<size_t>(h * packed.rows() + row)]);
    }
    checks.expect_close("decoding = reference", got, want, bar_of(DType::F32, 2, 24));
    checks.expect_trips("decoding = reference", got, want, bar_of(DType::F32, 2, 24));
}

void check_decoding(Checks& checks) {
    check_bits(checks);
    check_reference(checks);
}

const Register decoding("decoding", Runs::PerIsa, check_decoding);

}  // namespace

}  // namespace attune::tool
