// SPDX-License-Identifier: Apache-2.0
#include "core/runtime/diagnose/non_finite.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <fmt/format.h>
#include <unordered_map>
#include <unordered_set>

#include "core/graph/topology.h"
#include "core/runtime/exec/executor.h"
#include "core/runtime/ir/expansion_internal.h"
#include "core/runtime/kernels/control_internal.h"
#include "core/runtime/kernels/evaluate.h"
#include "core/runtime/kernels/kernel_internal.h"

namespace equant {

namespace {

template <typename T>
NonFiniteCount countIn(std::span<const T> values) {
    NonFiniteCount count;
    for (std::size_t i = 0; i < values.size(); ++i) {
        if (std::isfinite(values[i])) continue;
        if (count.isFinite()) count.first = i;
        ++(std::isnan(values[i]) ? count.nan : count.infinite);
    }
    return count;
}

/// What is known of a value after the run.
struct Seen {
    NonFiniteCount count;
    Shape shape;
    bool isConstant = false;
    std::string source;  ///< of constants that are not finite: the one in the file they come from
};

class Search {
public:
    Search(const Model& model, const Topology& topology) : m_graph(model.graph), m_topology(topology) {}

    /// Operators that the outputs depend on, in execution order: others may be without a kernel.
    [[nodiscard]] std::vector<const Node*> neededNodes() const {
        std::unordered_set<std::size_t> needed;
        std::vector<std::string> open;
        for (const ValueInfo& output : m_graph.outputs) open.push_back(output.name);
        while (!open.empty()) {
            const std::size_t producer = m_topology.producer(open.back());
            open.pop_back();
            if (producer == Topology::kNone || !needed.insert(producer).second) continue;
            for (std::string& input : argumentNames(m_graph.nodes[producer])) open.push_back(std::move(input));
        }
        std::vector<const Node*> nodes;
        for (const std::size_t index : m_topology.order())
            if (needed.contains(index)) nodes.push_back(&m_graph.nodes[index]);
        return nodes;
    }

    void note(const std::string& value, const Tensor& tensor) {
        m_seen[value] = {countNonFinite(tensor), tensor.shape(), false, {}};
    }
    void noteConstants(const std::vector<const Node*>& nodes) {
        for (const Initializer& initializer : m_graph.initializers) {
            Seen& seen = m_seen[initializer.name];
            seen = {countNonFinite(initializer.tensor), initializer.tensor.shape(), true, initializer.name};
        }
        for (const Node* node : nodes) {
            const auto names = argumentNames(*node);
            if (!std::ranges::all_of(names, [&](const auto& name) { return name.empty() || m_seen[name].isConstant; }))
                continue;
            const std::string* bad = badInput(*node, [](const Seen& seen) { return !seen.count.isFinite(); });
            for (const std::string& output : node->outputs) {
                Seen& seen = m_seen[output];
                // Infinity and NaN made of finite constants are the operator's own doing, unless it only states them.
                const bool isStated = node->is("Constant") || node->is("ConstantOfShape");
                seen.isConstant = isStated || seen.count.isFinite() || bad;
                seen.source = bad ? m_seen[*bad].source : output;
            }
        }
    }

    /// Infinity that is fed may be a mask; NaN never is.
    [[nodiscard]] std::optional<NonFiniteOrigin> fedNan() {
        for (const ValueInfo* input : m_graph.requiredInputs()) {
            const auto found = m_seen.find(input->name);
            if (found != m_seen.end() && found->second.count.nan > 0) return fed(input->name);
        }
        return std::nullopt;
    }

    [[nodiscard]] std::optional<NonFiniteOrigin> origin(const std::vector<const Node*>& nodes) {
        for (const Node* node : nodes) {
            const std::string* output = badOutput(*node, [](const Seen& seen) { return seen.count.nan > 0; });
            if (!output || m_seen[*output].isConstant) continue;
            const auto isBad = [](const Seen& seen) { return !seen.isConstant && seen.count.nan > 0; };
            if (badInput(*node, isBad)) continue;
            return startingAt(*node, *output);
        }
        for (const Node* node : nodes) {
            const auto isBad = [](const Seen& seen) { return seen.count.infinite > 0; };
            const std::string* output = badOutput(*node, isBad);
            if (output && m_topology.isGraphOutput(*output)) return startingAt(*node, *output);
        }
        return std::nullopt;
    }

private:
    template <typename Predicate>
    const std::string* firstOf(const std::vector<std::string>& names, const Predicate& isBad) {
        for (const std::string& name : names) {
            const auto found = m_seen.find(name);
            if (!name.empty() && found != m_seen.end() && isBad(found->second)) return &found->first;
        }
        return nullptr;
    }
    template <typename Predicate>
    const std::string* badOutput(const Node& node, const Predicate& isBad) {
        return firstOf(node.outputs, isBad);
    }
    template <typename Predicate>
    const std::string* badInput(const Node& node, const Predicate& isBad) {
        return firstOf(argumentNames(node), isBad);
    }

    NonFiniteOrigin fed(const std::string& input) {
        const Seen& seen = m_seen[input];
        return {{}, {}, input, seen.shape, seen.count, {}, {}, {}};
    }

    /// `node` gives `value`, which is not finite; its inputs may hold infinity, which is followed to where it is made.
    NonFiniteOrigin startingAt(const Node& node, const std::string& value) {
        const Node* maker = &node;
        std::string made = value;
        while (const std::string* input =
                   badInput(*maker, [](const Seen& seen) { return !seen.isConstant && seen.count.infinite > 0; })) {
            const std::size_t producer = m_topology.producer(*input);
            if (producer == Topology::kNone) return fed(*input);
            maker = &m_graph.nodes[producer];
            made = *input;
        }
        const auto isBadConstant = [](const Seen& seen) { return seen.isConstant && !seen.count.isFinite(); };
        // A mask is infinite by intention: the cause is the operator that made NaN of it.
        if (maker != &node && badInput(*maker, isBadConstant)) {
            maker = &node;
            made = value;
        }
        NonFiniteOrigin origin;
        origin.layer = maker->label();
        origin.opType = operatorName(*maker);
        origin.value = made;
        origin.shape = m_seen[made].shape;
        origin.count = m_seen[made].count;
        if (const std::string* constant = badInput(*maker, isBadConstant)) {
            origin.constant = m_seen[*constant].source;
            origin.inConstant = m_seen[*constant].count;
        }
        if (maker != &node && m_seen[value].count.nan > 0) origin.nanLayer = node.label();
        return origin;
    }

    const Graph& m_graph;
    const Topology& m_topology;
    std::unordered_map<std::string, Seen> m_seen;
};

ShapeOptions shapesOf(const Model& model, std::span<const Tensor> inputs) {
    ShapeOptions options{.inputShapes = {}, .batch = 1, .evaluate = constantEvaluator()};
    const auto required = model.graph.requiredInputs();
    for (std::size_t i = 0; i < required.size() && i < inputs.size(); ++i)
        options.inputShapes[required[i]->name] = inputs[i].shape();
    return options;
}

}  // namespace

NonFiniteCount countNonFinite(const Tensor& tensor) {
    switch (tensor.dtype()) {
        case DType::Float:
            return isAllFinite(tensor.data<float>()) ? NonFiniteCount{} : countIn(tensor.data<float>());
        case DType::Double:
            return countIn(tensor.data<double>());
        case DType::Float16:
        case DType::Bfloat16: {
            const auto wide = tensor.converted(DType::Float);
            return wide ? countIn(wide->data<float>()) : NonFiniteCount{};
        }
        default:
            return {};
    }
}

bool isAllFinite(std::span<const float> values) {
    constexpr std::uint32_t kExponent = 0x7F800000;
    std::uint32_t isBad = 0;  // no early exit: the compiler makes vector instructions of it
    for (const float value : values)
        isBad |= std::uint32_t{(std::bit_cast<std::uint32_t>(value) & kExponent) == kExponent};
    return isBad == 0;
}

bool isAllFinite(const Tensor& tensor) {
    return tensor.dtype() == DType::Float ? isAllFinite(tensor.data<float>()) : countNonFinite(tensor).isFinite();
}

std::string describe(const NonFiniteCount& count) {
    const std::string infinite = fmt::format("{} {}", count.infinite, count.infinite == 1 ? "infinity" : "infinities");
    if (count.nan == 0) return infinite;
    return fmt::format("{} NaN{}", count.nan, count.infinite > 0 ? " and " + infinite : std::string());
}

std::string describe(const NonFiniteOrigin& origin) {
    const std::string where = fmt::format("the first at index {} of {}", origin.count.first, toString(origin.shape));
    if (origin.layer.empty())
        return fmt::format("The input \"{}\" holds {} ({}).", origin.value, describe(origin.count), where);
    std::string cause = " of finite inputs";
    if (!origin.constant.empty())
        cause = fmt::format(" because its constant \"{}\" holds {}", origin.constant, describe(origin.inConstant));
    return fmt::format("{} \"{}\" makes {}{} ({}){}.", origin.opType, origin.layer, describe(origin.count), cause,
                       where,
                       origin.nanLayer.empty() ? std::string() : fmt::format(", NaN in \"{}\"", origin.nanLayer));
}

std::string hintFor(const NonFiniteOrigin& origin) {
    if (origin.layer.empty()) return "Check the data and their preprocessing.";
    if (!origin.constant.empty()) return "Training diverged or the export failed: export the model again.";
    return "Look for a division by zero, a root or logarithm of what is not positive, or numbers too large for float; "
           "data that were preprocessed differently in training cause it as well.";
}

Result<std::optional<NonFiniteOrigin>> findNonFinite(const Model& model, std::span<const Tensor> inputs,
                                                     const QuantOverlay& overlay, const JobContext& job) {
    const auto expanded = expand(model, shapesOf(model, inputs));
    if (!expanded) return fail(expanded.error());
    const Model& flat = *expanded->model;
    const auto topology = Topology::of(flat.graph);
    if (!topology) return fail(topology.error());
    Search search(flat, *topology);
    const auto nodes = search.neededNodes();

    CompileOptions options;
    options.overlay = overlay;
    for (const Node* node : nodes)
        for (const std::string& output : node->outputs)
            if (!output.empty()) options.taps.push_back(output);
    if (job.stopped()) return cancelled();
    const auto executor = Executor::create(flat, options);
    if (!executor) return fail(executor.error());
    const auto note = [&](std::size_t tap, const Tensor& value) { search.note(options.taps[tap], value); };
    if (const auto outputs = (*executor)->run(inputs, 0, note); !outputs) return fail(outputs.error());
    if (job.stopped()) return cancelled();

    const auto required = flat.graph.requiredInputs();
    for (std::size_t i = 0; i < required.size() && i < inputs.size(); ++i) search.note(required[i]->name, inputs[i]);
    search.noteConstants(nodes);
    if (auto fed = search.fedNan()) return fed;
    return search.origin(nodes);
}

}  // namespace equant
