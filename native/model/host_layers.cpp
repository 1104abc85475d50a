// Two places are enough: a fetch begins when all that reads the layer before the current one is done.
#include "model/host_layers.h"

#include "core/backend.h"
#include "core/error.h"

namespace attune {

HostLayers::HostLayers(const ModelSpec& spec, DType dtype, std::byte* device, const Ops& ops, Stream& stream)
    : ops_(ops),
      spec_(spec),
      dtype_(dtype),
      device_(device),
      host_(ops, stream, static_cast<size_t>(host_elements(spec) * dtype_size(dtype))) {}

int64_t HostLayers::place_of(int64_t layer) const {
    for (int64_t place = 0; place < kPlaces; ++place)
        if (layer_at_[place] == layer) return place;
    return -1;
}

std::byte* HostLayers::at(const TensorSpec& matrix) const {
    const int64_t size = spec_.layer_elements, layer = spec_.layer_of(matrix);
    if (layer < 0) {
        const int64_t skipped = matrix.offset < spec_.layer_offset ? 0 : spec_.layers * size;
        return device_ + bytes(kPlaces * size + matrix.offset - skipped);
    }
    const int64_t place = place_of(layer);
    require(place >= 0, Code::Internal, matrix.name, " is not on the device");
    return device_ + bytes((place - layer) * size + matrix.offset - spec_.layer_offset);
}

void HostLayers::fetch(int64_t layer, int64_t place, Stream& stream) {
    const int64_t size = bytes(spec_.layer_elements);
    layer_at_[place] = -1;
    under_way_ = true;
    check(ops_.fetch(device_ + place * size, host_.data() + layer * size, size, &stream), "fetch");
    layer_at_[place] = layer;
}

void HostLayers::use(int64_t layer, int64_t next, Stream& stream) {
    if (place_of(layer) < 0) fetch(layer, next >= 0 && place_of(next) == 0 ? 1 : 0, stream);
    if (under_way_) check(ops_.fetched(&stream), "fetched");
    under_way_ = false;
    if (next >= 0 && place_of(next) < 0) fetch(next, 1 - place_of(layer), stream);
}

void HostLayers::bring(const TensorSpec& matrix, Stream& stream) {
    const int64_t layer = spec_.layer_of(matrix);
    if (layer >= 0) use(layer, -1, stream);
}

void HostLayers::open(const TensorSpec& matrix) {
    const int64_t layer = spec_.layer_of(matrix);
    if (layer >= 0 && place_of(layer) < 0) layer_at_[0] = layer;
}

void HostLayers::store(const TensorSpec& matrix, Stream& stream) {
    if (spec_.layer_of(matrix) < 0) return;
    check(ops_.memory_read(host_.data() + bytes(matrix.offset - spec_.layer_offset), at(matrix),
                           bytes(matrix.elements), &stream),
          "memory_read");
}

void HostLayers::copy_from(const std::byte* matrices, Stream& stream) {
    const int64_t size = spec_.layer_elements;
    const int64_t behind = spec_.layer_offset + spec_.layers * size;
    check(ops_.memory_read(host_.data(), matrices + bytes(spec_.layer_offset), bytes(spec_.layers * size),
                           &stream),
          "memory_read");
    const auto copy = [&](int64_t to, int64_t from, int64_t n) {
        if (n == 0) return;
        check(ops_.copy({device_ + bytes(to), dtype_, 1, n, n}, {matrices + bytes(from), dtype_, 1, n, n},
                        &stream),
              "copy");
    };
    copy(kPlaces * size, 0, spec_.layer_offset);
    copy(kPlaces * size + spec_.layer_offset, behind, spec_.matrix_elements - behind);
}

}  // namespace attune
