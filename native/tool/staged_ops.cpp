// One wrapper per op: what it reads and writes, and how much of it, as core/ops.h says.
#include "tool/staged_ops.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <deque>
#include <utility>
#include <vector>

#include "core/backend.h"
#include "core/error.h"
#include "core/threads.h"
#include "tool/check_data.h"

namespace attune::tool {

namespace {

const Ops* device_table = nullptr;
Stream* device_stream = nullptr;
void (*before_call)(int threads) = nullptr;

const Ops& device() {
    return *device_table;
}

// Copies of host memory on the device for one call, at the same place within a line of memory. Those that are
// written go back at the end.
class Copies {
  public:
    explicit Copies(const Stream* caller) { before_call(caller->pool->threads()); }
    ~Copies() noexcept(false) {
        for (const Copy& copy : copies_) {
            if (copy.written) {
                check(device().memory_read(copy.host, copy.device, copy.bytes, device_stream), "read");
                if (copy.laid.N > 0) reorder(copy.host, copy.laid, Direction::FromDevice);
            }
            device().memory_release(copy.block, device_stream->device);
        }
    }

    std::byte* bytes(const void* host, int64_t count, bool written) {
        if (host == nullptr || count <= 0) return nullptr;
        return place(host, host, count, written, {});
    }
    template <class T>
    T* array(T* host, int64_t count) {
        using Value = std::remove_const_t<T>;
        return reinterpret_cast<T*>(
            bytes(host, count * static_cast<int64_t>(sizeof(Value)), !std::is_const_v<T>));
    }
    Mat matrix(Mat m) {
        m.data = bytes(m.data, span_of(m), true);
        return m;
    }
    ConstMat matrix(ConstMat m) {
        m.data = bytes(m.data, span_of(m), false);
        return m;
    }
    // Checks keep parameters as the CPU does.
    void* parameter(const Weight& w, bool written) {
        const int64_t count = layout_elements(w.layout, w.N, w.K) * dtype_size(w.dtype);
        if (w.data == nullptr || count <= 0) return nullptr;
        std::vector<std::byte> rows(static_cast<size_t>(count));
        std::memcpy(rows.data(), w.data, rows.size());
        reorder(rows.data(), w, Direction::ToDevice);
        return place(w.data, rows.data(), count, written, w);
    }
    Weight weight(Weight w) {
        w.data = parameter(w, false);
        return w;
    }
    WeightGrad gradient(WeightGrad w) {
        w.data = static_cast<float*>(parameter({w.data, DType::F32, w.layout, w.N, w.K}, true));
        return w;
    }
    Epilogue epilogue(const Epilogue& e, int64_t N) {
        return {array(e.bias, N), matrix(e.residual), e.activation, matrix(e.before_activation)};
    }
    LowRank term(LowRank t) {
        t.a = weight(t.a);
        t.b = weight(t.b);
        return t;
    }

  private:
    static int64_t span_of(const ConstMat& m) {
        return m.rows <= 0 || m.cols <= 0 ? 0 : ((m.rows - 1) * m.stride + m.cols) * dtype_size(m.dtype);
    }
    enum class Direction { ToDevice, FromDevice };
    // Between the CPU's order of a parameter and the device's, which keeps panels as rows.
    static void reorder(void* memory, const Weight& w, Direction direction) {
        if (w.layout == Layout::Rows) return;
        const int64_t size = dtype_size(w.dtype), width = even(w.K);
        const int64_t count = layout_elements(w.layout, w.N, w.K);
        auto* to = static_cast<std::byte*>(memory);
        const std::vector<std::byte> from(to, to + count * size);
        for (int64_t row = 0; row < count / width; ++row)
            for (int64_t k = 0; k < width; ++k) {
                int64_t source = weight_index(w.layout, w.dtype, w.K, row, k), target = row * width + k;
                if (direction == Direction::FromDevice) std::swap(source, target);
                std::memcpy(to + target * size, from.data() + source * size, static_cast<size_t>(size));
            }
    }

    // `source` goes to the device; what is there at the end to `host`.
    std::byte* place(const void* host, const void* source, int64_t count, bool written, const Weight& laid) {
        constexpr int64_t kLine = 64;
        Copy copy{const_cast<void*>(host), nullptr, count, written, {}, laid};
        check(device().memory_grow(&copy.block, count + kLine, device_stream), "grow");
        copy.device = static_cast<std::byte*>(copy.block.data) + reinterpret_cast<uintptr_t>(host) % kLine;
        check(device().memory_write(copy.device, source, count, device_stream), "write");
        copies_.push_back(copy);
        return copy.device;
    }

    struct Copy {
        void* host;
        std::byte* device;
        int64_t bytes;
        bool written;
        MemoryBlock block;
        Weight laid;  // a parameter: how it lies; N 0: none
    };
    std::vector<Copy> copies_;
};

// ---- parameters

Status weight_import(void* weight, DType dtype, Layout layout, int64_t N, int64_t K, int64_t first,
                     int64_t rows, const float* source, Stream* stream) {
    Copies c(stream);
    return device().weight_import(c.parameter({weight, dtype, layout, N, K}, true), dtype, layout, N, K,
                                  first, rows, source, device_stream);
}
Status weight_export(float* target, Weight weight, int64_t first, int64_t rows, Stream* stream) {
    Copies c(stream);
    return device().weight_export(target, c.weight(weight), first, rows, device_stream);
}
Status weight_convert(void* target, DType dtype, const float* source, Layout layout, int64_t N, int64_t K,
                      Stream* stream) {
    Copies c(stream);
    return device().weight_convert(
        c.parameter({target, dtype, layout, N, K}, true), dtype,
        static_cast<const float*>(c.weight({source, DType::F32, layout, N, K}).data), layout, N, K,
        device_stream);
}

// ---- linear maps

Status linear_forward(Mat y, ConstMat x, Weight w, const Epilogue* epilogue, Stream* stream) {
    Copies c(stream);
    const Epilogue e = epilogue == nullptr ? Epilogue{} : c.epilogue(*epilogue, w.N);
    return device().linear_forward(c.matrix(y), c.matrix(x), c.weight(w), epilogue == nullptr ? nullptr : &e,
                                   device_stream);
}
Status linear_backward_input(Mat dx, ConstMat dy, Weight w, int32_t accumulate, Stream* stream) {
    Copies c(stream);
    return device().linear_backward_input(c.matrix(dx), c.matrix(dy), c.weight(w), accumulate, device_stream);
}
Status linear_backward_weight(WeightGrad dw, float* dbias, ConstMat dy, ConstMat x, int32_t accumulate,
                              Stream* stream) {
    Copies c(stream);
    return device().linear_backward_weight(c.gradient(dw), c.array(dbias, dw.N), c.matrix(dy), c.matrix(x),
                                           accumulate, device_stream);
}
Status lowrank_forward(Mat y, Mat h, ConstMat x, Weight w, const LowRank* term, const Epilogue* epilogue,
                       Stream* stream) {
    Copies c(stream);
    const Epilogue e = epilogue == nullptr ? Epilogue{} : c.epilogue(*epilogue, w.N);
    const LowRank t = c.term(*term);
    return device().lowrank_forward(c.matrix(y), c.matrix(h), c.matrix(x), c.weight(w), &t,
                                    epilogue == nullptr ? nullptr : &e, device_stream);
}
Status lowrank_backward_input(Mat dx, Mat dh, ConstMat dy, Weight w, const LowRank* term, Stream* stream) {
    Copies c(stream);
    const LowRank t = c.term(*term);
    return device().lowrank_backward_input(c.matrix(dx), c.matrix(dh), c.matrix(dy), c.weight(w), &t,
                                           device_stream);
}
Status lowrank_backward_weight(WeightGrad da, WeightGrad db, ConstMat dy, ConstMat dh, ConstMat x, ConstMat h,
                               const LowRank* term, Stream* stream) {
    Copies c(stream);
    const LowRank t = c.term(*term);
    return device().lowrank_backward_weight(c.gradient(da), c.gradient(db), c.matrix(dy), c.matrix(dh),
                                            c.matrix(x), c.matrix(h), &t, device_stream);
}

// ---- rows

Status rmsnorm_forward(Mat y, float* rstd, ConstMat x, const float* w, int64_t groups, float epsilon,
                       Stream* stream) {
    Copies c(stream);
    return device().rmsnorm_forward(c.matrix(y), c.array(rstd, x.rows * groups), c.matrix(x),
                                    c.array(w, x.cols / std::max<int64_t>(1, groups)), groups, epsilon,
                                    device_stream);
}
Status rmsnorm_backward(Mat dx, float* dw, ConstMat dy, ConstMat x, const float* rstd, const float* w,
                        int64_t groups, int32_t accumulate, Stream* stream) {
    Copies c(stream);
    const int64_t C = x.cols / std::max<int64_t>(1, groups);
    return device().rmsnorm_backward(c.matrix(dx), c.array(dw, C), c.matrix(dy), c.matrix(x),
                                     c.array(rstd, x.rows * groups), c.array(w, C), groups, accumulate,
                                     device_stream);
}
Status layernorm_forward(Mat y, float* mean, float* rstd, ConstMat x, const float* w, const float* b,
                         float epsilon, Stream* stream) {
    Copies c(stream);
    return device().layernorm_forward(c.matrix(y), c.array(mean, x.rows), c.array(rstd, x.rows), c.matrix(x),
                                      c.array(w, x.cols), c.array(b, x.cols), epsilon, device_stream);
}
Status layernorm_backward(Mat dx, float* dw, float* db, ConstMat dy, ConstMat x, const float* mean,
                          const float* rstd, const float* w, int32_t accumulate, Stream* stream) {
    Copies c(stream);
    return device().layernorm_backward(c.matrix(dx), c.array(dw, x.cols), c.array(db, x.cols), c.matrix(dy),
                                       c.matrix(x), c.array(mean, x.rows), c.array(rstd, x.rows),
                                       c.array(w, x.cols), accumulate, device_stream);
}
Status rope(Mat x, const int32_t* positions, const float* cosine, const float* sine, int64_t heads, int64_t D,
            int32_t direction, Stream* stream) {
    Copies c(stream);
    int32_t last = -1;
    for (int64_t row = 0; row < x.rows; ++row) last = std::max(last, positions[row]);
    const int64_t angles = (int64_t{last} + 1) * (D / 2);
    return device().rope(c.matrix(x), positions, c.array(cosine, angles), c.array(sine, angles), heads, D,
                         direction, device_stream);
}
Status swiglu_forward(Mat h, ConstMat gate_up, Stream* stream) {
    Copies c(stream);
    return device().swiglu_forward(c.matrix(h), c.matrix(gate_up), device_stream);
}
Status swiglu_backward(Mat dgate_up, ConstMat dh, ConstMat gate_up, Stream* stream) {
    Copies c(stream);
    return device().swiglu_backward(c.matrix(dgate_up), c.matrix(dh), c.matrix(gate_up), device_stream);
}
Status gelu_forward(Mat y, ConstMat x, Stream* stream) {
    Copies c(stream);
    return device().gelu_forward(c.matrix(y), c.matrix(x), device_stream);
}
Status gelu_backward(Mat dx, ConstMat dy, ConstMat x, Stream* stream) {
    Copies c(stream);
    return device().gelu_backward(c.matrix(dx), c.matrix(dy), c.matrix(x), device_stream);
}
Status elementary(float* y, const float* x, int64_t n, Elementary f, Stream* stream) {
    Copies c(stream);
    return device().elementary(c.array(y, n), c.array(x, n), n, f, device_stream);
}
Status copy(Mat y, ConstMat x, Stream* stream) {
    Copies c(stream);
    return device().copy(c.matrix(y), c.matrix(x), device_stream);
}
Status add(Mat y, ConstMat x, Stream* stream) {
    Copies c(stream);
    return device().add(c.matrix(y), c.matrix(x), device_stream);
}
Status gather_rows(Mat y, ConstMat x, const int32_t* rows, Stream* stream) {
    Copies c(stream);
    return device().gather_rows(c.matrix(y), c.matrix(x), rows, device_stream);
}
Status scatter_add_rows(Mat x, ConstMat y, const int32_t* rows, Stream* stream) {
    Copies c(stream);
    return device().scatter_add_rows(c.matrix(x), c.matrix(y), rows, device_stream);
}
Status embedding_forward(Mat x, const int32_t* tokens, Weight table, const int32_t* positions,
                         Weight position_table, Stream* stream) {
    Copies c(stream);
    return device().embedding_forward(c.matrix(x), tokens, c.weight(table), positions,
                                      c.weight(position_table), device_stream);
}
Status embedding_backward(WeightGrad dtable, ConstMat dx, const int32_t* tokens, Stream* stream) {
    Copies c(stream);
    return device().embedding_backward(c.gradient(dtable), c.matrix(dx), tokens, device_stream);
}

// ---- attention

Status attention_forward(Mat out, float* lse, ConstMat qkv, AttentionDims dims, Stream* stream) {
    Copies c(stream);
    return device().attention_forward(c.matrix(out), c.array(lse, dims.H * qkv.rows), c.matrix(qkv), dims,
                                      device_stream);
}
Status attention_backward(Mat dqkv, ConstMat dout, ConstMat out, const float* lse, ConstMat qkv,
                          AttentionDims dims, Stream* stream) {
    Copies c(stream);
    return device().attention_backward(c.matrix(dqkv), c.matrix(dout), c.matrix(out),
                                       c.array(lse, dims.H * qkv.rows), c.matrix(qkv), dims, device_stream);
}

// ---- head

Status head_stats(HeadStats out, ConstMat logits, const int32_t* targets, float temperature, Stream* stream) {
    Copies c(stream);
    return device().head_stats(out, c.matrix(logits), targets, temperature, device_stream);
}
Status head_kl(float* kl, float* reverse_kl, ConstMat logits, ConstMat reference_logits, float temperature,
               Stream* stream) {
    Copies c(stream);
    return device().head_kl(kl, reverse_kl, c.matrix(logits), c.matrix(reference_logits), temperature,
                            device_stream);
}
Status head_gradient(Mat logits, ConstMat reference_logits, const int32_t* targets, HeadWeights weights,
                     float temperature, Stream* stream) {
    Copies c(stream);
    return device().head_gradient(c.matrix(logits), c.matrix(reference_logits), targets, weights, temperature,
                                  device_stream);
}

// ---- optimiser

Status adamw(float* parameter, bf16_t* compute, float* m, float* v, const float* gradient, int64_t n,
             Layout layout, AdamW settings, Stream* stream) {
    Copies c(stream);
    // A flat buffer of panels has the order of a parameter of one panel.
    const int64_t rows = layout == Layout::Panels && n % (2 * kPanel) == 0 ? kPanel : 0;
    const auto place = [&](auto* buffer, DType dtype) {
        using Value = std::remove_pointer_t<decltype(buffer)>;
        return rows == 0 ? c.array(buffer, n)
                         : static_cast<Value*>(c.parameter({buffer, dtype, layout, rows, n / rows}, true));
    };
    const float* slope =
        rows == 0
            ? c.array(gradient, n)
            : static_cast<const float*>(c.parameter({gradient, DType::F32, layout, rows, n / rows}, false));
    return device().adamw(place(parameter, DType::F32), place(compute, DType::BF16), place(m, DType::F32),
                          place(v, DType::F32), slope, n, layout, settings, device_stream);
}
Status sum_squares(double* sum, const float* x, int64_t n, Stream* stream) {
    Copies c(stream);
    return device().sum_squares(sum, c.array(x, n), n, device_stream);
}
Status fill(float* x, float value, int64_t n, Stream* stream) {
    Copies c(stream);
    return device().fill(c.array(x, n), value, n, device_stream);
}
Status find_not_finite(int64_t* index, const float* x, int64_t n, Stream* stream) {
    Copies c(stream);
    return device().find_not_finite(index, c.array(x, n), n, device_stream);
}

// ---- decoding

// Segments that share memory (a prompt of several rows) share its copy.
class SegmentCopies {
  public:
    SegmentCopies(Copies& copies, DType dtype, int64_t G) : copies_(copies), dtype_(dtype), G_(G) {}
    // Of the pages that `keys` keys reach.
    CachedSegment of(CachedSegment segment, int64_t keys) {
        if (segment.pages == nullptr) return segment;
        const int64_t bytes = (segment.offset + G_ * segment.head_stride) * dtype_size(dtype_);
        std::vector<void*>& pages = tables_.emplace_back();
        for (int64_t i = 0; i << segment.page_shift < keys; ++i)
            pages.push_back(copy(segment.pages[i], bytes));
        segment.pages = pages.data();
        return segment;
    }

  private:
    void* copy(void* host, int64_t bytes) {
        for (const auto& [known, copy] : known_)
            if (known == host) return copy;
        known_.emplace_back(host, copies_.bytes(host, bytes, true));
        return known_.back().second;
    }

    Copies& copies_;
    DType dtype_;
    int64_t G_;
    std::deque<std::vector<void*>> tables_;
    std::vector<std::pair<void*, void*>> known_;
};

Status cache_store(const CachedSegment* targets, ConstMat qkv, AttentionDims dims, Stream* stream) {
    Copies c(stream);
    SegmentCopies segments(c, qkv.dtype, dims.G);
    std::vector<CachedSegment> copies;
    for (int64_t i = 0; i < dims.segment_count; ++i)
        copies.push_back(segments.of(targets[i], targets[i].length + dims.segments[i].length));
    return device().cache_store(copies.data(), c.matrix(qkv), dims, device_stream);
}
Status attention_cached(Mat out, float* lse, ConstMat qkv, const CachedRow* rows, AttentionDims dims,
                        Stream* stream) {
    Copies c(stream);
    SegmentCopies segments(c, qkv.dtype, dims.G);
    std::vector<CachedRow> copies;
    for (int64_t i = 0; i < qkv.rows; ++i)
        copies.push_back({segments.of(rows[i].prefix, rows[i].prefix.length),
                          segments.of(rows[i].own, rows[i].own.length + 1)});
    return device().attention_cached(c.matrix(out), c.array(lse, dims.H * qkv.rows), c.matrix(qkv),
                                     copies.data(), dims, device_stream);
}
Status sample(Samples out, Mat logits, const SampleRow* rows, SampleSettings settings, Stream* stream) {
    Copies c(stream);
    return device().sample(out, c.matrix(logits), rows, settings, device_stream);
}

}  // namespace

Ops staged_ops(const Ops& table, Stream* stream, void (*before)(int threads)) {
    device_table = &table;
    device_stream = stream;
    before_call = before;
    Ops ops = table;  // its name, and memory where a model asks for some
    ops.weight_import = weight_import;
    ops.weight_export = weight_export;
    ops.weight_convert = weight_convert;
    ops.linear_forward = linear_forward;
    ops.linear_backward_input = linear_backward_input;
    ops.linear_backward_weight = linear_backward_weight;
    ops.lowrank_forward = lowrank_forward;
    ops.lowrank_backward_input = lowrank_backward_input;
    ops.lowrank_backward_weight = lowrank_backward_weight;
    ops.rmsnorm_forward = rmsnorm_forward;
    ops.rmsnorm_backward = rmsnorm_backward;
    ops.layernorm_forward = layernorm_forward;
    ops.layernorm_backward = layernorm_backward;
    ops.rope = rope;
    ops.swiglu_forward = swiglu_forward;
    ops.swiglu_backward = swiglu_backward;
    ops.gelu_forward = gelu_forward;
    ops.gelu_backward = gelu_backward;
    ops.elementary = elementary;
    ops.copy = copy;
    ops.add = add;
    ops.gather_rows = gather_rows;
    ops.scatter_add_rows = scatter_add_rows;
    ops.embedding_forward = embedding_forward;
    ops.embedding_backward = embedding_backward;
    ops.attention_forward = attention_forward;
    ops.attention_backward = attention_backward;
    ops.head_stats = head_stats;
    ops.head_kl = head_kl;
    ops.head_gradient = head_gradient;
    ops.adamw = adamw;
    ops.sum_squares = sum_squares;
    ops.fill = fill;
    ops.find_not_finite = find_not_finite;
    ops.cache_store = cache_store;
    ops.attention_cached = attention_cached;
    ops.sample = sample;
    return ops;
}

}  // namespace attune::tool
