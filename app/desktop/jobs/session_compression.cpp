// SPDX-License-Identifier: GPL-3.0-or-later
// The compression half of session.h.
#include <QFileInfo>
#include <QLocale>
#include <algorithm>
#include <mutex>

#include "app/desktop/jobs/engine_calls.h"
#include "app/desktop/jobs/session.h"
#include "core/base/file.h"
#include "core/compression/plan/plan_cost.h"
#include "core/recipe/run.h"
#include "widgets/bridge/text.h"
#include "widgets/plots/base/plot_scene.h"

namespace equant::ui {

using namespace Qt::StringLiterals;

/// The worker puts the newest table in, the GUI thread takes it out when it has time.
struct Session::LiveSweep {
    void put(const Sweep& value) {
        const std::scoped_lock lock(m_mutex);
        m_newest = value;
    }
    std::optional<Sweep> take() {
        const std::scoped_lock lock(m_mutex);
        return std::exchange(m_newest, std::nullopt);
    }

private:
    std::mutex m_mutex;
    std::optional<Sweep> m_newest;
};

void Session::takeLiveSweep() {
    if (m_liveSweep)
        if (auto newest = m_liveSweep->take()) m_document.setSweep(std::move(*newest));
    if (!isSweeping() && !isFlowing()) m_sweepTimer.stop();
}

void Session::predictSensitivity() {
    startSweep(false);
}

void Session::measureSensitivity() {
    startSweep(true);
}

void Session::pauseSweep() {
    if (isSweeping()) m_sweepJob->cancel();
}

void Session::startSweep(bool shouldMeasure) {
    if (!m_document.hasModel() || isSweeping()) return;
    const QString activity = shouldMeasure ? tr("Measuring sensitivities") : tr("Predicting sensitivities");
    if (m_document.state().data.path.isEmpty())
        return report(activity, Error{ErrorCode::InvalidArgument,
                                      "Sensitivities need data, and none is chosen.",
                                      "Choose an image folder, an .npy file or ONNX test data under \"Data\".",
                                      {}});
    SweepRequest request;
    request.original = m_document.loaded();
    request.key = m_document.sweepKey();
    request.setup = m_document.state().compression;
    if (shouldMeasure && m_document.isSensitivityFresh()) request.known = m_document.sensitivity();
    if (!m_document.isSensitivityFresh()) request.related = m_document.relatedSensitivity();
    request.shouldMeasure = m_isMeasuring = shouldMeasure;
    request.savedAs = sweepFile(*request.original, request.key);
    const auto live = std::make_shared<LiveSweep>();
    m_liveSweep = live;
    m_sweepJob = m_jobs.start<Sweep>(
        this, u"sweep"_s, shouldMeasure ? tr("Measure sensitivities") : tr("Predict sensitivities"),
        [request, live](const JobContext& context) {
            return sweepSensitivity(
                request, [&live](const Sweep& sweep) { live->put(sweep); }, context);
        },
        [this](std::shared_ptr<const Sweep>) { takeLiveSweep(); },
        [this, activity](const Error& error) { report(activity, error); });
    m_sweepTimer.start();
    emit busyChanged();  // only now it is known what runs
}

void Session::remeasure(const QString& layer, double ratio) {
    if (isSweeping() || !m_document.data()) return;
    if (!m_document.isSensitivityFresh())
        return emit noticed(tr("The map is for other settings."), tr("Predict or measure again first."));
    SweepRequest request;
    request.original = m_document.loaded();
    request.key = m_document.sweepKey();
    request.setup = m_document.state().compression;
    request.known = m_document.sensitivity();
    m_liveSweep.reset();
    m_sweepJob = m_jobs.start<Sweep>(
        this, u"sweep"_s, tr("Measure %1 again").arg(shortName(layer)),
        [request, name = toStdString(layer), ratio](const JobContext& context) {
            return remeasureCell(request, name, ratio, context);
        },
        [this](std::shared_ptr<const Sweep> sweep) { m_document.setSweep(*sweep); },
        [this](const Error& error) { report(tr("Measuring again"), error); });
}

void Session::suggestPlan() {
    const auto table = m_document.sensitivity();
    if (!table) return;
    const DocumentState& state = m_document.state();
    const CompressionSetup& setup = state.compression;
    SolverOptions options;
    options.isGreedy = setup.isGreedy;
    if (setup.target == TargetKind::Macs) options.target.macsRatio = setup.share;
    if (setup.target == TargetKind::Size) options.target.sizeRatio = setup.share;
    if (setup.target == TargetKind::Drop) options.target.maxDrop = setup.maxDrop;
    for (const LayerChoice& choice : state.plan.choices)
        if (choice.isLocked &&
            std::ranges::find(table->layers, choice.layer, &LayerSensitivity::name) != table->layers.end())
            options.locks[choice.layer] = choice.ratio;
    auto solved = solvePlan(*table, options);
    if (!solved) return report(tr("Suggesting a plan"), solved.error());
    const bool doesPrune = std::ranges::any_of(solved->plan.choices, [](const LayerChoice& choice) {
        return choice.method == CompressionMethod::ChannelPruning && choice.ratio < 1;
    });
    if (!doesPrune) return adoptSuggestion(*solved);
    // Pruned channels save less together than each layer alone: the budget has to hold on the model, which takes
    // seconds.
    m_suggestJob = m_jobs.start<SolvedPlan>(
        this, u"suggest"_s, tr("Suggest ratios"),
        [original = m_document.loaded(), table, options](const JobContext& context) -> Result<SolvedPlan> {
            context.begin("computing the cost of the pruned network", 0);
            return solvePlanFor(*original->model, *table, options);
        },
        [this, original = m_document.loaded()](std::shared_ptr<const SolvedPlan> exact) {
            if (m_document.loaded() == original) adoptSuggestion(*exact);
        },
        [this](const Error& error) { report(tr("Suggesting a plan"), error); });
}

void Session::adoptSuggestion(const SolvedPlan& solved) {
    const DocumentState& state = m_document.state();
    const CompressionSetup& setup = state.compression;
    CompressionPlan plan = solved.plan;
    plan.multiple = setup.multiple;
    // A lock keeps the very ratio that was set by hand, also where the table has only its neighbours.
    for (const LayerChoice& choice : state.plan.choices)
        if (choice.isLocked) setChoice(plan, choice);
    const QString share = QLocale().toString(100 * setup.share, 'f', 0);
    const QString text = setup.target == TargetKind::Macs ? tr("Suggest ratios for %1 % of the MACs").arg(share)
                         : setup.target == TargetKind::Size
                             ? tr("Suggest ratios for %1 % of the size").arg(share)
                             : tr("Suggest ratios for a loss of %1 points").arg(plots::numberText(setup.maxDrop));
    m_document.edit(text, [&](DocumentState& edited) {
        edited.plan = plan;
        edited.suggestion = plan;
    });
    if (!solved.isTargetMet)
        emit noticed(tr("The target cannot be met; this is the nearest plan."), toQString(solved.limitedBy));
}

bool Session::hasPlanToCompress() {
    if (!m_document.hasModel()) return false;
    if (!m_document.editedCompression().plan.choices.empty()) return true;
    emit noticed(tr("The plan compresses no layer."), tr("Suggest ratios, or click in the map to choose one."));
    return false;
}

void Session::measurePlan() {
    if (!hasPlanToCompress()) return;
    const CompressStep step = m_document.editedCompression();
    if (step.data.empty())
        return report(tr("Measuring the plan"), Error{ErrorCode::InvalidArgument,
                                                      "A plan is measured on data, and none is chosen.",
                                                      "Choose data on the left.",
                                                      {}});
    startCompression(step, m_document.state().compression.evaluationSamples);
}

void Session::applyCompression() {
    if (!hasPlanToCompress() || m_document.isCompressionUpToDate()) return;
    // Computed by compressIfNeeded() once the recipe holds it.
    m_failedCompression.reset();
    m_document.edit(tr("Compress"), [step = m_document.editedCompression()](DocumentState& state) {
        std::erase_if(state.recipe.steps, [](const Step& each) { return std::holds_alternative<CompressStep>(each); });
        state.recipe.steps.insert(state.recipe.steps.begin(), step);
    });
}

void Session::removeCompression() {
    m_document.edit(tr("Remove compression"), [](DocumentState& state) {
        std::erase_if(state.recipe.steps, [](const Step& each) { return std::holds_alternative<CompressStep>(each); });
    });
}

void Session::importPlan(const QString& path) {
    if (!m_document.hasModel()) return;
    const QString activity = tr("Importing the plan");
    const auto text = readFile(toPath(path));
    if (!text) return report(activity, text.error());
    auto plan = parsePlan(*text);
    if (!plan) return report(activity, plan.error());
    if (auto status = checkPlan(*plan, *m_document.loaded()->model); !status) return report(activity, status.error());
    m_document.edit(tr("Import plan %1").arg(QFileInfo(path).fileName()), [&](DocumentState& state) {
        state.plan = *plan;
        state.compression.multiple = static_cast<int>(std::clamp<std::int64_t>(plan->multiple, 1, 128));
    });
}

void Session::exportPlan(const QString& path) {
    const DocumentState& state = m_document.state();
    CompressionPlan plan = state.plan;
    plan.multiple = state.compression.multiple;
    plan.predicted.reset();
    if (const auto table = m_document.sensitivity()) plan.predicted = predictPlan(*table, plan);
    if (auto written = writeFileAtomic(toPath(path), toJson(plan)); !written)
        return report(tr("Exporting the plan"), written.error());
    emit exported(path, tr("%n layer(s) with a ratio.", nullptr, static_cast<int>(plan.choices.size())));
}

void Session::saveRecipe(const QString& path) {
    if (!m_document.hasModel()) return;
    Recipe recipe = m_document.state().recipe;
    if (CompressStep edited = m_document.editedCompression(); !recipe.compressStep() && !edited.plan.choices.empty())
        recipe.steps.insert(recipe.steps.begin(), std::move(edited));
    if (const auto measured = m_document.quantization(); measured && !recipe.quantizeStep())
        recipe.steps.emplace_back(QuantizeStep{measured->settings});
    if (recipe.steps.empty())
        return report(tr("Saving the recipe"), Error{ErrorCode::InvalidArgument,
                                                     "The recipe has no steps.",
                                                     "Choose ratios, apply the equalization or measure quantization.",
                                                     {}});
    if (auto written = writeFileAtomic(toPath(path), toJson(recipe)); !written)
        return report(tr("Saving the recipe"), written.error());
    QStringList steps;
    for (const Step& step : recipe.steps) steps << toQString(name(step));
    emit exported(path, tr("%n step(s): %1.", nullptr, static_cast<int>(steps.size())).arg(steps.join(u", "_s)));
}

void Session::importSensitivity(const QString& path) {
    if (!m_document.hasModel()) return;
    const QString activity = tr("Importing sensitivities");
    const auto text = readFile(toPath(path));
    if (!text) return report(activity, text.error());
    auto parsed = parseSensitivity(*text);
    if (!parsed) return report(activity, parsed.error());
    auto table = fitToModel(std::move(*parsed), *m_document.loaded()->model, m_document.state().compression.multiple);
    if (!table) return report(activity, table.error());
    // It counts as the answer to the present settings; the methods it was made with become the chosen ones.
    const std::vector<CompressionMethod> methods = methodsOf(*table);
    if (!methods.empty())
        m_document.edit(tr("Import sensitivities %1").arg(QFileInfo(path).fileName()),
                        [&](DocumentState& state) { state.compression.methods = methods; });
    m_document.setSweep({m_document.sweepKey(), std::make_shared<const SensitivityTable>(std::move(*table))});
}

void Session::exportSensitivity(const QString& path) {
    const auto table = m_document.sensitivity();
    if (!table) return;
    if (auto written = writeFileAtomic(toPath(path), toJson(*table)); !written)
        return report(tr("Exporting sensitivities"), written.error());
    emit exported(path, tr("%n layer(s).", nullptr, static_cast<int>(table->layers.size())));
}

void Session::compressIfNeeded() {
    const CompressStep* step = m_document.state().recipe.compressStep();
    if (!step || !m_document.hasModel() || m_document.compressedFor(*step)) return;
    if (m_failedCompression == *step || (isCompressing() && m_compressing == *step)) return;
    startCompression(*step, std::nullopt);
}

void Session::startCompression(const CompressStep& step, std::optional<int> evaluationSamples) {
    m_compressing = step;
    CompressRequest request{m_document.loaded(), step, m_document.compressedFor(step), evaluationSamples};
    m_compressJob = m_jobs.start<CompressResult>(
        this, u"compress"_s, evaluationSamples ? tr("Compress and score the plan") : tr("Compress"),
        [request](const JobContext& context) { return compressAndScore(request, context); },
        [this](std::shared_ptr<const CompressResult> result) {
            m_document.addCompressed(result->model);
            if (result->measurement) {
                m_document.addMeasurement(*result->measurement);
                emit planMeasured();
            }
            compressIfNeeded();  // the applied one may have had to wait for a measurement
            if (!m_document.isBaseReady()) return;
            if (std::exchange(m_isPreviewPending, false)) previewEqualization();
            equalizeIfNeeded();
            if (m_isQuantizePending && m_document.currentModel()) quantize();
        },
        [this, step](const Error& error) {
            m_isQuantizePending = m_isPreviewPending = false;
            m_failedCompression = step;
            report(tr("Compressing"), error);
        });
}

}  // namespace equant::ui
