// SPDX-License-Identifier: Apache-2.0
#include "core/inspection/inspection.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <map>

#include "core/inspection/constant_findings_internal.h"
#include "core/inspection/techniques.h"
#include "core/passes/channel_links.h"
#include "core/passes/fold_batch_norm.h"
#include "core/passes/weight_ranges.h"
#include "core/runtime/kernels/evaluate.h"

namespace equant {

namespace {

constexpr float kFewBits = 3.0F;

std::string layerList(const std::vector<std::string>& labels) {
    std::string text;
    for (std::size_t i = 0; i < labels.size() && i < 3; ++i) text += (i ? ", " : "") + labels[i];
    if (labels.size() > 3) text += fmt::format(" and {} more", labels.size() - 3);
    return text;
}

void addUnsupported(const std::vector<UnsupportedNode>& unsupported, std::vector<Finding>& findings) {
    std::map<std::string, std::vector<std::string>> byType;
    for (const auto& node : unsupported) byType[node.opType].push_back(node.label);
    for (const auto& [opType, labels] : byType)
        findings.push_back(
            {"unsupported-operator", Severity::Error, labels.front(),
             fmt::format("{} cannot run here ({}).", opType, layerList(labels)),
             "The model still shows its ranges, equalizes and exports; evaluation needs this operator."});
}

void addWeightFindings(const Model& model, std::vector<Finding>& findings) {
    const auto constants = findNonFiniteConstants(model.graph);
    findings.insert(findings.end(), constants.begin(), constants.end());
    // As hardware will see them: behind their batch norms.
    const auto folded = foldBatchNorms(model);
    const auto ranges = weightRanges(folded ? folded->model : model);
    if (!ranges) return;
    for (const auto& layer : *ranges) {
        const bool isFinite = std::ranges::all_of(layer.mean, [](float mean) { return std::isfinite(mean); });
        if (!isFinite) {
            // Finite in the file: the batch norm's factor is too large.
            if (constants.empty())
                findings.push_back({"non-finite-weights", Severity::Error, layer.layer,
                                    "Its weights become NaN or infinite when its batch norm is folded.",
                                    "Look at the variance and scale of the batch norm behind it."});
            continue;
        }
        const auto few = std::ranges::count_if(layer.effectiveBits, [](float bits) { return bits < kFewBits; });
        if (few * 2 > std::ssize(layer.effectiveBits) && layer.effectiveBits.size() > 1)
            findings.push_back({"wasted-bits", Severity::Warning, layer.layer,
                                fmt::format("{} of {} channels use fewer than {:.0f} of 8 bits under one scale per "
                                            "tensor (largest range {:.0f} x the median).",
                                            few, layer.effectiveBits.size(), kFewBits, layer.imbalance()),
                                "Equalize the model, or quantize per channel."});
    }
}

void addGraphFindings(const Model& model, const Inspection& inspection, std::vector<Finding>& findings) {
    const auto count = [&](std::string_view type) {
        return std::ranges::count_if(model.graph.nodes, [&](const Node& node) { return node.is(type); });
    };
    if (const auto batchNorms = count("BatchNormalization"))
        findings.push_back({"batch-norm",
                            Severity::Info,
                            {},
                            fmt::format("{} BatchNormalization nodes are separate.", batchNorms),
                            "Equalization folds them into their layers first."});
    if (const auto quantized = count("QuantizeLinear") + count("QLinearConv"))
        findings.push_back({"already-quantized",
                            Severity::Warning,
                            {},
                            fmt::format("The model already holds {} quantized operators.", quantized),
                            "Work on the float model it was made from."});
    if (!model.functionIds.empty())
        findings.push_back(
            {"functions",
             Severity::Info,
             {},
             fmt::format("{} model-local functions are run, but not looked into.", model.functionIds.size()),
             "Export without functions to see, equalize and quantize the layers inside them."});
    std::vector<std::string> open;
    for (const auto& layer : inspection.layers)
        if (std::ranges::any_of(layer.outputShape, [](std::int64_t dim) { return dim < 0; }))
            open.push_back(layer.name);
    if (!open.empty())
        findings.push_back(
            {"open-shapes", Severity::Info, open.front(),
             fmt::format("The shapes of {} layers depend on the input ({}).", open.size(), layerList(open)),
             "Their cost counts from what is known."});
    if (inspection.cost.parameters == 0)
        findings.push_back({"no-weights",
                            Severity::Warning,
                            {},
                            "The model holds no weights.",
                            "There is nothing to equalize, compress or quantize in it."});
}

}  // namespace

Result<Inspection> inspect(const Model& model) {
    const auto topology = Topology::of(model.graph);
    if (!topology) return fail(topology.error());
    Inspection inspection;
    auto facts = inferShapes(model, {.inputShapes = {}, .batch = 1, .evaluate = constantEvaluator()});
    if (facts) {
        inspection.facts = std::move(*facts);
    } else {
        inspection.findings.push_back({"inconsistent-shapes", Severity::Error, facts.error().subject,
                                       facts.error().message,
                                       facts.error().hint.empty() ? "Export the model again." : facts.error().hint});
    }
    inspection.layers = describeLayers(model.graph, *topology, inspection.facts);
    inspection.cost = totalCost(model.graph, inspection.layers);
    inspection.unsupported = unsupportedNodes(model);
    const auto links = findChannelLinks(model.graph, *topology);
    const auto compressible = compressibleLayers(model, inspection.facts);
    for (const auto& layer : inspection.layers)
        inspection.techniques.push_back(techniquesFor(model, layer, links, compressible));
    addUnsupported(inspection.unsupported, inspection.findings);
    addWeightFindings(model, inspection.findings);
    addGraphFindings(model, inspection, inspection.findings);
    std::ranges::stable_sort(inspection.findings,
                             [](const Finding& a, const Finding& b) { return a.severity > b.severity; });
    return inspection;
}

}  // namespace equant
