// Names follow the base's spec: a part of a linear map there is a module here.
#include "model/adapter.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <iterator>
#include <limits>
#include <utility>

#include "core/backend.h"
#include "core/error.h"
#include "core/philox.h"

namespace attune {

namespace {

constexpr const char* kMapNames[] = {"qkv", "output", "up", "down"};  // in the order of LinearMap
constexpr const char* kWeight = ".weight";

std::string module_of(const TensorPart& part) {
    return part.name.substr(0, part.name.size() - std::string(kWeight).size());
}

std::string map_name(size_t layer, size_t map) {
    return "layers." + std::to_string(layer) + "." + kMapNames[map];
}

// Elements of a tensor with their index, row by row, into its layout.
void import_rows(const Weights& weights, const TensorSpec& tensor, const Ops& ops, Stream& stream,
                 const std::function<float(uint32_t row, uint32_t column)>& value) {
    std::vector<float> row(static_cast<size_t>(tensor.K));
    for (int64_t n = 0; n < tensor.N; ++n) {
        for (int64_t k = 0; k < tensor.K; ++k)
            row[static_cast<size_t>(k)] = value(static_cast<uint32_t>(n), static_cast<uint32_t>(k));
        check(ops.weight_import(weights.matrix_data(tensor), weights.type, tensor.layout, tensor.N, tensor.K,
                                n, 1, row.data(), &stream),
              "weight_import");
    }
}

void check_config(const AdapterConfig& adapter) {
    require(adapter.rank >= 1 && adapter.rank <= 4096, Code::Option,
            "Expected an adapter's rank from 1 to 4096 but received ", adapter.rank, ".");
    require(std::isfinite(adapter.alpha) && adapter.alpha > 0, Code::Option,
            "Expected an adapter's alpha above 0 but received ", adapter.alpha, ".");
    require(adapter.scale() <= std::numeric_limits<float>::max(), Code::Option,
            "Expected an adapter's alpha whose scale fits fp32 but received ", adapter.alpha, ".");
    require(!adapter.modules.empty(), Code::Option,
            "Expected at least one linear layer for the adapter but received none.");
}

}  // namespace

double AdapterConfig::scale() const {
    const auto r = static_cast<double>(rank);
    return alpha / (rs_lora ? std::sqrt(r) : r);
}

std::vector<std::string> linear_modules(const ModelConfig& config, const ModelSpec& base) {
    std::vector<std::string> modules;
    for (size_t layer = 0; layer < static_cast<size_t>(config.layers); ++layer)
        for (size_t map = 0; map < std::size(kMapNames); ++map)
            for (const TensorPart& part : base.at(map_name(layer, map)).parts)
                modules.push_back(module_of(part));
    return modules;
}

ModelSpec adapter_spec(const ModelConfig& config, const ModelSpec& base, const AdapterConfig& adapter) {
    check_config(adapter);
    ModelSpec spec;
    size_t found = 0;
    const auto wanted = [&](const TensorPart& part) {
        return std::count(adapter.modules.begin(), adapter.modules.end(), module_of(part)) > 0;
    };
    for (size_t layer = 0; layer < static_cast<size_t>(config.layers); ++layer)
        for (size_t map = 0; map < std::size(kMapNames); ++map) {
            const TensorSpec& tensor = base.at(map_name(layer, map));
            std::vector<TensorPart> a, b;
            for (const TensorPart& part : tensor.parts) {
                if (!wanted(part)) continue;
                const std::string at = "base_model.model." + module_of(part);
                const auto row = static_cast<int64_t>(a.size()) * adapter.rank;
                a.push_back({at + ".lora_A.weight", "", row, adapter.rank});
                b.push_back({at + ".lora_B.weight", "", part.row, part.rows});
            }
            if (a.empty()) continue;
            found += a.size();
            const auto rows = static_cast<int64_t>(a.size()) * adapter.rank;
            spec.place_matrix(map_name(layer, map) + ".A", rows, tensor.K, std::move(a));
            spec.place_matrix(map_name(layer, map) + ".B", tensor.N, adapter.rank, std::move(b));
        }
    require(found == adapter.modules.size(), Code::Option, "Expected linear layers of the model but only ",
            found, " of the ", adapter.modules.size(), " named are some.");
    require(adapter.score_heads >= 0 && adapter.score_heads <= kMostScoreHeads, Code::Option,
            "Expected at most ", kMostScoreHeads, " score heads but received ", adapter.score_heads, ".");
    if (adapter.score_heads > 0)
        spec.place_matrix("score", adapter.score_heads, config.width,
                          {{kScoreName, "", 0, adapter.score_heads}});
    return spec;
}

Adapter::Adapter(const ModelConfig& config, const ModelSpec& base, const AdapterConfig& adapter,
                 const Ops& ops, Stream& stream)
    : config_(adapter), spec_(adapter_spec(config, base, adapter)), weights_(spec_, DType::F32, ops, stream) {
    if (adapter.score_heads > 0) score_ = &spec_.at("score");
    maps_.resize(static_cast<size_t>(config.layers) * std::size(kMapNames));
    for (size_t i = 0; i < maps_.size(); ++i) {
        const std::string name = map_name(i / std::size(kMapNames), i % std::size(kMapNames));
        if (!spec_.has(name + ".A")) continue;
        Map& map = maps_[i];
        map.a = &spec_.at(name + ".A");
        map.b = &spec_.at(name + ".B");
        for (const TensorPart& part : map.b->parts) map.parts.push_back({part.row, part.rows});
        map.term = {weights_.matrix(*map.a),
                    weights_.matrix(*map.b),
                    map.parts.data(),
                    static_cast<int64_t>(map.parts.size()),
                    adapter.rank,
                    static_cast<float>(adapter.scale())};
        widest_ = std::max(widest_, map.a->N);
    }
}

void Adapter::initialise(uint64_t seed, const Ops& ops, Stream& stream) {
    const Philox random{seed};
    uint32_t number = 0;
    for (const Map& map : maps_) {
        ++number;
        if (map.a == nullptr) continue;
        const float bound = 1 / std::sqrt(static_cast<float>(map.a->K));
        import_rows(weights_, *map.a, ops, stream, [&](uint32_t row, uint32_t column) {
            const uint32_t word = random(RandomStream::Init, number, row, column / 4)[column % 4];
            return (Philox::uniform(word) * 2 - 1) * bound;
        });
    }
}

bool Adapter::changes_nothing(const Ops& ops, Stream& stream) const {
    for (const Map& map : maps_) {
        if (map.b == nullptr) continue;
        double sum = 0;
        check(ops.sum_squares(&sum, static_cast<const float*>(weights_.matrix_data(*map.b)), map.b->elements,
                              &stream),
              "sum_squares");
        if (sum != 0) return false;
    }
    return true;
}

int64_t Adapter::planned_bytes(int64_t rows, bool keep) const {
    int64_t columns = widest_ * (keep ? 1 : 0);  // dh
    if (keep)
        for (const Map& map : maps_) columns += map.a == nullptr ? 0 : map.a->N;
    else
        columns += widest_;
    return rows * columns * static_cast<int64_t>(sizeof(float));
}

void Adapter::prepare(int64_t rows, bool keep, const Ops& ops, Stream& stream) {
    const auto needed = static_cast<size_t>(planned_bytes(rows, keep));
    arena_.grow(ops, stream, needed);
    arena_bytes_ = std::max(arena_bytes_, needed);
    auto* at = arena_.floats();
    dh_ = {at, DType::F32, rows, widest_, widest_};
    if (keep) at += rows * widest_;
    for (Map& map : maps_) {
        if (map.a == nullptr) continue;
        map.h = {at, DType::F32, rows, map.a->N, map.a->N};
        if (keep) at += rows * map.a->N;
    }
}

const LowRank* Adapter::term(size_t layer, LinearMap map) const {
    const Map& found = at(layer, map);
    return found.a == nullptr ? nullptr : &found.term;
}

Mat Adapter::h(size_t layer, LinearMap map) const {
    return at(layer, map).h;
}

Mat Adapter::dh(size_t layer, LinearMap map) const {
    const int64_t columns = at(layer, map).a->N;
    return {dh_.data, DType::F32, dh_.rows, columns, columns};
}

WeightGrad Adapter::a_gradient(size_t layer, LinearMap map, Stream& stream) const {
    return gradients_->matrix(*at(layer, map).a, stream);
}

WeightGrad Adapter::b_gradient(size_t layer, LinearMap map, Stream& stream) const {
    return gradients_->matrix(*at(layer, map).b, stream);
}

}  // namespace attune
