// SPDX-License-Identifier: Apache-2.0
// Convolutions computed as their definition says, one weight at a time over whole output rows.
// Integer ones subtract their zero points first, so that padding is exact zero.
#include "core/runtime/kernels/convolution_internal.h"
#include "core/runtime/kernels/vector_math_internal.h"

namespace equant::kernels {
namespace {

/// Channel counts of one convolution.
struct Channels {
    std::int64_t batch = 0;
    std::int64_t groups = 1;
    std::int64_t inPerGroup = 0;
    std::int64_t outPerGroup = 0;
};

/// out += weight * in for one input plane, one output plane and one kernel offset.
template <typename T>
void addOffset(const Window& w, const Triple& k, T weight, const T* in, T* out) {
    const auto [d0, d1] = w.validRange(0, k[0]);
    const auto [h0, h1] = w.validRange(1, k[1]);
    const auto [x0, x1] = w.validRange(2, k[2]);
    const std::int64_t shift = k[2] * w.dilation[2] - w.before[2];
    const std::int64_t step = w.stride[2];
    for (std::int64_t d = d0; d < d1; ++d) {
        const std::int64_t inD = d * w.stride[0] + k[0] * w.dilation[0] - w.before[0];
        for (std::int64_t h = h0; h < h1; ++h) {
            const std::int64_t inH = h * w.stride[1] + k[1] * w.dilation[1] - w.before[1];
            T* __restrict target = out + (d * w.out[1] + h) * w.out[2];
            const T* source = in + (inD * w.in[1] + inH) * w.in[2] + shift;
            if (step == 1) {
                for (std::int64_t x = x0; x < x1; ++x) target[x] += weight * source[x];
            } else {
                for (std::int64_t x = x0; x < x1; ++x) target[x] += weight * source[x * step];
            }
        }
    }
}

/// The transposed sense: out positions are input * stride + offset. Roles of in and out of `w` are those of the
/// operator.
template <typename T>
void scatterOffset(const Window& w, const Triple& k, T weight, const T* in, T* out) {
    Window mirror = w;  // a forward window from the output to the input
    mirror.in = w.out;
    mirror.out = w.in;
    const auto [d0, d1] = mirror.validRange(0, k[0]);
    const auto [h0, h1] = mirror.validRange(1, k[1]);
    const auto [x0, x1] = mirror.validRange(2, k[2]);
    const std::int64_t shift = k[2] * w.dilation[2] - w.before[2];
    const std::int64_t step = w.stride[2];
    for (std::int64_t d = d0; d < d1; ++d) {
        const std::int64_t outD = d * w.stride[0] + k[0] * w.dilation[0] - w.before[0];
        for (std::int64_t h = h0; h < h1; ++h) {
            const std::int64_t outH = h * w.stride[1] + k[1] * w.dilation[1] - w.before[1];
            T* target = out + (outD * w.out[1] + outH) * w.out[2] + shift;
            const T* source = in + (d * w.in[1] + h) * w.in[2];
            for (std::int64_t x = x0; x < x1; ++x) target[x * step] += weight * source[x];
        }
    }
}

template <typename F>
void forEachOffset(const Window& w, F body) {
    Triple k{};
    std::int64_t index = 0;
    for (k[0] = 0; k[0] < w.kernel[0]; ++k[0]) {
        for (k[1] = 0; k[1] < w.kernel[1]; ++k[1]) {
            for (k[2] = 0; k[2] < w.kernel[2]; ++k[2]) body(std::as_const(k), index++);
        }
    }
}

/// x [N, groups * inPerGroup, in], weight [groups * outPerGroup, inPerGroup, kernel]; out must hold the bias (or 0).
template <typename T>
void convolve(const Channels& c, const Window& w, const T* x, const T* weight, T* out) {
    for (std::int64_t n = 0; n < c.batch; ++n) {
        for (std::int64_t oc = 0; oc < c.groups * c.outPerGroup; ++oc) {
            T* plane = out + (n * c.groups * c.outPerGroup + oc) * w.outCount();
            for (std::int64_t i = 0; i < c.inPerGroup; ++i) {
                const std::int64_t ic = (oc / c.outPerGroup) * c.inPerGroup + i;
                const T* source = x + (n * c.groups * c.inPerGroup + ic) * w.inCount();
                const T* taps = weight + (oc * c.inPerGroup + i) * w.kernelCount();
                forEachOffset(
                    w, [&](const Triple& k, std::int64_t index) { addOffset(w, k, taps[index], source, plane); });
            }
        }
    }
}

/// weight [groups * inPerGroup, outPerGroup, kernel].
template <typename T>
void convolveTransposed(const Channels& c, const Window& w, const T* x, const T* weight, T* out) {
    for (std::int64_t n = 0; n < c.batch; ++n) {
        for (std::int64_t ic = 0; ic < c.groups * c.inPerGroup; ++ic) {
            const T* source = x + (n * c.groups * c.inPerGroup + ic) * w.inCount();
            for (std::int64_t o = 0; o < c.outPerGroup; ++o) {
                const std::int64_t oc = (ic / c.inPerGroup) * c.outPerGroup + o;
                T* plane = out + (n * c.groups * c.outPerGroup + oc) * w.outCount();
                const T* taps = weight + (ic * c.outPerGroup + o) * w.kernelCount();
                forEachOffset(
                    w, [&](const Triple& k, std::int64_t index) { scatterOffset(w, k, taps[index], source, plane); });
            }
        }
    }
}

template <typename T>
void fillBias(const Channels& c, std::int64_t planeSize, const TensorView& bias, T* out) {
    const std::int64_t channels = c.groups * c.outPerGroup;
    for (std::int64_t plane = 0; plane < c.batch * channels; ++plane) {
        std::fill_n(out + plane * planeSize, planeSize, bias.isOmitted() ? T{0} : bias.as<T>()[plane % channels]);
    }
}

Result<Channels> convChannels(const TensorView& x, const TensorView& weight, std::int64_t groups, bool isTransposed) {
    const auto refuse = [&] {
        return invalid("A weight of shape {} in {} groups does not fit an input of shape {}.", show(weight.shape),
                       groups, show(x.shape));
    };
    if (x.shape.size() < 3 || weight.shape.size() != x.shape.size() || groups < 1) return refuse();
    Channels c{x.shape[0], groups, weight.shape[1], weight.shape[0] / groups};
    if (isTransposed) {
        c.inPerGroup = weight.shape[0] / groups;
        c.outPerGroup = weight.shape[1];
    }
    if (weight.shape[0] % groups != 0 || x.shape[1] != c.inPerGroup * groups) return refuse();
    return c;
}

Status checkBias(const TensorView& bias, const Channels& c, DType type) {
    if (bias.isOmitted() || (bias.count() == c.groups * c.outPerGroup && bias.dtype == type)) return {};
    return invalid("A bias of {} {} does not fit {} output channels.", bias.count(), name(bias.dtype),
                   c.groups * c.outPerGroup);
}

Result<Kernel> makeConv(const Node& node, std::int64_t) {
    const auto attributes = windowAttributes(node);
    if (!attributes) return fail(attributes.error());
    const std::int64_t groups = node.intAttribute("group", 1);
    return makeChecked(2, [attributes = *attributes, groups](const Inputs& inputs, KernelOutputs& outputs) -> Status {
        const TensorView& x = inputs[0];
        const TensorView& weight = inputs[1];
        const auto channels = convChannels(x, weight, groups, false);
        if (!channels) return fail(channels.error());
        const auto window = resolveWindow(attributes, x.shape, weight.shape.subspan(2));
        if (!window) return fail(window.error());
        if (weight.dtype != x.dtype) return invalid("Input and weight of Conv have different types.");
        if (auto status = checkBias(inputs[2], *channels, x.dtype); !status) return status;
        return dispatch(FloatTypes{}, x.dtype, [&]<typename T>() -> Status {
            auto out = makeOutputAs<T>(outputs, 0, window->outputShape(x.shape[0], weight.shape[0]));
            if (!out) return fail(std::move(out.error()));
            if (*out == nullptr) return {};
            fillBias(*channels, window->outCount(), inputs[2], *out);
            convolve(*channels, *window, x.as<T>(), weight.as<T>(), *out);
            return {};
        });
    });
}

Result<Kernel> makeConvTranspose(const Node& node, std::int64_t) {
    const auto attributes = windowAttributes(node);
    if (!attributes) return fail(attributes.error());
    const std::int64_t groups = node.intAttribute("group", 1);
    const auto padding = node.intsAttribute("output_padding");
    const auto shape = node.intsAttribute("output_shape");
    return makeChecked(2, [=, attributes = *attributes](const Inputs& inputs, KernelOutputs& outputs) -> Status {
        const TensorView& x = inputs[0];
        const TensorView& weight = inputs[1];
        const auto channels = convChannels(x, weight, groups, true);
        if (!channels) return fail(channels.error());
        const auto window = resolveTransposedWindow(attributes, x.shape, weight.shape.subspan(2), padding, shape);
        if (!window) return fail(window.error());
        if (weight.dtype != x.dtype) return invalid("Input and weight of ConvTranspose have different types.");
        if (auto status = checkBias(inputs[2], *channels, x.dtype); !status) return status;
        return dispatch(FloatTypes{}, x.dtype, [&]<typename T>() -> Status {
            auto out = makeOutputAs<T>(outputs, 0, window->outputShape(x.shape[0], groups * weight.shape[1]));
            if (!out) return fail(std::move(out.error()));
            if (*out == nullptr) return {};
            fillBias(*channels, window->outCount(), inputs[2], *out);
            convolveTransposed(*channels, *window, x.as<T>(), weight.as<T>(), *out);
            return {};
        });
    });
}

// --- integer convolutions ----------------------------------------------------------------------------------------

/// Values minus their zero point; `zero` has one entry, or one per index of axis 0 (a weight's output channels).
Result<std::vector<std::int32_t>> centred(const TensorView& view, const TensorView& zero) {
    const auto values = view.dtype == DType::Uint8 || view.dtype == DType::Int8
                            ? readIntegers(view)
                            : Result<std::vector<std::int64_t>>(unsupported("Integer convolution needs 8-bit inputs."));
    if (!values) return fail(values.error());
    auto zeros =
        zero.isOmitted() ? Result<std::vector<std::int64_t>>(std::vector<std::int64_t>{0}) : readIntegers(zero);
    if (!zeros) return fail(zeros.error());
    const bool isPerChannel = zeros->size() > 1;
    if (zeros->empty() ||
        (isPerChannel && (view.shape.empty() || static_cast<std::int64_t>(zeros->size()) != view.shape[0]))) {
        return invalid("There are {} zero points for a tensor of shape {}.", zeros->size(), show(view.shape));
    }
    const std::size_t run = isPerChannel ? values->size() / zeros->size() : std::max<std::size_t>(1, values->size());
    std::vector<std::int32_t> result(values->size());
    for (std::size_t i = 0; i < result.size(); ++i) {
        result[i] = static_cast<std::int32_t>((*values)[i] - (*zeros)[i / run]);
    }
    return result;
}

struct IntegerConv {
    Channels channels;
    Window window;
    std::vector<std::int32_t> x, weight;
};

Result<IntegerConv> prepareIntegerConv(const WindowAttributes& attributes, std::int64_t groups, const TensorView& x,
                                       const TensorView& xZero, const TensorView& weight,
                                       const TensorView& weightZero) {
    const auto channels = convChannels(x, weight, groups, false);
    if (!channels) return fail(channels.error());
    const auto window = resolveWindow(attributes, x.shape, weight.shape.subspan(2));
    if (!window) return fail(window.error());
    if (!xZero.isOmitted() && xZero.count() != 1) return unsupported("Only one zero point for the input is supported.");
    auto centredX = centred(x, xZero);
    if (!centredX) return fail(std::move(centredX.error()));
    auto centredWeight = centred(weight, weightZero);
    if (!centredWeight) return fail(std::move(centredWeight.error()));
    return IntegerConv{*channels, *window, std::move(*centredX), std::move(*centredWeight)};
}

Result<Kernel> makeConvInteger(const Node& node, std::int64_t) {
    const auto attributes = windowAttributes(node);
    if (!attributes) return fail(attributes.error());
    const std::int64_t groups = node.intAttribute("group", 1);
    return makeChecked(2, [attributes = *attributes, groups](const Inputs& inputs, KernelOutputs& outputs) -> Status {
        const auto conv = prepareIntegerConv(attributes, groups, inputs[0], inputs[2], inputs[1], inputs[3]);
        if (!conv) return fail(conv.error());
        const Shape shape = conv->window.outputShape(inputs[0].shape[0], inputs[1].shape[0]);
        auto out = makeOutputAs<std::int32_t>(outputs, 0, shape);
        if (!out) return fail(std::move(out.error()));
        if (*out == nullptr) return {};
        std::fill_n(*out, product(shape), 0);
        convolve(conv->channels, conv->window, conv->x.data(), conv->weight.data(), *out);
        return {};
    });
}

/// Inputs: x, x_scale, x_zero_point, w, w_scale, w_zero_point, y_scale, y_zero_point, bias (int32).
Result<Kernel> makeQLinearConv(const Node& node, std::int64_t) {
    const auto attributes = windowAttributes(node);
    if (!attributes) return fail(attributes.error());
    const std::int64_t groups = node.intAttribute("group", 1);
    return makeChecked(8, [attributes = *attributes, groups](const Inputs& inputs, KernelOutputs& outputs) -> Status {
        const auto conv = prepareIntegerConv(attributes, groups, inputs[0], inputs[2], inputs[3], inputs[5]);
        if (!conv) return fail(conv.error());
        if (auto status = checkBias(inputs[8], conv->channels, DType::Int32); !status) return status;
        const std::int64_t channels = inputs[3].shape[0];
        const TensorView& weightScale = inputs[4];
        for (const std::size_t slot : {1, 4, 6}) {
            const bool fits = inputs[slot].count() == 1 || (slot == 4 && inputs[slot].count() == channels);
            if (inputs[slot].dtype != DType::Float || !fits) return invalid("A scale of QLinearConv does not fit.");
        }
        if (inputs[7].count() != 1) return invalid("QLinearConv needs one zero point for its output.");
        const std::int64_t planeSize = conv->window.outCount();
        std::vector<std::int32_t> sums(static_cast<std::size_t>(inputs[0].shape[0] * channels * planeSize));
        fillBias(conv->channels, planeSize, inputs[8], sums.data());
        convolve(conv->channels, conv->window, conv->x.data(), conv->weight.data(), sums.data());
        return dispatch(Types<std::uint8_t, std::int8_t>{}, inputs[7].dtype, [&]<typename Q>() -> Status {
            auto out = makeOutputAs<Q>(outputs, 0, conv->window.outputShape(inputs[0].shape[0], channels));
            if (!out) return fail(std::move(out.error()));
            if (*out == nullptr) return {};
            for (std::size_t i = 0; i < sums.size(); ++i) {
                const auto channel = (static_cast<std::int64_t>(i) / planeSize) % channels;
                const float scale = *inputs[1].as<float>() *
                                    weightScale.as<float>()[weightScale.count() == 1 ? 0 : channel] /
                                    *inputs[6].as<float>();
                const double real = std::nearbyint(static_cast<double>(static_cast<float>(sums[i]) * scale));
                (*out)[i] = saturated<Q>(real + *inputs[7].as<Q>());
            }
            return {};
        });
    });
}

constexpr KernelEntry kConvolutionDirectKernels[] = {
    {"Conv", halfToo<&makeConv>},
    {"ConvTranspose", halfToo<&makeConvTranspose>},
    {"ConvInteger", makeConvInteger},
    {"QLinearConv", makeQLinearConv},
};

}  // namespace

std::span<const KernelEntry> convKernels() {
    return kConvolutionDirectKernels;
}

}  // namespace equant::kernels
