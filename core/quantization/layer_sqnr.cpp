// SPDX-License-Identifier: Apache-2.0
#include "core/quantization/layer_sqnr.h"

#include <algorithm>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <unordered_set>

#include "core/base/parallel.h"
#include "core/data/batch_source.h"
#include "core/graph/constants.h"
#include "core/graph/topology.h"
#include "core/layers/layers.h"
#include "core/metrics/scores.h"
#include "core/runtime/exec/executor.h"
#include "core/runtime/kernels/fake_quantize.h"

namespace equant {

namespace {

/// A layer as a piece of the graph.
struct Piece {
    LayerSqnr layer;
    std::vector<std::size_t> nodes;
    std::vector<std::string> inputs;  ///< values computed elsewhere, in the order the piece's own model takes them
};

/// From a weighted node whose output has no quantizer through its only readers to the value that has one.
std::vector<std::size_t> fusedChain(const Graph& graph, const Topology& topology, const QuantSim& sim,
                                    std::size_t first) {
    constexpr std::size_t kLongest = 4;
    std::vector<std::size_t> nodes{first};
    while (nodes.size() < kLongest) {
        const Node& last = graph.nodes[nodes.back()];
        if (last.outputs.empty() || sim.find(last.outputs[0])) return nodes;
        const std::size_t next = topology.soleConsumer(last.outputs[0]);
        if (next == Topology::kNone || graph.nodes[next].outputs.size() != 1) break;
        nodes.push_back(next);
    }
    const Node& last = graph.nodes[nodes.back()];
    if (!last.outputs.empty() && sim.find(last.outputs[0])) return nodes;
    return {first};
}

std::vector<std::string> computedInputs(const Graph& graph, const std::vector<std::size_t>& nodes) {
    std::unordered_set<std::string> own;
    std::vector<std::string> inputs;
    for (const std::size_t index : nodes) {
        for (const std::string& input : graph.nodes[index].inputs) {
            const bool isKnown =
                input.empty() || own.contains(input) || std::find(inputs.begin(), inputs.end(), input) != inputs.end();
            if (!isKnown && !constantValue(graph, input)) inputs.push_back(input);
        }
        own.insert(graph.nodes[index].outputs.begin(), graph.nodes[index].outputs.end());
    }
    return inputs;
}

Result<std::vector<Piece>> piecesOf(const Model& model, const QuantSim& sim) {
    const Graph& graph = model.graph;
    const auto topology = Topology::of(graph);
    if (!topology) return fail(topology.error());
    std::vector<Piece> pieces;
    std::unordered_set<std::size_t> taken;
    for (const std::size_t index : topology->order()) {
        const Node& node = graph.nodes[index];
        if (taken.contains(index) || node.outputs.empty()) continue;
        const auto slot = weightSlot(graph, node);
        const bool hasWeight = slot && constantInput(graph, node, *slot);
        const bool isQuantized = sim.find(node.outputs[0]) != nullptr;
        const std::vector<std::size_t> nodes = fusedChain(graph, *topology, sim, index);
        if (!hasWeight && !isQuantized && nodes.size() == 1) continue;
        // Only what the rules fuse may be followed without weights: an addition and its activation, say.
        if (!hasWeight && !isQuantized && !node.is("Add")) continue;
        Piece piece;
        piece.layer.name = node.label();
        if (hasWeight && sim.find(node.inputs[*slot])) piece.layer.weight = node.inputs[*slot];
        piece.nodes = nodes;
        piece.layer.output = graph.nodes[nodes.back()].outputs[0];
        piece.inputs = computedInputs(graph, nodes);
        if (piece.inputs.empty()) continue;
        taken.insert(nodes.begin(), nodes.end());
        pieces.push_back(std::move(piece));
    }
    return pieces;
}

/// The piece as a model of its own: what it reads becomes its inputs, its constants are copied.
Model modelOf(const Model& model, const Piece& piece, const std::unordered_map<std::string, Tensor>& values) {
    Model own;
    own.irVersion = model.irVersion;
    own.opsets = model.opsets;
    std::unordered_set<std::string> known(piece.inputs.begin(), piece.inputs.end());
    for (const std::string& input : piece.inputs) {
        ValueInfo info{input, values.at(input).dtype(), std::vector<Dim>{}, {}};
        for (const std::int64_t dim : values.at(input).shape()) info.shape->push_back({dim, {}});
        if (!info.shape->empty()) info.shape->front() = {-1, "N"};
        own.graph.inputs.push_back(std::move(info));
    }
    for (const std::size_t index : piece.nodes) {
        const Node& node = model.graph.nodes[index];
        for (const std::string& input : node.inputs) {
            if (input.empty() || known.contains(input)) continue;
            if (auto constant = constantValue(model.graph, input)) {
                own.graph.initializers.push_back({input, std::move(*constant), {}});
                known.insert(input);
            }
        }
        known.insert(node.outputs.begin(), node.outputs.end());
        own.graph.nodes.push_back(node);
    }
    own.graph.outputs.push_back({piece.layer.output, DType::Float, {}, {}});
    return own;
}

class Measurement {
public:
    Measurement(const Model& model, const QuantSim& sim, std::vector<Piece> pieces)
        : m_model(model), m_overlay(overlay(sim)), m_pieces(std::move(pieces)), m_local(m_pieces.size()) {}

    Status prepare() {
        std::unordered_set<std::string> watched;
        const auto required = m_model.graph.requiredInputs();
        const auto isModelInput = [&](const std::string& value) {
            return std::any_of(required.begin(), required.end(), [&](const auto* info) { return info->name == value; });
        };
        for (const Piece& piece : m_pieces) {
            watched.insert(piece.layer.output);
            m_outputs.push_back(piece.layer.output);
            for (const std::string& input : piece.inputs) {
                if (!isModelInput(input)) watched.insert(input);
            }
        }
        m_watched.assign(watched.begin(), watched.end());
        std::sort(m_watched.begin(), m_watched.end());
        CompileOptions plain;
        plain.taps = m_watched;
        CompileOptions simulated;
        simulated.taps = m_outputs;
        simulated.overlay = m_overlay;
        for (auto [target, options] : {std::pair(&m_float, &plain), std::pair(&m_simulated, &simulated)}) {
            auto executor = Executor::create(m_model, *options);
            if (!executor) return fail(executor.error());
            *target = *executor;
        }
        return {};
    }

    struct Tally {
        std::vector<SqnrAccumulator> local, accumulated;
    };

    Result<Tally> measure(const std::vector<Tensor>& fed, unsigned worker) {
        std::unordered_map<std::string, Tensor> values;
        const auto required = m_model.graph.requiredInputs();
        for (std::size_t i = 0; i < required.size() && i < fed.size(); ++i) values[required[i]->name] = fed[i];
        auto ran =
            m_float->run(fed, worker, [&](std::size_t tap, const Tensor& value) { values[m_watched[tap]] = value; });
        if (!ran) return fail(ran.error());

        Tally tally{std::vector<SqnrAccumulator>(m_pieces.size()), std::vector<SqnrAccumulator>(m_pieces.size())};
        ran = m_simulated->run(fed, worker, [&](std::size_t tap, const Tensor& value) {
            compare(values.at(m_outputs[tap]), quantized(m_outputs[tap], value), tally.accumulated[tap]);
        });
        if (!ran) return fail(ran.error());
        for (std::size_t i = 0; i < m_pieces.size(); ++i) {
            const auto executor = localExecutor(i, values);
            if (!executor) return fail(executor.error());
            std::vector<Tensor> inputs;
            for (const std::string& input : m_pieces[i].inputs) inputs.push_back(values.at(input));
            const auto outputs = (*executor)->run(inputs, worker);
            if (!outputs) return fail(outputs.error());
            compare(values.at(m_outputs[i]), outputs->front(), tally.local[i]);
        }
        return tally;
    }

    std::vector<LayerSqnr> result(const std::vector<std::optional<Tally>>& tallies) const {
        std::vector<LayerSqnr> layers;
        for (std::size_t i = 0; i < m_pieces.size(); ++i) {
            SqnrAccumulator local;
            SqnrAccumulator accumulated;
            for (const auto& tally : tallies) {
                if (!tally) continue;
                local.merge(tally->local[i]);
                accumulated.merge(tally->accumulated[i]);
            }
            layers.push_back(m_pieces[i].layer);
            layers.back().localDb = local.db();
            layers.back().accumulatedDb = accumulated.db();
        }
        return layers;
    }

private:
    static void compare(const Tensor& reference, const Tensor& value, SqnrAccumulator& sqnr) {
        if (reference.dtype() != DType::Float || value.dtype() != DType::Float || reference.count() != value.count())
            return;
        sqnr.add(reference.data<float>(), value.data<float>());
    }
    /// Taps show values before their fake quantization.
    Tensor quantized(const std::string& name, const Tensor& value) const {
        const auto encoding = m_overlay.find(name);
        if (encoding == m_overlay.end()) return value;
        auto result = fakeQuantized(value, encoding->second);
        return result ? std::move(*result) : value;
    }
    /// Made when the shapes of the layer's inputs are known, then shared by all threads.
    Result<std::shared_ptr<Executor>> localExecutor(std::size_t i,
                                                    const std::unordered_map<std::string, Tensor>& values) {
        const std::scoped_lock lock(m_mutex);
        if (m_local[i]) return m_local[i];
        CompileOptions options;
        for (const std::string& name : {m_pieces[i].layer.weight, m_pieces[i].layer.output}) {
            if (const auto encoding = m_overlay.find(name); encoding != m_overlay.end())
                options.overlay.insert(*encoding);
        }
        for (const std::string& input : m_pieces[i].inputs) options.inputShapes[input] = values.at(input).shape();
        auto executor = Executor::create(modelOf(m_model, m_pieces[i], values), options);
        if (executor) m_local[i] = *executor;
        return executor;
    }

    const Model& m_model;
    QuantOverlay m_overlay;
    std::vector<Piece> m_pieces;
    std::vector<std::string> m_watched, m_outputs;
    std::shared_ptr<Executor> m_float, m_simulated;
    std::mutex m_mutex;
    std::vector<std::shared_ptr<Executor>> m_local;
};

Result<std::vector<LayerSqnr>> measureOn(const Model& model, const QuantSim& sim, const BatchSource& source,
                                         const LayerSqnrOptions& options, const JobContext& job) {
    auto pieces = piecesOf(model, sim);
    if (!pieces) return fail(pieces.error());
    Measurement measurement(model, sim, std::move(*pieces));
    if (auto status = measurement.prepare(); !status) return fail(status.error());
    std::vector<std::optional<Measurement::Tally>> tallies(source.batches);
    std::mutex mutex;
    std::optional<Error> firstError;
    std::stop_source stopAll;
    const std::stop_callback forward(job.stop, [&] { stopAll.request_stop(); });
    job.begin("Measuring layers", static_cast<std::int64_t>(source.batches));
    parallelFor(source.batches, options.threads, stopAll.get_token(), [&](unsigned worker, std::size_t batch) {
        const auto fed = source.load(batch);
        auto tally = fed ? measurement.measure(*fed, worker) : Result<Measurement::Tally>(fail(fed.error()));
        if (tally) {
            tallies[batch] = std::move(*tally);
            job.advance();
            return;
        }
        const std::scoped_lock lock(mutex);
        if (!firstError) firstError = tally.error();
        stopAll.request_stop();
    });
    if (job.stopped()) return cancelled();
    if (firstError) return fail(*firstError);
    return measurement.result(tallies);
}

}  // namespace

Result<std::vector<LayerSqnr>> listLayers(const Model& model, const QuantSim& sim) {
    const auto pieces = piecesOf(model, sim);
    if (!pieces) return fail(pieces.error());
    std::vector<LayerSqnr> layers;
    for (const Piece& piece : *pieces) layers.push_back(piece.layer);
    return layers;
}

Result<std::vector<LayerSqnr>> measureLayers(const Model& model, const QuantSim& sim, const Dataset& dataset,
                                             const LayerSqnrOptions& options, const JobContext& job) {
    return measureOn(model, sim, batchesOf(dataset, options.batch), options, job);
}

Result<std::vector<LayerSqnr>> measureLayers(const Model& model, const QuantSim& sim,
                                             std::span<const std::vector<Tensor>> batches,
                                             const LayerSqnrOptions& options, const JobContext& job) {
    return measureOn(model, sim, batchesOf(batches), options, job);
}

}  // namespace equant
