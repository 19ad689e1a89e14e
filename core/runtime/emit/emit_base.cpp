// SPDX-License-Identifier: Apache-2.0
// Primitives that take posts: convolution, inner product, matrix product, pooling, resampling.
#include <algorithm>
#include <fmt/format.h>

#include "core/runtime/emit/emitter.h"
#include "core/runtime/emit/onednn.h"
#include "core/runtime/ir/operators.h"

namespace equant {
namespace {

using dnnl::algorithm;
using dnnl::prop_kind;

}  // namespace

BasePrimitive Emitter::convolution(const ir::Op& op) {
    const Shape& input = shapeOf(op.inputs[0]);
    const Shape& output = shapeOf(op.outputs[0]);
    const Shape& weight = shapeOf(op.inputs[1]);
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
    // A dense input of few channels may stay dense: the implementation says so when asked for any layout.
    const dnnl::memory::desc source = onednn::activationDesc(input);
    const dnnl::memory::desc bias = hasBias ? onednn::denseDesc(shapeOf(op.inputs[2])) : dnnl::memory::desc();

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
    base.inputs.push_back({DNNL_ARG_SRC, op.inputs[0], primary(op.inputs[0]), dnnl::query::src_md});
    base.inputs.push_back({DNNL_ARG_WEIGHTS,
                           ir::kNoValue,
                           {onednn::denseDesc(weightView), dense(op.inputs[1]).where},
                           dnnl::query::weights_md});
    if (hasBias)
        base.inputs.push_back({DNNL_ARG_BIAS, ir::kNoValue, {bias, dense(op.inputs[2]).where}, dnnl::query::undef});
    return base;
}

BasePrimitive Emitter::innerProduct(const ir::Op& op) {
    const Shape& input = shapeOf(op.inputs[0]);
    const Shape& weight = shapeOf(op.inputs[1]);
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
    base.inputs.push_back({DNNL_ARG_SRC, ir::kNoValue, {source, dense(op.inputs[0]).where}, dnnl::query::src_md});
    base.inputs.push_back(
        {DNNL_ARG_WEIGHTS, ir::kNoValue, {given, dense(op.inputs[1]).where}, dnnl::query::weights_md});
    if (hasBias)
        base.inputs.push_back({DNNL_ARG_BIAS, ir::kNoValue, {bias, dense(op.inputs[2]).where}, dnnl::query::undef});
    return base;
}

BasePrimitive Emitter::matMul(const ir::Op& op) {
    const dnnl::memory::desc a = onednn::denseDesc(shapeOf(op.inputs[0]));
    const dnnl::memory::desc b = onednn::denseDesc(shapeOf(op.inputs[1]));
    const dnnl::memory::desc target = onednn::denseDesc(shapeOf(op.outputs[0]));
    BasePrimitive base;
    base.make = [=](const dnnl::primitive_attr& attributes) -> dnnl::primitive_desc_base {
        return dnnl::matmul::primitive_desc(dnnl::matmul::desc(a, b, target), attributes, onednn::engine());
    };
    base.inputs.push_back({DNNL_ARG_SRC, op.inputs[0], dense(op.inputs[0]), dnnl::query::src_md});
    base.inputs.push_back({DNNL_ARG_WEIGHTS, op.inputs[1], dense(op.inputs[1]), dnnl::query::weights_md});
    return base;
}

BasePrimitive Emitter::pool(const ir::Op& op) {
    const Node& node = *op.node;
    const Shape& input = shapeOf(op.inputs[0]);
    const bool isGlobal = ir::isGlobalPool(node);
    Shape output = shapeOf(op.outputs[0]);
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
    const Placed source = primary(op.inputs[0]);
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

BasePrimitive Emitter::resample(const ir::Op& op) {
    const Placed source = primary(op.inputs[0]);
    const Shape output = shapeOf(op.outputs[0]);
    BasePrimitive base;
    base.make = [=](const dnnl::primitive_attr& attributes) -> dnnl::primitive_desc_base {
        const dnnl::resampling_forward::desc what(prop_kind::forward_inference, algorithm::resampling_nearest,
                                                  source.desc, onednn::activationDesc(output));
        return dnnl::resampling_forward::primitive_desc(what, attributes, onednn::engine());
    };
    base.inputs.push_back({DNNL_ARG_SRC, op.inputs[0], source, dnnl::query::src_md});
    return base;
}

/// Takes as many posts as the implementation can without becoming another (slower) one; the rest run as own steps.
void Emitter::emitBase(ir::Op& op, const BasePrimitive& base) {
    dnnl::primitive_desc_base chosen = base.make(onednn::userScratchpad());
    const std::string implementation = onednn::implementation(chosen);
    const dnnl::memory::desc target = chosen.query_md(dnnl::query::dst_md, 0);
    std::size_t fused = 0;
    Chain chain;
    // Weights and bias that are constants can absorb a factor.
    const bool isScalable =
        base.inputs.size() > 1 && std::all_of(base.inputs.begin() + 1, base.inputs.end(), [](const auto& input) {
            return input.role != DNNL_ARG_SRC && input.given.where.space == Location::Space::Constant;
        });
    for (std::size_t count = postsForPrimitive(op.posts, target); count > 0 && fused == 0; --count) {
        const std::span<const ir::Post> posts(op.posts.data(), count);
        const auto addend = std::find_if(posts.begin(), posts.end(), [](const ir::Post& post) {
            return post.kind == ir::Post::Kind::Binary && post.binary == ir::BinaryFunction::Add &&
                   post.spread == ir::Spread::Same;
        });
        const bool canSum = addend != posts.end() && maySum(*addend, target, base.inputs, op.posts);
        for (const bool useSum : {true, false}) {
            if (useSum && !canSum) continue;
            auto candidate = expand(posts, target, useSum, isScalable);
            if (!candidate) continue;
            try {
                const dnnl::primitive_desc_base descriptor = base.make(candidate->attributes);
                if (onednn::implementation(descriptor) != implementation ||
                    descriptor.query_md(dnnl::query::dst_md, 0) != target)
                    continue;
                chosen = descriptor;
            } catch (const dnnl::error&) {
                continue;
            }
            chain = std::move(*candidate);
            fused = count;
            break;
        }
    }
    std::vector<PrimitiveArgument> arguments;
    for (const BasePrimitive::Input& input : base.inputs) {
        Placed source = input.given;
        if (chain.factor != 1.0F && input.role != DNNL_ARG_SRC) source = scaledConstant(source, chain.factor);
        if (input.what != dnnl::query::undef) {
            const dnnl::memory::desc wanted = chosen.query_md(input.what, 0);
            source = input.value == ir::kNoValue || source.where != input.given.where ? reordered(source, wanted)
                                                                                      : inLayout(input.value, wanted);
        }
        arguments.push_back({input.role, source.desc, source.where});
    }
    Location where;
    std::size_t next = 0;
    for (std::size_t i = 0; i < fused; ++i) {
        const ir::Post& post = op.posts[i];
        if (post.kind != ir::Post::Kind::Binary) continue;
        if (chain.sum == i) {
            where = sumTarget(post.operand, target).where;
        } else {
            chain.arguments[next++].location = operandOf(post, target).where;
        }
    }
    arguments.insert(arguments.end(), chain.arguments.begin(), chain.arguments.end());
    if (where.space == Location::Space::None) where = newBuffer(target.get_size());
    arguments.push_back({DNNL_ARG_DST, target, where});
    addPrimitive(chosen, std::move(arguments),
                 fmt::format("{} {}{} [{}]", op.node->opType, op.label, chain.description, implementation));
    const Placed result =
        emitPosts({target, where}, std::span<const ir::Post>(op.posts).subspan(fused), true, op.label);
    defineView(op.outputs[0], result);
}

}  // namespace equant
