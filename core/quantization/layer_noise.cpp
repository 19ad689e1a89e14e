// SPDX-License-Identifier: Apache-2.0
#include "core/quantization/layer_noise.h"

#include <algorithm>
#include <set>
#include <unordered_map>

#include "core/base/parallel.h"
#include "core/graph/topology.h"
#include "core/metrics/scores.h"
#include "core/runtime/executor.h"

namespace equant {

namespace {

/// Quantizers that are measured together, and the little model that holds just their nodes.
struct Group {
    LayerNoise noise;
    std::size_t first = Topology::kNone;  ///< node of the layer
    std::vector<std::size_t> nodes;       ///< from the layer to the producer of the measured value
    QuantOverlay overlay;
    std::vector<std::string> inputs;  ///< values of the float model that the little model is fed with
    std::shared_ptr<Executor> executor;
    SqnrAccumulator local;
    SqnrAccumulator accumulated;
};

class NoiseMeter {
public:
    NoiseMeter(const Model& model, const Topology& topology, const QuantSim& sim)
        : m_model(model), m_graph(model.graph), m_topology(topology), m_sim(sim) {
        for (const CalibratedQuantizer& quantizer : sim.quantizers)
            m_encodings.emplace(quantizer.spec.value, quantizer.encoding);
    }

    Result<std::vector<LayerNoise>> measure(const Dataset& dataset, const LayerNoiseOptions& options,
                                            const JobContext& job);

private:
    void findGroups();
    Group groupFrom(std::size_t node) const;
    bool isConstant(const std::string& value, std::set<std::size_t>& nodes) const;
    Model extract(Group& group, const std::unordered_map<std::string, Tensor>& values) const;
    Status addSample(const Sample& sample, const LayerNoiseOptions& options, const JobContext& job);
    Status measureLocal(Group& group, const std::unordered_map<std::string, Tensor>& values, unsigned threads) const;

    const Model& m_model;
    const Graph& m_graph;
    const Topology& m_topology;
    const QuantSim& m_sim;
    QuantOverlay m_encodings;
    std::vector<Group> m_groups;
    std::vector<std::string> m_values;  ///< what the float model must yield: measured values and inputs of groups
    std::vector<std::string> m_measured;
    std::shared_ptr<Executor> m_float;
    std::shared_ptr<Executor> m_quantized;
};

/// From a layer along the only reader to the first quantized value.
Group NoiseMeter::groupFrom(std::size_t node) const {
    Group group;
    group.first = node;
    group.noise.layer = m_graph.nodes[node].label();
    for (std::size_t at = node; at != Topology::kNone;) {
        const Node& current = m_graph.nodes[at];
        group.nodes.push_back(at);
        if (current.outputs.empty()) break;
        group.noise.value = current.outputs.front();
        if (m_encodings.contains(group.noise.value)) break;
        at = m_topology.soleConsumer(group.noise.value);
        // A second layer with weights would add noise of its own.
        if (at == Topology::kNone) break;
        const auto& inputs = m_graph.nodes[at].inputs;
        if (std::ranges::any_of(inputs, [&](const auto& value) {
                return m_encodings.contains(value) && m_graph.initializer(value) != nullptr;
            }))
            break;
    }
    for (const std::size_t index : group.nodes)
        for (const std::string& value : m_graph.nodes[index].inputs)
            if (const auto found = m_encodings.find(value); found != m_encodings.end() &&
                                                            m_topology.producer(value) == Topology::kNone &&
                                                            m_graph.initializer(value))
                group.overlay.insert(*found);
    if (const auto found = m_encodings.find(group.noise.value); found != m_encodings.end())
        group.overlay.insert(*found);
    return group;
}

void NoiseMeter::findGroups() {
    std::set<std::size_t> starts;
    std::set<std::string> covered;
    for (const CalibratedQuantizer& quantizer : m_sim.quantizers) {
        if (!quantizer.spec.isParameter()) continue;
        for (const Use& use : m_topology.uses(quantizer.spec.value)) starts.insert(use.node);
    }
    for (const std::size_t node : starts) covered.insert(groupFrom(node).noise.value);
    for (const CalibratedQuantizer& quantizer : m_sim.quantizers) {
        if (quantizer.spec.isParameter() || covered.contains(quantizer.spec.value)) continue;
        const std::size_t producer = m_topology.producer(quantizer.spec.value);
        if (producer != Topology::kNone) starts.insert(producer);
    }
    for (const std::size_t node : m_topology.order())
        if (starts.contains(node)) m_groups.push_back(groupFrom(node));
}

/// Whether a value depends on constants only; collects the nodes that make it.
bool NoiseMeter::isConstant(const std::string& value, std::set<std::size_t>& nodes) const {
    if (m_graph.initializer(value)) return true;
    const std::size_t producer = m_topology.producer(value);
    if (producer == Topology::kNone) return false;
    std::set<std::size_t> needed{producer};
    for (const std::string& input : m_graph.nodes[producer].inputs)
        if (!input.empty() && !isConstant(input, needed)) return false;
    nodes.merge(needed);
    return true;
}

/// The group's nodes with their constants; what comes from elsewhere becomes an input of the shape seen.
Model NoiseMeter::extract(Group& group, const std::unordered_map<std::string, Tensor>& values) const {
    Model little;
    little.irVersion = m_model.irVersion;
    little.opsets = m_model.opsets;
    little.functionIds = m_model.functionIds;
    std::set<std::size_t> nodes(group.nodes.begin(), group.nodes.end());
    for (const std::size_t index : group.nodes)
        for (const std::string& value : m_graph.nodes[index].inputs)
            if (!value.empty()) isConstant(value, nodes);
    std::set<std::string> made;
    std::set<std::string> known;
    for (const std::size_t index : nodes)
        for (const std::string& value : m_graph.nodes[index].outputs) made.insert(value);
    for (const std::size_t index : m_topology.order()) {
        if (!nodes.contains(index)) continue;
        little.graph.nodes.push_back(m_graph.nodes[index]);
        for (const std::string& value : m_graph.nodes[index].inputs) {
            if (value.empty() || made.contains(value) || !known.insert(value).second) continue;
            if (const Initializer* constant = m_graph.initializer(value)) {
                little.graph.initializers.push_back(*constant);
                continue;
            }
            group.inputs.push_back(value);
            const auto seen = values.find(value);
            if (seen == values.end()) continue;
            ValueInfo info{value, seen->second.dtype(), std::vector<Dim>{}, {}};
            for (const auto dim : seen->second.shape()) info.shape->push_back({dim, {}});
            little.graph.inputs.push_back(std::move(info));
        }
    }
    little.graph.outputs.push_back({group.noise.value, DType::Undefined, std::nullopt, {}});
    return little;
}

Status NoiseMeter::measureLocal(Group& group, const std::unordered_map<std::string, Tensor>& values,
                                unsigned worker) const {
    (void)worker;
    if (!group.executor) {
        const Model little = extract(group, values);
        CompileOptions options;
        options.overlay = group.overlay;
        auto executor = Executor::create(little, options);
        if (!executor) return fail(executor.error());
        group.executor = *executor;
    }
    std::vector<Tensor> inputs;
    for (const std::string& value : group.inputs) {
        const auto found = values.find(value);
        if (found == values.end())
            return fail(ErrorCode::Internal, "A value of the float model is missing.", {}, value);
        inputs.push_back(found->second);
    }
    auto outputs = group.executor->run(inputs);
    if (!outputs) return fail(outputs.error());
    const Tensor& reference = values.at(group.noise.value);
    if (reference.dtype() == DType::Float && outputs->front().count() == reference.count())
        group.local.add(reference.data<float>(), outputs->front().data<float>());
    return {};
}

Status NoiseMeter::addSample(const Sample& sample, const LayerNoiseOptions& options, const JobContext& job) {
    const Sample samples[] = {sample};
    auto inputs = stackSamples(samples);
    if (!inputs) return fail(inputs.error());
    auto exact = m_float->run(*inputs);
    if (!exact) return fail(exact.error());
    auto quantized = m_quantized->run(*inputs);
    if (!quantized) return fail(quantized.error());
    std::unordered_map<std::string, Tensor> values;
    for (std::size_t i = 0; i < m_values.size(); ++i) values.emplace(m_values[i], (*exact)[i]);
    const auto required = m_graph.requiredInputs();
    for (std::size_t i = 0; i < required.size() && i < inputs->size(); ++i)
        values.emplace(required[i]->name, (*inputs)[i]);
    for (std::size_t i = 0; i < m_measured.size(); ++i) {
        const Tensor& reference = values.at(m_measured[i]);
        if (reference.dtype() != DType::Float) continue;
        for (Group& group : m_groups)
            if (group.noise.value == m_measured[i])
                group.accumulated.add(reference.data<float>(), (*quantized)[i].data<float>());
    }
    std::vector<Status> states(m_groups.size());
    parallelFor(m_groups.size(), resolveThreads(options.threads), job.stop, [&](unsigned worker, std::size_t index) {
        states[index] = measureLocal(m_groups[index], values, worker);
        job.advance();
    });
    if (job.stopped()) return cancelled();
    for (Status& state : states)
        if (!state) return state;
    return {};
}

Result<std::vector<LayerNoise>> NoiseMeter::measure(const Dataset& dataset, const LayerNoiseOptions& options,
                                                    const JobContext& job) {
    findGroups();
    if (m_groups.empty()) return std::vector<LayerNoise>{};
    std::set<std::string> measured;
    std::set<std::string> wanted;
    for (const Group& group : m_groups) {
        measured.insert(group.noise.value);
        wanted.insert(group.noise.value);
        for (const std::size_t index : group.nodes)
            for (const std::string& value : m_graph.nodes[index].inputs) {
                std::set<std::size_t> ignored;
                if (!value.empty() && m_topology.producer(value) != Topology::kNone && !isConstant(value, ignored))
                    wanted.insert(value);
            }
    }
    m_measured.assign(measured.begin(), measured.end());
    m_values.assign(wanted.begin(), wanted.end());
    CompileOptions exact;
    exact.outputs = m_values;
    auto floating = Executor::create(m_model, exact);
    if (!floating) return fail(floating.error());
    m_float = *floating;
    CompileOptions simulated;
    simulated.outputs = m_measured;
    simulated.overlay = overlay(m_sim);
    auto quantized = Executor::create(m_model, simulated);
    if (!quantized) return fail(quantized.error());
    m_quantized = *quantized;

    const std::size_t count = std::min(options.samples, dataset.size());
    job.begin("measuring layers", static_cast<std::int64_t>(count * m_groups.size()));
    for (std::size_t i = 0; i < count; ++i) {
        if (job.stopped()) return cancelled();
        auto sample = dataset.load(i * dataset.size() / count);
        if (!sample) return fail(sample.error());
        if (auto added = addSample(*sample, options, job); !added) return fail(added.error());
    }
    std::vector<LayerNoise> result;
    for (Group& group : m_groups) {
        group.noise.localDb = group.local.db();
        group.noise.accumulatedDb = group.accumulated.db();
        result.push_back(std::move(group.noise));
    }
    return result;
}

}  // namespace

Result<std::vector<LayerNoise>> measureLayerNoise(const Model& model, const QuantSim& sim, const Dataset& dataset,
                                                  const LayerNoiseOptions& options, const JobContext& job) {
    if (dataset.size() == 0)
        return fail(ErrorCode::InvalidArgument, "There are no samples to measure layers on.",
                    "Choose data with at least one sample.");
    auto topology = Topology::of(model.graph);
    if (!topology) return fail(topology.error());
    return NoiseMeter(model, *topology, sim).measure(dataset, options, job);
}

}  // namespace equant
