// SPDX-License-Identifier: Apache-2.0
// Opening a data set of any kind, and what the kinds share: choosing samples, checking labels, stacking.
#include "core/data/dataset.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <fmt/format.h>
#include <map>
#include <numeric>

#include "core/data/dataset_internal.h"

namespace equant {

namespace fs = std::filesystem;

namespace {

/// A permutation of 0..count-1 of which every stretch is spread over the whole: the k-th place is the rank of the
/// fraction of k / golden ratio, the rotation that leaves the smallest gaps (three-gap theorem).
std::vector<std::size_t> goldenOrder(std::size_t count) {
    constexpr double kGoldenRatio = 1.6180339887498949;
    std::vector<double> fractions(count);
    for (std::size_t k = 0; k < count; ++k) fractions[k] = std::fmod(static_cast<double>(k) / kGoldenRatio, 1.0);
    std::vector<std::size_t> byFraction(count);
    std::iota(byFraction.begin(), byFraction.end(), std::size_t{0});
    std::sort(byFraction.begin(), byFraction.end(),
              [&](std::size_t a, std::size_t b) { return fractions[a] < fractions[b]; });
    std::vector<std::size_t> order(count);
    for (std::size_t rank = 0; rank < count; ++rank) order[byFraction[rank]] = rank;
    return order;
}

/// Round after round one sample of each class, the classes in golden order.
std::vector<std::size_t> spreadOrder(std::span<const std::optional<std::int64_t>> classes) {
    std::map<std::int64_t, std::vector<std::size_t>> members;
    const bool isLabelled = std::all_of(classes.begin(), classes.end(), [](const auto& c) { return c.has_value(); });
    if (!isLabelled) return goldenOrder(classes.size());
    for (std::size_t i = 0; i < classes.size(); ++i) members[*classes[i]].push_back(i);
    std::vector<const std::vector<std::size_t>*> groups;
    for (const auto& [label, group] : members) groups.push_back(&group);
    std::vector<std::size_t> order;
    order.reserve(classes.size());
    std::vector<std::size_t> open = goldenOrder(groups.size());
    for (std::size_t round = 0; !open.empty(); ++round) {
        std::erase_if(open, [&](std::size_t g) { return groups[g]->size() <= round; });
        for (const std::size_t g : open) order.push_back((*groups[g])[round]);
    }
    return order;
}

bool isFloating(DType type) {
    return type == DType::Float || type == DType::Double || type == DType::Float16 || type == DType::Bfloat16;
}

}  // namespace

Result<std::vector<std::size_t>> selectSamples(std::span<const std::optional<std::int64_t>> classes,
                                               const DatasetOptions& options, bool isSpread) {
    if (options.offset >= classes.size())
        return fail(ErrorCode::OutOfRange,
                    fmt::format("The offset {} leaves none of the {} samples.", options.offset, classes.size()),
                    "Choose a smaller offset.", "offset");
    const std::size_t rest = classes.size() - options.offset;
    const std::size_t count = options.limit == 0 ? rest : std::min(options.limit, rest);
    std::vector<std::size_t> order;
    if (isSpread && count < classes.size()) {
        order = spreadOrder(classes);
    } else {
        order.resize(classes.size());
        std::iota(order.begin(), order.end(), std::size_t{0});
    }
    const auto first = order.begin() + static_cast<std::ptrdiff_t>(options.offset);
    std::vector<std::size_t> chosen(first, first + static_cast<std::ptrdiff_t>(count));
    std::sort(chosen.begin(), chosen.end());
    return chosen;
}

std::optional<std::int64_t> classCount(const Model& model) {
    if (model.graph.outputs.empty() || !model.graph.outputs.front().shape) return std::nullopt;
    const auto& dims = *model.graph.outputs.front().shape;
    const bool isVector = dims.size() == 2 || (dims.size() == 4 && dims[2].value == 1 && dims[3].value == 1);
    if (!isVector || dims[1].value <= 1) return std::nullopt;
    return dims[1].value;
}

Status checkLabel(std::int64_t label, std::optional<std::int64_t> classes, const std::string& subject) {
    if (label >= 0 && (!classes || label < *classes)) return {};
    if (label < 0)
        return fail(ErrorCode::InvalidArgument, fmt::format("The label {} is negative.", label),
                    "Labels are class numbers from 0.", subject);
    return fail(ErrorCode::InvalidArgument,
                fmt::format("The label {} is none of the model's {} classes (0 to {}).", label, *classes, *classes - 1),
                "Check that these labels belong to this model.", subject);
}

Tensor rowOf(const Tensor& tensor, std::int64_t index) {
    Tensor row(tensor.dtype(), Shape(tensor.shape().begin() + 1, tensor.shape().end()));
    const auto target = row.mutableBytes();
    if (!target.empty())
        std::memcpy(target.data(), tensor.bytes().data() + static_cast<std::size_t>(index) * target.size(),
                    target.size());
    return row;
}

bool fitsShape(std::span<const std::int64_t> shape, std::span<const Dim> declared) {
    return std::equal(shape.begin(), shape.end(), declared.begin(), declared.end(),
                      [](std::int64_t size, const Dim& dim) { return dim.value < 0 || dim.value == size; });
}

Result<Tensor> asInput(const Tensor& values, DType dtype, const std::string& subject) {
    if (dtype == DType::Undefined || values.dtype() == dtype) return values;
    if (isFloating(values.dtype()) && !isFloating(dtype))
        return fail(
            ErrorCode::InvalidArgument,
            fmt::format("The values are of type {} but the model's input takes {}.", name(values.dtype()), name(dtype)),
            "Save them as integers.", subject);
    auto converted = values.converted(dtype);
    if (!converted) {
        Error error = converted.error();
        error.subject = subject;
        return fail(std::move(error));
    }
    return converted;
}

Result<OpenedDataset> openDataset(const fs::path& path, const Model& model, const DatasetOptions& options) {
    std::error_code ignored;
    const auto status = fs::status(path, ignored);
    if (!fs::exists(status))
        return fail(ErrorCode::NotFound, "There are no such data.",
                    "Give an image folder, an .npy or .npz file, or a folder of test_data_set_*.", path.string());
    try {
        if (fs::is_directory(status))
            return isTestData(path) ? openTestData(path, model, options) : openImages(path, model, options);
        const auto extension = path.extension();
        if (extension == ".npy" || extension == ".npz") return openArrays(path, model, options);
        return openImages(path, model, options);
    } catch (const fs::filesystem_error& error) {
        return fail(ErrorCode::Io, fmt::format("The data could not be read ({}).", error.code().message()),
                    "Check the permissions.", error.path1().empty() ? path.string() : error.path1().string());
    } catch (const std::bad_alloc&) {
        return fail(ErrorCode::OutOfMemory, "The data do not fit into memory.",
                    "Use an .npy file: it is read piece by piece.", path.string());
    }
}

Result<std::vector<Tensor>> stackSamples(std::span<const Sample> samples) {
    std::vector<Tensor> batch;
    if (samples.empty()) return batch;
    for (std::size_t k = 0; k < samples.front().inputs.size(); ++k) {
        const Tensor& first = samples.front().inputs[k];
        Shape shape = first.shape();
        shape.insert(shape.begin(), static_cast<std::int64_t>(samples.size()));
        Tensor stacked(first.dtype(), shape);
        const auto target = stacked.mutableBytes();
        for (std::size_t i = 0; i < samples.size(); ++i) {
            if (samples[i].inputs.size() != samples.front().inputs.size() ||
                samples[i].inputs[k].shape() != first.shape() || samples[i].inputs[k].dtype() != first.dtype())
                return fail(ErrorCode::InvalidArgument, "The samples of a batch differ in shape.",
                            "Resize or crop images to one size, or use a batch of 1.");
            const auto source = samples[i].inputs[k].bytes();
            if (!source.empty()) std::memcpy(target.data() + i * source.size(), source.data(), source.size());
        }
        batch.push_back(std::move(stacked));
    }
    return batch;
}

}  // namespace equant
