// SPDX-License-Identifier: Apache-2.0
// Pad in all its modes. Every axis gets a table of the input index for each output index.
#include "core/runtime/kernels/movement_internal.h"

namespace equant::kernels {
namespace {

enum class PadMode { Constant, Reflect, Edge, Wrap };

/// Input index for each output index, -1 for the constant.
Result<std::vector<std::int64_t>> sourceIndices(PadMode mode, std::int64_t extent, std::int64_t before,
                                                std::int64_t after) {
    std::int64_t total = 0;
    if (__builtin_add_overflow(before, after, &total) || __builtin_add_overflow(total, extent, &total) || total < 0 ||
        total > (std::int64_t{1} << 40)) {
        return invalid("An axis of {} cannot be padded by {} and {}.", extent, before, after);
    }
    if (extent == 0 && total > 0 && mode != PadMode::Constant) {
        return invalid("An empty axis cannot be padded from its contents.");
    }
    std::vector<std::int64_t> source(static_cast<std::size_t>(total));
    for (std::int64_t i = 0; i < total; ++i) {
        std::int64_t at = i - before;
        if (mode == PadMode::Edge) {
            at = std::clamp(at, std::int64_t{0}, extent - 1);
        } else if (mode == PadMode::Wrap) {
            at = ((at % extent) + extent) % extent;
        } else if (mode == PadMode::Reflect) {
            const std::int64_t period = std::max<std::int64_t>(1, 2 * (extent - 1));
            at = ((at % period) + period) % period;
            at = at < extent ? at : period - at;
        } else if (at < 0 || at >= extent) {
            at = -1;
        }
        source[static_cast<std::size_t>(i)] = at;
    }
    return source;
}

template <typename T>
void padInto(const TensorView& x, const std::vector<std::vector<std::int64_t>>& sources, T fill, T* out) {
    const std::size_t last = sources.size() - 1;
    Shape dims;
    for (const auto& axis : sources) dims.push_back(static_cast<std::int64_t>(axis.size()));
    if (product(dims) == 0) return;
    const Shape strides = stridesOf(x.shape);
    const auto& row = sources[last];
    // The part of a row that shows consecutive input elements is copied at once.
    const auto isNext = [&](std::size_t i) { return row[i] >= 0 && row[i] == row[i - 1] + 1; };
    std::size_t first = 0;
    while (first < row.size() && row[first] != 0) ++first;
    std::size_t beyond = first < row.size() ? first + 1 : first;
    while (beyond < row.size() && isNext(beyond)) ++beyond;
    std::vector<std::size_t> index(last, 0);
    for (;;) {
        std::int64_t offset = 0;
        bool isFill = false;
        for (std::size_t axis = 0; axis < last; ++axis) {
            isFill = isFill || sources[axis][index[axis]] < 0;
            offset += sources[axis][index[axis]] * strides[axis];
        }
        if (isFill) {
            std::fill_n(out, row.size(), fill);
        } else {
            const T* in = x.as<T>() + offset;
            for (std::size_t i = 0; i < first; ++i) out[i] = row[i] < 0 ? fill : in[row[i]];
            if (beyond > first) std::memcpy(out + first, in, (beyond - first) * sizeof(T));
            for (std::size_t i = beyond; i < row.size(); ++i) out[i] = row[i] < 0 ? fill : in[row[i]];
        }
        out += row.size();
        std::size_t axis = last;
        while (axis > 0 && ++index[axis - 1] == sources[axis - 1].size()) index[--axis] = 0;
        if (axis == 0) return;
    }
}

Result<PadMode> padMode(const std::string& mode) {
    if (mode == "constant") return PadMode::Constant;
    if (mode == "reflect") return PadMode::Reflect;
    if (mode == "edge") return PadMode::Edge;
    if (mode == "wrap") return PadMode::Wrap;
    return unsupported("Pad does not know the mode \"{}\".", mode);
}

/// Amounts before and after every axis: [rank] pairs.
Result<std::vector<std::pair<std::int64_t, std::int64_t>>> padAmounts(const Inputs& inputs,
                                                                      const std::vector<std::int64_t>& pads) {
    const std::int64_t rank = rankOf(inputs[0]);
    std::vector<std::int64_t> axes(static_cast<std::size_t>(rank));
    std::iota(axes.begin(), axes.end(), 0);
    if (inputs.has(3)) {
        const auto given = readIntegers(inputs[3]);
        if (!given) return fail(given.error());
        auto normal = normalizeAxes(*given, rank);
        if (!normal) return fail(std::move(normal.error()));
        axes = std::move(*normal);
    }
    if (pads.size() != 2 * axes.size()) return invalid("Pad has {} amounts for {} axes.", pads.size(), axes.size());
    std::vector<std::pair<std::int64_t, std::int64_t>> amounts(static_cast<std::size_t>(rank), {0, 0});
    for (std::size_t i = 0; i < axes.size(); ++i) {
        amounts[static_cast<std::size_t>(axes[i])] = {pads[i], pads[axes.size() + i]};
    }
    return amounts;
}

Result<Kernel> makePad(const Node& node, std::int64_t opset) {
    const auto mode = padMode(node.stringAttribute("mode", "constant"));
    if (!mode) return fail(mode.error());
    const bool hasAttributes = opset < 11;
    const auto attribute = node.intsAttribute("pads");
    const float value = node.floatAttribute("value", 0);
    return makeChecked(
        hasAttributes ? 1 : 2, [=, mode = *mode](const Inputs& inputs, KernelOutputs& outputs) -> Status {
            const TensorView& x = inputs[0];
            const auto pads = hasAttributes ? Result<std::vector<std::int64_t>>(attribute) : readIntegers(inputs[1]);
            if (!pads) return fail(pads.error());
            const auto amounts = padAmounts(inputs, *pads);
            if (!amounts) return fail(amounts.error());
            std::vector<std::vector<std::int64_t>> sources;
            Shape shape;
            for (std::size_t axis = 0; axis < x.shape.size(); ++axis) {
                auto source = sourceIndices(mode, x.shape[axis], (*amounts)[axis].first, (*amounts)[axis].second);
                if (!source) return fail(std::move(source.error()));
                shape.push_back(static_cast<std::int64_t>(source->size()));
                sources.push_back(std::move(*source));
            }
            if (sources.empty()) return copyAs(x, {}, outputs);
            const bool hasValue = inputs.has(2) && inputs[2].count() == 1;
            if (hasValue && inputs[2].dtype != x.dtype)
                return invalid("The value of Pad must be of type {}.", name(x.dtype));
            return dispatchBySize(x.dtype, [&]<typename T>() -> Status {
                auto memory = makeOutput(outputs, 0, x.dtype, shape);
                if (!memory) return fail(std::move(memory.error()));
                if (*memory == nullptr) return {};
                T fill{0};
                if (hasValue) std::memcpy(&fill, inputs[2].data, sizeof(T));
                if (hasAttributes && x.dtype == DType::Float)
                    std::memcpy(&fill, &value, std::min(sizeof(T), sizeof(value)));
                if (hasAttributes && x.dtype == DType::Double) {
                    const double wide = value;
                    std::memcpy(&fill, &wide, std::min(sizeof(T), sizeof(wide)));
                }
                padInto(x, sources, fill, reinterpret_cast<T*>(*memory));
                return {};
            });
        });
}

constexpr KernelEntry kMovementPadKernels[] = {{"Pad", makePad}};

}  // namespace

std::span<const KernelEntry> padKernels() {
    return kMovementPadKernels;
}

}  // namespace equant::kernels
