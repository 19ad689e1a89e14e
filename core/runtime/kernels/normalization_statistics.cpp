// SPDX-License-Identifier: Apache-2.0
// Operators that shift and scale by means and variances (or norms): given ones (BatchNormalization) or their input's.
// Statistics are accumulated in double.
#include "core/runtime/kernels/normalization_internal.h"

namespace equant::kernels {
namespace {

struct Moments {
    double mean = 0;
    double variance = 0;  ///< of the population
};

template <typename T>
Moments momentsOf(const T* x, std::int64_t n) {
    constexpr std::int64_t kSumLanes = 8;
    const auto sum = [&](auto value) {
        std::array<double, kSumLanes> lanes{};
        std::int64_t i = 0;
        for (; i + kSumLanes <= n; i += kSumLanes) {
            for (std::int64_t l = 0; l < kSumLanes; ++l) lanes[l] += value(x[i + l]);
        }
        for (; i < n; ++i) lanes[0] += value(x[i]);
        return std::accumulate(lanes.begin(), lanes.end(), 0.0);
    };
    const double mean = sum([](T v) { return static_cast<double>(v); }) / static_cast<double>(n);
    const double squares =
        sum([mean](T v) { return (static_cast<double>(v) - mean) * (static_cast<double>(v) - mean); });
    return {mean, squares / static_cast<double>(n)};
}

template <typename T>
void scaleAndShift(const T* x, std::int64_t n, T scale, T shift, T* __restrict out) {
    for (std::int64_t i = 0; i < n; ++i) out[i] = x[i] * scale + shift;
}

Status requireChannels(const Inputs& inputs, std::size_t first, std::size_t count, std::int64_t channels) {
    for (std::size_t slot = first; slot < first + count; ++slot) {
        if (inputs[slot].dtype == inputs[0].dtype && inputs[slot].count() == channels) continue;
        return invalid("Input {} has {} elements of {} where {} of {} are expected.", slot, inputs[slot].count(),
                       name(inputs[slot].dtype), channels, name(inputs[0].dtype));
    }
    return {};
}

/// Normalizes by the batch's own statistics and moves the running ones (outputs 1 and 2) towards them; opset 14.
Kernel trainingBatchNormalization(double epsilon, double momentum) {
    return makeChecked(5, [=](const Inputs& inputs, KernelOutputs& outputs) -> Status {
        const TensorView& x = inputs[0];
        if (x.shape.size() < 2) return invalid("BatchNormalization needs an input [N, C, ...], not {}.", show(x.shape));
        const AxisSplit split = splitAt(x.shape, 1);
        if (auto status = requireChannels(inputs, 1, 4, split.extent); !status) return status;
        return dispatch(FloatTypes{}, x.dtype, [&]<typename T>() -> Status {
            auto out = makeOutputAs<T>(outputs, 0, shapeOf(x));
            auto runningMean = makeOutputAs<T>(outputs, 1, {split.extent});
            auto runningVariance = makeOutputAs<T>(outputs, 2, {split.extent});
            if (!out) return fail(std::move(out.error()));
            if (!runningMean) return fail(std::move(runningMean.error()));
            if (!runningVariance) return fail(std::move(runningVariance.error()));
            std::vector<T> channel(static_cast<std::size_t>(split.outer * split.inner));
            for (std::int64_t c = 0; c < split.extent; ++c) {
                const auto parameter = [&](std::size_t slot) { return static_cast<double>(inputs[slot].as<T>()[c]); };
                const auto at = [&](std::int64_t n) { return (n * split.extent + c) * split.inner; };
                for (std::int64_t n = 0; n < split.outer; ++n)
                    std::copy_n(x.as<T>() + at(n), split.inner, channel.data() + n * split.inner);
                const Moments moments = momentsOf(channel.data(), split.outer * split.inner);
                const double scale = parameter(1) / std::sqrt(moments.variance + epsilon);
                const double shift = parameter(2) - moments.mean * scale;
                for (std::int64_t n = 0; *out != nullptr && n < split.outer; ++n)
                    scaleAndShift(x.as<T>() + at(n), split.inner, static_cast<T>(scale), static_cast<T>(shift),
                                  *out + at(n));
                const auto moved = [&](double old, double now) {
                    return static_cast<T>(old * momentum + now * (1.0 - momentum));
                };
                if (*runningMean != nullptr) (*runningMean)[c] = moved(parameter(3), moments.mean);
                if (*runningVariance != nullptr) (*runningVariance)[c] = moved(parameter(4), moments.variance);
            }
            return {};
        });
    });
}

/// Inputs: x [N, C, ...], scale, bias, mean, variance [C].
Result<Kernel> makeBatchNormalization(const Node& node, std::int64_t opset) {
    const auto epsilon = static_cast<double>(node.floatAttribute("epsilon", 1e-5F));
    if (node.intAttribute("training_mode", 0) != 0)
        return trainingBatchNormalization(epsilon, static_cast<double>(node.floatAttribute("momentum", 0.9F)));
    if (opset < 9 && node.intAttribute("spatial", 1) == 0) return unsupported("BatchNormalization with spatial = 0.");
    return makeChecked(5, [epsilon](const Inputs& inputs, KernelOutputs& outputs) -> Status {
        const TensorView& x = inputs[0];
        if (x.shape.empty()) return invalid("BatchNormalization needs an input [N, C, ...], not a scalar.");
        const AxisSplit split = x.shape.size() > 1 ? splitAt(x.shape, 1) : AxisSplit{x.shape[0], 1, 1};
        if (auto status = requireChannels(inputs, 1, 4, split.extent); !status) return status;
        return dispatch(FloatTypes{}, x.dtype, [&]<typename T>() -> Status {
            auto out = makeOutputAs<T>(outputs, 0, shapeOf(x));
            if (!out) return fail(std::move(out.error()));
            if (*out == nullptr) return {};
            for (std::int64_t c = 0; c < split.extent; ++c) {
                const auto parameter = [&](std::size_t slot) { return static_cast<double>(inputs[slot].as<T>()[c]); };
                const double scale = parameter(1) / std::sqrt(parameter(4) + epsilon);
                const double shift = parameter(2) - parameter(3) * scale;
                for (std::int64_t n = 0; n < split.outer; ++n) {
                    const std::int64_t at = (n * split.extent + c) * split.inner;
                    scaleAndShift(x.as<T>() + at, split.inner, static_cast<T>(scale), static_cast<T>(shift), *out + at);
                }
            }
            return {};
        });
    });
}

Result<Kernel> makeInstanceNormalization(const Node& node, std::int64_t) {
    const auto epsilon = static_cast<double>(node.floatAttribute("epsilon", 1e-5F));
    return makeChecked(3, [epsilon](const Inputs& inputs, KernelOutputs& outputs) -> Status {
        const TensorView& x = inputs[0];
        if (x.shape.size() < 2)
            return invalid("InstanceNormalization needs an input [N, C, ...], not {}.", show(x.shape));
        const AxisSplit split = splitAt(x.shape, 1);
        if (auto status = requireChannels(inputs, 1, 2, split.extent); !status) return status;
        return dispatch(FloatTypes{}, x.dtype, [&]<typename T>() -> Status {
            auto out = makeOutputAs<T>(outputs, 0, shapeOf(x));
            if (!out) return fail(std::move(out.error()));
            if (*out == nullptr) return {};
            for (std::int64_t plane = 0; plane < split.outer * split.extent; ++plane) {
                const std::int64_t c = plane % split.extent;
                const T* in = x.as<T>() + plane * split.inner;
                const Moments moments = momentsOf(in, split.inner);
                const double scale = static_cast<double>(inputs[1].as<T>()[c]) / std::sqrt(moments.variance + epsilon);
                const double shift = static_cast<double>(inputs[2].as<T>()[c]) - moments.mean * scale;
                scaleAndShift(in, split.inner, static_cast<T>(scale), static_cast<T>(shift),
                              *out + plane * split.inner);
            }
            return {};
        });
    });
}

/// Scale and bias are per group in opset 18 and per channel since 21; their length tells which.
Result<Kernel> makeGroupNormalization(const Node& node, std::int64_t) {
    const auto epsilon = static_cast<double>(node.floatAttribute("epsilon", 1e-5F));
    const std::int64_t groups = node.intAttribute("num_groups", 0);
    return makeChecked(3, [=](const Inputs& inputs, KernelOutputs& outputs) -> Status {
        const TensorView& x = inputs[0];
        if (x.shape.size() < 2 || groups < 1 || x.shape[1] % groups != 0) {
            return invalid("An input of shape {} cannot be normalized in {} groups.", show(x.shape), groups);
        }
        const AxisSplit split = splitAt(x.shape, 1);
        const std::int64_t perGroup = split.extent / groups;
        const bool isPerGroup = inputs[1].count() == groups;
        if (auto status = requireChannels(inputs, 1, 2, isPerGroup ? groups : split.extent); !status) return status;
        return dispatch(FloatTypes{}, x.dtype, [&]<typename T>() -> Status {
            auto out = makeOutputAs<T>(outputs, 0, shapeOf(x));
            if (!out) return fail(std::move(out.error()));
            if (*out == nullptr) return {};
            for (std::int64_t block = 0; block < split.outer * groups; ++block) {
                const std::int64_t base = block * perGroup * split.inner;
                const Moments moments = momentsOf(x.as<T>() + base, perGroup * split.inner);
                for (std::int64_t i = 0; i < perGroup; ++i) {
                    const std::int64_t group = block % groups;
                    const std::int64_t p = isPerGroup ? group : group * perGroup + i;
                    const double scale =
                        static_cast<double>(inputs[1].as<T>()[p]) / std::sqrt(moments.variance + epsilon);
                    const double shift = static_cast<double>(inputs[2].as<T>()[p]) - moments.mean * scale;
                    const std::int64_t at = base + i * split.inner;
                    scaleAndShift(x.as<T>() + at, split.inner, static_cast<T>(scale), static_cast<T>(shift), *out + at);
                }
            }
            return {};
        });
    });
}

template <typename T>
void layerRow(const T* x, std::int64_t n, T mean, T factor, const T* scale, const T* bias, T* __restrict out) {
    if (bias != nullptr) {
        for (std::int64_t i = 0; i < n; ++i) out[i] = (x[i] - mean) * factor * scale[i] + bias[i];
    } else {
        for (std::int64_t i = 0; i < n; ++i) out[i] = (x[i] - mean) * factor * scale[i];
    }
}

/// A parameter spread to the normalized shape, so that rows can be read straight.
template <typename T>
Result<std::vector<T>> spread(const TensorView& parameter, Dims target) {
    const auto shape = broadcastShapes(parameter.shape, target);
    if (!shape || !std::equal(shape->begin(), shape->end(), target.begin(), target.end())) {
        return invalid("A parameter of shape {} does not fit {}.", show(parameter.shape), show(target));
    }
    std::vector<T> values(static_cast<std::size_t>(product(target)));
    auto* next = values.data();
    forEachElement(LoopNest<1>{shape->empty() ? Shape{1} : *shape,
                               {shape->empty() ? Shape{0} : broadcastStrides(parameter.shape, target)}},
                   [&](const std::array<std::int64_t, 1>& at) { *next++ = parameter.as<T>()[at[0]]; });
    return values;
}

/// Outputs: y, and optionally mean and 1 / standard deviation.
Result<Kernel> makeLayerNormalization(const Node& node, std::int64_t) {
    const auto epsilon = static_cast<double>(node.floatAttribute("epsilon", 1e-5F));
    const std::int64_t axis = node.intAttribute("axis", -1);
    return makeChecked(2, [=](const Inputs& inputs, KernelOutputs& outputs) -> Status {
        const TensorView& x = inputs[0];
        const auto normal = normalizeAxis(axis, rankOf(x));
        if (!normal) return fail(normal.error());
        const auto at = static_cast<std::size_t>(*normal);
        const std::int64_t rows = product(x.shape.first(at));
        const std::int64_t n = product(x.shape.subspan(at));
        if (inputs[1].dtype != x.dtype || (inputs.has(2) && inputs[2].dtype != x.dtype)) {
            return invalid("Scale and bias of LayerNormalization must have the type of the input ({}).", name(x.dtype));
        }
        Shape statisticsShape = shapeOf(x);
        std::fill(statisticsShape.begin() + *normal, statisticsShape.end(), 1);
        return dispatch(FloatTypes{}, x.dtype, [&]<typename T>() -> Status {
            const auto scale = spread<T>(inputs[1], x.shape.subspan(at));
            if (!scale) return fail(scale.error());
            const auto bias = inputs.has(2) ? spread<T>(inputs[2], x.shape.subspan(at)) : Result<std::vector<T>>();
            if (!bias) return fail(bias.error());
            auto out = makeOutputAs<T>(outputs, 0, shapeOf(x));
            if (!out) return fail(std::move(out.error()));
            auto means = makeOutputAs<T>(outputs, 1, statisticsShape);
            auto factors = makeOutputAs<T>(outputs, 2, statisticsShape);
            if (!means || !factors) return invalid("The statistics of LayerNormalization are too large.");
            for (std::int64_t row = 0; row < rows && n > 0; ++row) {
                const T* in = x.as<T>() + row * n;
                const Moments moments = momentsOf(in, n);
                const T mean = static_cast<T>(moments.mean);
                const T factor = static_cast<T>(1 / std::sqrt(moments.variance + epsilon));
                if (*out != nullptr) {
                    layerRow(in, n, mean, factor, scale->data(), inputs.has(2) ? bias->data() : nullptr,
                             *out + row * n);
                }
                if (*means != nullptr) (*means)[row] = mean;
                if (*factors != nullptr) (*factors)[row] = factor;
            }
            return {};
        });
    });
}

/// (x - mean) / (standard deviation + 1e-9), statistics over `axes`, as the function body of the operator says.
Result<Kernel> makeMeanVarianceNormalization(const Node& node, std::int64_t) {
    const auto attribute = node.intsAttribute("axes", {0, 2, 3});
    return makeChecked(1, [attribute](const Inputs& inputs, KernelOutputs& outputs) -> Status {
        const TensorView& x = inputs[0];
        const auto axes = normalizeAxes(attribute, rankOf(x));
        if (!axes) return fail(axes.error());
        Shape kept = shapeOf(x);
        for (const auto axis : *axes) kept[static_cast<std::size_t>(axis)] = 1;
        Shape groupStrides = stridesOf(kept);
        for (const auto axis : *axes) groupStrides[static_cast<std::size_t>(axis)] = 0;
        return dispatch(FloatTypes{}, x.dtype, [&]<typename T>() -> Status {
            auto out = makeOutputAs<T>(outputs, 0, shapeOf(x));
            if (!out) return fail(std::move(out.error()));
            if (*out == nullptr || x.count() == 0) return {};
            const auto groups = static_cast<std::size_t>(product(kept));
            const double size = static_cast<double>(x.count()) / static_cast<double>(groups);
            const auto nest = collapsed(LoopNest<2>{shapeOf(x), {groupStrides, stridesOf(x.shape)}});
            std::vector<double> means(groups), squares(groups);
            const auto value = [&](const auto& at) { return static_cast<double>(x.as<T>()[at[1]]); };
            forEachElement(nest, [&](const auto& at) { means[static_cast<std::size_t>(at[0])] += value(at) / size; });
            forEachElement(nest, [&](const auto& at) {
                const double distance = value(at) - means[static_cast<std::size_t>(at[0])];
                squares[static_cast<std::size_t>(at[0])] += distance * distance / size;
            });
            forEachElement(nest, [&](const auto& at) {
                const auto group = static_cast<std::size_t>(at[0]);
                (*out)[at[1]] = static_cast<T>((value(at) - means[group]) / (std::sqrt(squares[group]) + 1e-9));
            });
            return {};
        });
    });
}

Result<Kernel> makeLpNormalization(const Node& node, std::int64_t) {
    const std::int64_t axis = node.intAttribute("axis", -1);
    const std::int64_t p = node.intAttribute("p", 2);
    if (p != 1 && p != 2) return unsupported("LpNormalization with p = {} is not supported.", p);
    return makeChecked(1, [=](const Inputs& inputs, KernelOutputs& outputs) -> Status {
        const TensorView& x = inputs[0];
        const auto normal = normalizeAxis(axis, rankOf(x));
        if (!normal) return fail(normal.error());
        const AxisSplit split = splitAt(x.shape, *normal);
        return dispatch(FloatTypes{}, x.dtype, [&]<typename T>() -> Status {
            auto out = makeOutputAs<T>(outputs, 0, shapeOf(x));
            if (!out) return fail(std::move(out.error()));
            if (*out == nullptr) return {};
            for (std::int64_t row = 0; row < split.outer * split.inner; ++row) {
                const std::int64_t base = (row / split.inner) * split.extent * split.inner + row % split.inner;
                double sum = 0;
                for (std::int64_t i = 0; i < split.extent; ++i) {
                    const auto value = static_cast<double>(x.as<T>()[base + i * split.inner]);
                    sum += p == 1 ? std::fabs(value) : value * value;
                }
                const double norm = p == 1 ? sum : std::sqrt(sum);
                for (std::int64_t i = 0; i < split.extent; ++i) {
                    const std::int64_t at = base + i * split.inner;
                    (*out)[at] = norm == 0 ? T{0} : static_cast<T>(static_cast<double>(x.as<T>()[at]) / norm);
                }
            }
            return {};
        });
    });
}

/// Local response normalization across channels (Krizhevsky et al., 2012).
Result<Kernel> makeLrn(const Node& node, std::int64_t) {
    const float alpha = node.floatAttribute("alpha", 1e-4F);
    const float beta = node.floatAttribute("beta", 0.75F);
    const float bias = node.floatAttribute("bias", 1.0F);
    const std::int64_t size = node.intAttribute("size", 0);
    if (size < 1) return unsupported("LRN over {} channels is not possible.", size);
    return makeChecked(1, [=](const Inputs& inputs, KernelOutputs& outputs) -> Status {
        const TensorView& x = inputs[0];
        if (x.dtype != DType::Float) return unsupported("LRN of {} is not supported.", name(x.dtype));
        if (x.shape.size() < 2) return invalid("LRN needs an input [N, C, ...], not {}.", show(x.shape));
        const AxisSplit split = splitAt(x.shape, 1);
        auto out = makeOutputAs<float>(outputs, 0, shapeOf(x));
        if (!out) return fail(std::move(out.error()));
        if (*out == nullptr) return {};
        std::vector<float> sums(static_cast<std::size_t>(split.inner));
        for (std::int64_t n = 0; n < split.outer; ++n) {
            const float* in = x.as<float>() + n * split.extent * split.inner;
            float* target = *out + n * split.extent * split.inner;
            for (std::int64_t c = 0; c < split.extent; ++c) {
                std::fill(sums.begin(), sums.end(), 0.0F);
                const std::int64_t first = std::max<std::int64_t>(0, c - (size - 1) / 2);
                const std::int64_t last = std::min(split.extent - 1, c + size / 2);
                for (std::int64_t k = first; k <= last; ++k) {
                    const float* plane = in + k * split.inner;
                    for (std::int64_t i = 0; i < split.inner; ++i) sums[i] += plane[i] * plane[i];
                }
                for (std::int64_t i = 0; i < split.inner; ++i) {
                    const float base = bias + alpha / static_cast<float>(size) * sums[i];
                    target[c * split.inner + i] = in[c * split.inner + i] / std::pow(base, beta);
                }
            }
        }
        return {};
    });
}

constexpr KernelEntry kNormalizationStatisticsKernels[] = {
    {"BatchNormalization", halfToo<&makeBatchNormalization>},
    {"InstanceNormalization", halfToo<&makeInstanceNormalization>},
    {"GroupNormalization", halfToo<&makeGroupNormalization>},
    {"LayerNormalization", halfToo<&makeLayerNormalization>},
    {"MeanVarianceNormalization", halfToo<&makeMeanVarianceNormalization>},
    {"LpNormalization", halfToo<&makeLpNormalization>},
    {"LRN", halfToo<&makeLrn>},
};

}  // namespace

std::span<const KernelEntry> statisticsKernels() {
    return kNormalizationStatisticsKernels;
}

}  // namespace equant::kernels
