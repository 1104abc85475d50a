// Reading goes in slices of a few million values: read (in parallel), checked, moved into place by the
// backend.
#include "session/tensor_io.h"

#include <algorithm>
#include <bit>
#include <unordered_set>

#include "core/backend.h"
#include "core/error.h"
#include "core/philox.h"
#include "core/threads.h"
#include "formats/not_finite.h"

namespace attune {

namespace {

constexpr int64_t kSliceValues = int64_t{2} << 20;

// Whole panels, so that a slice never shares one with the next.
int64_t rows_of_slice(int64_t columns) {
    return std::max(kPanel, kSliceValues / columns / kPanel * kPanel);
}

std::string without_first_word(const std::string& name) {
    const size_t dot = name.find('.');
    return dot == std::string::npos ? name : name.substr(dot + 1);
}

std::string shape_in_words(const std::vector<int64_t>& shape) {
    return shape_text(shape);
}

// Row of a head's D rows in Hugging Face order (halves) -> row in GGUF order (adjacent pairs).
int64_t gguf_row(int64_t row, int64_t head_width) {
    const int64_t head = row / head_width;
    const int64_t within = row % head_width;
    const int64_t half = head_width / 2;
    return head * head_width + (within % half) * 2 + within / half;
}

// Values halfway between two bf16 numbers (a tenth of a Q4_1 matrix) would all tip in the gradient's
// direction at the first update, however small: one step of 1e-6 moved log-probs by nats. Such a master is
// pulled towards the number it rounds to by a random share of the half step, so the start is unchanged and a
// share of them tips that fits the update.
void spread_bf16_ties(float* values, int64_t count, uint32_t tensor, uint32_t row) {
    const Philox random{0};
    for (int64_t i = 0; i < count; ++i) {
        if ((std::bit_cast<uint32_t>(values[i]) & 0xffffu) != 0x8000u) continue;
        const float share =
            Philox::uniform(random(RandomStream::Init, tensor, row, static_cast<uint32_t>(i))[0]);
        values[i] += (bf16_to_float(float_to_bf16(values[i])) - values[i]) * (share * 0.998f + 0.001f);
    }
}

// Buffers that frameworks store beside the parameters and that carry no information.
bool harmless(const std::string& name, bool tied) {
    const auto ends_with = [&](const char* suffix) { return name.ends_with(suffix); };
    return ends_with("rotary_emb.inv_freq") || ends_with(".attn.bias") || ends_with(".attn.masked_bias") ||
           name == "rope_freqs.weight" || (tied && (name == "lm_head.weight" || name == "output.weight"));
}

}  // namespace

std::vector<int64_t> part_shape(const TensorSpec& tensor, const TensorPart& part) {
    if (tensor.vector) return {part.rows};
    if (part.transposed) return {tensor.K, part.rows};
    return {part.rows, tensor.K};
}

int64_t TensorReader::find(const TensorPart& part) const {
    if (gguf()) return source.at(part.gguf);
    if (!prefix.empty()) return source.find(prefix + part.name);
    const int64_t index = source.find(part.name);
    if (index >= 0) return index;
    // Published folders of a bare model lack the first word ("transformer.", "model.").
    const int64_t bare = source.find(without_first_word(part.name));
    return bare >= 0 ? bare : source.at(part.name);
}

void TensorReader::check_part(const TensorSpec& tensor, const TensorPart& part) const {
    const int64_t index = find(part);
    require(index >= 0, mismatch, prefix, part.name, ": expected this tensor but ", source.path(),
            " has none of that name. It belongs to another model.");
    const TensorInfo& info = source.tensors()[static_cast<size_t>(index)];
    std::vector<int64_t> wanted = part_shape(tensor, part);
    if (gguf() && part.transposed && !tensor.vector) wanted = {part.rows, tensor.K};
    require(info.shape == wanted, mismatch, info.name, ": expected shape ", shape_in_words(wanted),
            " from the model's configuration but ", source.path(), " has ", shape_in_words(info.shape), ".");
    require(info.type->decode != nullptr, Code::Format, info.name, ": its type ", info.type->name,
            " can't be read. Supported: F32, F16, BF16 and in GGUF Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, "
            "Q4_K, Q5_K, Q6_K.");
}

void TensorReader::check_tensors(bool tied) const {
    std::unordered_set<std::string> used;
    for (const TensorSpec& tensor : spec.tensors) {
        if (tensor.name == absent) continue;
        for (const TensorPart& part : tensor.parts) {
            check_part(tensor, part);
            used.insert(source.tensors()[static_cast<size_t>(find(part))].name);
        }
    }
    for (const TensorInfo& info : source.tensors()) {
        if (!info.name.starts_with(prefix)) continue;
        require(used.count(info.name) != 0 || harmless(info.name, tied), mismatch, info.name, ": ",
                source.path(),
                " holds this tensor but the model's configuration has no place for it, and leaving it out "
                "would change results.");
    }
}

void TensorReader::check_finite(const TensorPart& part, int64_t first_row, int64_t columns,
                                const float* values, int64_t count) const {
    const int64_t bad = find_not_finite(values, count);
    require(bad < 0, Code::NotFinite, part.name, ": expected finite weights but row ",
            first_row + bad / columns, ", column ", bad % columns, " is ", bad < 0 ? 0.f : values[bad],
            " in ", source.path(), ". The file is damaged or its training diverged.");
}

void TensorReader::read_transposed(int64_t index, const TensorPart& part, int64_t columns,
                                   float* values) const {
    std::vector<float> stored(static_cast<size_t>(part.rows * columns));
    source.read_all(index, stored.data());
    for (int64_t n = 0; n < part.rows; ++n)
        for (int64_t k = 0; k < columns; ++k)
            values[n * columns + k] = stored[static_cast<size_t>(k * part.rows + n)];
}

void TensorReader::read_part(const TensorPart& part, int64_t columns,
                             const std::function<void(int64_t, int64_t, const float*)>& take) const {
    const int64_t index = find(part);
    const bool permuted = gguf() && part.gguf_rope_heads > 0;
    const int64_t head_width = permuted ? part.rows / part.gguf_rope_heads : 0;
    // A transposed matrix is read in one piece.
    const bool transposed = part.transposed && !gguf();
    const int64_t per_slice = transposed ? part.rows : rows_of_slice(columns);
    std::vector<float> values(static_cast<size_t>(std::min(per_slice, part.rows) * columns));
    for (int64_t first = 0; first < part.rows; first += per_slice) {
        const int64_t rows = std::min(per_slice, part.rows - first);
        if (transposed) {
            read_transposed(index, part, columns, values.data());
        } else {
            stream.pool->parallel((rows + kPanel - 1) / kPanel, [&](int64_t block, int) {
                const int64_t begin = block * kPanel;
                const int64_t end = std::min(begin + kPanel, rows);
                if (!permuted) {
                    source.read_rows(index, first + begin, end - begin, values.data() + begin * columns);
                    return;
                }
                for (int64_t row = begin; row < end; ++row)
                    source.read_rows(index, gguf_row(first + row, head_width), 1,
                                     values.data() + row * columns);
            });
        }
        check_finite(part, first, columns, values.data(), rows * columns);
        take(first, rows, values.data());
    }
}

void TensorReader::read_vector(const TensorPart& part, float* target) const {
    const int64_t index = find(part);
    std::vector<float> stored(static_cast<size_t>(part.rows)), values(stored.size());
    source.read_all(index, stored.data());
    check_finite(part, 0, 1, stored.data(), part.rows);
    const bool permuted = gguf() && part.gguf_rope_heads > 0;
    for (int64_t row = 0; row < part.rows; ++row) {
        const int64_t from = permuted ? gguf_row(row, part.rows / part.gguf_rope_heads) : row;
        values[static_cast<size_t>(row)] = stored[static_cast<size_t>(from)];
    }
    write_floats(target, values.data(), part.rows, ops, stream);
}

void TensorReader::read(const Weights& weights, const std::function<void(double)>& progress) const {
    int64_t done = 0;
    for (const TensorSpec& tensor : spec.tensors) {
        if (tensor.name == absent) continue;
        if (!tensor.vector) weights.open(tensor);
        for (const TensorPart& part : tensor.parts) {
            if (tensor.vector) {
                read_vector(part, weights.vector(&tensor) + part.row);
                continue;
            }
            read_part(part, tensor.K, [&](int64_t row, int64_t rows, const float* values) {
                check(ops.weight_import(weights.matrix_data(tensor), weights.type, tensor.layout, tensor.N,
                                        tensor.K, part.row + row, rows, values, &stream),
                      "weight_import");
            });
        }
        if (!tensor.vector) weights.store(tensor, stream);
        done += tensor.N * tensor.K;
        if (progress) progress(static_cast<double>(done) / static_cast<double>(spec.parameters));
    }
}

void TensorReader::read_masters(const FlatTensors& masters) const {
    uint32_t number = 0;
    std::vector<float> spread;
    for (const TensorSpec& tensor : spec.tensors) {
        ++number;
        if (tensor.vector || tensor.name == absent) continue;
        for (const TensorPart& part : tensor.parts)
            read_part(part, tensor.K, [&](int64_t row, int64_t rows, const float* values) {
                spread.assign(values, values + rows * tensor.K);
                stream.pool->parallel(rows, [&](int64_t r, int) {
                    spread_bf16_ties(spread.data() + r * tensor.K, tensor.K, number,
                                     static_cast<uint32_t>(part.row + row + r));
                });
                check(ops.weight_import(masters.at(tensor), DType::F32, tensor.layout, tensor.N, tensor.K,
                                        part.row + row, rows, spread.data(), &stream),
                      "weight_import");
            });
    }
}

void TensorReader::read_flat(const FlatTensors& flat,
                             const std::function<float*(const TensorSpec&)>& vector_at,
                             const std::function<void(double)>& progress) const {
    int64_t done = 0;
    for (const TensorSpec& tensor : spec.tensors) {
        for (const TensorPart& part : tensor.parts) {
            if (tensor.vector) {
                read_vector(part, vector_at(tensor) + part.row);
                continue;
            }
            read_part(part, tensor.K, [&](int64_t row, int64_t rows, const float* values) {
                check(ops.weight_import(flat.at(tensor), DType::F32, tensor.layout, tensor.N, tensor.K,
                                        part.row + row, rows, values, &stream),
                      "weight_import");
            });
        }
        done += tensor.N * tensor.K;
        if (progress) progress(static_cast<double>(done) / static_cast<double>(spec.parameters));
    }
}

std::vector<float> part_values(const TensorSpec& tensor, const TensorPart& part, const PartRows& rows) {
    std::vector<float> values(static_cast<size_t>(part.rows * tensor.K));
    rows(tensor, part.row, part.rows, values.data());
    if (!part.transposed || tensor.vector) return values;
    std::vector<float> turned(values.size());
    for (int64_t n = 0; n < part.rows; ++n)
        for (int64_t k = 0; k < tensor.K; ++k)
            turned[static_cast<size_t>(k * part.rows + n)] = values[static_cast<size_t>(n * tensor.K + k)];
    return turned;
}

void part_slices(const TensorSpec& tensor, const TensorPart& part, const PartRows& rows,
                 const std::function<void(const float* values, int64_t count)>& take) {
    if (part.transposed && !tensor.vector) {
        const std::vector<float> values = part_values(tensor, part, rows);
        take(values.data(), static_cast<int64_t>(values.size()));
        return;
    }
    const int64_t per_slice = rows_of_slice(tensor.K);
    std::vector<float> values(static_cast<size_t>(std::min(per_slice, part.rows) * tensor.K));
    for (int64_t first = 0; first < part.rows; first += per_slice) {
        const int64_t count = std::min(per_slice, part.rows - first);
        rows(tensor, part.row + first, count, values.data());
        take(values.data(), count * tensor.K);
    }
}

}  // namespace attune
