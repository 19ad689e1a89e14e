// SPDX-License-Identifier: Apache-2.0
// Loss functions that exported training graphs end in: NegativeLogLikelihoodLoss and SoftmaxCrossEntropyLoss
// (forward only). Sums are accumulated in double.
#include <optional>

#include "core/runtime/kernels/support_internal.h"

namespace equant::kernels {
namespace {

enum class LossReduction { None, Sum, Mean };

struct LossOptions {
    LossReduction reduction = LossReduction::Mean;
    std::optional<std::int64_t> ignored;  ///< the class that counts nothing
};

Result<LossOptions> lossOptions(const Node& node) {
    LossOptions options;
    const std::string reduction = node.stringAttribute("reduction", "mean");
    if (reduction == "none") {
        options.reduction = LossReduction::None;
    } else if (reduction == "sum") {
        options.reduction = LossReduction::Sum;
    } else if (reduction != "mean") {
        return unsupported("A loss with reduction \"{}\" is not supported.", reduction);
    }
    if (node.attribute("ignore_index") != nullptr) options.ignored = node.intAttribute("ignore_index", 0);
    return options;
}

/// Scores [N, C, d...], targets [N, d...], weights [C] (optional).
Status checkLossInputs(const Inputs& inputs) {
    const TensorView& x = inputs[0];
    Shape expected = shapeOf(x);
    if (expected.size() < 2) return invalid("A loss needs scores [N, C, ...], not {}.", show(x.shape));
    expected.erase(expected.begin() + 1);
    if (shapeOf(inputs[1]) != expected)
        return invalid("Targets of shape {} do not fit scores of shape {}.", show(inputs[1].shape), show(x.shape));
    if (inputs.has(2) && (inputs[2].dtype != x.dtype || inputs[2].count() != x.shape[1]))
        return invalid("Weights of shape {} do not fit {} classes.", show(inputs[2].shape), x.shape[1]);
    return {};
}

/// -weight[target] * logProbability[target], reduced.
template <typename T>
Status writeLoss(const Inputs& inputs, const T* logProbabilities, const LossOptions& options, KernelOutputs& outputs) {
    const AxisSplit split = splitAt(inputs[0].shape, 1);
    const auto targets = readIntegers(inputs[1]);
    if (!targets) return fail(targets.error());
    const bool isReduced = options.reduction != LossReduction::None;
    auto out = makeOutputAs<T>(outputs, 0, isReduced ? Shape{} : shapeOf(inputs[1]));
    if (!out) return fail(std::move(out.error()));
    double sum = 0;
    double weights = 0;
    for (std::int64_t i = 0; i < split.outer * split.inner; ++i) {
        const std::int64_t target = (*targets)[static_cast<std::size_t>(i)];
        double loss = 0;
        if (target != options.ignored) {
            if (target < 0 || target >= split.extent)
                return invalid("Class {} is outside the {} classes of the scores.", target, split.extent);
            const double weight = inputs.has(2) ? static_cast<double>(inputs[2].as<T>()[target]) : 1.0;
            const std::int64_t at = (i / split.inner * split.extent + target) * split.inner + i % split.inner;
            loss = -weight * static_cast<double>(logProbabilities[at]);
            sum += loss;
            weights += weight;
        }
        if (!isReduced && *out != nullptr) (*out)[i] = static_cast<T>(loss);
    }
    if (isReduced && *out != nullptr)
        **out = static_cast<T>(options.reduction == LossReduction::Mean ? sum / weights : sum);
    return {};
}

template <typename T>
void logSoftmax(const T* x, const AxisSplit& split, T* out) {
    for (std::int64_t row = 0; row < split.outer * split.inner; ++row) {
        const std::int64_t first = row / split.inner * split.extent * split.inner + row % split.inner;
        double largest = -std::numeric_limits<double>::infinity();
        for (std::int64_t c = 0; c < split.extent; ++c)
            largest = std::max(largest, static_cast<double>(x[first + c * split.inner]));
        double sum = 0;
        for (std::int64_t c = 0; c < split.extent; ++c)
            sum += std::exp(static_cast<double>(x[first + c * split.inner]) - largest);
        const double shift = largest + std::log(sum);
        for (std::int64_t c = 0; c < split.extent; ++c) {
            const std::int64_t at = first + c * split.inner;
            out[at] = static_cast<T>(static_cast<double>(x[at]) - shift);
        }
    }
}

Result<Kernel> makeNegativeLogLikelihood(const Node& node, std::int64_t) {
    const auto options = lossOptions(node);
    if (!options) return fail(options.error());
    return makeChecked(2, [options = *options](const Inputs& inputs, KernelOutputs& outputs) -> Status {
        if (auto status = checkLossInputs(inputs); !status) return status;
        return dispatch(FloatTypes{}, inputs[0].dtype,
                        [&]<typename T>() -> Status { return writeLoss(inputs, inputs[0].as<T>(), options, outputs); });
    });
}

/// The second output is the log of the probabilities.
Result<Kernel> makeSoftmaxCrossEntropy(const Node& node, std::int64_t) {
    const auto options = lossOptions(node);
    if (!options) return fail(options.error());
    return makeChecked(2, [options = *options](const Inputs& inputs, KernelOutputs& outputs) -> Status {
        if (auto status = checkLossInputs(inputs); !status) return status;
        const TensorView& x = inputs[0];
        return dispatch(FloatTypes{}, x.dtype, [&]<typename T>() -> Status {
            std::vector<T> logs(static_cast<std::size_t>(x.count()));
            logSoftmax(x.as<T>(), splitAt(x.shape, 1), logs.data());
            auto out = makeOutputAs<T>(outputs, 1, shapeOf(x));
            if (!out) return fail(std::move(out.error()));
            if (*out != nullptr) std::ranges::copy(logs, *out);
            return writeLoss(inputs, logs.data(), options, outputs);
        });
    });
}

constexpr KernelEntry kLossesKernels[] = {
    {"NegativeLogLikelihoodLoss", halfToo<&makeNegativeLogLikelihood>},
    {"SoftmaxCrossEntropyLoss", halfToo<&makeSoftmaxCrossEntropy>},
};

}  // namespace
}  // namespace equant::kernels

namespace equant {

std::span<const KernelEntry> lossKernels() {
    return kernels::kLossesKernels;
}

}  // namespace equant
