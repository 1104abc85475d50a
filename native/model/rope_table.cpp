// Rotary frequencies base^(-2i/D), with Llama 3's scaling by wavelength where the model asks for it.
#include "model/rope_table.h"

#include <algorithm>
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

std::vector<double> rope_frequencies(const ModelConfig& config) {
    std::vector<double> frequencies;
    if (config.family == Family::Gpt2) return frequencies;  // learned positions
    const int64_t half = config.head_width / 2;
    for (int64_t i = 0; i < half; ++i)
        frequencies.push_back(scaled(std::pow(config.rope_base, -2.0 * static_cast<double>(i) /
                                                                    static_cast<double>(config.head_width)),
                                     config.rope_scaling));
    return frequencies;
}

RopeTable::RopeTable(const ModelConfig& config)
    : frequencies_(rope_frequencies(config)), most_positions_(config.max_positions) {}

void RopeTable::grow(int64_t count, const Ops& ops, Stream& stream) {
    if (count <= positions_ || frequencies_.empty()) return;
    const int64_t wanted = std::max(count, std::min(2 * count, most_positions_));
    const size_t half = frequencies_.size();
    std::vector<float> table(2 * static_cast<size_t>(wanted) * half);
    float* cosine = table.data();
    float* sine = cosine + static_cast<size_t>(wanted) * half;
    for (int64_t position = 0; position < wanted; ++position)
        for (const double frequency : frequencies_) {
            const double angle = static_cast<double>(position) * frequency;
            *cosine++ = static_cast<float>(std::cos(angle));
            *sine++ = static_cast<float>(std::sin(angle));
        }
    positions_ = 0;  // until the new table is there
    memory_.grow(ops, stream, table.size() * sizeof(float));
    write_floats(memory_.floats(), table.data(), static_cast<int64_t>(table.size()), ops, stream);
    positions_ = wanted;
}

}  // namespace attune
