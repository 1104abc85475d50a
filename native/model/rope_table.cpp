// Rotary frequencies base^(-2i/D), with Llama 3's scaling by wavelength where the model asks for it.
#include "model/rope_table.h"

#include <cmath>
#include <numbers>

namespace attune {

namespace {

// Long wavelengths are stretched by `factor`, short ones kept, those between are blended linearly in
// original/wavelength.
double scaled(double frequency, const RopeScaling& s) {
    if (!s.llama3) return frequency;
    const double wavelength = 2 * std::numbers::pi / frequency;
    if (wavelength > s.original_max_positions / s.low_frequency_factor) return frequency / s.factor;
    if (wavelength < s.original_max_positions / s.high_frequency_factor) return frequency;
    const double blend = (s.original_max_positions / wavelength - s.low_frequency_factor) /
                         (s.high_frequency_factor - s.low_frequency_factor);
    return (1 - blend) * frequency / s.factor + blend * frequency;
}

}  // namespace

RopeTable::RopeTable(const ModelConfig& config) {
    if (config.family == Family::Gpt2) return;  // learned positions
    const int64_t half = config.head_width / 2;
    for (int64_t i = 0; i < half; ++i)
        frequencies_.push_back(scaled(std::pow(config.rope_base, -2.0 * static_cast<double>(i) /
                                                                     static_cast<double>(config.head_width)),
                                      config.rope_scaling));
}

void RopeTable::grow(int64_t count) {
    if (count <= positions_ || frequencies_.empty()) return;
    // Sized first: when memory is short, the table stays as long as positions_ says.
    const size_t half = frequencies_.size();
    cosine_.resize(static_cast<size_t>(count) * half);
    sine_.resize(static_cast<size_t>(count) * half);
    for (int64_t position = positions_; position < count; ++position)
        for (size_t i = 0; i < half; ++i) {
            const double angle = static_cast<double>(position) * frequencies_[i];
            const size_t at = static_cast<size_t>(position) * half + i;
            cosine_[at] = static_cast<float>(std::cos(angle));
            sine_[at] = static_cast<float>(std::sin(angle));
        }
    positions_ = count;
}

void RopeTable::reserve(int64_t count) {
    cosine_.reserve(static_cast<size_t>(count) * frequencies_.size());
    sine_.reserve(static_cast<size_t>(count) * frequencies_.size());
}

}  // namespace attune
