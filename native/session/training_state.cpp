// fp32 whole models keep their values in the weights, bf16 ones in the masters; the file does not show which.
#include "session/training_state.h"

#include <cmath>
#include <memory>

#include "core/backend.h"
#include "core/error.h"
#include "formats/safetensors.h"
#include "formats/safetensors_writer.h"
#include "formats/tensor_source.h"

namespace attune {

namespace {

constexpr const char* kUpdates = "updates";
constexpr const char* kValues = "parameter/";
constexpr const char* kFirst = "exp_avg/";
constexpr const char* kSecond = "exp_avg_sq/";
constexpr int64_t kDigit = int64_t{1} << 24;  // fp32 is exact below it

struct Section {
    const char* prefix;
    PartRows rows;
};

std::unique_ptr<const TensorSource> open_state(const std::string& file) {
    try {
        return open_safetensors(MappedFile(file));  // whatever its name
    } catch (const Error& error) {
        if (error.code != Code::Format && error.code != Code::File) throw;
        raise(Code::Resume, "Expected a saved state at ", file, " but it can't be read: ", error.text);
    }
}

int64_t updates_in(const TensorSource& source) {
    const int64_t index = source.find(kUpdates);
    require(index >= 0 && source.tensors()[static_cast<size_t>(index)].shape == std::vector<int64_t>{2},
            Code::Resume, "Expected a saved state at ", source.path(),
            " but it is another safetensors file: it does not say how many updates there were.");
    float digits[2] = {};
    source.read_all(index, digits);
    const auto whole = [](float digit) {
        return digit >= 0 && digit < static_cast<float>(kDigit) && std::floor(digit) == digit;
    };
    require(whole(digits[0]) && whole(digits[1]), Code::Resume, source.path(),
            ": expected a number of updates but got ", digits[0], ", ", digits[1], ".");
    return static_cast<int64_t>(digits[0]) + static_cast<int64_t>(digits[1]) * kDigit;
}

}  // namespace

void write_state(const std::string& file, const TrainedTensors& trained, const Progress& progress,
                 Stream& stream) {
    std::vector<Section> sections{{kValues, trained.value_rows(stream)}};
    if (trained.started()) {
        sections.push_back({kFirst, trained.flat_rows(trained.first_moments(), stream)});
        sections.push_back({kSecond, trained.flat_rows(trained.second_moments(), stream)});
    }
    const ModelSpec& spec = trained.spec();
    std::vector<TensorDeclaration> declarations{{kUpdates, DType::F32, {2}}};
    for (const Section& section : sections)
        for (const TensorSpec& tensor : spec.tensors)
            for (const TensorPart& part : tensor.parts)
                declarations.push_back({section.prefix + part.name, DType::F32, part_shape(tensor, part)});
    SafetensorsWriter writer(file, std::move(declarations), {{"format", "attune-state-1"}});
    const float digits[2] = {static_cast<float>(trained.updates() % kDigit),
                             static_cast<float>(trained.updates() / kDigit)};
    writer.write(kUpdates, digits, 2);
    const double total = static_cast<double>(spec.parameters) * static_cast<double>(sections.size());
    int64_t done = 0;
    for (const Section& section : sections)
        for (const TensorSpec& tensor : spec.tensors)
            for (const TensorPart& part : tensor.parts)
                part_slices(tensor, part, section.rows, [&](const float* values, int64_t count) {
                    writer.write(section.prefix + part.name, values, count);
                    done += count;
                    if (progress) progress(static_cast<double>(done) / total);
                });
    writer.finish();
}

void read_state(const std::string& file, TrainedTensors& trained, const Ops& ops, const Progress& progress,
                Stream& stream) {
    const std::unique_ptr<const TensorSource> source = open_state(file);
    const int64_t updates = updates_in(*source);
    const ModelSpec& spec = trained.spec();
    const auto reader = [&](const char* prefix) {
        return TensorReader{ops, spec, *source, stream, prefix, Code::Resume};
    };
    bool moments = false;
    for (const TensorInfo& info : source->tensors()) moments = moments || info.name.starts_with(kFirst);
    reader(kValues).check_tensors(false);
    if (moments)
        for (const char* prefix : {kFirst, kSecond}) reader(prefix).check_tensors(false);
    const double sections = moments ? 3 : 1;
    const auto share = [&](double section) {
        return [&progress, section, sections](double fraction) {
            if (progress) progress((section + fraction) / sections);
        };
    };
    const Weights& weights = trained.weights();
    const auto weight_vector = [&](const TensorSpec& tensor) { return weights.vector(&tensor); };
    if (trained.bf16()) {
        if (!trained.has_masters()) trained.take_masters(FlatTensors(spec, ops, stream));
        reader(kValues).read_flat(trained.masters(), weight_vector, share(0));
        trained.derive_weights(stream);
    } else {
        reader(kValues).read(weights, share(0));
    }
    trained.forget_moments();
    if (moments) {
        trained.start(stream);
        const auto into = [&](const char* prefix, const FlatTensors& flat, double section) {
            reader(prefix).read_flat(
                flat, [&](const TensorSpec& tensor) { return flat.at(tensor); }, share(section));
        };
        into(kFirst, trained.first_moments(), 1);
        into(kSecond, trained.second_moments(), 2);
    }
    trained.set_updates(updates);
}

}  // namespace attune
