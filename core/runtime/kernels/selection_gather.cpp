// SPDX-License-Identifier: Apache-2.0
// Operators that read at given indices: Gather, GatherElements, GatherND. Indices may count from the end; others are
// refused.
#include "core/runtime/kernels/selection_internal.h"

namespace equant::kernels {
namespace {

Result<Kernel> makeGather(const Node& node, std::int64_t) {
    const std::int64_t axis = node.intAttribute("axis", 0);
    return makeChecked(2, [axis](const Inputs& inputs, KernelOutputs& outputs) -> Status {
        const TensorView& x = inputs[0];
        const auto normal = normalizeAxis(axis, rankOf(x));
        if (!normal) return fail(normal.error());
        auto indices = readIntegers(inputs[1]);
        if (!indices) return fail(std::move(indices.error()));
        const AxisSplit split = splitAt(x.shape, *normal);
        for (auto& index : *indices) {
            const auto at = normalizeIndex(index, split.extent);
            if (!at) return fail(at.error());
            index = *at;
        }
        Shape shape(x.shape.begin(), x.shape.begin() + *normal);
        shape.insert(shape.end(), inputs[1].shape.begin(), inputs[1].shape.end());
        shape.insert(shape.end(), x.shape.begin() + *normal + 1, x.shape.end());
        const std::size_t run = static_cast<std::size_t>(split.inner) * bytesPerElement(x.dtype);
        if (bytesPerElement(x.dtype) == 0) return unsupported("Gather of {} is not supported.", name(x.dtype));
        auto memory = makeOutput(outputs, 0, x.dtype, shape);
        if (!memory) return fail(std::move(memory.error()));
        if (*memory == nullptr || product(shape) == 0) return {};
        std::byte* out = *memory;
        for (std::int64_t o = 0; o < split.outer; ++o) {
            for (const auto index : *indices) {
                std::memcpy(out, x.data + static_cast<std::size_t>(o * split.extent + index) * run, run);
                out += run;
            }
        }
        return {};
    });
}

Result<Kernel> makeGatherElements(const Node& node, std::int64_t) {
    const std::int64_t axis = node.intAttribute("axis", 0);
    return makeChecked(2, [axis](const Inputs& inputs, KernelOutputs& outputs) -> Status {
        const TensorView& x = inputs[0];
        const auto normal = normalizeAxis(axis, rankOf(x));
        if (!normal) return fail(normal.error());
        const auto indices = readIntegers(inputs[1]);
        if (!indices) return fail(indices.error());
        const Shape shape = shapeOf(inputs[1]);
        bool fits = shape.size() == x.shape.size();
        for (std::size_t a = 0; fits && a < shape.size(); ++a) {
            fits = static_cast<std::int64_t>(a) == *normal || shape[a] <= x.shape[a];
        }
        if (!fits) return invalid("Indices of shape {} do not fit a tensor of {}.", toString(shape), show(x.shape));
        const std::int64_t extent = x.shape[static_cast<std::size_t>(*normal)];
        Shape strides = stridesOf(x.shape);
        const std::int64_t stride = std::exchange(strides[static_cast<std::size_t>(*normal)], 0);
        return dispatchBySize(x.dtype, [&]<typename T>() -> Status {
            auto memory = makeOutput(outputs, 0, x.dtype, shape);
            if (!memory) return fail(std::move(memory.error()));
            if (*memory == nullptr) return {};
            auto* out = reinterpret_cast<T*>(*memory);
            Status status;
            std::size_t next = 0;
            forEachElement(LoopNest<1>{shape, {strides}}, [&](const std::array<std::int64_t, 1>& at) {
                const auto index = normalizeIndex((*indices)[next], extent);
                if (index) {
                    out[next] = x.as<T>()[at[0] + *index * stride];
                } else {
                    status = fail(index.error());
                }
                ++next;
            });
            return status;
        });
    });
}

Result<Kernel> makeGatherND(const Node& node, std::int64_t) {
    const std::int64_t batchDims = node.intAttribute("batch_dims", 0);
    return makeChecked(2, [batchDims](const Inputs& inputs, KernelOutputs& outputs) -> Status {
        const TensorView& x = inputs[0];
        const TensorView& at = inputs[1];
        const auto indices = readIntegers(at);
        if (!indices) return fail(indices.error());
        const std::int64_t depth = at.shape.empty() ? 0 : at.shape.back();
        if (at.shape.empty() || batchDims < 0 || batchDims >= rankOf(at) || batchDims + depth > rankOf(x) ||
            !std::equal(at.shape.begin(), at.shape.begin() + batchDims, x.shape.begin())) {
            return invalid("Indices of shape {} do not fit a tensor of {}.", show(at.shape), show(x.shape));
        }
        Shape shape(at.shape.begin(), at.shape.end() - 1);
        shape.insert(shape.end(), x.shape.begin() + batchDims + depth, x.shape.end());
        const Dims indexed = x.shape.subspan(static_cast<std::size_t>(batchDims), static_cast<std::size_t>(depth));
        const std::int64_t inner = product(x.shape.subspan(static_cast<std::size_t>(batchDims + depth)));
        const std::int64_t tuples = product(at.shape.first(at.shape.size() - 1));
        const std::int64_t batches = product(at.shape.first(static_cast<std::size_t>(batchDims)));
        const std::size_t run = static_cast<std::size_t>(inner) * bytesPerElement(x.dtype);
        if (bytesPerElement(x.dtype) == 0) return unsupported("GatherND of {} is not supported.", name(x.dtype));
        auto memory = makeOutput(outputs, 0, x.dtype, shape);
        if (!memory) return fail(std::move(memory.error()));
        if (*memory == nullptr || product(shape) == 0) return {};
        for (std::int64_t t = 0; t < tuples; ++t) {
            std::int64_t offset = t / (tuples / batches);
            for (std::int64_t d = 0; d < depth; ++d) {
                const auto extent = indexed[static_cast<std::size_t>(d)];
                const auto index = normalizeIndex((*indices)[static_cast<std::size_t>(t * depth + d)], extent);
                if (!index) return fail(index.error());
                offset = offset * extent + *index;
            }
            std::memcpy(*memory + static_cast<std::size_t>(t) * run, x.data + static_cast<std::size_t>(offset) * run,
                        run);
        }
        return {};
    });
}

constexpr KernelEntry kSelectionGatherKernels[] = {
    {"Gather", makeGather}, {"GatherElements", makeGatherElements}, {"GatherND", makeGatherND}};

}  // namespace

std::span<const KernelEntry> gatherKernels() {
    return kSelectionGatherKernels;
}

}  // namespace equant::kernels
