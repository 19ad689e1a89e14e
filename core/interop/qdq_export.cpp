// SPDX-License-Identifier: Apache-2.0
#include "core/interop/qdq_export.h"

#include <algorithm>
#include <fmt/format.h>
#include <map>
#include <unordered_map>
#include <unordered_set>

#include "core/graph/constants.h"
#include "core/graph/topology.h"
#include "core/interop/opset_raise_internal.h"
#include "core/runtime/kernels/fake_quantize.h"

namespace equant {

namespace {

constexpr std::int64_t kOpsetQdq = 10;
constexpr std::int64_t kOpsetPerChannel = 13;
constexpr std::int64_t kOpset16Bit = 21;

DType storageType(const Encoding& encoding) {
    if (encoding.bits <= 8) return encoding.isSigned ? DType::Int8 : DType::Uint8;
    return encoding.isSigned ? DType::Int16 : DType::Uint16;
}

/// Whether the integers reach as far as their storage; otherwise saturation does not happen by itself.
bool fillsStorage(const Encoding& encoding) {
    return (encoding.bits == 8 || encoding.bits == 16) && !encoding.isStrict;
}

std::int64_t neededOpset(const QuantOverlay& encodings) {
    std::int64_t opset = kOpsetQdq;
    for (const auto& [name, encoding] : encodings) {
        if (encoding.isPerChannel()) opset = std::max(opset, kOpsetPerChannel);
        if (encoding.bits > 8) opset = std::max(opset, kOpset16Bit);
    }
    return opset;
}

std::size_t initializerBytes(const Graph& graph) {
    std::size_t bytes = 0;
    for (const Initializer& initializer : graph.initializers) bytes += initializer.tensor.sizeBytes();
    return bytes;
}

class QdqExport {
public:
    explicit QdqExport(Model& model) : m_model(model), m_graph(model.graph) { collectNames(); }

    Status addWeight(const std::string& value, const Tensor& tensor, const Encoding& encoding) {
        auto integers = quantizedIntegers(tensor, encoding);
        if (!integers) return failAt(value, integers.error());
        auto stored = integers->converted(storageType(encoding));
        if (!stored) return failAt(value, stored.error());
        const std::string source = addConstant(value + "_quantized", std::move(*stored));
        const std::string real = unique(value + "_dequantized");
        m_weightNodes.push_back(makeNode("DequantizeLinear", value, source, real, encoding));
        m_renamedReads[value] = real;
        return {};
    }

    Status addActivation(const std::string& value, const Encoding& encoding, bool isModelInput) {
        if (encoding.isPerChannel()) {
            return fail(ErrorCode::Unsupported, "An activation has one scale per channel.",
                        "Quantize activations per tensor.", value);
        }
        if (auto status = checkEncoding(encoding, {}); !status) return failAt(value, status.error());
        // Readers keep the name, also those inside subgraphs; only of a model input the name belongs to the caller.
        std::string source = value;
        std::string result = value;
        if (isModelInput) {
            result = unique(value + "_dequantized");
            m_renamedReads[value] = result;
        } else {
            source = unique(value + "_float");
            m_renamedOutputs[value] = source;
        }
        std::vector<Node>& nodes = m_nodesBehind[value];
        if (!fillsStorage(encoding)) {
            const std::string clipped = unique(value + "_clipped");
            nodes.push_back(makeClip(value, source, clipped, encoding));
            source = clipped;
        }
        const std::string quantized = unique(value + "_quantized");
        nodes.push_back(makeNode("QuantizeLinear", value, source, quantized, encoding));
        nodes.push_back(makeNode("DequantizeLinear", value, quantized, result, encoding));
        return {};
    }

    /// Puts the nodes where they belong: weights first, pairs right behind what they quantize.
    void finish() {
        std::vector<Node> nodes = std::move(m_weightNodes);
        for (const ValueInfo& input : m_graph.inputs) appendBehind(input.name, nodes);
        for (Node& node : m_graph.nodes) {
            for (std::string& input : node.inputs) {
                if (const auto renamed = m_renamedReads.find(input); renamed != m_renamedReads.end()) {
                    input = renamed->second;
                }
            }
            const std::vector<std::string> values = node.outputs;
            for (std::string& output : node.outputs) {
                if (const auto renamed = m_renamedOutputs.find(output); renamed != m_renamedOutputs.end()) {
                    output = renamed->second;
                }
            }
            nodes.push_back(std::move(node));
            for (const std::string& value : values) appendBehind(value, nodes);
        }
        m_graph.nodes = std::move(nodes);
        removeUnused(m_graph);
    }

private:
    static Status failAt(const std::string& value, Error error) {
        error.subject = value;
        return fail(std::move(error));
    }
    void collectNames() {
        for (const auto& info : m_graph.inputs) m_names.insert(info.name);
        for (const auto& info : m_graph.values) m_names.insert(info.name);
        for (const auto& initializer : m_graph.initializers) m_names.insert(initializer.name);
        for (const Node& node : m_graph.nodes) {
            m_names.insert(node.name);
            m_names.insert(node.outputs.begin(), node.outputs.end());
        }
    }
    std::string unique(const std::string& wanted) {
        std::string name = wanted;
        for (int i = 1; !m_names.insert(name).second; ++i) name = fmt::format("{}_{}", wanted, i);
        return name;
    }
    std::string addConstant(const std::string& wanted, Tensor tensor) {
        const std::string name = unique(wanted);
        m_graph.initializers.push_back({name, std::move(tensor), {}});
        return name;
    }
    void appendBehind(const std::string& value, std::vector<Node>& nodes) {
        const auto found = m_nodesBehind.find(value);
        if (found == m_nodesBehind.end()) return;
        std::move(found->second.begin(), found->second.end(), std::back_inserter(nodes));
        m_nodesBehind.erase(found);
    }

    struct GridNames {
        std::string scale, zeroPoint;
    };
    /// Scale and zero point are made once per value and shared by its two nodes.
    const GridNames& gridNames(const std::string& value, const Encoding& encoding) {
        auto [at, isNew] = m_grids.try_emplace(value);
        if (!isNew) return at->second;
        const Shape shape = encoding.isPerChannel() ? Shape{static_cast<std::int64_t>(encoding.scale.size())} : Shape{};
        at->second.scale = addConstant(value + "_scale", Tensor(shape, encoding.scale));
        const Tensor zeroPoints(shape, encoding.zeroPoint);
        at->second.zeroPoint = addConstant(value + "_zero_point", *zeroPoints.converted(storageType(encoding)));
        return at->second;
    }
    Node makeNode(const char* type, const std::string& value, const std::string& input, const std::string& output,
                  const Encoding& encoding) {
        const GridNames& names = gridNames(value, encoding);
        Node node;
        node.opType = type;
        node.name = unique(fmt::format("{}_{}", value, type));
        node.inputs = {input, names.scale, names.zeroPoint};
        node.outputs = {output};
        if (encoding.isPerChannel()) node.setAttribute("axis", std::int64_t{encoding.axis});
        return node;
    }
    Node makeClip(const std::string& value, const std::string& input, const std::string& output,
                  const Encoding& encoding) {
        Node node;
        node.opType = "Clip";
        node.name = unique(value + "_Clip");
        node.inputs = {input};
        node.outputs = {output};
        const auto low = static_cast<float>(encoding.min());
        const auto high = static_cast<float>(encoding.max());
        if (m_model.opset() < 11) {
            node.setAttribute("min", low);
            node.setAttribute("max", high);
        } else {
            node.inputs.push_back(addConstant(value + "_min", Tensor(Shape{}, {low})));
            node.inputs.push_back(addConstant(value + "_max", Tensor(Shape{}, {high})));
        }
        return node;
    }

    Model& m_model;
    Graph& m_graph;
    std::unordered_set<std::string> m_names;
    std::vector<Node> m_weightNodes;
    std::unordered_map<std::string, std::vector<Node>> m_nodesBehind;
    std::unordered_map<std::string, std::string> m_renamedReads, m_renamedOutputs;
    std::unordered_map<std::string, GridNames> m_grids;
};

}  // namespace

Result<Outcome<QdqReport>> exportQdq(const Model& model, const QuantOverlay& encodings) {
    const auto topology = Topology::of(model.graph);
    if (!topology) return fail(topology.error());
    Outcome<QdqReport> outcome{model, {}};
    if (auto status = raiseOpset(outcome.model, neededOpset(encodings)); !status) return fail(status.error());
    outcome.report.opset = outcome.model.opset();
    outcome.report.initializerBytesBefore = initializerBytes(model.graph);

    const auto required = model.graph.requiredInputs();
    QdqExport builder(outcome.model);
    // In the order of names, so that the file does not depend on the hash table.
    const std::map<std::string, Encoding> ordered(encodings.begin(), encodings.end());
    for (const auto& [value, encoding] : ordered) {
        const bool isModelInput = std::any_of(required.begin(), required.end(),
                                              [&, &name = value](const ValueInfo* info) { return info->name == name; });
        Status status;
        if (isModelInput) {
            status = builder.addActivation(value, encoding, true);
            ++outcome.report.activations;
        } else if (const auto tensor = constantValue(model.graph, value)) {
            status = builder.addWeight(value, *tensor, encoding);
            ++outcome.report.weights;
        } else if (topology->producer(value) != Topology::kNone) {
            status = builder.addActivation(value, encoding, false);
            ++outcome.report.activations;
        } else {
            outcome.report.notFound.push_back(value);
        }
        if (!status) return fail(status.error());
    }
    builder.finish();
    outcome.report.initializerBytesAfter = initializerBytes(outcome.model.graph);
    return outcome;
}

}  // namespace equant
