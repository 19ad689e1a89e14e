// SPDX-License-Identifier: Apache-2.0
// Operators whose output depends on values: TopK, NonZero, Compress.
#include "core/runtime/kernels/selection_internal.h"

namespace equant::kernels {
namespace {

/// NaN counts as the largest value, so that the order is total.
template <typename T>
bool isGreater(T a, T b) {
    if constexpr (std::is_floating_point_v<T>) {
        if (std::isnan(a) || std::isnan(b)) return std::isnan(a) && !std::isnan(b);
    }
    return a > b;
}

/// K is an attribute before opset 10 and an input since. Equal values keep the order of their indices.
Result<Kernel> makeTopK(const Node& node, std::int64_t opset) {
    const std::int64_t axis = node.intAttribute("axis", -1);
    const bool isLargest = node.intAttribute("largest", 1) != 0;
    const std::int64_t fixed = opset < 10 ? node.intAttribute("k", -1) : -1;
    return makeChecked(opset < 10 ? 1 : 2, [=](const Inputs& inputs, KernelOutputs& outputs) -> Status {
        const TensorView& x = inputs[0];
        const auto normal = normalizeAxis(axis, rankOf(x));
        if (!normal) return fail(normal.error());
        const auto given = integersFrom(inputs, 1, {fixed});
        if (!given) return fail(given.error());
        const AxisSplit split = splitAt(x.shape, *normal);
        if (given->size() != 1 || given->front() < 0 || given->front() > split.extent) {
            return invalid("TopK cannot take {} of {} elements.", fmt::join(*given, ", "), split.extent);
        }
        const std::int64_t k = given->front();
        Shape shape = shapeOf(x);
        shape[static_cast<std::size_t>(*normal)] = k;
        return dispatch(NumberTypes{}, x.dtype, [&]<typename T>() -> Status {
            auto values = makeOutputAs<T>(outputs, 0, shape);
            auto indices = makeOutputAs<std::int64_t>(outputs, 1, shape);
            if (!values) return fail(std::move(values.error()));
            if (!indices) return fail(std::move(indices.error()));
            std::vector<std::int64_t> order(static_cast<std::size_t>(split.extent));
            for (std::int64_t row = 0; row < split.outer * split.inner; ++row) {
                const T* in = x.as<T>() + (row / split.inner) * split.extent * split.inner + row % split.inner;
                std::iota(order.begin(), order.end(), 0);
                std::partial_sort(order.begin(), order.begin() + k, order.end(), [&](std::int64_t a, std::int64_t b) {
                    const T left = in[a * split.inner], right = in[b * split.inner];
                    if (isLargest ? isGreater(left, right) : isGreater(right, left)) return true;
                    if (isLargest ? isGreater(right, left) : isGreater(left, right)) return false;
                    return a < b;
                });
                for (std::int64_t i = 0; i < k; ++i) {
                    const std::int64_t at = (row / split.inner * k + i) * split.inner + row % split.inner;
                    if (*values != nullptr) (*values)[at] = in[order[static_cast<std::size_t>(i)] * split.inner];
                    if (*indices != nullptr) (*indices)[at] = order[static_cast<std::size_t>(i)];
                }
            }
            return {};
        });
    });
}

Result<Kernel> makeNonZero(const Node&, std::int64_t) {
    return makeChecked(1, [](const Inputs& inputs, KernelOutputs& outputs) -> Status {
        const TensorView& x = inputs[0];
        return dispatch(NumberAndBoolTypes{}, x.dtype, [&]<typename T>() -> Status {
            std::vector<std::int64_t> found;
            for (std::int64_t i = 0; i < x.count(); ++i) {
                if (x.as<T>()[i] != T{0}) found.push_back(i);
            }
            const auto count = static_cast<std::int64_t>(found.size());
            auto out = makeOutputAs<std::int64_t>(outputs, 0, {rankOf(x), count});
            if (!out) return fail(std::move(out.error()));
            if (*out == nullptr) return {};
            const Shape strides = stridesOf(x.shape);
            for (std::size_t axis = 0; axis < x.shape.size(); ++axis) {
                for (std::size_t i = 0; i < found.size(); ++i) {
                    (*out)[axis * found.size() + i] = found[i] / strides[axis] % x.shape[axis];
                }
            }
            return {};
        });
    });
}

Result<Kernel> makeCompress(const Node& node, std::int64_t) {
    const bool hasAxis = node.attribute("axis") != nullptr;
    const std::int64_t axis = node.intAttribute("axis", 0);
    return makeChecked(2, [=](const Inputs& inputs, KernelOutputs& outputs) -> Status {
        const TensorView& x = inputs[0];
        if (inputs[1].dtype != DType::Bool) return invalid("The condition of Compress must be boolean.");
        AxisSplit split{1, x.count(), 1};
        std::int64_t normal = 0;
        if (hasAxis) {
            const auto found = normalizeAxis(axis, rankOf(x));
            if (!found) return fail(found.error());
            normal = *found;
            split = splitAt(x.shape, normal);
        }
        std::vector<std::int64_t> kept;
        for (std::int64_t i = 0; i < std::min(inputs[1].count(), split.extent); ++i) {
            if (inputs[1].as<bool>()[i]) kept.push_back(i);
        }
        Shape shape = hasAxis ? shapeOf(x) : Shape{0};
        shape[static_cast<std::size_t>(normal)] = static_cast<std::int64_t>(kept.size());
        const std::size_t run = static_cast<std::size_t>(split.inner) * bytesPerElement(x.dtype);
        if (bytesPerElement(x.dtype) == 0) return unsupported("Compress of {} is not supported.", name(x.dtype));
        auto memory = makeOutput(outputs, 0, x.dtype, shape);
        if (!memory) return fail(std::move(memory.error()));
        if (*memory == nullptr || product(shape) == 0) return {};
        std::byte* out = *memory;
        for (std::int64_t o = 0; o < split.outer; ++o) {
            for (const auto index : kept) {
                std::memcpy(out, x.data + static_cast<std::size_t>(o * split.extent + index) * run, run);
                out += run;
            }
        }
        return {};
    });
}

constexpr KernelEntry kSelectionPickKernels[] = {
    {"TopK", halfToo<&makeTopK>}, {"NonZero", halfToo<&makeNonZero>}, {"Compress", makeCompress}};

}  // namespace

std::span<const KernelEntry> pickKernels() {
    return kSelectionPickKernels;
}

}  // namespace equant::kernels
