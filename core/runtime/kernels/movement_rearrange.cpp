// SPDX-License-Identifier: Apache-2.0
// Operators that take elements elsewhere: Transpose, Slice, Concat, Split, Expand, Tile, DepthToSpace, SpaceToDepth,
// ReverseSequence, Trilu.
#include "core/runtime/kernels/movement_internal.h"
#include "core/runtime/kernels/strided_copy_internal.h"

namespace equant::kernels {
namespace {

Result<Kernel> makeTranspose(const Node& node, std::int64_t) {
    const auto permutation = node.intsAttribute("perm");
    return makeChecked(1, [permutation](const Inputs& inputs, KernelOutputs& outputs) -> Status {
        const TensorView& x = inputs[0];
        const std::size_t rank = x.shape.size();
        std::vector<std::int64_t> order = permutation;
        if (order.empty()) {
            for (std::size_t axis = rank; axis-- > 0;) order.push_back(static_cast<std::int64_t>(axis));
        }
        const auto axes = normalizeAxes(order, rankOf(x));
        if (!axes || axes->size() != rank) return invalid("The permutation does not fit a tensor of {} axes.", rank);
        const Shape strides = stridesOf(x.shape);
        Shape shape;
        Shape inStrides;
        for (const auto axis : *axes) {
            shape.push_back(x.shape[static_cast<std::size_t>(axis)]);
            inStrides.push_back(strides[static_cast<std::size_t>(axis)]);
        }
        return gatherStrided(x.dtype, shape, inStrides, x.data, outputs);
    });
}

struct SliceArguments {
    std::vector<std::int64_t> starts, ends, axes, steps;
};

Status slice(const TensorView& x, const SliceArguments& arguments, KernelOutputs& outputs) {
    const std::size_t count = arguments.starts.size();
    std::vector<std::int64_t> axes = arguments.axes;
    if (axes.empty()) {
        axes.resize(count);
        std::iota(axes.begin(), axes.end(), 0);
    }
    const std::vector<std::int64_t> steps =
        arguments.steps.empty() ? std::vector<std::int64_t>(count, 1) : arguments.steps;
    if (arguments.ends.size() != count || axes.size() != count || steps.size() != count) {
        return invalid("Slice has {} starts, {} ends, {} axes and {} steps.", count, arguments.ends.size(), axes.size(),
                       steps.size());
    }
    const auto normal = normalizeAxes(axes, rankOf(x));
    if (!normal) return fail(normal.error());
    Shape shape = shapeOf(x);
    Shape strides = stridesOf(x.shape);
    std::int64_t offset = 0;
    for (std::size_t i = 0; i < count; ++i) {
        const auto axis = static_cast<std::size_t>((*normal)[i]);
        const std::int64_t extent = x.shape[axis];
        // Steps beyond the extent select one element; bounding them keeps all products small.
        const std::int64_t step = std::clamp(steps[i], -extent - 1, extent + 1);
        if (step == 0) return invalid("Slice has a step of 0.");
        const auto bounded = [&](std::int64_t position) {
            if (position < 0)
                position = position < -extent ? -1 : position + extent;
            else
                position = std::min(position, extent);
            return step > 0 ? std::max(position, std::int64_t{0}) : std::min(position, extent - 1);
        };
        const std::int64_t start = std::max(bounded(arguments.starts[i]), std::int64_t{step > 0 ? 0 : -1});
        const std::int64_t end = bounded(arguments.ends[i]);
        const std::int64_t span = step > 0 ? end - start : start - end;
        const std::int64_t length = span <= 0 ? 0 : (span - 1) / std::abs(step) + 1;
        if (length > 0) offset += start * strides[axis];
        strides[axis] *= step;
        shape[axis] = length;
    }
    if (product(shape) == 0) offset = 0;
    const std::byte* data =
        x.data == nullptr ? nullptr : x.data + offset * static_cast<std::int64_t>(bytesPerElement(x.dtype));
    return gatherStrided(x.dtype, shape, strides, data, outputs);
}

Result<Kernel> makeSlice(const Node& node, std::int64_t opset) {
    if (opset < 10) {
        SliceArguments fixed{node.intsAttribute("starts"), node.intsAttribute("ends"), node.intsAttribute("axes"), {}};
        return makeChecked(1, [fixed = std::move(fixed)](const Inputs& inputs, KernelOutputs& outputs) {
            return slice(inputs[0], fixed, outputs);
        });
    }
    return makeChecked(3, [](const Inputs& inputs, KernelOutputs& outputs) -> Status {
        SliceArguments arguments;
        std::vector<std::int64_t>* const targets[] = {&arguments.starts, &arguments.ends, &arguments.axes,
                                                      &arguments.steps};
        for (std::size_t i = 0; i < 4; ++i) {
            auto values = integersFrom(inputs, i + 1, {});
            if (!values) return fail(std::move(values.error()));
            *targets[i] = std::move(*values);
        }
        return slice(inputs[0], arguments, outputs);
    });
}

Result<Kernel> makeConcat(const Node& node, std::int64_t) {
    const std::int64_t axis = node.intAttribute("axis", 1);
    return makeChecked(1, [axis](const Inputs& inputs, KernelOutputs& outputs) -> Status {
        const auto normal = normalizeAxis(axis, rankOf(inputs[0]));
        if (!normal) return fail(normal.error());
        const auto at = static_cast<std::size_t>(*normal);
        Shape shape = shapeOf(inputs[0]);
        shape[at] = 0;
        for (std::size_t i = 0; i < inputs.size(); ++i) {
            Shape other = shapeOf(inputs[i]);
            if (inputs[i].dtype != inputs[0].dtype || other.size() != shape.size()) {
                return invalid("Input {} of Concat ({} {}) does not fit input 0 ({} {}).", i, name(inputs[i].dtype),
                               toString(other), name(inputs[0].dtype), show(inputs[0].shape));
            }
            shape[at] += other[at];
            other[at] = shape[at];
            if (other != shape) {
                return invalid("Inputs of shapes {} and {} cannot be joined along axis {}.", show(inputs[0].shape),
                               show(inputs[i].shape), axis);
            }
        }
        const std::size_t width = bytesPerElement(inputs[0].dtype);
        if (width == 0) return unsupported("Concat of {} is not supported.", name(inputs[0].dtype));
        auto memory = makeOutput(outputs, 0, inputs[0].dtype, shape);
        if (!memory) return fail(std::move(memory.error()));
        if (*memory == nullptr || product(shape) == 0) return {};
        const AxisSplit split = splitAt(shape, *normal);
        std::byte* out = *memory;
        for (std::int64_t o = 0; o < split.outer; ++o) {
            for (std::size_t i = 0; i < inputs.size(); ++i) {
                const auto bytes = static_cast<std::size_t>(inputs[i].shape[at] * split.inner) * width;
                if (bytes == 0) continue;
                std::memcpy(out, inputs[i].data + static_cast<std::size_t>(o) * bytes, bytes);
                out += bytes;
            }
        }
        return {};
    });
}

/// Sizes of the parts: as given, or equal with a smaller last one (opset 18) where `parts` does not divide.
Result<std::vector<std::int64_t>> splitSizes(std::vector<std::int64_t> given, std::int64_t extent, std::int64_t parts) {
    if (!given.empty()) {
        const bool isNegative =
            std::any_of(given.begin(), given.end(), [](auto size) { return size < 0 || size > (1LL << 40); });
        if (isNegative || std::accumulate(given.begin(), given.end(), std::int64_t{0}) != extent) {
            return invalid("Split into [{}] does not add up to {}.", fmt::join(given, ", "), extent);
        }
        return given;
    }
    if (parts < 1) return invalid("Split has no outputs.");
    const std::int64_t size = (extent + parts - 1) / parts;
    std::vector<std::int64_t> sizes(static_cast<std::size_t>(parts), size);
    sizes.back() = extent - size * (parts - 1);
    if (sizes.back() < 0) return invalid("{} elements cannot be split into {} parts.", extent, parts);
    return sizes;
}

Result<Kernel> makeSplit(const Node& node, std::int64_t) {
    const std::int64_t axis = node.intAttribute("axis", 0);
    const auto attribute = node.intsAttribute("split");
    const std::int64_t parts = node.intAttribute("num_outputs", static_cast<std::int64_t>(node.outputs.size()));
    const std::size_t outputCount = node.outputs.size();
    return makeChecked(1, [=](const Inputs& inputs, KernelOutputs& outputs) -> Status {
        const TensorView& x = inputs[0];
        const auto normal = normalizeAxis(axis, rankOf(x));
        if (!normal) return fail(normal.error());
        auto given = integersFrom(inputs, 1, attribute);
        if (!given) return fail(std::move(given.error()));
        const auto sizes = splitSizes(std::move(*given), x.shape[static_cast<std::size_t>(*normal)], parts);
        if (!sizes) return fail(sizes.error());
        if (sizes->size() != outputCount)
            return invalid("Split has {} parts and {} outputs.", sizes->size(), outputCount);
        const Shape strides = stridesOf(x.shape);
        Shape shape = shapeOf(x);
        const std::byte* data = x.data;
        for (std::size_t i = 0; i < sizes->size(); ++i) {
            shape[static_cast<std::size_t>(*normal)] = (*sizes)[i];
            if (auto status = gatherStrided(x.dtype, shape, strides, data, outputs, i); !status) return status;
            if (product(shape) > 0) {
                data += static_cast<std::size_t>((*sizes)[i] * strides[static_cast<std::size_t>(*normal)]) *
                        bytesPerElement(x.dtype);
            }
        }
        return {};
    });
}

Result<Kernel> makeExpand(const Node&, std::int64_t) {
    return makeChecked(2, [](const Inputs& inputs, KernelOutputs& outputs) -> Status {
        const auto wanted = readIntegers(inputs[1]);
        if (!wanted) return fail(wanted.error());
        const auto shape = broadcastShapes(inputs[0].shape, *wanted);
        if (!shape) return fail(shape.error());
        return gatherStrided(inputs[0].dtype, *shape, broadcastStrides(inputs[0].shape, *shape), inputs[0].data,
                             outputs);
    });
}

/// Tile: every axis becomes a pair (repetition with stride 0, extent).
Result<Kernel> makeTile(const Node&, std::int64_t) {
    return makeChecked(2, [](const Inputs& inputs, KernelOutputs& outputs) -> Status {
        const TensorView& x = inputs[0];
        const auto repeats = readIntegers(inputs[1]);
        if (!repeats) return fail(repeats.error());
        if (repeats->size() != x.shape.size()) {
            return invalid("Tile has {} repeats for {} axes.", repeats->size(), x.shape.size());
        }
        Shape shape = shapeOf(x);
        Shape dims;
        Shape inStrides;
        const Shape strides = stridesOf(x.shape);
        for (std::size_t axis = 0; axis < shape.size(); ++axis) {
            const std::int64_t repeat = (*repeats)[axis];
            if (repeat < 0 || __builtin_mul_overflow(shape[axis], repeat, &shape[axis])) {
                return invalid("Tile cannot repeat an axis of {} {} times.", x.shape[axis], repeat);
            }
            dims.insert(dims.end(), {repeat, x.shape[axis]});
            inStrides.insert(inStrides.end(), {0, strides[axis]});
        }
        auto memory = makeOutput(outputs, 0, x.dtype, shape);
        if (!memory) return fail(std::move(memory.error()));
        if (*memory == nullptr) return {};
        return copyStrided(x.dtype, {dims, {stridesOf(dims), inStrides}}, x.data, *memory);
    });
}

/// Both directions between [N, C, H*b, W*b] and [N, C*b*b, H, W], as a transposition of six axes.
Result<Kernel> makeBlocks(const Node& node, bool isToSpace) {
    const std::int64_t block = node.intAttribute("blocksize", 0);
    const bool isCrd = node.stringAttribute("mode", "DCR") == "CRD";
    if (block < 1 || block > 1024) return unsupported("{} with blocksize {} is not supported.", node.opType, block);
    return makeChecked(1, [=](const Inputs& inputs, KernelOutputs& outputs) -> Status {
        const TensorView& x = inputs[0];
        if (x.shape.size() != 4) return invalid("Four dimensions are needed, not {}.", show(x.shape));
        const std::int64_t n = x.shape[0], c = x.shape[1], h = x.shape[2], w = x.shape[3];
        const bool isDivisible = isToSpace ? c % (block * block) == 0 : h % block == 0 && w % block == 0;
        if (!isDivisible) return invalid("Shape {} does not divide into blocks of {}.", show(x.shape), block);
        Shape inDims;
        std::array<std::size_t, 6> order{};
        Shape shape;
        if (isToSpace) {
            const std::int64_t depth = c / (block * block);
            shape = {n, depth, h * block, w * block};
            inDims = isCrd ? Shape{n, depth, block, block, h, w} : Shape{n, block, block, depth, h, w};
            order = isCrd ? std::array<std::size_t, 6>{0, 1, 4, 2, 5, 3} : std::array<std::size_t, 6>{0, 3, 4, 1, 5, 2};
        } else {
            shape = {n, c * block * block, h / block, w / block};
            inDims = {n, c, h / block, block, w / block, block};
            order = {0, 3, 5, 1, 2, 4};
        }
        const Shape strides = stridesOf(inDims);
        Shape dims;
        Shape inStrides;
        for (const auto axis : order) {
            dims.push_back(inDims[axis]);
            inStrides.push_back(strides[axis]);
        }
        auto memory = makeOutput(outputs, 0, x.dtype, shape);
        if (!memory) return fail(std::move(memory.error()));
        if (*memory == nullptr) return {};
        return copyStrided(x.dtype, {dims, {stridesOf(dims), inStrides}}, x.data, *memory);
    });
}
Result<Kernel> makeDepthToSpace(const Node& node, std::int64_t) {
    return makeBlocks(node, true);
}
Result<Kernel> makeSpaceToDepth(const Node& node, std::int64_t) {
    return makeBlocks(node, false);
}

Result<Kernel> makeReverseSequence(const Node& node, std::int64_t) {
    const std::int64_t batchAxis = node.intAttribute("batch_axis", 1);
    const std::int64_t timeAxis = node.intAttribute("time_axis", 0);
    if (batchAxis + timeAxis != 1 || batchAxis * timeAxis != 0) {
        return unsupported("ReverseSequence with batch axis {} and time axis {} is not supported.", batchAxis,
                           timeAxis);
    }
    return makeChecked(2, [=](const Inputs& inputs, KernelOutputs& outputs) -> Status {
        const TensorView& x = inputs[0];
        const auto lengths = readIntegers(inputs[1]);
        if (!lengths) return fail(lengths.error());
        if (x.shape.size() < 2) return invalid("ReverseSequence needs two axes, not {}.", show(x.shape));
        const std::int64_t batch = x.shape[static_cast<std::size_t>(batchAxis)];
        const std::int64_t time = x.shape[static_cast<std::size_t>(timeAxis)];
        const bool fits = std::all_of(lengths->begin(), lengths->end(), [&](auto l) { return l >= 0 && l <= time; });
        if (static_cast<std::int64_t>(lengths->size()) != batch || !fits) {
            return invalid("The lengths of ReverseSequence do not fit its input {}.", show(x.shape));
        }
        const std::size_t bytes = static_cast<std::size_t>(product(x.shape.subspan(2))) * bytesPerElement(x.dtype);
        auto memory = makeOutput(outputs, 0, x.dtype, shapeOf(x));
        if (!memory) return fail(std::move(memory.error()));
        if (*memory == nullptr || x.count() == 0) return {};
        const auto at = [&](std::int64_t b, std::int64_t t) {
            return static_cast<std::size_t>(batchAxis == 0 ? b * time + t : t * batch + b) * bytes;
        };
        for (std::int64_t b = 0; b < batch; ++b) {
            const std::int64_t length = (*lengths)[static_cast<std::size_t>(b)];
            for (std::int64_t t = 0; t < time; ++t) {
                std::memcpy(*memory + at(b, t), x.data + at(b, t < length ? length - 1 - t : t), bytes);
            }
        }
        return {};
    });
}

Result<Kernel> makeTrilu(const Node& node, std::int64_t) {
    const bool isUpper = node.intAttribute("upper", 1) != 0;
    return makeChecked(1, [isUpper](const Inputs& inputs, KernelOutputs& outputs) -> Status {
        const TensorView& x = inputs[0];
        const auto k = integersFrom(inputs, 1, {0});
        if (!k) return fail(k.error());
        if (x.shape.size() < 2 || k->size() != 1) return invalid("Trilu needs matrices and one diagonal.");
        const std::int64_t rows = x.shape[x.shape.size() - 2];
        const std::int64_t columns = x.shape.back();
        const std::int64_t diagonal = std::clamp(k->front(), -rows, columns);
        return dispatchBySize(x.dtype, [&]<typename T>() -> Status {
            auto memory = makeOutput(outputs, 0, x.dtype, shapeOf(x));
            if (!memory) return fail(std::move(memory.error()));
            if (*memory == nullptr) return {};
            auto* out = reinterpret_cast<T*>(*memory);
            const T* in = x.as<T>();
            const std::int64_t count = x.count();
            for (std::int64_t i = 0; i < count; ++i) {
                const std::int64_t distance = i % columns - (i / columns) % rows;
                out[i] = (isUpper ? distance >= diagonal : distance <= diagonal) ? in[i] : T{0};
            }
            return {};
        });
    });
}

constexpr KernelEntry kMovementRearrangeKernels[] = {
    {"Transpose", makeTranspose},
    {"Slice", makeSlice},
    {"Concat", makeConcat},
    {"Split", makeSplit},
    {"Expand", makeExpand},
    {"Tile", makeTile},
    {"DepthToSpace", makeDepthToSpace},
    {"SpaceToDepth", makeSpaceToDepth},
    {"Trilu", makeTrilu},
    {"ReverseSequence", makeReverseSequence},
};

}  // namespace

std::span<const KernelEntry> rearrangeKernels() {
    return kMovementRearrangeKernels;
}

}  // namespace equant::kernels
