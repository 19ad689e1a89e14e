// SPDX-License-Identifier: Apache-2.0
#include "core/runtime/kernels/fake_quantize.h"

#include <cmath>
#include <fmt/format.h>

#include "core/runtime/kernels/wide.h"

namespace equant {
namespace {

struct Grid {
    float scale;
    float zeroPoint;
    float low;
    float high;
};

Grid gridOf(const Encoding& encoding, std::size_t channel) {
    return {encoding.scale[channel], static_cast<float>(encoding.zeroPoint[channel]),
            static_cast<float>(encoding.qMin()), static_cast<float>(encoding.qMax())};
}

EQUANT_WIDE void roundEven(const float* from, float* to, std::size_t count, Grid grid) {
    const float scale = grid.scale;
    const float zeroPoint = grid.zeroPoint;
    const float low = grid.low;
    const float high = grid.high;
#pragma GCC ivdep
    for (std::size_t i = 0; i < count; ++i) {
        float q = std::rint(from[i] / scale) + zeroPoint;
        q = q < low ? low : q;
        q = q > high ? high : q;
        to[i] = (q - zeroPoint) * scale;
    }
}

EQUANT_WIDE void roundAway(const float* from, float* to, std::size_t count, Grid grid) {
    const float scale = grid.scale;
    const float zeroPoint = grid.zeroPoint;
    const float low = grid.low;
    const float high = grid.high;
#pragma GCC ivdep
    for (std::size_t i = 0; i < count; ++i) {
        const float x = from[i] / scale;
        const float whole = std::trunc(x);
        // Exact in float, unlike trunc(x + 0.5), which rounds 0.49999997 up.
        const float step = std::fabs(x - whole) >= 0.5F ? std::copysign(1.0F, x) : 0.0F;
        float q = whole + step + zeroPoint;
        q = q < low ? low : q;
        q = q > high ? high : q;
        to[i] = (q - zeroPoint) * scale;
    }
}

/// Calls f(pointer, count, channel) for every run of values that share a channel.
template <typename F>
void forEachRun(float* values, std::size_t count, const Shape& shape, const Encoding& encoding, F&& f) {
    if (!encoding.isPerChannel()) {
        f(values, count, std::size_t{0});
        return;
    }
    const auto axis = static_cast<std::size_t>(encoding.axis);
    const auto channels = static_cast<std::size_t>(shape[axis]);
    std::size_t inner = 1;
    for (std::size_t i = axis + 1; i < shape.size(); ++i) inner *= static_cast<std::size_t>(shape[i]);
    for (std::size_t at = 0, run = 0; at < count; at += inner, ++run) f(values + at, inner, run % channels);
}

}  // namespace

Status checkEncoding(const Encoding& encoding, const Shape& shape) {
    std::size_t expected = 1;
    if (encoding.isPerChannel()) {
        if (static_cast<std::size_t>(encoding.axis) >= shape.size()) {
            return fail(ErrorCode::InvalidArgument,
                        fmt::format("The encoding counts channels along axis {}, but the tensor has shape {}.",
                                    encoding.axis, toString(shape)));
        }
        expected = static_cast<std::size_t>(shape[static_cast<std::size_t>(encoding.axis)]);
    }
    if (encoding.scale.size() != expected || encoding.zeroPoint.size() != expected) {
        return fail(ErrorCode::InvalidArgument,
                    fmt::format("The encoding has {} scales and {} zero points where {} are needed for shape {}.",
                                encoding.scale.size(), encoding.zeroPoint.size(), expected, toString(shape)));
    }
    for (const float scale : encoding.scale) {
        if (!(scale > 0.0F) || !std::isfinite(scale)) {
            return fail(ErrorCode::InvalidArgument,
                        fmt::format("The encoding's scale {} is not a positive number.", scale));
        }
    }
    return {};
}

void fakeQuantizePerTensor(const float* from, float* to, std::size_t count, const Encoding& encoding,
                           std::size_t channel) {
    const Grid grid = gridOf(encoding, channel);
    if (encoding.rounding == Rounding::HalfToEven) {
        roundEven(from, to, count, grid);
    } else {
        roundAway(from, to, count, grid);
    }
}

void fakeQuantizePerTensor(float* values, std::size_t count, const Encoding& encoding, std::size_t channel) {
    fakeQuantizePerTensor(values, values, count, encoding, channel);
}

Status fakeQuantize(std::span<float> values, const Shape& shape, const Encoding& encoding) {
    if (auto status = checkEncoding(encoding, shape); !status) return status;
    forEachRun(values.data(), values.size(), shape, encoding, [&](float* run, std::size_t count, std::size_t channel) {
        fakeQuantizePerTensor(run, count, encoding, channel);
    });
    return {};
}

Result<Tensor> fakeQuantized(const Tensor& tensor, const Encoding& encoding) {
    if (tensor.dtype() != DType::Float) {
        return fail(ErrorCode::InvalidArgument,
                    fmt::format("Only float tensors can be quantized, this one is {}.", name(tensor.dtype())));
    }
    Tensor result = tensor;
    if (auto status = fakeQuantize(result.mutableData<float>(), result.shape(), encoding); !status)
        return fail(status.error());
    return result;
}

Result<Tensor> quantizedIntegers(const Tensor& tensor, const Encoding& encoding) {
    auto real = fakeQuantized(tensor, encoding);
    if (!real) return real;
    Tensor result(DType::Int32, tensor.shape());
    const auto integers = result.mutableData<std::int32_t>();
    float* values = real->mutableData<float>().data();
    std::size_t at = 0;
    forEachRun(values, integers.size(), tensor.shape(), encoding,
               [&](const float* run, std::size_t count, std::size_t channel) {
                   for (std::size_t i = 0; i < count; ++i) {
                       const double steps = double(run[i]) / double(encoding.scale[channel]);
                       integers[at++] = static_cast<std::int32_t>(std::lrint(steps)) + encoding.zeroPoint[channel];
                   }
               });
    return result;
}

}  // namespace equant
