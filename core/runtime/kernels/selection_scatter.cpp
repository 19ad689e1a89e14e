// SPDX-License-Identifier: Apache-2.0
// Operators that write at given indices: ScatterElements (and its old name Scatter), ScatterND, OneHot.
#include "core/runtime/kernels/selection_internal.h"

namespace equant::kernels {
namespace {

enum class Update { Replace, Add, Mul, Max, Min };

Result<Update> updateOf(const Node& node) {
    const auto mode = node.stringAttribute("reduction", "none");
    if (mode == "none") return Update::Replace;
    if (mode == "add") return Update::Add;
    if (mode == "mul") return Update::Mul;
    if (mode == "max") return Update::Max;
    if (mode == "min") return Update::Min;
    return unsupported("{} does not know the reduction \"{}\".", node.opType, mode);
}

template <typename T>
void apply(Update update, T& target, T value) {
    if constexpr (std::is_same_v<T, bool>) {
        target = update == Update::Replace || update == Update::Add || update == Update::Max
                     ? (update == Update::Replace ? value : target || value)
                     : target && value;
    } else {
        switch (update) {
            case Update::Replace:
                target = value;
                break;
            case Update::Add:
                target = wrapAdd(target, value);
                break;
            case Update::Mul:
                target = wrapMultiply(target, value);
                break;
            case Update::Max:
                target = std::max(target, value);
                break;
            case Update::Min:
                target = std::min(target, value);
                break;
        }
    }
}

Result<Kernel> makeScatterElements(const Node& node, std::int64_t) {
    const std::int64_t axis = node.intAttribute("axis", 0);
    const auto update = updateOf(node);
    if (!update) return fail(update.error());
    return makeChecked(3, [axis, update = *update](const Inputs& inputs, KernelOutputs& outputs) -> Status {
        const TensorView& x = inputs[0];
        const TensorView& updates = inputs[2];
        const auto normal = normalizeAxis(axis, rankOf(x));
        if (!normal) return fail(normal.error());
        const auto indices = readIntegers(inputs[1]);
        if (!indices) return fail(indices.error());
        const Shape shape = shapeOf(updates);
        bool fits = shape == shapeOf(inputs[1]) && shape.size() == x.shape.size() && updates.dtype == x.dtype;
        for (std::size_t a = 0; fits && a < shape.size(); ++a) {
            fits = static_cast<std::int64_t>(a) == *normal || shape[a] <= x.shape[a];
        }
        if (!fits) return invalid("Updates of shape {} do not fit a tensor of {}.", toString(shape), show(x.shape));
        const std::int64_t extent = x.shape[static_cast<std::size_t>(*normal)];
        Shape strides = stridesOf(x.shape);
        const std::int64_t stride = std::exchange(strides[static_cast<std::size_t>(*normal)], 0);
        return dispatch(NumberAndBoolTypes{}, x.dtype, [&]<typename T>() -> Status {
            auto out = makeOutputAs<T>(outputs, 0, shapeOf(x));
            if (!out) return fail(std::move(out.error()));
            if (*out == nullptr) return {};
            std::copy_n(x.as<T>(), x.count(), *out);
            Status status;
            std::size_t next = 0;
            forEachElement(LoopNest<1>{shape, {strides}}, [&](const std::array<std::int64_t, 1>& at) {
                const auto index = normalizeIndex((*indices)[next], extent);
                if (index) {
                    apply(update, (*out)[at[0] + *index * stride], updates.as<T>()[next]);
                } else {
                    status = fail(index.error());
                }
                ++next;
            });
            return status;
        });
    });
}

Result<Kernel> makeScatterND(const Node& node, std::int64_t) {
    const auto update = updateOf(node);
    if (!update) return fail(update.error());
    return makeChecked(3, [update = *update](const Inputs& inputs, KernelOutputs& outputs) -> Status {
        const TensorView& x = inputs[0];
        const TensorView& at = inputs[1];
        const TensorView& updates = inputs[2];
        const auto indices = readIntegers(at);
        if (!indices) return fail(indices.error());
        const std::int64_t depth = at.shape.empty() ? -1 : at.shape.back();
        if (depth < 0 || depth > rankOf(x))
            return invalid("Indices of shape {} do not fit {}.", show(at.shape), show(x.shape));
        Shape expected(at.shape.begin(), at.shape.end() - 1);
        expected.insert(expected.end(), x.shape.begin() + depth, x.shape.end());
        if (expected != shapeOf(updates) || updates.dtype != x.dtype) {
            return invalid("Updates of shape {} are given where {} is expected.", show(updates.shape),
                           toString(expected));
        }
        const std::int64_t inner = product(x.shape.subspan(static_cast<std::size_t>(depth)));
        const std::int64_t tuples = product(at.shape.first(at.shape.size() - 1));
        return dispatch(NumberAndBoolTypes{}, x.dtype, [&]<typename T>() -> Status {
            auto out = makeOutputAs<T>(outputs, 0, shapeOf(x));
            if (!out) return fail(std::move(out.error()));
            if (*out == nullptr) return {};
            std::copy_n(x.as<T>(), x.count(), *out);
            for (std::int64_t t = 0; t < tuples; ++t) {
                std::int64_t offset = 0;
                for (std::int64_t d = 0; d < depth; ++d) {
                    const auto extent = x.shape[static_cast<std::size_t>(d)];
                    const auto index = normalizeIndex((*indices)[static_cast<std::size_t>(t * depth + d)], extent);
                    if (!index) return fail(index.error());
                    offset = offset * extent + *index;
                }
                for (std::int64_t i = 0; i < inner; ++i) {
                    apply(update, (*out)[offset * inner + i], updates.as<T>()[t * inner + i]);
                }
            }
            return {};
        });
    });
}

/// Inputs: indices, depth, values [off, on]. Indices outside leave their row off.
Result<Kernel> makeOneHot(const Node& node, std::int64_t) {
    const std::int64_t axis = node.intAttribute("axis", -1);
    return makeChecked(3, [axis](const Inputs& inputs, KernelOutputs& outputs) -> Status {
        const auto indices = readNumbers(inputs[0]);
        if (!indices) return fail(indices.error());
        const auto depths = readNumbers(inputs[1]);
        if (!depths) return fail(depths.error());
        if (depths->size() != 1 || !(depths->front() >= 0 && depths->front() < 1e12) || inputs[2].count() != 2) {
            return invalid("OneHot needs one depth and two values.");
        }
        const auto depth = static_cast<std::int64_t>(depths->front());
        const auto normal = normalizeAxis(axis, rankOf(inputs[0]) + 1);
        if (!normal) return fail(normal.error());
        Shape shape = shapeOf(inputs[0]);
        shape.insert(shape.begin() + *normal, depth);
        return dispatchBySize(inputs[2].dtype, [&]<typename T>() -> Status {
            auto memory = makeOutput(outputs, 0, inputs[2].dtype, shape);
            if (!memory) return fail(std::move(memory.error()));
            if (*memory == nullptr) return {};
            auto* out = reinterpret_cast<T*>(*memory);
            const T* values = inputs[2].as<T>();
            std::fill_n(out, product(shape), values[0]);
            const std::int64_t inner = product(Dims(shape).subspan(static_cast<std::size_t>(*normal) + 1));
            for (std::size_t i = 0; i < indices->size(); ++i) {
                double index = (*indices)[i];
                if (index < 0) index += static_cast<double>(depth);
                if (!(index >= 0 && index < static_cast<double>(depth))) continue;
                const auto row = static_cast<std::int64_t>(i);
                out[(row / inner * depth + static_cast<std::int64_t>(index)) * inner + row % inner] = values[1];
            }
            return {};
        });
    });
}

constexpr KernelEntry kSelectionScatterKernels[] = {
    {"Scatter", halfToo<&makeScatterElements>},
    {"ScatterElements", halfToo<&makeScatterElements>},
    {"ScatterND", halfToo<&makeScatterND>},
    {"OneHot", makeOneHot},
};

}  // namespace

std::span<const KernelEntry> scatterKernels() {
    return kSelectionScatterKernels;
}

}  // namespace equant::kernels
