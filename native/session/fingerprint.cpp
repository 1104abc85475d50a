// FNV-1a over sampled values; of a tensor's rows the first, the last and some between count.
#include "session/fingerprint.h"

#include <algorithm>
#include <vector>

#include "core/dtype.h"

namespace attune {

namespace {

constexpr int64_t kSampledRows = 16;
// A vector is one row of so many values at most.
constexpr int64_t kSampledValues = 4096;

class Fnv1a {
  public:
    void add(uint64_t value) {
        for (int byte = 0; byte < 8; ++byte) {
            hash_ = (hash_ ^ (value & 0xff)) * 0x100000001b3;
            value >>= 8;
        }
    }
    uint64_t hash() const { return hash_; }

  private:
    uint64_t hash_ = 0xcbf29ce484222325;
};

}  // namespace

uint64_t weights_fingerprint(const ModelSpec& spec, const PartRows& rows) {
    Fnv1a hash;
    std::vector<float> values;
    const auto take = [&](const TensorSpec& tensor, int64_t first, int64_t count) {
        values.resize(static_cast<size_t>(count * tensor.K));
        rows(tensor, first, count, values.data());
        for (const float value : values) hash.add(float_to_bf16(value));
    };
    for (const TensorSpec& tensor : spec.tensors) {
        hash.add(static_cast<uint64_t>(tensor.N));
        hash.add(static_cast<uint64_t>(tensor.K));
        if (tensor.vector) {
            take(tensor, 0, std::min(tensor.N, kSampledValues));
            continue;
        }
        const int64_t count = std::min(tensor.N, kSampledRows);
        for (int64_t i = 0; i < count; ++i)
            take(tensor, count == 1 ? 0 : i * (tensor.N - 1) / (count - 1), 1);
    }
    return hash.hash();
}

}  // namespace attune
