// SPDX-License-Identifier: Apache-2.0
// Pools over one to three spatial axes, their global forms, and MaxUnpool.
#include "core/runtime/kernels/convolution_internal.h"

namespace equant::kernels {
namespace {

/// Part of one window that lies inside the input along one axis: kernel offsets [first, last).
struct Reach {
    std::int64_t start, first, last;
};

Reach reachOf(const Window& w, std::size_t axis, std::int64_t out) {
    const std::int64_t start = out * w.stride[axis] - w.before[axis];
    const std::int64_t step = w.dilation[axis];
    const std::int64_t first = start >= 0 ? 0 : (-start + step - 1) / step;
    const std::int64_t room = w.in[axis] - start;
    return {start, first, std::min(w.kernel[axis], room <= 0 ? 0 : (room - 1) / step + 1)};
}

/// Calls begin(outIndex) / take(inIndex) / end(outIndex, reaches) for every window of one plane.
template <typename Begin, typename Take, typename End>
void forEachWindow(const Window& w, Begin begin, Take take, End end) {
    std::int64_t index = 0;
    for (std::int64_t d = 0; d < w.out[0]; ++d) {
        const Reach rd = reachOf(w, 0, d);
        for (std::int64_t h = 0; h < w.out[1]; ++h) {
            const Reach rh = reachOf(w, 1, h);
            for (std::int64_t x = 0; x < w.out[2]; ++x, ++index) {
                const Reach rx = reachOf(w, 2, x);
                begin();
                for (std::int64_t kd = rd.first; kd < rd.last; ++kd) {
                    for (std::int64_t kh = rh.first; kh < rh.last; ++kh) {
                        const std::int64_t row =
                            ((rd.start + kd * w.dilation[0]) * w.in[1] + rh.start + kh * w.dilation[1]) * w.in[2];
                        for (std::int64_t kx = rx.first; kx < rx.last; ++kx) take(row + rx.start + kx * w.dilation[2]);
                    }
                }
                end(index, Triple{d, h, x});
            }
        }
    }
}

/// Positions of a window that lie inside the input or its declared padding (not beyond, where ceil_mode may reach).
std::int64_t paddedCount(const Window& w, const Triple& at) {
    std::int64_t count = 1;
    for (std::size_t axis = 0; axis < 3; ++axis) {
        const std::int64_t room = w.in[axis] + w.after[axis] - (at[axis] * w.stride[axis] - w.before[axis]);
        count *= std::min(w.kernel[axis], (room - 1) / w.dilation[axis] + 1);
    }
    return count;
}

template <typename T>
void averagePlane(const Window& w, bool countsPadding, const T* in, T* out) {
    double sum = 0;
    std::int64_t count = 0;
    forEachWindow(
        w, [&] { sum = 0, count = 0; }, [&](std::int64_t i) { sum += static_cast<double>(in[i]), ++count; },
        [&](std::int64_t index, const Triple& at) {
            const std::int64_t divisor = countsPadding ? paddedCount(w, at) : count;
            out[index] = divisor > 0 ? static_cast<T>(sum / static_cast<double>(divisor)) : T{0};
        });
}

template <typename T>
void maxPlane(const Window& w, const T* in, T* out, std::int64_t* indices, std::int64_t base, bool isColumnMajor) {
    constexpr T kLowest =
        std::numeric_limits<T>::has_infinity ? -std::numeric_limits<T>::infinity() : std::numeric_limits<T>::lowest();
    T best = kLowest;
    std::int64_t where = -1;
    forEachWindow(
        w, [&] { best = kLowest, where = -1; },
        [&](std::int64_t i) {
            if (where < 0 || in[i] > best || in[i] != in[i]) best = in[i], where = i;
        },
        [&](std::int64_t index, const Triple&) {
            out[index] = best;
            if (indices == nullptr) return;
            if (isColumnMajor && where >= 0) {
                const std::int64_t x = where % w.in[2], h = (where / w.in[2]) % w.in[1],
                                   d = where / (w.in[2] * w.in[1]);
                indices[index] = base + (x * w.in[1] + h) * w.in[0] + d;
            } else {
                indices[index] = base + where;
            }
        });
}

template <typename T>
void lpPlane(const Window& w, double p, const T* in, T* out) {
    double sum = 0;
    forEachWindow(
        w, [&] { sum = 0; }, [&](std::int64_t i) { sum += std::pow(std::fabs(static_cast<double>(in[i])), p); },
        [&](std::int64_t index, const Triple&) { out[index] = static_cast<T>(std::pow(sum, 1 / p)); });
}

/// The window of a pool: its attributes', or the whole image.
Result<Window> poolWindow(const WindowAttributes& attributes, bool isGlobal, const TensorView& x) {
    if (!isGlobal) return resolveWindow(attributes, x.shape, {});
    if (x.shape.size() < 2) return invalid("A global pool needs an input [N, C, ...], not {}.", show(x.shape));
    return globalWindow(x.shape);
}

Shape poolShape(const Window& w, bool isGlobal, const TensorView& x) {
    if (!isGlobal) return w.outputShape(x.shape[0], x.shape[1]);
    Shape shape = shapeOf(x);
    std::fill(shape.begin() + 2, shape.end(), 1);
    return shape;
}

template <bool isGlobal>
Result<Kernel> makeAveragePool(const Node& node, std::int64_t) {
    const auto attributes = windowAttributes(node);
    if (!attributes) return fail(attributes.error());
    const bool countsPadding = node.intAttribute("count_include_pad", 0) != 0;
    return makeChecked(
        1, [attributes = *attributes, countsPadding](const Inputs& inputs, KernelOutputs& outputs) -> Status {
            const TensorView& x = inputs[0];
            const auto window = poolWindow(attributes, isGlobal, x);
            if (!window) return fail(window.error());
            return dispatch(FloatTypes{}, x.dtype, [&]<typename T>() -> Status {
                auto out = makeOutputAs<T>(outputs, 0, poolShape(*window, isGlobal, x));
                if (!out) return fail(std::move(out.error()));
                if (*out == nullptr) return {};
                for (std::int64_t plane = 0; plane < x.shape[0] * x.shape[1]; ++plane) {
                    averagePlane(*window, countsPadding, x.as<T>() + plane * window->inCount(),
                                 *out + plane * window->outCount());
                }
                return {};
            });
        });
}

template <bool isGlobal>
Result<Kernel> makeMaxPool(const Node& node, std::int64_t) {
    const auto attributes = windowAttributes(node);
    if (!attributes) return fail(attributes.error());
    const bool isColumnMajor = node.intAttribute("storage_order", 0) != 0;
    const bool hasIndices = !isGlobal && node.outputs.size() > 1 && !node.outputs[1].empty();
    return makeChecked(1, [=, attributes = *attributes](const Inputs& inputs, KernelOutputs& outputs) -> Status {
        const TensorView& x = inputs[0];
        const auto window = poolWindow(attributes, isGlobal, x);
        if (!window) return fail(window.error());
        const Shape shape = poolShape(*window, isGlobal, x);
        return dispatch(Types<float, double, std::int8_t, std::uint8_t>{}, x.dtype, [&]<typename T>() -> Status {
            auto out = makeOutputAs<T>(outputs, 0, shape);
            if (!out) return fail(std::move(out.error()));
            auto indices = hasIndices ? makeOutputAs<std::int64_t>(outputs, 1, shape) : Result<std::int64_t*>(nullptr);
            if (!indices) return fail(std::move(indices.error()));
            if (*out == nullptr) return {};
            for (std::int64_t plane = 0; plane < x.shape[0] * x.shape[1]; ++plane) {
                const std::int64_t base = plane * window->inCount();
                const std::int64_t target = plane * window->outCount();
                maxPlane(*window, x.as<T>() + base, *out + target, *indices == nullptr ? nullptr : *indices + target,
                         base, isColumnMajor);
            }
            return {};
        });
    });
}

template <bool isGlobal>
Result<Kernel> makeLpPool(const Node& node, std::int64_t) {
    const auto attributes = windowAttributes(node);
    if (!attributes) return fail(attributes.error());
    const auto p = static_cast<double>(node.intAttribute("p", 2));
    return makeChecked(1, [attributes = *attributes, p](const Inputs& inputs, KernelOutputs& outputs) -> Status {
        const TensorView& x = inputs[0];
        const auto window = poolWindow(attributes, isGlobal, x);
        if (!window) return fail(window.error());
        return dispatch(FloatTypes{}, x.dtype, [&]<typename T>() -> Status {
            auto out = makeOutputAs<T>(outputs, 0, poolShape(*window, isGlobal, x));
            if (!out) return fail(std::move(out.error()));
            if (*out == nullptr) return {};
            for (std::int64_t plane = 0; plane < x.shape[0] * x.shape[1]; ++plane) {
                lpPlane(*window, p, x.as<T>() + plane * window->inCount(), *out + plane * window->outCount());
            }
            return {};
        });
    });
}

/// Puts every value at the place of its index from MaxPool (over the whole tensor), zeros elsewhere.
Result<Kernel> makeMaxUnpool(const Node& node, std::int64_t) {
    const auto attributes = windowAttributes(node);
    if (!attributes) return fail(attributes.error());
    return makeChecked(2, [attributes = *attributes](const Inputs& inputs, KernelOutputs& outputs) -> Status {
        const TensorView& x = inputs[0];
        const auto window = resolveTransposedWindow(attributes, x.shape, attributes.kernel, {}, {});
        if (!window) return fail(window.error());
        // Indices count over the default output; a larger requested one keeps each plane's top left corner.
        const Shape shape = window->outputShape(x.shape[0], x.shape[1]);
        Shape wanted = shape;
        if (inputs.has(2)) {
            auto given = readIntegers(inputs[2]);
            if (!given) return fail(std::move(given.error()));
            wanted = std::move(*given);
        }
        bool fits = wanted.size() == shape.size() && inputs[1].dtype == DType::Int64 && inputs[1].count() == x.count();
        for (std::size_t axis = 0; fits && axis < shape.size(); ++axis) fits = wanted[axis] >= shape[axis];
        if (!fits)
            return invalid("The indices or the output shape of MaxUnpool do not fit its input {}.", show(x.shape));
        const Shape strides = stridesOf(shape);
        const Shape wantedStrides = stridesOf(wanted);
        const std::int64_t limit = product(shape);
        return dispatch(FloatTypes{}, x.dtype, [&]<typename T>() -> Status {
            auto out = makeOutputAs<T>(outputs, 0, wanted);
            if (!out) return fail(std::move(out.error()));
            if (*out == nullptr) return {};
            std::fill_n(*out, product(wanted), T{0});
            for (std::int64_t i = 0; i < x.count(); ++i) {
                std::int64_t rest = inputs[1].as<std::int64_t>()[i];
                if (rest < 0 || rest >= limit) return invalid("Index {} of MaxUnpool is outside its output.", rest);
                std::int64_t target = 0;
                for (std::size_t axis = 0; axis < shape.size(); ++axis) {
                    target += rest / strides[axis] * wantedStrides[axis];
                    rest %= strides[axis];
                }
                (*out)[target] = x.as<T>()[i];
            }
            return {};
        });
    });
}

constexpr KernelEntry kConvolutionPoolKernels[] = {
    {"AveragePool", halfToo<&makeAveragePool<false>>},
    {"GlobalAveragePool", halfToo<&makeAveragePool<true>>},
    {"MaxPool", halfToo<&makeMaxPool<false>>},
    {"GlobalMaxPool", halfToo<&makeMaxPool<true>>},
    {"LpPool", halfToo<&makeLpPool<false>>},
    {"GlobalLpPool", halfToo<&makeLpPool<true>>},
    {"MaxUnpool", makeMaxUnpool},
};

}  // namespace

std::span<const KernelEntry> poolKernels() {
    return kConvolutionPoolKernels;
}

}  // namespace equant::kernels
