// SPDX-License-Identifier: GPL-3.0-or-later
// The compression half of document.h.
#include <QLocale>
#include <algorithm>
#include <set>

#include "app/desktop/document/document.h"
#include "app/desktop/document/keep_newest.h"
#include "widgets/bridge/text.h"

namespace equant::ui {

namespace {

constexpr std::size_t kCompressedKept = 6;
constexpr std::size_t kSweepsKept = 8;
constexpr std::size_t kMeasurementsKept = 60;

}  // namespace

SensitivityOptions sweepOptions(const CompressionSetup& setup) {
    SensitivityOptions options;
    options.methods = setup.methods;
    options.ratios.clear();
    for (int i = 1; i <= setup.candidates; ++i)
        options.ratios.push_back(static_cast<double>(i) / static_cast<double>(setup.candidates + 1));
    options.metric = setup.metric;
    options.compress.isPlain = setup.isPlain;
    options.multiple = setup.multiple;
    options.calibrationSamples = static_cast<std::size_t>(setup.calibrationSamples);
    options.evaluationSamples = static_cast<std::size_t>(setup.evaluationSamples);
    return options;
}

QString divisionText(const CompressionPlan& plan, double factorizedRatio, double depthWeight) {
    const auto isPruned = [](const LayerChoice& choice) { return choice.method == CompressionMethod::ChannelPruning; };
    const bool doesPrune = std::ranges::any_of(plan.choices, isPruned);
    QString text;
    if (std::ranges::all_of(plan.choices, isPruned)) {
        text = Document::tr("pruning alone");
    } else {
        text = Document::tr("SVD %1 %").arg(QLocale().toString(100 * factorizedRatio, 'f', 0));
        text += doesPrune ? Document::tr(" + pruning") : Document::tr(" alone");
    }
    if (depthWeight != kDepthWeight)
        text += Document::tr(", depth weight %1").arg(QLocale().toString(depthWeight, 'g', 2));
    return text;
}

EngineCosts engineCosts(const CompressionReport& report) {
    return {report.activationsBefore, report.activationsAfter, report.latency};
}

bool Document::isCompressionUpToDate() const {
    const CompressStep* step = m_state.recipe.compressStep();
    return step && *step == editedCompression();
}

void adoptCompression(const CompressStep& step, DocumentState& state) {
    CompressionSetup& setup = state.compression;
    state.plan = step.plan;
    std::set<CompressionMethod> methods;
    for (const LayerChoice& choice : step.plan.choices) methods.insert(choice.method);
    setup.methods.assign(methods.begin(), methods.end());
    setup.multiple = static_cast<int>(std::clamp<std::int64_t>(step.plan.multiple, 1, 128));
    setup.isPlain = step.options.isPlain;
    setup.calibrationSamples = step.samples;
    if (step.plan.costMetric == CostMetric::Parameters) setup.target = TargetKind::Size;
}

void adoptRecipe(Recipe recipe, DocumentState& state) {
    if (const EqualizeStep* step = recipe.equalizeStep()) state.equalize = step->options;
    if (const QuantizeStep* step = recipe.quantizeStep()) state.quantization = step->settings;
    if (const CompressStep* step = recipe.compressStep()) adoptCompression(*step, state);
    state.recipe = std::move(recipe);
}

CompressStep Document::editedCompression() const {
    const CompressionSetup& setup = m_state.compression;
    CompressStep step;
    step.plan = effectivePlan(m_state.plan);
    step.plan.multiple = setup.multiple;
    step.options.isPlain = setup.isPlain;
    step.options.shouldRefit = !setup.isPlain;
    step.data = toStdString(m_state.data.path);
    step.preprocess = toStdString(m_state.data.preprocess);
    step.samples = setup.calibrationSamples;
    return step;
}

SweepKey Document::sweepKey() const {
    const CompressionSetup& setup = m_state.compression;
    return {toStdString(m_state.data.path),
            toStdString(m_state.data.preprocess),
            setup.methods,
            setup.metric,
            setup.calibrationSamples,
            setup.evaluationSamples,
            setup.candidates,
            setup.multiple,
            setup.isPlain};
}

void Document::setSweep(Sweep sweep) {
    std::erase_if(m_sweeps, [&](const Sweep& old) { return old.key == sweep.key; });
    m_sweeps.push_back(std::move(sweep));
    keepNewest(m_sweeps, kSweepsKept);
    emit sensitivityChanged();
}

std::shared_ptr<const SensitivityTable> Document::sensitivity() const {
    if (auto fresh = sensitivityFor(sweepKey())) return fresh;
    return m_sweeps.empty() ? nullptr : m_sweeps.back().table;
}

std::shared_ptr<const SensitivityTable> Document::sensitivityFor(const SweepKey& key) const {
    const auto found = std::ranges::find(m_sweeps, key, &Sweep::key);
    return found == m_sweeps.end() ? nullptr : found->table;
}

bool Document::isSensitivityFresh() const {
    return sensitivityFor(sweepKey()) != nullptr;
}

std::shared_ptr<const SensitivityTable> Document::relatedSensitivity() const {
    const SweepKey wanted = sweepKey();
    const auto found = std::ranges::find_if(m_sweeps.rbegin(), m_sweeps.rend(), [&](const Sweep& sweep) {
        SweepKey key = sweep.key;
        key.methods = wanted.methods;
        return key == wanted;
    });
    return found == m_sweeps.rend() ? nullptr : found->table;
}

void Document::addCompressed(std::shared_ptr<const CompressedModel> result) {
    std::erase_if(m_compressed, [&](const auto& old) { return old->step == result->step; });
    m_compressed.push_back(std::move(result));
    // The applied one stays however old it is.
    const CompressStep* applied = m_state.recipe.compressStep();
    while (m_compressed.size() > kCompressedKept) {
        const auto oldest =
            std::ranges::find_if(m_compressed, [&](const auto& old) { return !applied || !(old->step == *applied); });
        m_compressed.erase(oldest);
    }
    refreshBase();
    emit compressedChanged();
}

std::shared_ptr<const CompressedModel> Document::compressedFor(const CompressStep& step) const {
    const auto found = std::ranges::find_if(m_compressed, [&](const auto& result) { return result->step == step; });
    return found == m_compressed.end() ? nullptr : *found;
}

void Document::addMeasurement(PlanMeasurement measurement) {
    m_measurements.push_back(std::move(measurement));
    keepNewest(m_measurements, kMeasurementsKept);
    emit compressedChanged();
}

void Document::setFlow(FlowSummary summary) {
    m_flow = std::move(summary);
    emit compressedChanged();
}

const FlowSummary* Document::flow() const {
    const auto all = measurements();
    return m_flow && std::ranges::find(all, m_flow->step, &PlanMeasurement::step) != all.end() ? &*m_flow : nullptr;
}

std::vector<const PlanMeasurement*> Document::measurements() const {
    std::vector<const PlanMeasurement*> result;
    for (const PlanMeasurement& each : m_measurements)
        if (each.step.data == toStdString(m_state.data.path) &&
            each.step.preprocess == toStdString(m_state.data.preprocess) &&
            each.evaluationSamples == m_state.compression.evaluationSamples)
            result.push_back(&each);
    return result;
}

const PlanMeasurement* Document::measurement() const {
    const CompressStep step = editedCompression();
    const auto all = measurements();
    const auto found =
        std::ranges::find_if(all.rbegin(), all.rend(), [&](const auto* each) { return each->step == step; });
    return found == all.rend() ? nullptr : *found;
}

const PlanMeasurement* Document::measurementOf(const CompressStep& step) const {
    const auto found = std::ranges::find(m_measurements.rbegin(), m_measurements.rend(), step, &PlanMeasurement::step);
    return found == m_measurements.rend() ? nullptr : &*found;
}

}  // namespace equant::ui
