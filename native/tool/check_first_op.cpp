// An op that comes first on a device gives what it gives later: what a device finds out about itself must not
// lie in an op's work space.
#if defined(ATTUNE_SIMT) || defined(ATTUNE_GPU)
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

#include "core/dtype.h"
#include "cuda/device.h"
#include "tool/check.h"
#include "tool/check_data.h"
#include "tool/device_tables.h"

namespace attune::tool {

namespace {

constexpr int64_t kRows = 64, kWidth = 64, kAll = 3 * kWidth;  // one head

// What is in the memory of one device, given back at the end.
class OnDevice {
  public:
    OnDevice(const Ops& ops, Stream& stream) : ops_(ops), stream_(stream) {}
    ~OnDevice() {
        for (const MemoryBlock& block : blocks_) ops_.memory_release(block, stream_.device);
    }
    OnDevice(const OnDevice&) = delete;
    OnDevice& operator=(const OnDevice&) = delete;

    template <class T>
    T* put(const std::vector<T>& values) {
        const auto bytes = static_cast<int64_t>(values.size() * sizeof(T));
        MemoryBlock block{};
        if (ops_.memory_grow(&block, bytes, &stream_) != Status::Ok) return nullptr;
        blocks_.push_back(block);
        ops_.memory_write(block.data, values.data(), bytes, &stream_);
        return static_cast<T*>(block.data);
    }

  private:
    const Ops& ops_;
    Stream& stream_;
    std::vector<MemoryBlock> blocks_;
};

std::vector<bf16_t> random_pairs(Random& random, int64_t count) {
    std::vector<bf16_t> values(static_cast<size_t>(count));
    std::generate(values.begin(), values.end(),
                  [&] { return float_to_bf16(static_cast<float>(random.uniform() - 0.5)); });
    return values;
}

void check_first_op(Checks& checks) {
    const Ops& ops = *device_table()->ops;
    gpu::Device* device = gpu::Device::open(0);
    checks.expect("a device can be opened twice", device != nullptr);
    if (device == nullptr) return;
    {
        Stream stream{};
        stream.device = device;
        OnDevice memory(ops, stream);
        Random random(3);
        const auto* qkv = memory.put(random_pairs(random, kRows * kAll));
        const auto* out = memory.put(random_pairs(random, kRows * kWidth));
        const auto* dout = memory.put(std::vector<float>(kRows * kWidth, 0.5f));
        const auto* lse = memory.put(std::vector<float>(kRows, 1.0f));
        auto* dqkv = memory.put(std::vector<float>(kRows * kAll));
        const Segment segment{0, static_cast<int32_t>(kRows), -1};
        const AttentionDims dims{1, 1, kWidth, 0.125f, 0, &segment, 1};
        std::vector<float> found[2];
        for (std::vector<float>& gradient : found) {
            checks.expect_ok("the gradient of attention",
                             ops.attention_backward({dqkv, DType::F32, kRows, kAll, kAll},
                                                    {dout, DType::F32, kRows, kWidth, kWidth},
                                                    {out, DType::BF16, kRows, kWidth, kWidth}, lse,
                                                    {qkv, DType::BF16, kRows, kAll, kAll}, dims, &stream));
            gradient.resize(kRows * kAll);
            ops.memory_read(gradient.data(), dqkv, kRows * kAll * static_cast<int64_t>(sizeof(float)),
                            &stream);
        }
        checks.expect("the first op has the bits of later ones",
                      std::memcmp(found[0].data(), found[1].data(), found[0].size() * sizeof(float)) == 0);
    }
    delete device;
}

const Register first_op("device_first_op", Runs::PerDevice, check_first_op);

}  // namespace

}  // namespace attune::tool

#endif
