// SPDX-License-Identifier: Apache-2.0
// Model-local functions (ONNX IR, "Functions"): their bodies are carried in Model::extra.
#include <algorithm>
#include <map>

#include "core/graph/inlining.h"
#include "core/graph/onnx_proto_internal.h"

namespace equant {
namespace {

constexpr int kMaxDepth = 64;  ///< functions may not call themselves, so real files stay far below
constexpr std::size_t kMaxNodes = std::size_t{1} << 20;

struct Function {
    std::vector<std::string> inputs;
    std::vector<std::string> outputs;
    std::vector<Node> nodes;
};
using Functions = std::map<std::pair<std::string, std::string>, Function>;

/// Functions by domain and name, without those written for another opset.
Result<Functions> functionsOf(const Model& model) {
    onnx::ModelProto message;
    if (!message.ParseFromString(model.extra))
        return fail(ErrorCode::Corrupt, "The functions of the model cannot be read.", "Export the model again.");
    Functions functions;
    for (auto& item : *message.mutable_functions()) {
        const bool isOtherOpset = std::ranges::any_of(item.opset_import(), [&](const auto& opset) {
            const bool isStandard = opset.domain().empty() || opset.domain() == "ai.onnx";
            return isStandard && opset.version() != model.opset();
        });
        if (isOtherOpset) continue;
        Function function{{item.input().begin(), item.input().end()}, {item.output().begin(), item.output().end()}, {}};
        onnx::GraphProto body;
        body.mutable_node()->Swap(item.mutable_node());
        auto graph = proto::takeGraph(body, {});
        if (!graph) return fail(graph.error());
        function.nodes = std::move(graph->nodes);
        const std::string domain = item.domain() == "ai.onnx" ? std::string() : item.domain();
        functions[{domain, item.name()}] = std::move(function);
    }
    return functions;
}

/// Name of the caller's attribute that this one stands for; empty for one with a value of its own.
std::string referenceOf(const Attribute& attribute) {
    if (attribute.extra.empty()) return {};
    onnx::AttributeProto message;
    return message.ParseFromString(attribute.extra) ? message.ref_attr_name() : std::string();
}

void bindAttributes(Node& node, const Node& call);

std::shared_ptr<const Graph> withAttributes(const Graph& body, const Node& call) {
    auto copy = std::make_shared<Graph>(body);
    for (Node& node : copy->nodes) bindAttributes(node, call);
    return copy;
}

/// Attributes that refer to the call's get its values; those it does not give are dropped (the operator's default).
void bindAttributes(Node& node, const Node& call) {
    std::vector<Attribute> bound;
    for (Attribute& attribute : node.attributes) {
        if (const std::string reference = referenceOf(attribute); !reference.empty()) {
            if (const Attribute* given = call.attribute(reference)) bound.push_back({attribute.name, given->value, {}});
            continue;
        }
        if (auto* one = std::get_if<std::shared_ptr<const Graph>>(&attribute.value)) *one = withAttributes(**one, call);
        bound.push_back(std::move(attribute));
    }
    node.attributes = std::move(bound);
}

void expandCall(const Node& call, const Function& function, std::vector<Node>& target) {
    NameMap names;
    for (std::size_t i = 0; i < function.inputs.size(); ++i)
        names[function.inputs[i]] = call.hasInput(i) ? call.inputs[i] : std::string();
    std::vector<Node> body = function.nodes;
    for (Node& node : body) bindAttributes(node, call);
    std::vector<Node> copies;
    for (std::size_t i = 0; i < std::min(call.outputs.size(), function.outputs.size()); ++i) {
        if (call.outputs[i].empty()) continue;
        if (!names.try_emplace(function.outputs[i], call.outputs[i]).second) {
            // An input handed through, or one value under two names.
            Node copy;
            copy.name = call.label() + "/" + call.outputs[i];
            copy.opType = "Identity";
            copy.inputs = {names[function.outputs[i]]};
            copy.outputs = {call.outputs[i]};
            copies.push_back(std::move(copy));
        }
    }
    appendBody(target, body, names, call);
    std::ranges::move(copies, std::back_inserter(target));
}

/// True when a call was replaced.
bool expandAll(std::vector<Node>& nodes, const Functions& functions);

bool expandBodies(Node& node, const Functions& functions) {
    bool isChanged = false;
    for (auto& attribute : node.attributes) {
        auto* held = std::get_if<std::shared_ptr<const Graph>>(&attribute.value);
        if (held == nullptr || !*held) continue;
        auto copy = std::make_shared<Graph>(**held);
        if (!expandAll(copy->nodes, functions)) continue;
        *held = std::move(copy);
        isChanged = true;
    }
    return isChanged;
}

bool expandAll(std::vector<Node>& nodes, const Functions& functions) {
    bool isChanged = false;
    std::vector<Node> result;
    for (Node& node : nodes) {
        const auto found = functions.find({node.domain, node.opType});
        if (found != functions.end()) {
            expandCall(node, found->second, result);
            isChanged = true;
        } else {
            isChanged |= expandBodies(node, functions);
            result.push_back(std::move(node));
        }
    }
    nodes = std::move(result);
    return isChanged;
}

}  // namespace

Result<Model> inlineFunctions(const Model& model) {
    if (model.functionIds.empty()) return model;
    const auto functions = functionsOf(model);
    if (!functions) return fail(functions.error());
    Model expanded = model;
    for (int depth = 0; expandAll(expanded.graph.nodes, *functions); ++depth) {
        if (depth >= kMaxDepth || expanded.graph.nodes.size() > kMaxNodes)
            return fail(ErrorCode::Corrupt, "The functions of the model call each other without end.",
                        "Export the model without functions.");
    }
    return expanded;
}

}  // namespace equant
