// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "core/runtime/emit/base_primitives_internal.h"
#include "core/runtime/emit/onednn_internal.h"
#include "core/runtime/ir/operators_internal.h"

namespace equant {

using dnnl::algorithm;
using dnnl::prop_kind;

BasePrimitive convolution(Emission& emission, const ir::Op& op) {
    const Shape& input = emission.values.shapeOf(op.inputs[0]);
    const Shape& output = emission.values.shapeOf(op.outputs[0]);
    const Shape& weight = emission.values.shapeOf(op.inputs[1]);
    const std::int64_t groups = op.node->intAttribute("group", 1);
    const ir::Window window = ir::windowOf(*op.node, input, output, Shape(weight.begin() + 2, weight.end()));
    Shape weightView = weight;
    if (groups > 1) {
        weightView[0] /= groups;
        weightView.insert(weightView.begin(), groups);
    }
    dnnl::memory::dims dilates;
    for (const auto dilation : window.dilations) dilates.push_back(dilation - 1);
    const bool hasBias = op.inputs.size() > 2 && op.inputs[2] != ir::kNoValue;
    // A dense input of few channels may stay dense: requested with any layout, the implementation chooses.
    const dnnl::memory::desc source = onednn::activationDesc(input);
    const dnnl::memory::desc bias =
        hasBias ? onednn::denseDesc(emission.values.shapeOf(op.inputs[2])) : dnnl::memory::desc();

    BasePrimitive base;
    base.make = [=](const dnnl::primitive_attr& attributes) -> dnnl::primitive_desc_base {
        const dnnl::memory::desc weights = onednn::anyDesc(weightView);
        const dnnl::memory::desc target = onednn::activationDesc(output);
        const auto what = hasBias ? dnnl::convolution_forward::desc(
                                        prop_kind::forward_inference, algorithm::convolution_direct, source, weights,
                                        bias, target, window.strides, dilates, window.padsBegin, window.padsEnd)
                                  : dnnl::convolution_forward::desc(
                                        prop_kind::forward_inference, algorithm::convolution_direct, source, weights,
                                        target, window.strides, dilates, window.padsBegin, window.padsEnd);
        return dnnl::convolution_forward::primitive_desc(what, attributes, onednn::engine());
    };
    base.inputs.push_back({DNNL_ARG_SRC, op.inputs[0], emission.values.primary(op.inputs[0]), dnnl::query::src_md});
    base.inputs.push_back({DNNL_ARG_WEIGHTS,
                           ir::kNoValue,
                           {onednn::denseDesc(weightView), emission.values.dense(op.inputs[1]).where},
                           dnnl::query::weights_md});
    if (hasBias)
        base.inputs.push_back(
            {DNNL_ARG_BIAS, ir::kNoValue, {bias, emission.values.dense(op.inputs[2]).where}, dnnl::query::undef});
    return base;
}

BasePrimitive innerProduct(Emission& emission, const ir::Op& op) {
    const Shape& input = emission.values.shapeOf(op.inputs[0]);
    const Shape& weight = emission.values.shapeOf(op.inputs[1]);
    const std::int64_t columns = weight[op.isWeightTransposed ? 1 : 0];
    const std::int64_t depth = input.back();
    const std::int64_t rows = elementCount(input) / depth;
    const dnnl::memory::desc source = onednn::denseDesc({rows, depth});
    const dnnl::memory::desc given =
        op.isWeightTransposed
            ? dnnl::memory::desc({columns, depth}, dnnl::memory::data_type::f32, dnnl::memory::dims{1, columns})
            : onednn::denseDesc({columns, depth});
    const bool hasBias = op.inputs.size() > 2;
    const dnnl::memory::desc bias = hasBias ? onednn::denseDesc({columns}) : dnnl::memory::desc();

    BasePrimitive base;
    base.make = [=](const dnnl::primitive_attr& attributes) -> dnnl::primitive_desc_base {
        const dnnl::memory::desc weights = onednn::anyDesc({columns, depth});
        const dnnl::memory::desc target = onednn::denseDesc({rows, columns});
        const auto what =
            hasBias ? dnnl::inner_product_forward::desc(prop_kind::forward_inference, source, weights, bias, target)
                    : dnnl::inner_product_forward::desc(prop_kind::forward_inference, source, weights, target);
        return dnnl::inner_product_forward::primitive_desc(what, attributes, onednn::engine());
    };
    base.inputs.push_back(
        {DNNL_ARG_SRC, ir::kNoValue, {source, emission.values.dense(op.inputs[0]).where}, dnnl::query::src_md});
    base.inputs.push_back(
        {DNNL_ARG_WEIGHTS, ir::kNoValue, {given, emission.values.dense(op.inputs[1]).where}, dnnl::query::weights_md});
    if (hasBias)
        base.inputs.push_back(
            {DNNL_ARG_BIAS, ir::kNoValue, {bias, emission.values.dense(op.inputs[2]).where}, dnnl::query::undef});
    return base;
}

BasePrimitive matMul(Emission& emission, const ir::Op& op) {
    const dnnl::memory::desc a = onednn::denseDesc(emission.values.shapeOf(op.inputs[0]));
    const dnnl::memory::desc b = onednn::denseDesc(emission.values.shapeOf(op.inputs[1]));
    const dnnl::memory::desc target = onednn::denseDesc(emission.values.shapeOf(op.outputs[0]));
    BasePrimitive base;
    base.make = [=](const dnnl::primitive_attr& attributes) -> dnnl::primitive_desc_base {
        return dnnl::matmul::primitive_desc(dnnl::matmul::desc(a, b, target), attributes, onednn::engine());
    };
    base.inputs.push_back({DNNL_ARG_SRC, op.inputs[0], emission.values.dense(op.inputs[0]), dnnl::query::src_md});
    base.inputs.push_back(
        {DNNL_ARG_WEIGHTS, op.inputs[1], emission.values.dense(op.inputs[1]), dnnl::query::weights_md});
    return base;
}

BasePrimitive pool(Emission& emission, const ir::Op& op) {
    const Node& node = *op.node;
    const Shape& input = emission.values.shapeOf(op.inputs[0]);
    const bool isGlobal = ir::isGlobalPool(node);
    Shape output = emission.values.shapeOf(op.outputs[0]);
    if (isGlobal) {  // a mean may drop the axes it goes over
        output.assign(input.size(), 1);
        std::copy_n(input.begin(), 2, output.begin());
    }
    const bool isMax = node.is("MaxPool") || node.is("GlobalMaxPool");
    const Shape spatial(input.begin() + 2, input.end());
    ir::Window window;
    if (isGlobal) {
        window.kernel = spatial;
        window.strides.assign(spatial.size(), 1);
        window.dilations.assign(spatial.size(), 1);
        window.padsBegin.assign(spatial.size(), 0);
        window.padsEnd.assign(spatial.size(), 0);
    } else {
        window = ir::windowOf(node, input, output, node.intsAttribute("kernel_shape"));
    }
    algorithm how = algorithm::pooling_max;
    if (!isMax)
        how = node.intAttribute("count_include_pad", 0) != 0 ? algorithm::pooling_avg_include_padding
                                                             : algorithm::pooling_avg_exclude_padding;
    dnnl::memory::dims dilates;
    bool isDilated = false;
    for (const auto dilation : window.dilations) {
        dilates.push_back(dilation - 1);
        isDilated |= dilation != 1;
    }
    const Placed source = emission.values.primary(op.inputs[0]);
    BasePrimitive base;
    base.make = [=](const dnnl::primitive_attr& attributes) -> dnnl::primitive_desc_base {
        const dnnl::memory::desc target = onednn::activationDesc(output);
        if (isDilated) {
            const dnnl::pooling_v2_forward::desc what(prop_kind::forward_inference, how, source.desc, target,
                                                      window.strides, window.kernel, dilates, window.padsBegin,
                                                      window.padsEnd);
            return dnnl::pooling_v2_forward::primitive_desc(what, attributes, onednn::engine());
        }
        const dnnl::pooling_forward::desc what(prop_kind::forward_inference, how, source.desc, target, window.strides,
                                               window.kernel, window.padsBegin, window.padsEnd);
        return dnnl::pooling_forward::primitive_desc(what, attributes, onednn::engine());
    };
    base.inputs.push_back({DNNL_ARG_SRC, op.inputs[0], source, dnnl::query::src_md});
    return base;
}

BasePrimitive resample(Emission& emission, const ir::Op& op) {
    const Placed source = emission.values.primary(op.inputs[0]);
    const Shape output = emission.values.shapeOf(op.outputs[0]);
    BasePrimitive base;
    base.make = [=](const dnnl::primitive_attr& attributes) -> dnnl::primitive_desc_base {
        const dnnl::resampling_forward::desc what(prop_kind::forward_inference, algorithm::resampling_nearest,
                                                  source.desc, onednn::activationDesc(output));
        return dnnl::resampling_forward::primitive_desc(what, attributes, onednn::engine());
    };
    base.inputs.push_back({DNNL_ARG_SRC, op.inputs[0], source, dnnl::query::src_md});
    return base;
}

}  // namespace equant
