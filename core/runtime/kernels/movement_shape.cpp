// SPDX-License-Identifier: Apache-2.0
// Operators that keep the bytes and change the shape (Reshape, Flatten, Squeeze, Unsqueeze, Identity, Dropout) or that
// return it (Shape, Size).
#include "core/runtime/kernels/movement_internal.h"

namespace equant::kernels {
namespace {

Result<Kernel> makeReshape(const Node& node, std::int64_t) {
    const bool allowsZero = node.intAttribute("allowzero", 0) != 0;
    return makeChecked(2, [allowsZero](const Inputs& inputs, KernelOutputs& outputs) -> Status {
        auto wanted = readIntegers(inputs[1]);
        if (!wanted) return fail(std::move(wanted.error()));
        Shape shape = *wanted;
        std::int64_t open = -1;
        std::int64_t known = 1;
        const auto refuse = [&] {
            return invalid("A tensor of shape {} cannot be reshaped to [{}].", show(inputs[0].shape),
                           fmt::join(*wanted, ", "));
        };
        for (std::size_t axis = 0; axis < shape.size(); ++axis) {
            if (shape[axis] == 0 && !allowsZero) {
                if (axis >= inputs[0].shape.size()) return refuse();
                shape[axis] = inputs[0].shape[axis];
            }
            if (shape[axis] < -1 || (shape[axis] == -1 && open >= 0)) return refuse();
            if (shape[axis] == -1) {
                open = static_cast<std::int64_t>(axis);
            } else if (__builtin_mul_overflow(known, shape[axis], &known)) {
                return refuse();
            }
        }
        const std::int64_t count = inputs[0].count();
        if (open >= 0) {
            if (known == 0 ? count != 0 : count % known != 0) return refuse();
            shape[static_cast<std::size_t>(open)] = known == 0 ? 0 : count / known;
        } else if (known != count) {
            return refuse();
        }
        return copyAs(inputs[0], shape, outputs);
    });
}

Result<Kernel> makeFlatten(const Node& node, std::int64_t) {
    const std::int64_t axis = node.intAttribute("axis", 1);
    return makeChecked(1, [axis](const Inputs& inputs, KernelOutputs& outputs) -> Status {
        const std::int64_t rank = rankOf(inputs[0]);
        if (axis < -rank || axis > rank) return invalid("Axis {} is outside a tensor of {} dimensions.", axis, rank);
        const auto at = static_cast<std::size_t>(axis < 0 ? axis + rank : axis);
        return copyAs(inputs[0], {product(inputs[0].shape.first(at)), product(inputs[0].shape.subspan(at))}, outputs);
    });
}

Result<Kernel> makeSqueeze(const Node& node, std::int64_t) {
    const auto attribute = node.intsAttribute("axes");
    return makeChecked(1, [attribute](const Inputs& inputs, KernelOutputs& outputs) -> Status {
        const auto given = integersFrom(inputs, 1, attribute);
        if (!given) return fail(given.error());
        const auto axes = normalizeAxes(*given, rankOf(inputs[0]));
        if (!axes) return fail(axes.error());
        Shape shape;
        for (std::size_t axis = 0; axis < inputs[0].shape.size(); ++axis) {
            const std::int64_t dim = inputs[0].shape[axis];
            const bool isNamed = std::find(axes->begin(), axes->end(), static_cast<std::int64_t>(axis)) != axes->end();
            if (isNamed && dim != 1) return invalid("Axis {} of {} cannot be squeezed.", axis, show(inputs[0].shape));
            if (axes->empty() ? dim != 1 : !isNamed) shape.push_back(dim);
        }
        return copyAs(inputs[0], shape, outputs);
    });
}

Result<Kernel> makeUnsqueeze(const Node& node, std::int64_t) {
    const auto attribute = node.intsAttribute("axes");
    return makeChecked(1, [attribute](const Inputs& inputs, KernelOutputs& outputs) -> Status {
        const auto given = integersFrom(inputs, 1, attribute);
        if (!given) return fail(given.error());
        const auto rank = rankOf(inputs[0]) + static_cast<std::int64_t>(given->size());
        const auto axes = normalizeAxes(*given, rank);
        if (!axes) return fail(axes.error());
        Shape shape(static_cast<std::size_t>(rank), 0);
        for (const auto axis : *axes) shape[static_cast<std::size_t>(axis)] = -1;
        auto next = inputs[0].shape.begin();
        for (auto& dim : shape) dim = dim == -1 ? 1 : *next++;
        return copyAs(inputs[0], shape, outputs);
    });
}

Result<Kernel> makeIdentity(const Node&, std::int64_t) {
    return makeChecked(
        1, [](const Inputs& inputs, KernelOutputs& outputs) { return copyAs(inputs[0], shapeOf(inputs[0]), outputs); });
}

/// Inference only: the data pass unchanged and the mask is all true.
Result<Kernel> makeDropout(const Node& node, std::int64_t opset) {
    const bool hasMask = node.outputs.size() > 1 && !node.outputs[1].empty();
    const bool isMaskBool = opset >= 10;
    return makeChecked(1, [=](const Inputs& inputs, KernelOutputs& outputs) -> Status {
        const TensorView& x = inputs[0];
        if (inputs.has(2) && inputs[2].count() > 0 && *inputs[2].as<bool>()) {
            const auto ratio =
                inputs.has(1) ? readNumbers(inputs[1]) : Result<std::vector<double>>(std::vector<double>{0.5});
            if (!ratio || ratio->empty() || ratio->front() != 0)
                return unsupported("Dropout in training mode is random.");
        }
        if (auto status = copyAs(x, shapeOf(x), outputs); !status || !hasMask) return status;
        if (isMaskBool) {
            auto mask = makeOutputAs<bool>(outputs, 1, shapeOf(x));
            if (mask && *mask != nullptr) std::fill_n(*mask, x.count(), true);
            return {};
        }
        return dispatch(FloatTypes{}, x.dtype, [&]<typename T>() -> Status {
            auto mask = makeOutputAs<T>(outputs, 1, shapeOf(x));
            if (mask && *mask != nullptr) std::fill_n(*mask, x.count(), T{1});
            return {};
        });
    });
}

Result<Kernel> makeShape(const Node& node, std::int64_t) {
    const std::int64_t start = node.intAttribute("start", 0);
    const std::int64_t end = node.intAttribute("end", std::numeric_limits<std::int64_t>::max());
    return makeChecked(1, [=](const Inputs& inputs, KernelOutputs& outputs) -> Status {
        const std::int64_t rank = rankOf(inputs[0]);
        const std::int64_t from = std::clamp(start < 0 ? start + rank : start, std::int64_t{0}, rank);
        const std::int64_t to = std::clamp(end < 0 ? end + rank : end, from, rank);
        auto out = makeOutputAs<std::int64_t>(outputs, 0, {to - from});
        if (!out) return fail(std::move(out.error()));
        if (*out != nullptr) std::copy_n(inputs[0].shape.begin() + from, to - from, *out);
        return {};
    });
}

Result<Kernel> makeSize(const Node&, std::int64_t) {
    return makeChecked(1, [](const Inputs& inputs, KernelOutputs& outputs) -> Status {
        auto out = makeOutputAs<std::int64_t>(outputs, 0, {});
        if (!out) return fail(std::move(out.error()));
        if (*out != nullptr) **out = inputs[0].count();
        return {};
    });
}

constexpr KernelEntry kMovementShapeKernels[] = {
    {"Reshape", makeReshape},   {"Flatten", makeFlatten}, {"Squeeze", makeSqueeze}, {"Unsqueeze", makeUnsqueeze},
    {"Identity", makeIdentity}, {"Dropout", makeDropout}, {"Shape", makeShape},     {"Size", makeSize},
};

}  // namespace

std::span<const KernelEntry> shapeKernels() {
    return kMovementShapeKernels;
}

}  // namespace equant::kernels
