// SPDX-License-Identifier: Apache-2.0
#include "core/passes/fold_batch_norm.h"

#include <cmath>
#include <fmt/format.h>
#include <unordered_set>

#include "core/graph/constants.h"
#include "core/graph/shapes/shapes.h"
#include "core/graph/topology.h"
#include "core/layers/layer_weights.h"
#include "core/layers/padding.h"

namespace equant {

namespace {

/// y = scale x + shift per channel, and the distribution parameters it came from.
struct Affine {
    std::vector<double> scale;
    std::vector<double> shift;
    std::vector<float> gamma;
    std::vector<float> beta;
};

Result<Affine> affineOf(const Graph& graph, const Node& node) {
    std::vector<std::vector<float>> vectors;
    for (std::size_t slot = 1; slot <= 4; ++slot) {
        const auto tensor = constantInput(graph, node, slot);
        if (!tensor || tensor->dtype() != DType::Float || tensor->rank() != 1)
            return fail(ErrorCode::Unsupported, "Its parameters are not constant float vectors.");
        const auto values = tensor->data<float>();
        vectors.emplace_back(values.begin(), values.end());
        if (vectors.back().size() != vectors.front().size())
            return fail(ErrorCode::Unsupported, "Its parameter vectors differ in length.");
    }
    if (vectors.front().empty()) return fail(ErrorCode::Unsupported, "Its parameter vectors are empty.");
    const auto& gamma = vectors[0];
    const auto& beta = vectors[1];
    const auto& mean = vectors[2];
    const auto& variance = vectors[3];
    const double epsilon = static_cast<double>(node.floatAttribute("epsilon", 1e-5F));
    Affine affine{{}, {}, gamma, beta};
    for (std::size_t c = 0; c < gamma.size(); ++c) {
        const double scale = gamma[c] / std::sqrt(double(variance[c]) + epsilon);
        if (!std::isfinite(scale))
            return fail(ErrorCode::Unsupported, fmt::format("Channel {} has no valid variance.", c));
        affine.scale.push_back(scale);
        affine.shift.push_back(beta[c] - mean[c] * scale);
    }
    return affine;
}

/// The pass at work on one graph. Steps return an empty string when they folded, else why they could not.
class Folder {
public:
    Folder(Model& model, FoldReport& report) : m_model(model), m_graph(model.graph), m_report(report) {}

    Status run() {
        auto topology = Topology::of(m_graph);
        if (!topology) return fail(topology.error());
        m_topology = std::move(*topology);
        for (const std::size_t index : m_topology.order())
            if (m_graph.nodes[index].is("BatchNormalization")) fold(index);
        std::vector<Node> kept;
        for (std::size_t i = 0; i < m_graph.nodes.size(); ++i)
            if (!m_removed.contains(i)) kept.push_back(std::move(m_graph.nodes[i]));
        m_graph.nodes = std::move(kept);
        removeUnused(m_graph);
        return {};
    }

private:
    void fold(std::size_t index) {
        const Node& node = m_graph.nodes[index];
        std::string reason;
        if (node.outputs.empty() || node.inputs.empty()) {
            reason = "It has no input or no result.";
        } else if (node.intAttribute("training_mode", 0) != 0 || node.outputs.size() > 1) {
            reason = "It normalizes by the batch's own statistics.";
        } else if (auto affine = affineOf(m_graph, node); !affine) {
            reason = affine.error().message;
        } else {
            const std::string behind = foldIntoProducer(index, *affine);
            if (behind.empty()) return;
            const std::string before = foldIntoConsumer(index, *affine);
            if (before.empty()) return;
            reason = behind + " " + before;
            makePlainAffine(index, *affine);
        }
        m_report.kept.push_back({m_graph.nodes[index].label(), reason});
    }

    std::string foldIntoProducer(std::size_t index, const Affine& affine) {
        const std::string input = m_graph.nodes[index].inputs[0];
        const std::size_t producer = m_topology.producer(input);
        if (producer == Topology::kNone) return "No layer stands before it.";
        if (m_topology.soleConsumer(input) != index) return "The value before it has other readers.";
        const Node& layerNode = m_graph.nodes[producer];
        auto layer = LayerWeights::of(m_graph, producer);
        if (!layer) return fmt::format("Before it stands {} \"{}\".", layerNode.opType, layerNode.label());
        if (layer->outputChannels() != static_cast<std::int64_t>(affine.scale.size()))
            return "The layer before it has another number of channels.";
        if (layerNode.is("MatMul") && !isMatrix(layerNode.outputs[0]))
            return "Its channels are not the columns of the product before it.";
        layer->scale(affine.scale, {});
        std::vector<float> bias = layer->bias().value_or(std::vector<float>(affine.shift.size(), 0.F));
        for (std::size_t c = 0; c < bias.size(); ++c) bias[c] = static_cast<float>(bias[c] + affine.shift[c]);
        layer->setBias(std::move(bias));
        layer->writeTo(m_graph);
        m_report.folded.push_back({layerNode.label(), m_graph.nodes[index].label(), affine.gamma, affine.beta});
        Node& target = m_graph.nodes[producer];
        if (target.name.empty()) target.name = target.label();  // the layer keeps the name users know it by
        target.outputs[0] = m_graph.nodes[index].outputs[0];
        m_removed.insert(index);
        return {};
    }

    std::string foldIntoConsumer(std::size_t index, const Affine& affine) {
        const Node& batchNorm = m_graph.nodes[index];
        std::size_t consumer = m_topology.soleConsumer(batchNorm.outputs[0]);
        if (consumer == Topology::kNone) return "The value behind it has several readers or none.";
        std::size_t first = consumer;
        if (m_graph.nodes[consumer].is("Flatten") && m_graph.nodes[consumer].intAttribute("axis", 1) == 1) {
            consumer = m_topology.soleConsumer(m_graph.nodes[consumer].outputs[0]);
            if (consumer == Topology::kNone) return "The value behind it has several readers or none.";
        }
        const Node& layerNode = m_graph.nodes[consumer];
        auto layer = LayerWeights::of(m_graph, consumer);
        if (!layer) return fmt::format("Behind it stands {} \"{}\".", layerNode.opType, layerNode.label());
        if (layerNode.is("ConvTranspose")) return "It cannot move into a ConvTranspose behind it.";
        if (layer->groups() != 1) return "It cannot move into a grouped layer behind it.";
        if (hasPadding(layerNode)) return "The layer behind it pads with zeros.";
        const bool isFlattened = first != consumer;
        const auto channels = static_cast<std::int64_t>(affine.scale.size());
        if (layer->inputChannels() % channels != 0 || (!isFlattened && layer->inputChannels() != channels))
            return "The layer behind it has another number of channels.";
        if (layerNode.is("MatMul") && !isMatrix(layerNode.inputs[0]))
            return "Its channels are not the columns of the product behind it.";

        const std::int64_t repeat = layer->inputChannels() / channels;  // positions per channel after Flatten
        std::vector<double> scale, shift;
        for (std::size_t c = 0; c < affine.scale.size(); ++c) {
            scale.insert(scale.end(), static_cast<std::size_t>(repeat), affine.scale[c]);
            shift.insert(shift.end(), static_cast<std::size_t>(repeat), affine.shift[c]);
        }
        layer->addInputShiftToBias(shift);
        layer->scale({}, scale);
        layer->writeTo(m_graph);
        m_report.folded.push_back({layerNode.label(), batchNorm.label(), {}, {}});
        m_graph.nodes[first].inputs[0] = batchNorm.inputs[0];
        m_removed.insert(index);
        return {};
    }

    void makePlainAffine(std::size_t index, const Affine& affine) {
        const auto channels = static_cast<std::int64_t>(affine.scale.size());
        const auto asTensor = [&](const std::vector<double>& values) {
            return Tensor(Shape{channels}, std::vector<float>(values.begin(), values.end()));
        };
        setConstantInput(m_graph, index, 1, asTensor(affine.scale), "scale");
        setConstantInput(m_graph, index, 2, asTensor(affine.shift), "bias");
        setConstantInput(m_graph, index, 3, Tensor(DType::Float, {channels}), "mean");
        setConstantInput(m_graph, index, 4, Tensor(Shape{channels}, std::vector<float>(affine.scale.size(), 1.F)),
                         "var");
        m_graph.nodes[index].setAttribute("epsilon", 0.F);
    }

    bool isMatrix(const std::string& value) {
        if (m_facts.empty())
            if (auto facts = inferShapes(m_model, {.inputShapes = {}, .batch = 1, .evaluate = {}}))
                m_facts = std::move(*facts);
        const auto found = m_facts.find(value);
        return found != m_facts.end() && found->second.shape && found->second.shape->size() == 2;
    }

    Model& m_model;
    Graph& m_graph;
    FoldReport& m_report;
    Topology m_topology;
    FactMap m_facts;
    std::unordered_set<std::size_t> m_removed;
};

}  // namespace

Result<Outcome<FoldReport>> foldBatchNorms(const Model& model) {
    Outcome<FoldReport> outcome{model, {}};
    if (auto done = Folder(outcome.model, outcome.report).run(); !done) return fail(done.error());
    return outcome;
}

}  // namespace equant
