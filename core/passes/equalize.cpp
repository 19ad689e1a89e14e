// SPDX-License-Identifier: Apache-2.0
#include "core/passes/equalize.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <tuple>

#include "core/graph/constants.h"
#include "core/graph/topology.h"
#include "core/layers/layer_weights.h"
#include "core/passes/absorb_bias.h"
#include "core/passes/channel_caps_internal.h"
#include "core/passes/channel_links.h"
#include "core/passes/channel_scaling_internal.h"
#include "core/passes/constant_channels.h"

namespace equant {

namespace {

/// The whole flow on one graph: links, dead channels, scaling, caps, absorption.
class Equalizer {
public:
    Equalizer(Model& model, const EqualizeOptions& options, EqualizeReport& report)
        : m_model(model), m_graph(model.graph), m_options(options), m_report(report) {}

    Status run(const JobContext& job) {
        auto topology = Topology::of(m_graph);
        if (!topology) return fail(topology.error());
        m_links = findChannelLinks(m_graph, *topology);
        for (const auto& link : m_links) judge(link);
        if (m_options.shouldSilenceConstantChannels && !m_options.isAimetCompatible &&
            m_options.relu6 != CapMode::Replace)
            silenceConstants(*topology);

        ChannelScaling scaling(m_graph);
        for (const std::size_t index : m_active) scaling.addLink(m_links[index]);
        job.begin("equalizing", m_options.iterations);
        m_report.iterations =
            m_options.isAimetCompatible ? scaling.runReferenceSweep() : scaling.run(m_options.iterations, job);
        if (job.stopped()) return cancelled();
        scaling.writeTo(m_graph);
        for (const std::size_t index : m_active) finish(index, scaling);
        removeUnused(m_graph);
        return sortTopologically(m_graph);
    }

private:
    /// Decides whether a link is equalized, and says why or why not.
    void judge(const ChannelLink& link) {
        const Node& from = m_graph.nodes[link.from];
        EqualizedPair pair;
        pair.layers.push_back(from.label());
        if (link.to != Topology::kNone) pair.layers.push_back(m_graph.nodes[link.to].label());
        if (const auto layer = LayerWeights::of(m_graph, link.from)) pair.channels = layer->outputChannels();
        std::tie(pair.reasonCode, pair.reason) = verdict(link, from);
        pair.isEqualized =
            pair.reasonCode == "homogeneous" || pair.reasonCode == "exact-caps" || pair.reasonCode == "cap-replaced";
        if (pair.isEqualized) m_active.push_back(m_report.pairs.size());
        m_report.pairs.push_back(std::move(pair));
    }

    [[nodiscard]] std::pair<std::string, std::string> verdict(const ChannelLink& link, const Node& from) const {
        if (link.to == Topology::kNone) return {link.blockedCode, link.blockedBy};
        if (std::ranges::find(m_options.excluded, from.label()) != m_options.excluded.end())
            return {"excluded", "Excluded by you."};
        if (m_options.isAimetCompatible)
            if (auto why = referenceRefusal(link); !why.empty()) return {"compatibility", why};
        if (!link.clipping)
            return {"homogeneous", link.between.empty() ? "Nothing lies between."
                                                        : fmt::format("{} commutes with scaling.", between(link))};
        const Node& activation = m_graph.nodes[link.clipping->node];
        const bool isRelu = link.clipping->lower == 0.0 && !link.clipping->upper;
        if (isRelu) return {"homogeneous", fmt::format("{} commutes with scaling.", between(link))};
        if (m_options.relu6 == CapMode::Skip)
            return {"capped", fmt::format("{} \"{}\" clips at a constant; ReLU6 handling is set to skip.",
                                          activation.opType, activation.label())};
        if (m_options.relu6 == CapMode::Replace || m_options.isAimetCompatible) {
            if (link.clipping->lower != 0.0)
                return {"capped",
                        fmt::format("{} \"{}\" does not clip at 0 from below.", activation.opType, activation.label())};
            return {"cap-replaced",
                    fmt::format("The cap at {} was removed: the float function changes.", *link.clipping->upper)};
        }
        if (m_model.opset() < 8) return {"capped", "Per-channel caps need opset 8; Min does not broadcast before."};
        return {"exact-caps", "The cap became one per channel: the float function is kept."};
    }

    [[nodiscard]] std::string between(const ChannelLink& link) const {
        std::string ops;
        for (const std::size_t index : link.between)
            if (ops.find(m_graph.nodes[index].opType) == std::string::npos)
                ops += (ops.empty() ? "" : ", ") + m_graph.nodes[index].opType;
        return ops;
    }

    /// The reference joins only Conv and ConvTranspose, through at most Relu, PRelu or a Clip at 0.
    [[nodiscard]] std::string referenceRefusal(const ChannelLink& link) const {
        const auto isConv = [&](std::size_t index) {
            return m_graph.nodes[index].is("Conv") || m_graph.nodes[index].is("ConvTranspose");
        };
        if (!isConv(link.from) || !isConv(link.to)) return "The reference equalizes convolutions only.";
        if (link.between.size() > 1) return "The reference allows one activation between two layers.";
        if (link.between.empty()) return {};
        const Node& node = m_graph.nodes[link.between.front()];
        return node.is("Relu") || node.is("PRelu") || node.is("Clip")
                   ? std::string()
                   : fmt::format("The reference stops at {}.", node.opType);
    }

    /// In execution order: what one link silences may make a channel of the next constant.
    void silenceConstants(const Topology& topology) {
        for (const std::size_t index : m_active) {
            auto silenced =
                silenceChannels(m_graph, m_links[index], findConstantChannels(m_graph, topology, m_links[index]));
            if (silenced.empty()) continue;
            m_report.pairs[index].reason += fmt::format(
                " {} channel{} never change{}: the weights that read {} were set to zero.", silenced.size(),
                silenced.size() == 1 ? "" : "s", silenced.size() == 1 ? "s" : "", silenced.size() == 1 ? "it" : "them");
            m_report.pairs[index].constantChannels = std::move(silenced);
        }
    }

    /// Caps and bias of one link, once its factors are known.
    void finish(std::size_t index, const ChannelScaling& scaling) {
        const ChannelLink& link = m_links[index];
        const std::vector<double> factors = scaling.factors(link);
        m_report.pairs[index].scales.emplace_back(factors.begin(), factors.end());
        for (const std::size_t add : link.biasAdds) divideBiasAdd(m_graph, add, factors);

        std::vector<double> absorbed;
        if (m_options.shouldAbsorbBias)
            if (auto moved = absorbBias(m_graph, link, distributionOf(link.from, factors), absorption())) {
                absorbed.assign(moved->amounts.begin(), moved->amounts.end());
                m_report.absorbed.push_back(std::move(*moved));
            }
        if (!link.clipping || (link.clipping->lower == 0.0 && !link.clipping->upper)) return;
        if (m_report.pairs[index].reasonCode == "cap-replaced") {
            replaceByRelu(m_graph, link.clipping->node);
        } else {
            const int rank = constantInput(m_graph, m_graph.nodes[link.from], 1)->rank();
            setChannelCaps(m_graph, *link.clipping, factors, absorbed, rank);
        }
    }

    [[nodiscard]] Absorption absorption() const {
        if (m_options.isAimetCompatible) return Absorption::Reference;
        return m_options.relu6 == CapMode::Replace ? Absorption::Statistical : Absorption::Exact;
    }

    [[nodiscard]] OutputDistribution distributionOf(std::size_t node, const std::vector<double>& factors) const {
        OutputDistribution distribution;
        for (const auto& folded : m_report.fold.folded) {
            // Names may repeat in a file; the parameters of another layer do not fit.
            if (folded.layer != m_graph.nodes[node].label() || folded.gamma.size() != factors.size()) continue;
            for (std::size_t c = 0; c < factors.size(); ++c) {
                distribution.mean.push_back(folded.beta[c] / factors[c]);
                distribution.deviation.push_back(folded.gamma[c] / factors[c]);
            }
            break;
        }
        return distribution;
    }

    Model& m_model;
    Graph& m_graph;
    const EqualizeOptions& m_options;
    EqualizeReport& m_report;
    std::vector<ChannelLink> m_links;
    std::vector<std::size_t> m_active;  // indices of links and of their pairs in the report
};

}  // namespace

Result<Outcome<EqualizeReport>> equalize(const Model& model, const EqualizeOptions& options, const JobContext& job) {
    Outcome<EqualizeReport> outcome{model, {}};
    if (options.shouldFoldBatchNorms) {
        auto folded = foldBatchNorms(model);
        if (!folded) return fail(folded.error());
        outcome.model = std::move(folded->model);
        outcome.report.fold = std::move(folded->report);
    }
    if (auto done = Equalizer(outcome.model, options, outcome.report).run(job); !done) return fail(done.error());
    return outcome;
}

}  // namespace equant
