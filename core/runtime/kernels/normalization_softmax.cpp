// SPDX-License-Identifier: Apache-2.0
// Softmax, LogSoftmax and Hardmax. Before opset 13 everything from the axis on is one row; since then only the axis is.
#include "core/runtime/kernels/normalization_internal.h"
#include "core/runtime/kernels/vector_math_internal.h"

namespace equant::kernels {
namespace {

enum class Kind { Softmax, LogSoftmax, Hardmax };

/// Lanes that let a reduction vectorize while its order stays fixed.
constexpr std::int64_t kRowLanes = 16;

template <typename T>
T rowMaximum(const T* x, std::int64_t n) {
    std::array<T, kRowLanes> lanes;
    lanes.fill(-std::numeric_limits<T>::infinity());
    std::int64_t i = 0;
    for (; i + kRowLanes <= n; i += kRowLanes) {
        for (std::int64_t l = 0; l < kRowLanes; ++l) lanes[l] = x[i + l] > lanes[l] ? x[i + l] : lanes[l];
    }
    for (; i < n; ++i) lanes[0] = std::max(lanes[0], x[i]);
    return *std::max_element(lanes.begin(), lanes.end());
}

/// out = exp(x - shift); returns the sum.
template <typename T>
double rowExponentials(const T* x, std::int64_t n, T shift, T* __restrict out) {
    for (std::int64_t i = 0; i < n; ++i) out[i] = fastExp(x[i] - shift);
    std::array<double, kRowLanes> lanes{};
    std::int64_t i = 0;
    for (; i + kRowLanes <= n; i += kRowLanes) {
        for (std::int64_t l = 0; l < kRowLanes; ++l) lanes[l] += static_cast<double>(out[i + l]);
    }
    for (; i < n; ++i) lanes[0] += static_cast<double>(out[i]);
    return std::accumulate(lanes.begin(), lanes.end(), 0.0);
}

template <typename T>
void softmaxRow(const T* x, std::int64_t n, bool isLog, T* out) {
    const T shift = rowMaximum(x, n);
    const double sum = rowExponentials(x, n, shift, out);
    if (isLog) {
        const T logarithm = static_cast<T>(std::log(sum));  // not added to shift: large inputs would swallow it
        for (std::int64_t i = 0; i < n; ++i) out[i] = (x[i] - shift) - logarithm;
    } else {
        const T factor = static_cast<T>(1 / sum);
        for (std::int64_t i = 0; i < n; ++i) out[i] *= factor;
    }
}

/// The same along the first axis of [extent, inner]; loops run along the contiguous inner axis.
template <typename T>
void softmaxColumns(const T* x, std::int64_t extent, std::int64_t inner, bool isLog, T* out, std::vector<T>& scratch) {
    scratch.assign(static_cast<std::size_t>(2 * inner), T{0});
    T* highest = scratch.data();
    T* sums = highest + inner;
    std::copy_n(x, inner, highest);
    for (std::int64_t k = 1; k < extent; ++k) {
        for (std::int64_t i = 0; i < inner; ++i)
            highest[i] = x[k * inner + i] > highest[i] ? x[k * inner + i] : highest[i];
    }
    for (std::int64_t k = 0; k < extent; ++k) {
        for (std::int64_t i = 0; i < inner; ++i) {
            out[k * inner + i] = fastExp(x[k * inner + i] - highest[i]);
            sums[i] += out[k * inner + i];
        }
    }
    if (isLog) {
        for (std::int64_t i = 0; i < inner; ++i) sums[i] = std::log(sums[i]);
    }
    for (std::int64_t k = 0; k < extent; ++k) {
        for (std::int64_t i = 0; i < inner; ++i) {
            out[k * inner + i] = isLog ? (x[k * inner + i] - highest[i]) - sums[i] : out[k * inner + i] / sums[i];
        }
    }
}

template <typename T>
void hardmaxColumn(const T* x, std::int64_t extent, std::int64_t inner, T* out) {
    std::int64_t best = 0;
    for (std::int64_t k = 0; k < extent; ++k) {
        out[k * inner] = T{0};
        if (x[k * inner] > x[best * inner]) best = k;
    }
    out[best * inner] = T{1};
}

template <Kind kind>
Result<Kernel> makeSoftmax(const Node& node, std::int64_t opset) {
    const bool isFlattening = opset < 13;
    const std::int64_t axis = node.intAttribute("axis", isFlattening ? 1 : -1);
    return makeChecked(1, [=](const Inputs& inputs, KernelOutputs& outputs) -> Status {
        const TensorView& x = inputs[0];
        const std::int64_t rank = rankOf(x);
        AxisSplit split{1, 1, 1};
        if (isFlattening ? !(axis == rank || (rank == 0 && axis == 1)) : rank > 0) {
            const auto normal = normalizeAxis(axis, rank);
            if (!normal) return fail(normal.error());
            split = splitAt(x.shape, *normal);
            if (isFlattening) split = {split.outer, split.extent * split.inner, 1};
        } else {
            split.outer = x.count();  // every element is a row of its own
        }
        return dispatch(FloatTypes{}, x.dtype, [&]<typename T>() -> Status {
            auto out = makeOutputAs<T>(outputs, 0, shapeOf(x));
            if (!out) return fail(std::move(out.error()));
            if (*out == nullptr || x.count() == 0) return {};
            std::vector<T> scratch;
            for (std::int64_t o = 0; o < split.outer; ++o) {
                const T* in = x.as<T>() + o * split.extent * split.inner;
                T* target = *out + o * split.extent * split.inner;
                if (kind == Kind::Hardmax) {
                    for (std::int64_t i = 0; i < split.inner; ++i) {
                        hardmaxColumn(in + i, split.extent, split.inner, target + i);
                    }
                } else if (split.inner == 1) {
                    softmaxRow(in, split.extent, kind == Kind::LogSoftmax, target);
                } else {
                    softmaxColumns(in, split.extent, split.inner, kind == Kind::LogSoftmax, target, scratch);
                }
            }
            return {};
        });
    });
}

constexpr KernelEntry kNormalizationSoftmaxKernels[] = {
    {"Softmax", halfToo<&makeSoftmax<Kind::Softmax>>},
    {"LogSoftmax", halfToo<&makeSoftmax<Kind::LogSoftmax>>},
    {"Hardmax", halfToo<&makeSoftmax<Kind::Hardmax>>},
};

}  // namespace

std::span<const KernelEntry> softmaxKernels() {
    return kNormalizationSoftmaxKernels;
}

}  // namespace equant::kernels
