// SPDX-License-Identifier: Apache-2.0
// Shapes of the convolution family: Conv, ConvTranspose, ConvInteger, QLinearConv, DeformConv; one to any number of
// spatial dimensions. Source: ONNX operator definitions.
#include "core/graph/shapes/shapes_internal.h"
#include "core/graph/shapes/shapes_window.h"

namespace equant::shapes {

namespace {

/// Kernel sizes from the weight's spatial dimensions and the attribute, which must agree.
Shape kernelOf(const Inference& in, const MaybeShape& weight, std::size_t spatial) {
    Shape kernel = unknownDims(spatial);
    if (weight) kernel.assign(weight->begin() + 2, weight->end());
    const auto declared = in.node().intsAttribute("kernel_shape");
    if (declared.empty()) return kernel;
    require(declared.size() == spatial, "expected {} entries in kernel_shape, found {}", spatial, declared.size());
    for (std::size_t i = 0; i < spatial; ++i) {
        kernel[i] = unify(kernel[i], declared[i], "kernel_shape and the weight's kernel");
    }
    return kernel;
}

std::int64_t groupOf(const Inference& in) {
    const auto group = in.node().intAttribute("group", 1);
    require(group >= 1, "expected a positive group, found {}", group);
    return group;
}

/// Ranks of data and weight agree and leave at least one spatial dimension.
void requireRanks(const Inference& in, std::size_t dataSlot, std::size_t weightSlot) {
    in.requireRank(dataSlot, 3);
    in.requireRank(weightSlot, 3);
    const auto& data = in.shape(dataSlot);
    const auto& weight = in.shape(weightSlot);
    require(!data || !weight || data->size() == weight->size(),
            "expected data and weight with the same number of dimensions");
}

void requireBias(const Inference& in, std::size_t slot, std::int64_t channels) {
    const auto& bias = in.shape(slot);
    if (!bias) return;
    in.requireRank(slot, 1, 1);
    static_cast<void>(unify(bias->front(), channels, "length of the bias and output channels"));
}

void inferConvolution(Inference& in, std::size_t weightSlot, std::size_t biasSlot, DType type) {
    const auto& data = in.shape(0);
    const auto& weight = in.shape(weightSlot);
    const auto group = groupOf(in);
    requireRanks(in, 0, weightSlot);
    const std::int64_t channels = weight ? (*weight)[0] : kUnknown;
    if (weight) {
        require(channels < 0 || channels % group == 0, "expected output channels {} to be a multiple of group {}",
                channels, group);
        if (data) {
            static_cast<void>(unify((*data)[1], mulDims((*weight)[1], group),
                                    "input channels and the weight's input channels times group"));
        }
    }
    requireBias(in, biasSlot, channels);
    if (!data) {
        in.set(0, type, weight ? MaybeShape(unknownDims(weight->size())) : std::nullopt);
        return;
    }
    const auto spatial = data->size() - 2;
    const Window window = windowOf(in, kernelOf(in, weight, spatial), spatial);
    Shape result{(*data)[0], channels};
    for (std::size_t i = 0; i < spatial; ++i) result.push_back(windowCount(window, i, (*data)[i + 2], false));
    in.set(0, type, result);
}

void inferConv(Inference& in) {
    inferConvolution(in, 1, 2, in.type(0));
}
void inferConvInteger(Inference& in) {
    inferConvolution(in, 1, in.inputCount(), DType::Int32);
}
void inferQLinearConv(Inference& in) {
    inferConvolution(in, 3, 8, in.type(7));
}
void inferDeformConv(Inference& in) {
    inferConvolution(in, 1, 3, in.type(0));
}

/// One output dimension: stride * (in - 1) + output_padding + effective kernel - padding.
std::int64_t transposedDim(const Inference& in, const Window& window, std::size_t i, std::int64_t size) {
    const auto extra = in.node().intsAttribute("output_padding");
    require(extra.empty() || extra.size() == window.kernel.size(), "expected {} entries in output_padding, found {}",
            window.kernel.size(), extra.size());
    if (size < 0) return kUnknown;
    if (window.isSame) return checkedMul(size, window.strides[i]);
    if (window.kernel[i] < 0) return kUnknown;
    std::int64_t result = checkedMul(window.strides[i], size - 1);
    result = checkedAdd(result, extra.empty() ? 0 : extra[i]);
    result = checkedAdd(result, effectiveKernel(window, i));
    result = checkedAdd(result, -checkedAdd(window.padsBegin[i], window.padsEnd[i]));
    require(result >= 0, "padding is larger than spatial dimension {} of the output", i);
    return result;
}

void inferConvTranspose(Inference& in) {
    const auto& data = in.shape(0);
    const auto& weight = in.shape(1);
    const auto group = groupOf(in);
    requireRanks(in, 0, 1);
    const std::int64_t channels = weight ? mulDims((*weight)[1], group) : kUnknown;
    if (weight) {
        const auto inputs = unify(data ? (*data)[1] : kUnknown, (*weight)[0], "input channels of data and weight");
        require(inputs < 0 || inputs % group == 0, "expected input channels {} to be a multiple of group {}", inputs,
                group);
    }
    requireBias(in, 2, channels);
    if (!data) {
        in.set(0, in.type(0), weight ? MaybeShape(unknownDims(weight->size())) : std::nullopt);
        return;
    }
    const auto spatial = data->size() - 2;
    Shape result{(*data)[0], channels};
    auto wanted = in.node().intsAttribute("output_shape");
    if (wanted.size() == spatial + 2) wanted.erase(wanted.begin(), wanted.begin() + 2);
    require(wanted.empty() || wanted.size() == spatial, "expected {} entries in output_shape, found {}", spatial,
            wanted.size());
    const Window window = windowOf(in, kernelOf(in, weight, spatial), spatial);
    for (std::size_t i = 0; i < spatial; ++i) {
        require(wanted.empty() || wanted[i] >= 0, "expected non-negative entries in output_shape");
        result.push_back(wanted.empty() ? transposedDim(in, window, i, (*data)[i + 2]) : wanted[i]);
    }
    in.set(0, in.type(0), result);
}

}  // namespace

void addConvolution(Table& table) {
    table["Conv"] = inferConv;
    table["ConvInteger"] = inferConvInteger;
    table["QLinearConv"] = inferQLinearConv;
    table["DeformConv"] = inferDeformConv;
    table["ConvTranspose"] = inferConvTranspose;
}

}  // namespace equant::shapes
