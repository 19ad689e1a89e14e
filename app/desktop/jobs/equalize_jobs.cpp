// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/desktop/jobs/equalize_jobs.h"

#include "app/desktop/jobs/engine_calls.h"

namespace equant::ui {

using namespace Qt::StringLiterals;

EqualizeJobs::EqualizeJobs(SessionContext& context) : m_context(context) {
    connect(&context.jobs(), &JobRunner::jobEnded, this, [this](const Job* job) {
        if (job == m_job && job->state() == Job::State::Cancelled) emit stopped();
    });
}

void EqualizeJobs::reset() {
    m_isPreviewPending = false;
    if (m_job) m_job->cancel();
}

void EqualizeJobs::resume() {
    if (std::exchange(m_isPreviewPending, false)) preview();
    ensure();
}

void EqualizeJobs::preview() {
    if (m_context.document().hasModel()) compute(m_context.document().state().equalize);
}

void EqualizeJobs::apply() {
    if (!m_context.document().hasModel() || m_context.document().isEqualizeUpToDate()) return;
    // Computed by ensure() once the recipe holds it.
    m_context.document().edit(tr("Equalize"), [](DocumentState& state) {
        std::erase_if(state.recipe.steps, [](const Step& step) { return std::holds_alternative<EqualizeStep>(step); });
        const bool isCompressed = state.recipe.compressStep() != nullptr;
        state.recipe.steps.insert(state.recipe.steps.begin() + (isCompressed ? 1 : 0), EqualizeStep{state.equalize});
    });
}

void EqualizeJobs::remove() {
    m_context.document().edit(tr("Remove equalization"), [](DocumentState& state) {
        std::erase_if(state.recipe.steps, [](const Step& step) { return std::holds_alternative<EqualizeStep>(step); });
    });
}

void EqualizeJobs::ensure() {
    const EqualizeStep* step = m_context.document().state().recipe.equalizeStep();
    if (step && m_context.document().hasModel() && !m_context.document().equalizedFor(step->options))
        compute(step->options);
}

void EqualizeJobs::compute(const EqualizeOptions& options) {
    if (!m_context.document().isBaseReady()) {
        m_isPreviewPending = true;  // continues when the compressed model is there
        emit baseNeeded();
        return;
    }
    const CompressStep* step = m_context.document().state().recipe.compressStep();
    const auto compressed = step ? std::optional(*step) : std::nullopt;
    if (m_context.document().equalizedFor(options) ||
        (isRunning() && m_options == options && m_compressed == compressed))
        return;
    m_options = options;
    m_compressed = compressed;
    const auto data = m_context.document().data();
    m_job = m_context.jobs().start<EqualizedModel>(
        this, u"equalize"_s, tr("Equalize and compare outputs"),
        [model = m_context.document().base()->model, options, data, compressed](const JobContext& context) {
            auto result = equalizeAndProve(*model, options, data.get(), context);
            if (result) result->compressed = compressed;
            return result;
        },
        [this](std::shared_ptr<const EqualizedModel> result) {
            m_context.document().addEqualized(std::move(result));
            emit computed();
        },
        [this](const Error& error) {
            emit stopped();
            m_context.report(tr("Equalizing"), error);
        });
}

}  // namespace equant::ui
