// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "core/compression/factorization/layer_split_internal.h"
#include "core/compression/model_facts_internal.h"
#include "core/graph/constants.h"
#include "core/graph/topology.h"
#include "core/layers/layer_weights.h"

namespace equant {

namespace {

using Eigen::Index;
using Eigen::MatrixXd;
using Eigen::VectorXd;
using Ints = std::vector<std::int64_t>;

Tensor tensorOf(const VectorXd& values) {
    const Eigen::VectorXf rounded = values.cast<float>();
    return Tensor(Shape{values.size()},
                  std::span<const float>(rounded.data(), static_cast<std::size_t>(rounded.size())));
}

/// Rows of H are [input][kernel], as the ONNX weight wants them.
Tensor firstWeight(const LowRank& factors, Shape shape) {
    const Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor> rows = factors.first.cast<float>();
    return Tensor(std::move(shape), std::span<const float>(rows.data(), static_cast<std::size_t>(rows.size())));
}

/// V [n][outer][rank] as [n][rank][outer].
Tensor secondWeight(const LowRank& factors, Index rank, Shape shape) {
    const Index outer = factors.second.cols() / rank;
    Tensor tensor(DType::Float, std::move(shape));
    float* value = tensor.mutableData<float>().data();
    for (Index o = 0; o < factors.second.rows(); ++o)
        for (Index k = 0; k < rank; ++k)
            for (Index q = 0; q < outer; ++q) *value++ = static_cast<float>(factors.second(o, q * rank + k));
    return tensor;
}

/// The weight of a Conv [groups * a, b, kernel] as that of a ConvTranspose, which counts inputs first: [groups * b, a,
/// kernel].
Tensor inputsFirst(const Tensor& weight, std::int64_t groups) {
    const std::int64_t a = weight.dim(0) / groups, b = weight.dim(1), kernel = weight.count() / (groups * a * b);
    const std::int64_t swapped[] = {0, 2, 1, 3};
    Shape shape = weight.shape();
    shape[0] = groups * b;
    shape[1] = a;
    return weight.reshaped({groups, a, b, kernel}).transposed(swapped).reshaped(std::move(shape));
}

/// The axis `kept` of a spatial attribute; `neutral` for the other one.
Ints onAxis(const Ints& values, std::size_t kept, std::int64_t neutral) {
    if (values.empty()) return values;
    Ints result(values.size(), neutral);
    for (std::size_t i = kept; i < values.size(); i += 2) result[i] = values[i];
    return result;
}

/// A convolution of the kind of `original` that walks along one axis: 0 vertical, 1 horizontal.
Node convolutionAlong(const Node& original, std::size_t axis, std::int64_t kernel) {
    Node node;
    node.opType = original.opType;
    Ints shape{1, 1};
    shape[axis] = kernel;
    node.setAttribute("kernel_shape", shape);
    const auto keepAxis = [&](const char* key, std::int64_t neutral) {
        if (const auto values = original.intsAttribute(key); !values.empty())
            node.setAttribute(key, onAxis(values, axis, neutral));
    };
    keepAxis("strides", 1);
    keepAxis("dilations", 1);
    keepAxis("output_padding", 0);
    const auto autoPad = original.stringAttribute("auto_pad", "NOTSET");
    if (autoPad != "NOTSET")
        node.setAttribute("auto_pad", autoPad);
    else
        keepAxis("pads", 0);
    return node;
}

struct Pair {
    Node first, second;
    Shape firstShape, secondShape;  ///< of weights that count outputs first
};

Pair convolutionPair(const Node& original, const Shape& weight, const LayerGeometry& layer, const LayerSplit& split) {
    const auto m = layer.inputs, n = layer.outputs, r = split.rank, between = r * layer.groups, kh = layer.kernelHeight,
               kw = layer.kernelWidth;
    const Ints kernel(weight.begin() + 2, weight.end()), ones(kernel.size(), 1);
    Node pointwise;
    pointwise.opType = "Conv";
    pointwise.setAttribute("kernel_shape", ones);
    const Node& whole = original;  // kernel, strides, pads and dilations stay together
    const auto shaped = [](std::int64_t outputs, std::int64_t inputs, const Ints& kernelShape) {
        Shape shape{outputs, inputs};
        shape.insert(shape.end(), kernelShape.begin(), kernelShape.end());
        return shape;
    };
    Pair pair;
    switch (split.form) {
        case SplitForm::VerticalFirst:
            pair = {convolutionAlong(original, 0, kh), convolutionAlong(original, 1, kw), {}, {}};
            pair.firstShape = {between, m, kh, 1};
            pair.secondShape = {n, r, 1, kw};
            break;
        case SplitForm::HorizontalFirst:
            pair = {convolutionAlong(original, 1, kw), convolutionAlong(original, 0, kh), {}, {}};
            pair.firstShape = {between, m, 1, kw};
            pair.secondShape = {n, r, kh, 1};
            break;
        case SplitForm::PointwiseFirst:
            pair = {pointwise, whole, shaped(between, m, ones), shaped(n, r, kernel)};
            break;
        case SplitForm::PointwiseLast:
            pair = {whole, pointwise, shaped(between, m, kernel), shaped(n, r, ones)};
            break;
    }
    if (layer.groups > 1)
        for (Node* node : {&pair.first, &pair.second}) node->setAttribute("group", layer.groups);
    return pair;
}

/// A MatMul's bias is an Add behind it: the one that is there already, if it adds a constant per output, or a new one.
void addBiasBehind(Graph& graph, std::size_t index, const VectorXd& bias) {
    const std::string output = graph.nodes[index].outputs[0];
    const auto topology = Topology::of(graph);
    const auto consumer = topology ? topology->soleConsumer(output) : Topology::kNone;
    if (consumer != Topology::kNone && graph.nodes[consumer].is("Add")) {
        const std::size_t slot = graph.nodes[consumer].inputs[0] == output ? 1 : 0;
        auto constant = constantInput(graph, graph.nodes[consumer], slot);
        if (constant && constant->dtype() == DType::Float && constant->count() == bias.size() && constant->rank() > 0 &&
            constant->shape().back() == bias.size()) {
            auto values = constant->mutableData<float>();
            for (std::size_t i = 0; i < values.size(); ++i)
                values[i] = static_cast<float>(static_cast<double>(values[i]) + bias[static_cast<Index>(i)]);
            setConstantInput(graph, consumer, slot, std::move(*constant), "bias");
            return;
        }
    }
    const std::string label = graph.nodes[index].label();
    Node add;
    add.opType = "Add";
    add.name = uniqueName(graph, label + ".add_bias");
    const std::string product = uniqueName(graph, output + ".product");
    add.inputs = {product, addInitializer(graph, label + ".bias", tensorOf(bias))};
    add.outputs = {output};
    graph.nodes[index].outputs[0] = product;
    graph.nodes.insert(graph.nodes.begin() + static_cast<std::ptrdiff_t>(index) + 1, std::move(add));
}

}  // namespace

std::vector<std::string> writeSplit(Graph& graph, const std::string& output, const LayerGeometry& layer,
                                    const LayerSplit& split) {
    const std::size_t index = producerOf(graph, output);
    const Node original = graph.nodes[index];
    const std::string label = original.label();
    const bool isConv = original.is("Conv") || layer.isTransposed();
    Pair pair;
    if (isConv) {
        pair = convolutionPair(original, constantInput(graph, original, 1)->shape(), layer, split);
    } else {
        pair.first.opType = "MatMul";  // a Gemm needs its third input before opset 11
        pair.second.opType = split.bias && original.is("Gemm") ? "Gemm" : "MatMul";
        pair.firstShape = {split.rank, layer.inputs};
        pair.secondShape = {layer.outputs, split.rank};
    }
    Tensor first = firstWeight(split.factors, pair.firstShape);
    Tensor second = secondWeight(split.factors, static_cast<Index>(split.rank), pair.secondShape);
    if (pair.first.is("ConvTranspose")) first = inputsFirst(first, layer.groups);
    if (pair.second.is("ConvTranspose")) second = inputsFirst(second, layer.groups);
    if (!isConv) {  // constants of a MatMul are [inputs, outputs]
        const std::int64_t swapped[] = {1, 0};
        first = first.transposed(swapped);
        second = second.transposed(swapped);
    }
    pair.first.name = uniqueName(graph, label + ".first");
    pair.second.name = uniqueName(graph, label + ".second");
    const std::string between = uniqueName(graph, label + ".reduced");
    pair.first.inputs = {original.inputs[0], addInitializer(graph, label + ".first.weight", std::move(first))};
    pair.first.outputs = {between};
    pair.second.inputs = {between, addInitializer(graph, label + ".second.weight", std::move(second))};
    pair.second.outputs = {output};
    pair.second.extra = original.extra;
    const bool hasSlot = isConv || pair.second.is("Gemm");
    if (split.bias && hasSlot)
        pair.second.inputs.push_back(addInitializer(graph, label + ".second.bias", tensorOf(*split.bias)));
    std::vector<std::string> labels{pair.first.name, pair.second.name};
    graph.nodes[index] = std::move(pair.first);
    graph.nodes.insert(graph.nodes.begin() + static_cast<std::ptrdiff_t>(index) + 1, std::move(pair.second));
    if (split.bias && !hasSlot) addBiasBehind(graph, index + 1, *split.bias);
    return labels;
}

void writeMatrix(Graph& graph, const std::string& output, const LayerMatrix& matrix) {
    const std::size_t index = producerOf(graph, output);
    auto weights = LayerWeights::of(graph, index);
    if (!weights) return;
    Tensor tensor(DType::Float, weights->weight().shape());
    const auto values = tensor.mutableData<float>();
    const auto kernel = static_cast<std::size_t>(tensor.count()) / static_cast<std::size_t>(weights->blockCount());
    const auto inputs = static_cast<std::size_t>(weights->inputChannels() / weights->groups());
    weights->forEachBlock([&](std::size_t block, std::size_t o, std::size_t i) {
        for (std::size_t k = 0; k < kernel; ++k)
            values[block * kernel + k] =
                static_cast<float>(matrix.weight(static_cast<Index>(o), static_cast<Index>(i % inputs * kernel + k)));
    });
    setConstantInput(graph, index, 1, std::move(tensor), "weight");
    Node& node = graph.nodes[index];
    if (node.is("Gemm"))
        for (const auto* key : {"alpha", "beta"}) node.removeAttribute(key);
    if (!matrix.bias) return;
    if (node.is("MatMul"))
        addBiasBehind(graph, index, *matrix.bias);
    else
        setConstantInput(graph, index, 2, tensorOf(*matrix.bias), "bias");
}

}  // namespace equant
