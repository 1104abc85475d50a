// The matrices of a model's layers where the host keeps them, and the two places on the device through which
// they pass: while one layer computes, the next is copied. All other weights stay on the device. Knows the
// order of layers that it is told, neither passes nor files.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/ops.h"
#include "core/tensor_memory.h"
#include "model/spec.h"

namespace attune {

// Where the matrices of a model's layers lie between their uses.
enum class WeightPlace { Device, Host };

class HostLayers {
  public:
    // Elements of the matrices that the device holds, and those that the host holds.
    static int64_t device_elements(const ModelSpec& spec) {
        return spec.matrix_elements - (spec.layers - kPlaces) * spec.layer_elements;
    }
    static int64_t host_elements(const ModelSpec& spec) { return spec.layers * spec.layer_elements; }

    // device: zeros, [2][a layer], then the matrices of no layer in their order. Throws Code::Memory.
    HostLayers(const ModelSpec& spec, DType dtype, std::byte* device, const Ops& ops, Stream& stream);

    // Where a matrix lies on the device. Throws Code::Internal for one whose layer is not there.
    std::byte* at(const TensorSpec& matrix) const;

    // The layer is on the device for the calls that follow, and `next` (-1: none) on its way there beside
    // them.
    void use(int64_t layer, int64_t next, Stream& stream);
    // The same of a matrix, whichever.
    void bring(const TensorSpec& matrix, Stream& stream);

    // For values that come from elsewhere: a place for the matrix's layer, whatever lies there, and the
    // host's copy of the matrix made from it. All matrices of a layer must be stored before another one's.
    void open(const TensorSpec& matrix);
    void store(const TensorSpec& matrix, Stream& stream);
    // All matrices, from those of a model on the device.
    void copy_from(const std::byte* matrices, Stream& stream);

  private:
    static constexpr int64_t kPlaces = 2;

    // -1: it is not on the device.
    int64_t place_of(int64_t layer) const;
    void fetch(int64_t layer, int64_t place, Stream& stream);
    int64_t bytes(int64_t elements) const { return elements * dtype_size(dtype_); }

    const Ops& ops_;
    const ModelSpec& spec_;
    const DType dtype_;
    std::byte* const device_;
    PinnedMemory host_;  // [layers][a layer]
    int64_t layer_at_[kPlaces] = {-1, -1};
    bool under_way_ = false;  // a fetch that no call waits for yet
};

}  // namespace attune
