// SPDX-License-Identifier: Apache-2.0
#include "core/graph/shapes/shapes.h"

#include <algorithm>

#include "core/graph/shapes/shapes_internal.h"
#include "core/graph/subgraphs.h"
#include "core/graph/topology.h"

namespace equant {

namespace shapes {

namespace {

Table allFamilies() {
    Table table;
    for (const auto add :
         {addConvolution, addPooling, addElementwise, addNormalization, addReduction, addMatrix, addReshaping,
          addMovement, addSelection, addGeneration, addImage, addQuantized, addRecurrent, addControl}) {
        add(table);
    }
    return table;
}

std::string inputsText(std::span<const Known* const> inputs) {
    std::string text;
    for (const Known* input : inputs) {
        if (!text.empty()) text += ", ";
        text += input && input->shape ? toString(*input->shape) : "?";
    }
    return text;
}

}  // namespace

InferFunction findInferFunction(std::string_view opType) {
    static const Table kTable = allFamilies();
    const auto found = kTable.find(opType);
    return found == kTable.end() ? nullptr : found->second;
}

Result<std::vector<Known>> inferKnown(const Node& node, std::span<const Known* const> inputs, std::int64_t opset) {
    Inference in(node, inputs, opset);
    const auto function = node.domain.empty() ? findInferFunction(node.opType) : nullptr;
    if (!function) return in.takeOutputs();
    try {
        function(in);
        propagateEntries(in);
    } catch (const Contradiction& contradiction) {
        return fail(ErrorCode::InvalidArgument,
                    fmt::format("{} '{}' cannot take inputs of shape [{}]: {}.", node.opType, node.label(),
                                inputsText(inputs), contradiction.text),
                    "Check the input shape given for the model, or whether the file is damaged.", node.label());
    }
    return in.takeOutputs();
}

}  // namespace shapes

namespace {

using shapes::Known;
using KnownMap = std::unordered_map<std::string, Known>;

/// Constants longer than this are data: nobody computes shapes with them, and evaluating them would cost time.
constexpr std::int64_t kMaxEvaluated = 1 << 16;

Known knownOf(const Tensor& tensor) {
    Known known;
    known.dtype = tensor.dtype();
    known.shape = tensor.shape();
    known.constant = tensor;
    return known;
}

bool isSmall(const Tensor& tensor) {
    return tensor.count() <= kMaxEvaluated;
}

/// Applies a graph's declarations and the caller's options, then walks the nodes.
class ShapePass {
public:
    ShapePass(const Model& model, const ShapeOptions& options)
        : m_graph(model.graph), m_options(options), m_opset(model.opset()) {}

    Result<FactMap> run() {
        const auto topology = Topology::of(m_graph);
        if (!topology) return fail(topology.error());
        if (const auto status = seedInputs(); !status) return fail(status.error());
        for (const auto& initializer : m_graph.initializers) seedInitializer(initializer);
        indexDeclarations();
        for (const auto index : topology->order()) {
            if (const auto status = visit(m_graph.nodes[index]); !status) return fail(status.error());
        }
        FactMap facts;
        facts.reserve(m_known.size());
        for (auto& [name, known] : m_known) facts.emplace(name, static_cast<ValueFacts&&>(known));
        return facts;
    }

private:
    [[nodiscard]] std::string inputNames() const {
        std::string text;
        for (const ValueInfo* input : m_graph.requiredInputs())
            text += fmt::format("{}\"{}\"", text.empty() ? "" : ", ", input->name);
        return text.empty() ? "none" : text;
    }

    Status seedInputs() {
        for (const auto& [name, shape] : m_options.inputShapes) {
            if (std::ranges::none_of(m_graph.inputs, [&](const ValueInfo& input) { return input.name == name; })) {
                return fail(ErrorCode::InvalidArgument, fmt::format("The model has no input '{}'.", name),
                            fmt::format("It has {}.", inputNames()), name);
            }
        }
        for (const auto& input : m_graph.inputs) {
            Known known;
            known.dtype = input.dtype;
            const auto given = m_options.inputShapes.find(input.name);
            if (given != m_options.inputShapes.end()) {
                known.shape = given->second;
                for (auto& dim : *known.shape) dim = std::max(dim, shapes::kUnknown);
            } else if (input.shape) {
                known.shape.emplace();
                for (const auto& dim : *input.shape) known.shape->push_back(std::max(dim.value, shapes::kUnknown));
                const bool isOpen = !known.shape->empty() && known.shape->front() < 0;
                if (isOpen && m_options.batch > 0) known.shape->front() = m_options.batch;
            }
            bindSymbols(input, known.shape);
            m_known[input.name] = std::move(known);
        }
        return {};
    }

    /// Remembers what symbols such as "N" stand for, and whether the caller's shapes overrule fixed declared ones.
    void bindSymbols(const ValueInfo& input, const std::optional<Shape>& shape) {
        if (!shape || !input.shape) return;
        if (shape->size() != input.shape->size()) {
            m_isOverruled = true;
            return;
        }
        for (std::size_t i = 0; i < shape->size(); ++i) {
            const Dim& dim = (*input.shape)[i];
            if (dim.value >= 0 && dim.value != (*shape)[i]) m_isOverruled = true;
            if (!dim.symbol.empty() && (*shape)[i] >= 0) m_symbols.try_emplace(dim.symbol, (*shape)[i]);
        }
    }

    void seedInitializer(const Initializer& initializer) {
        if (!initializer.tensor.isEmpty()) {
            m_known[initializer.name] = knownOf(initializer.tensor);
        } else {
            m_known.try_emplace(initializer.name);
        }
    }

    void indexDeclarations() {
        for (const auto* list : {&m_graph.values, &m_graph.outputs}) {
            for (const auto& value : *list) m_declared[value.name] = &value;
        }
    }

    Status visit(const Node& node) {
        std::vector<const Known*> inputs;
        for (const auto& name : node.inputs) {
            const auto found = name.empty() ? m_known.end() : m_known.find(name);
            inputs.push_back(found == m_known.end() ? nullptr : &found->second);
        }
        auto outputs = shapes::inferKnown(node, inputs, m_opset);
        if (!outputs) return fail(outputs.error());
        evaluate(node, inputs, *outputs);
        for (std::size_t k = 0; k < node.outputs.size(); ++k) {
            if (node.outputs[k].empty()) continue;
            fillFromDeclaration(node.outputs[k], (*outputs)[k]);
            m_known[node.outputs[k]] = std::move((*outputs)[k]);
        }
        return {};
    }

    void evaluate(const Node& node, std::span<const Known* const> inputs, std::vector<Known>& outputs) const {
        if (!m_options.evaluate || inputs.empty() || !isEvaluable(node)) return;
        const auto isKnown = [](const Known& known) {
            if (known.constant || !known.shape) return known.constant.has_value();
            return std::ranges::all_of(*known.shape, [](auto dim) { return dim >= 0; }) &&
                   shapes::productOf(*known.shape) > kMaxEvaluated;  // known to be too large: nothing to gain
        };
        if (std::ranges::all_of(outputs, isKnown)) return;
        std::vector<Tensor> tensors;
        for (std::size_t i = 0; i < inputs.size(); ++i) {
            if (!node.hasInput(i)) {
                tensors.emplace_back();
            } else if (inputs[i] && inputs[i]->constant && isSmall(*inputs[i]->constant)) {
                tensors.push_back(*inputs[i]->constant);
            } else {
                return;
            }
        }
        const auto results = m_options.evaluate(node, tensors, m_opset);
        if (!results) return;
        for (std::size_t k = 0; k < std::min(outputs.size(), results->size()); ++k) {
            const Tensor& result = (*results)[k];
            if (!result.isEmpty() && isSmall(result)) outputs[k] = knownOf(result);
        }
    }

    /// Not random, and without a body that may read values this pass does not hand over.
    static bool isEvaluable(const Node& node) {
        bool hasBody = false;
        forEachSubgraph(node, [&](const Graph&) { hasBody = true; });
        return !hasBody && !node.opType.starts_with("Random") && !node.is("Bernoulli") && !node.is("Multinomial") &&
               !node.is("Dropout");
    }

    void fillFromDeclaration(const std::string& name, Known& known) const {
        const auto found = m_declared.find(name);
        if (found == m_declared.end()) return;
        const ValueInfo& declared = *found->second;
        if (known.dtype == DType::Undefined) known.dtype = declared.dtype;
        if (!declared.shape || (known.shape && known.shape->size() != declared.shape->size())) return;
        if (m_isOverruled && !known.shape) return;
        if (!known.shape) known.shape = Shape(declared.shape->size(), shapes::kUnknown);
        for (std::size_t i = 0; i < known.shape->size(); ++i) {
            if ((*known.shape)[i] >= 0) continue;
            const Dim& dim = (*declared.shape)[i];
            if (const auto symbol = m_symbols.find(dim.symbol); symbol != m_symbols.end()) {
                (*known.shape)[i] = symbol->second;
            } else if (!m_isOverruled) {
                (*known.shape)[i] = std::max(dim.value, shapes::kUnknown);
            }
        }
    }

    const Graph& m_graph;
    const ShapeOptions& m_options;
    std::int64_t m_opset;
    KnownMap m_known;
    std::unordered_map<std::string, const ValueInfo*> m_declared;
    std::unordered_map<std::string, std::int64_t> m_symbols;
    bool m_isOverruled = false;
};

}  // namespace

bool ValueFacts::isFullyKnown() const {
    return dtype != DType::Undefined && shape && std::ranges::all_of(*shape, [](auto dim) { return dim >= 0; });
}

Result<std::vector<ValueFacts>> inferNode(const Node& node, std::span<const ValueFacts> inputs, std::int64_t opset) {
    std::vector<Known> known(std::min(inputs.size(), node.inputs.size()));
    std::vector<const Known*> pointers(node.inputs.size(), nullptr);
    for (std::size_t i = 0; i < known.size(); ++i) {
        static_cast<ValueFacts&>(known[i]) = inputs[i];
        pointers[i] = &known[i];
    }
    auto outputs = shapes::inferKnown(node, pointers, opset);
    if (!outputs) return fail(outputs.error());
    std::vector<ValueFacts> facts;
    facts.reserve(outputs->size());
    for (auto& output : *outputs) facts.push_back(static_cast<ValueFacts&&>(output));
    return facts;
}

Result<FactMap> inferShapes(const Model& model, const ShapeOptions& options) {
    return ShapePass(model, options).run();
}

}  // namespace equant
