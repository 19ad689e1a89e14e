// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/desktop/jobs/export_jobs.h"

#include <QDir>
#include <QFileInfo>
#include <QLocale>

#include "app/desktop/jobs/engine_calls.h"
#include "app/desktop/report/report_content.h"
#include "core/base/file.h"
#include "widgets/bridge/text.h"

namespace equant::ui {

using namespace Qt::StringLiterals;

namespace {

/// Paper as the user's country has it.
bool isLetterCountry() {
    return QLocale().measurementSystem() == QLocale::ImperialUSSystem;
}

}  // namespace

void ExportJobs::exportTo(ExportKind kind, const QString& path) {
    const auto model = m_context.document().currentModel();
    if (!model)
        return m_context.report(tr("Exporting"), Error{ErrorCode::InvalidArgument,
                                                       "The applied steps are not computed yet.",
                                                       "Wait for them to finish, then export again.",
                                                       {}});
    const DocumentState& state = m_context.document().state();
    if (kind != ExportKind::OptimizedModel && state.data.path.isEmpty())
        return m_context.report(tr("Exporting"), Error{ErrorCode::InvalidArgument,
                                                       "A quantized export needs data to calibrate on.",
                                                       "Choose data on the quantization page first.",
                                                       {}});
    const EqualizeStep* step = state.recipe.equalizeStep();
    const QuantizeRequest request{
        model,
        m_context.document().loaded()->model,
        state.quantization,
        state.data,
        step ? std::optional(step->options) : std::nullopt,
        std::nullopt,
        m_context.document().isQuantizationFresh() ? m_context.document().quantization() : nullptr};
    const auto bytes = m_context.document().loaded()->fileBytes;
    m_context.jobs().start<ExportSummary>(
        this, u"export "_s + path, tr("Export %1").arg(QFileInfo(path).fileName()),
        [kind, request, bytes, path](const JobContext& job) {
            switch (kind) {
                case ExportKind::OptimizedModel:
                    return exportModel(*request.model, request.data.preprocess, bytes, path, job);
                case ExportKind::QdqModel:
                    return exportQdq(request, bytes, path, job);
                case ExportKind::Encodings061:
                    return exportEncodings(request, u"0.6.1"_s, path, job);
                case ExportKind::Encodings100:
                    return exportEncodings(request, u"1.0.0"_s, path, job);
                case ExportKind::Encodings200:
                    break;
            }
            return exportEncodings(request, u"2.0.0"_s, path, job);
        },
        [this, path](std::shared_ptr<const ExportSummary> summary) { emit m_context.exported(path, summary->text); },
        [this](const Error& error) { m_context.report(tr("Exporting"), error); });
}

void ExportJobs::saveRecipe(const QString& path) {
    if (!m_context.document().hasModel()) return;
    Recipe recipe = m_context.document().state().recipe;
    if (CompressStep edited = m_context.document().editedCompression();
        !recipe.compressStep() && !edited.plan.choices.empty())
        recipe.steps.insert(recipe.steps.begin(), std::move(edited));
    if (const auto measured = m_context.document().quantization(); measured && !recipe.quantizeStep())
        recipe.steps.emplace_back(QuantizeStep{measured->settings});
    if (recipe.steps.empty())
        return m_context.report(tr("Saving the recipe"),
                                Error{ErrorCode::InvalidArgument,
                                      "The recipe has no steps.",
                                      "Choose ratios, apply the equalization or measure quantization.",
                                      {}});
    if (auto written = writeFileAtomic(toPath(path), toJson(recipe)); !written)
        return m_context.report(tr("Saving the recipe"), written.error());
    QStringList steps;
    for (const Step& step : recipe.steps) steps << toQString(name(step));
    emit m_context.exported(path,
                            tr("%n step(s): %1.", nullptr, static_cast<int>(steps.size())).arg(steps.join(u", "_s)));
}

void ExportJobs::writeReport(const QString& path) {
    if (!m_context.document().hasModel()) return;
    const QFileInfo info(path);
    const QString pictures = info.dir().filePath(info.completeBaseName() + u"-pictures"_s);
    m_context.jobs().start<ReportFacts>(
        this, u"report"_s, tr("Write %1").arg(info.fileName()),
        [loaded = m_context.document().loaded(), data = m_context.document().state().data,
         recipe = m_context.document().state().recipe](const JobContext& job) {
            return gatherReportFacts(*loaded, data, job, recipe.compressStep());
        },
        [this, path, pictures, loaded = m_context.document().loaded()](std::shared_ptr<const ReportFacts> facts) {
            if (m_context.document().loaded() != loaded) return;  // another model was opened meanwhile
            const auto written =
                saveReport(makeReport(m_context.document(), *facts, reportDate()), path, isLetterCountry(), pictures);
            if (!written) return m_context.report(tr("Writing the report"), written.error());
            emit m_context.exported(path, tr("With %n picture(s) of its pages and plots in %1.", nullptr,
                                             static_cast<int>(written->size()) - 1)
                                              .arg(QFileInfo(pictures).fileName()));
        },
        [this](const Error& error) { m_context.report(tr("Writing the report"), error); });
}

}  // namespace equant::ui
