// The ops table: every operation a backend fills in, as plain function pointers over PODs.
// Model, loss, optim and generate code is written once against it and never includes cpu/ or cuda/.
//
// Conventions. Order of parameters: outputs, saved, inputs, weights, dims, stream. Every op returns a Status;
// nothing is thrown across the table. "=" overwrites, "+=" accumulates. T trunk rows, C width, V vocabulary,
// F MLP width, H query heads, G key/value heads, D head width. Forward activations have the model's dtype
// (fp32 or bf16), gradients of activations and of parameters are always fp32, statistics and log-probs are
// fp32. A row's forward result never depends on the other rows of the call, nor on the number of threads.
//
// Tensors (what Mat, Weight, WeightGrad, CachedSegment and plain pointers name) lie in the backend's memory,
// which the host may not touch. Pointers marked "host" are of ordinary memory: what an op reads there it has
// read on return, what it writes there is complete on return. Everything else may still be under way then, in
// the order of the calls.
#pragma once

#include <cstdint>

#include "core/batch.h"
#include "core/dtype.h"
#include "core/stream.h"

namespace attune {

// Lost: the device works no more for this process, and every later op of the same stream returns it.
enum class Status : int32_t { Ok = 0, Shape = 1, Memory = 2, Backend = 3, Lost = 4 };

// Row-major activations; stride in elements between rows (>= cols).
struct Mat {
    void* data = nullptr;
    DType dtype = DType::F32;
    int64_t rows = 0;
    int64_t cols = 0;
    int64_t stride = 0;
};

struct ConstMat {
    const void* data = nullptr;
    DType dtype = DType::F32;
    int64_t rows = 0;
    int64_t cols = 0;
    int64_t stride = 0;

    ConstMat() = default;
    ConstMat(const void* d, DType t, int64_t r, int64_t c, int64_t s)
        : data(d), dtype(t), rows(r), cols(c), stride(s) {}
    ConstMat(const Mat& m)
        : data(m.data), dtype(m.dtype), rows(m.rows), cols(m.cols), stride(m.stride) {}  // NOLINT
};

// How a parameter lies in memory. Its gradient, moments and master copy have the same layout (always fp32),
// so the optimiser is elementwise.
//   Panels  layout_elements() in the order that the backend multiplies from; rows n >= N and columns k >= K
//   are
//           zero and stay zero.
//           CPU, fp32: [ceil(N/32)][K'][32], element (n,k) at (n/32)*K'*32 + k*32 + n%32, with K' = K rounded
//           up to even; CPU, bf16: [ceil(N/32)][K'/2][32][2], element (n,k) at (n/32)*K'*32 + (k/2)*64 +
//           (n%32)*2 + k%2. GPU: rows, K' apart.
//   Rows    row-major [N][K] in either dtype.
enum class Layout : int32_t { Panels = 0, Rows = 1 };

constexpr int64_t kPanel = 32;
constexpr int64_t even(int64_t k) noexcept {
    return (k + 1) / 2 * 2;
}
// Elements that a parameter of N x K occupies in its layout.
constexpr int64_t layout_elements(Layout layout, int64_t N, int64_t K) noexcept {
    return layout == Layout::Panels ? (N + kPanel - 1) / kPanel * kPanel * even(K) : N * K;
}

struct Weight {
    const void* data = nullptr;
    DType dtype = DType::F32;
    Layout layout = Layout::Panels;
    int64_t N = 0;  // outputs (rows of the matrix)
    int64_t K = 0;  // inputs
};

struct WeightGrad {
    float* data = nullptr;
    Layout layout = Layout::Panels;
    int64_t N = 0;
    int64_t K = 0;
};

enum class Activation : int32_t { None = 0, GeluTanh = 1 };

// Applied in registers while a GEMM tile is stored: y = activation(acc + bias) + residual.
struct Epilogue {
    const float* bias = nullptr;  // [N] or null
    ConstMat residual{};          // [M,N], any dtype; data null = none
    Activation activation = Activation::None;
    Mat before_activation{};  // [M,N] = acc + bias, kept for backward; data null = not kept
};

// Rows [row, row + rows) of a map W[N,K] that have low-rank factors of their own (q of the map q, k, v).
struct LowRankPart {
    int64_t row = 0;
    int64_t rows = 0;
};

// The term scale B A of a map W[N,K] (LoRA), part by part: part i owns rows [i*rank, (i+1)*rank) of A and the
// columns of the same numbers of h = x A^T; its B are its rows of b. Parts don't overlap and ascend. Both
// fp32.
struct LowRank {
    Weight a{};                          // [parts*rank, K] in panels
    Weight b{};                          // [N, rank] in panels; rows outside the parts are not read
    const LowRankPart* parts = nullptr;  // host
    int64_t part_count = 0;
    int64_t rank = 0;
    float scale = 1;
};

struct AttentionDims {
    int64_t H = 0;       // query heads
    int64_t G = 0;       // key/value heads; H % G == 0
    int64_t D = 0;       // head width
    float scale = 0;     // of the scores, above 0; usually 1/sqrt(D)
    int64_t window = 0;  // a query sees keys at position distance < window; 0 = all
    // A row of qkv is [H*D | G*D | G*D]. Segment positions are consecutive; a branch's start at its prefix's
    // length.
    const Segment* segments = nullptr;  // host
    int64_t segment_count = 0;
};

// Per row of a chunk of logits, host; null pointers are not computed. Temperature divides the logits first.
struct HeadStats {
    float* logprob = nullptr;     // [c] log p(target)
    float* logsumexp = nullptr;   // [c]
    float* entropy = nullptr;     // [c] nats
    float* mean_logit = nullptr;  // [c] mean over the vocabulary, before temperature
    int32_t* argmax = nullptr;    // [c] lowest index among equals
};

// dlogits = { w (1[v=target] - p) - e p (log p + H) + c p (log p - log q - KL(p||q)) + u (p - q) } /
// temperature; host
struct HeadWeights {
    const float* logprob = nullptr;     // [c] w = dL/dlogprob, or null = 0
    const float* entropy = nullptr;     // [c] e = dL/dentropy
    const float* kl = nullptr;          // [c] c = dL/dKL(p||q)
    const float* reverse_kl = nullptr;  // [c] u = dL/dKL(q||p)
};

// What every kernel with an exponential in it is made of.
enum class Elementary : int32_t { Exp = 0, Log = 1, Tanh = 2, Sigmoid = 3 };

struct AdamW {
    float learning_rate, beta1, beta2, epsilon, weight_decay;
    float correction1, correction2;  // 1 - beta^t
    float gradient_scale;            // min(1, max_norm / (norm + 1e-6))
};

// Keys and values of consecutive tokens in one layer, in the model's dtype. They lie in pages of
// 2^page_shift keys that hold all layers: a layer begins `offset` elements into each page, its key/value
// heads lie head_stride elements apart. A head is blocks of kCacheKeys keys and as many values, each 2
// kCacheKeys Dp elements, with Dp the head width rounded up to kCacheKeys; their order is the backend's.
constexpr int64_t kCacheKeys = 16;
constexpr int64_t cache_width(int64_t D) noexcept {
    return (D + kCacheKeys - 1) / kCacheKeys * kCacheKeys;
}
// Of a segment that has one page, whose keys are as many as its memory holds.
constexpr int32_t kOnePage = 62;
struct CachedSegment {
    void* const* pages = nullptr;  // host; each a tensor
    int32_t page_shift = kOnePage;
    int64_t head_stride = 0;
    int64_t offset = 0;
    int64_t length = 0;  // keys that are there
};

// What one row of a decode step sees: all of a prefix (length 0: none), what is there of its own segment,
// itself.
struct CachedRow {
    CachedSegment prefix;
    CachedSegment own;
};

// How tokens are drawn. The filters in this order: penalty, temperature, top-k, top-p, min-p; each looks at
// the distribution that the ones before left. Tokens of equal logits stay or go together.
struct SampleSettings {
    float temperature =
        1;  // 0: the likeliest token, the lowest among equals; temperature 1, no filter but penalty
    int64_t top_k = 0;       // keep logits >= the k-th largest; 0 = all
    float top_p = 1;         // keep tokens while the mass of strictly likelier ones is < p; 1 = all
    float min_p = 0;         // keep tokens of at least this share of the likeliest one's probability; 0 = all
    float penalty = 1;       // divides positive, multiplies negative logits of tokens seen before; 1 = off
    int64_t vocabulary = 0;  // ids below it are drawn
};

struct SampleRow {
    float uniform = 0;              // [0, 1)
    const int32_t* seen = nullptr;  // host [seen_count] distinct ids that the penalty is for
    int64_t seen_count = 0;
};

struct Samples {                     // host
    int32_t* token = nullptr;        // [c], -1 where the logits are no distribution (NaN, infinity)
    float* logprob = nullptr;        // [c] of the distribution that was drawn from
    float* model_logprob = nullptr;  // [c] at the temperature, before penalty and filters: head_stats' bits
};

// A piece of a backend's memory.
struct MemoryBlock {
    void* data = nullptr;
    int64_t bytes = 0;
};

struct Ops {
    uint32_t struct_size;
    const char*
        name;  // "scalar", "avx2", "avx512", "avx512bf16", "neon", "emulated16", "emulated16bf16", ...
    // The one page_shift of all segments of a call; kOnePage: every segment may have its own. Memory that no
    // key has reached is not resident there, so that a page may be as large as its segment can become.
    int32_t cache_page_shift;

    // ---- memory of tensors, aligned to 256 bytes
    // At least `bytes`: a new block is zeros, of one that must grow the contents are lost.
    Status (*memory_grow)(MemoryBlock* block, int64_t bytes, Stream* stream);
    // From any thread. `device` is that of the stream it came from.
    void (*memory_release)(MemoryBlock block, void* device);
    // Takes so much more than is in use from the device now, so that later blocks come out of it. On the CPU
    // nothing: untouched memory costs nothing there.
    Status (*memory_reserve)(int64_t bytes, Stream* stream);
    // Gives back to the device what nothing uses, also after it was lost.
    Status (*memory_trim)(Stream* stream);
    // host = memory;  memory = host
    Status (*memory_read)(void* host, const void* memory, int64_t bytes, Stream* stream);
    Status (*memory_write)(void* memory, const void* host, int64_t bytes, Stream* stream);
    // Waits until everything before is complete.
    Status (*finish)(Stream* stream);

    // ---- what the host keeps and the device copies by itself; null where tensors lie in the host's memory
    // block = at least `bytes` of the host's memory
    Status (*pinned_take)(MemoryBlock* block, int64_t bytes, Stream* stream);
    // From any thread; no fetch is under way afterwards.
    void (*pinned_release)(MemoryBlock block, void* device);
    // target (memory) = pinned[bytes], beside the calls that follow: it begins when all calls before are
    // complete. The pinned memory must stay as it is meanwhile.
    Status (*fetch)(void* target, const void* pinned, int64_t bytes, Stream* stream);
    // Calls that follow come after every fetch so far.
    Status (*fetched)(Stream* stream);

    // ---- parameters: rows [first, first+rows) of a parameter, to and from host row-major fp32 [rows][K]
    Status (*weight_import)(void* weight, DType dtype, Layout layout, int64_t N, int64_t K, int64_t first,
                            int64_t rows, const float* source, Stream* stream);
    Status (*weight_export)(float* target, Weight weight, int64_t first, int64_t rows, Stream* stream);
    // target (bf16 or fp32) = source (fp32), same layout
    Status (*weight_convert)(void* target, DType dtype, const float* source, Layout layout, int64_t N,
                             int64_t K, Stream* stream);

    // ---- linear maps (weights in panels). M may be 0. Rows are read where they lie: an output overlaps no
    // input but the epilogue's residual.
    // y[M,N] = epilogue(x[M,K] W[N,K]^T)
    Status (*linear_forward)(Mat y, ConstMat x, Weight w, const Epilogue* epilogue, Stream* stream);
    // dx[M,K] fp32 = dy[M,N] W  (+= when accumulate)
    Status (*linear_backward_input)(Mat dx, ConstMat dy, Weight w, int32_t accumulate, Stream* stream);
    // dw[N,K] = dy^T x  (+= when accumulate);  dbias[N] += column sums of dy (null = none)
    Status (*linear_backward_weight)(WeightGrad dw, float* dbias, ConstMat dy, ConstMat x, int32_t accumulate,
                                     Stream* stream);
    // With a low-rank term. h[M,parts*rank] fp32 = x A^T;  y[M,N] = epilogue(x W^T + scale h B^T)
    Status (*lowrank_forward)(Mat y, Mat h, ConstMat x, Weight w, const LowRank* term,
                              const Epilogue* epilogue, Stream* stream);
    // dh[M,parts*rank] fp32 = scale dy B;  dx[M,K] fp32 = dy W + dh A (its data null: dh alone)
    Status (*lowrank_backward_input)(Mat dx, Mat dh, ConstMat dy, Weight w, const LowRank* term,
                                     Stream* stream);
    // da[parts*rank,K] += dh^T x;  db[N,rank] += scale dy^T h, the parts' rows only
    Status (*lowrank_backward_weight)(WeightGrad da, WeightGrad db, ConstMat dy, ConstMat dh, ConstMat x,
                                      ConstMat h, const LowRank* term, Stream* stream);

    // ---- rows. Norms treat each row as `groups` vectors of width C (cols == groups*C in a strided view):
    // q/k norm has groups = heads. y = x * rstd * w;  rstd[rows*groups] is kept
    Status (*rmsnorm_forward)(Mat y, float* rstd, ConstMat x, const float* w, int64_t groups, float epsilon,
                              Stream* stream);
    // dx = (+= when accumulate);  dw[C] +=
    Status (*rmsnorm_backward)(Mat dx, float* dw, ConstMat dy, ConstMat x, const float* rstd, const float* w,
                               int64_t groups, int32_t accumulate, Stream* stream);
    // y = (x - mean) * rstd * w + b;  mean[rows], rstd[rows] are kept
    Status (*layernorm_forward)(Mat y, float* mean, float* rstd, ConstMat x, const float* w, const float* b,
                                float epsilon, Stream* stream);
    // dx = (+= when accumulate);  dw[C] +=, db[C] +=
    Status (*layernorm_backward)(Mat dx, float* dw, float* db, ConstMat dy, ConstMat x, const float* mean,
                                 const float* rstd, const float* w, int32_t accumulate, Stream* stream);
    // Rotates, in place, `heads` vectors of width D at the start of each row (half-split pairs i, i+D/2).
    // positions host; cosine, sine: [positions, D/2]; direction +1 forward, -1 backward
    Status (*rope)(Mat x, const int32_t* positions, const float* cosine, const float* sine, int64_t heads,
                   int64_t D, int32_t direction, Stream* stream);
    // h[T,F] = silu(gate) * up; gate_up[T,2F] = [gate | up]
    Status (*swiglu_forward)(Mat h, ConstMat gate_up, Stream* stream);
    // dgate_up[T,2F] =
    Status (*swiglu_backward)(Mat dgate_up, ConstMat dh, ConstMat gate_up, Stream* stream);
    // y = gelu_tanh(x);  dx = dy * gelu_tanh'(x)
    Status (*gelu_forward)(Mat y, ConstMat x, Stream* stream);
    Status (*gelu_backward)(Mat dx, ConstMat dy, ConstMat x, Stream* stream);
    // y[n] = f(x[n]): within 2 ulp (sigmoid 2.5); results below the normal numbers are 0. For checks.
    Status (*elementary)(float* y, const float* x, int64_t n, Elementary f, Stream* stream);
    // y (any dtype) = x (any dtype);  y += x
    Status (*copy)(Mat y, ConstMat x, Stream* stream);
    Status (*add)(Mat y, ConstMat x, Stream* stream);
    // y[n] = x[rows[n]];  x[rows[n]] += y[n] for n in order (rows, host, may repeat)
    Status (*gather_rows)(Mat y, ConstMat x, const int32_t* rows, Stream* stream);
    Status (*scatter_add_rows)(Mat x, ConstMat y, const int32_t* rows, Stream* stream);
    // x[T,C] = table[tokens] (+ position_table[positions] when its data is not null); tokens, positions host
    Status (*embedding_forward)(Mat x, const int32_t* tokens, Weight table, const int32_t* positions,
                                Weight position_table, Stream* stream);
    // dtable[tokens[t]] += dx[t], equal tokens added in row order; tokens host
    Status (*embedding_backward)(WeightGrad dtable, ConstMat dx, const int32_t* tokens, Stream* stream);

    // ---- attention over packed segments
    // out[T,H*D] =, lse[H,T] = natural-log sum of exponentials of the scaled scores, kept
    Status (*attention_forward)(Mat out, float* lse, ConstMat qkv, AttentionDims dims, Stream* stream);
    // dqkv[T,(H+2G)*D] fp32 =
    Status (*attention_backward)(Mat dqkv, ConstMat dout, ConstMat out, const float* lse, ConstMat qkv,
                                 AttentionDims dims, Stream* stream);

    // ---- head, over a chunk of fp32 logits [c,V]; targets, kl and reverse_kl host
    Status (*head_stats)(HeadStats out, ConstMat logits, const int32_t* targets, float temperature,
                         Stream* stream);
    // KL(p||q) and KL(q||p) of policy p and reference q, per row; null pointers are not computed
    Status (*head_kl)(float* kl, float* reverse_kl, ConstMat logits, ConstMat reference_logits,
                      float temperature, Stream* stream);
    // logits[c,V] become dlogits, in place; reference_logits may be empty when kl and reverse_kl weights are
    // null
    Status (*head_gradient)(Mat logits, ConstMat reference_logits, const int32_t* targets,
                            HeadWeights weights, float temperature, Stream* stream);

    // ---- optimiser, over flat buffers of n elements
    // parameter, m, v fp32 are updated; compute (null, or bf16 in `layout` order) = parameter
    Status (*adamw)(float* parameter, bf16_t* compute, float* m, float* v, const float* gradient, int64_t n,
                    Layout layout, AdamW settings, Stream* stream);
    // *sum (host) = sum of squares, in double, fixed order
    Status (*sum_squares)(double* sum, const float* x, int64_t n, Stream* stream);
    Status (*fill)(float* x, float value, int64_t n, Stream* stream);
    // *index (host) of the first element that is not finite, or -1
    Status (*find_not_finite)(int64_t* index, const float* x, int64_t n, Stream* stream);

    // ---- decoding
    // A hint that changes no result: what follows, up to the first result that the host waits for, is likely
    // to be the calls that came behind the last hint with this key.
    Status (*begin_step)(uint64_t key, Stream* stream);
    // Keys and values of segment s of qkv go behind targets[s].length (its pages null: nowhere). targets host
    Status (*cache_store)(const CachedSegment* targets, ConstMat qkv, AttentionDims dims, Stream* stream);
    // Row i (host) is one token: its key and value go behind rows[i].own.length, then its query sees rows[i]
    // and itself. out and lse are attention_forward's bits, with prefix and own as segments. dims.segments is
    // not read.
    Status (*attention_cached)(Mat out, float* lse, ConstMat qkv, const CachedRow* rows, AttentionDims dims,
                               Stream* stream);
    // One token per row (host) of fp32 logits [c,V]. Draws in id order; the logits may be changed.
    Status (*sample)(Samples out, Mat logits, const SampleRow* rows, SampleSettings settings, Stream* stream);
};

}  // namespace attune
