// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/desktop/jobs/plan_jobs.h"

#include <QFileInfo>
#include <QLocale>
#include <algorithm>

#include "app/desktop/jobs/engine_calls.h"
#include "core/base/file.h"
#include "core/compression/plan/plan_cost.h"
#include "widgets/bridge/text.h"
#include "widgets/plots/base/plot_scene.h"

namespace equant::ui {

using namespace Qt::StringLiterals;

PlanJobs::PlanJobs(SessionContext& context) : m_context(context) {
    connect(&context.jobs(), &JobRunner::jobEnded, this, [this](const Job* job) {
        if (job == m_job && job->state() == Job::State::Cancelled) emit stopped();
    });
}

void PlanJobs::reset() {
    m_failed.reset();
    for (const auto& job : {m_job, m_suggestJob})
        if (job) job->cancel();
}

void PlanJobs::suggest() {
    const auto table = m_context.document().sensitivity();
    if (!table) return;
    const DocumentState& state = m_context.document().state();
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
    if (!solved) return m_context.report(tr("Suggesting a plan"), solved.error());
    const bool doesPrune = std::ranges::any_of(solved->plan.choices, [](const LayerChoice& choice) {
        return choice.method == CompressionMethod::ChannelPruning && choice.ratio < 1;
    });
    if (!doesPrune) return adopt(*solved);
    // Pruned channels save less together than each layer alone: the budget has to hold on the model, which takes
    // seconds.
    m_suggestJob = m_context.jobs().start<SolvedPlan>(
        this, u"suggest"_s, tr("Suggest ratios"),
        [original = m_context.document().loaded(), table, options](const JobContext& context) -> Result<SolvedPlan> {
            context.begin("computing the cost of the pruned network", 0);
            return solvePlanFor(*original->model, *table, options);
        },
        [this, original = m_context.document().loaded()](std::shared_ptr<const SolvedPlan> exact) {
            if (m_context.document().loaded() == original) adopt(*exact);
        },
        [this](const Error& error) { m_context.report(tr("Suggesting a plan"), error); });
}

void PlanJobs::adopt(const SolvedPlan& solved) {
    const DocumentState& state = m_context.document().state();
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
    m_context.document().edit(text, [&](DocumentState& edited) {
        edited.plan = plan;
        edited.suggestion = plan;
    });
    if (!solved.isTargetMet)
        emit m_context.noticed(tr("The target cannot be met; this is the nearest plan."), toQString(solved.limitedBy));
}

bool PlanJobs::hasPlan() {
    if (!m_context.document().hasModel()) return false;
    if (!m_context.document().editedCompression().plan.choices.empty()) return true;
    emit m_context.noticed(tr("The plan compresses no layer."),
                           tr("Suggest ratios, or click in the map to choose one."));
    return false;
}

void PlanJobs::measure() {
    if (!hasPlan()) return;
    const CompressStep step = m_context.document().editedCompression();
    if (step.data.empty())
        return m_context.report(tr("Measuring the plan"), Error{ErrorCode::InvalidArgument,
                                                                "A plan is measured on data, and none is chosen.",
                                                                "Choose data on the left.",
                                                                {}});
    compress(step, m_context.document().state().compression.evaluationSamples);
}

void PlanJobs::apply() {
    if (!hasPlan() || m_context.document().isCompressionUpToDate()) return;
    // Computed by ensure() once the recipe holds it.
    m_failed.reset();
    m_context.document().edit(tr("Compress"), [step = m_context.document().editedCompression()](DocumentState& state) {
        std::erase_if(state.recipe.steps, [](const Step& each) { return std::holds_alternative<CompressStep>(each); });
        state.recipe.steps.insert(state.recipe.steps.begin(), step);
    });
}

void PlanJobs::remove() {
    m_context.document().edit(tr("Remove compression"), [](DocumentState& state) {
        std::erase_if(state.recipe.steps, [](const Step& each) { return std::holds_alternative<CompressStep>(each); });
    });
}

void PlanJobs::importPlan(const QString& path) {
    if (!m_context.document().hasModel()) return;
    const QString activity = tr("Importing the plan");
    const auto text = readFile(toPath(path));
    if (!text) return m_context.report(activity, text.error());
    auto plan = parsePlan(*text);
    if (!plan) return m_context.report(activity, plan.error());
    if (auto status = checkPlan(*plan, *m_context.document().loaded()->model); !status)
        return m_context.report(activity, status.error());
    m_context.document().edit(tr("Import plan %1").arg(QFileInfo(path).fileName()), [&](DocumentState& state) {
        state.plan = *plan;
        state.compression.multiple = static_cast<int>(std::clamp<std::int64_t>(plan->multiple, 1, 128));
    });
}

void PlanJobs::exportPlan(const QString& path) {
    const DocumentState& state = m_context.document().state();
    CompressionPlan plan = state.plan;
    plan.multiple = state.compression.multiple;
    plan.predicted.reset();
    if (const auto table = m_context.document().sensitivity()) plan.predicted = predictPlan(*table, plan);
    if (auto written = writeFileAtomic(toPath(path), toJson(plan)); !written)
        return m_context.report(tr("Exporting the plan"), written.error());
    emit m_context.exported(path, tr("%n layer(s) with a ratio.", nullptr, static_cast<int>(plan.choices.size())));
}

void PlanJobs::ensure() {
    const CompressStep* step = m_context.document().state().recipe.compressStep();
    if (!step || !m_context.document().hasModel() || m_context.document().compressedFor(*step)) return;
    if (m_failed == *step || (isCompressing() && m_step == *step)) return;
    compress(*step, std::nullopt);
}

void PlanJobs::compress(const CompressStep& step, std::optional<int> evaluationSamples) {
    m_step = step;
    CompressRequest request{m_context.document().loaded(), step, m_context.document().compressedFor(step),
                            evaluationSamples};
    m_job = m_context.jobs().start<CompressResult>(
        this, u"compress"_s, evaluationSamples ? tr("Compress and score the plan") : tr("Compress"),
        [request](const JobContext& context) { return compressAndScore(request, context); },
        [this](std::shared_ptr<const CompressResult> result) {
            m_context.document().addCompressed(result->model);
            if (result->measurement) {
                m_context.document().addMeasurement(*result->measurement);
                emit measured();
            }
            ensure();  // the applied one may have had to wait for a measurement
            emit compressed();
        },
        [this, step](const Error& error) {
            emit stopped();
            m_failed = step;
            m_context.report(tr("Compressing"), error);
        });
}

}  // namespace equant::ui
