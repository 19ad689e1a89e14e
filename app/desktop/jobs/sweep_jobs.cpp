// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/desktop/jobs/sweep_jobs.h"

#include <QFileInfo>
#include <mutex>
#include <utility>

#include "app/desktop/jobs/engine_calls.h"
#include "core/base/file.h"
#include "widgets/bridge/text.h"

namespace equant::ui {

using namespace Qt::StringLiterals;

namespace {
constexpr int kTakeMilliseconds = 50;  ///< about 20 pictures a second while a sweep fills the map
}  // namespace

/// The worker puts the newest table in, the GUI thread takes it out when it has time.
struct SweepJobs::Live {
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

SweepJobs::SweepJobs(SessionContext& context) : m_context(context) {
    m_timer.setInterval(kTakeMilliseconds);
    connect(&m_timer, &QTimer::timeout, this, &SweepJobs::takeLive);
    connect(&context.jobs(), &JobRunner::jobEnded, this, [this](const Job* job) {
        if (job == m_job) takeLive();  // a paused sweep keeps its last cells
    });
}

void SweepJobs::reset() {
    m_live.reset();
    if (m_job) m_job->cancel();
}

void SweepJobs::takeLive() {
    if (m_live)
        if (auto newest = m_live->take()) m_context.document().setSweep(std::move(*newest));
    if (!isRunning()) m_timer.stop();
}

void SweepJobs::pause() {
    if (isRunning()) m_job->cancel();
}

void SweepJobs::start(bool shouldMeasure) {
    if (!m_context.document().hasModel() || isRunning()) return;
    const QString activity = shouldMeasure ? tr("Measuring sensitivities") : tr("Predicting sensitivities");
    if (m_context.document().state().data.path.isEmpty())
        return m_context.report(activity,
                                Error{ErrorCode::InvalidArgument,
                                      "Sensitivities need data, and none is chosen.",
                                      "Choose an image folder, an .npy file or ONNX test data under \"Data\".",
                                      {}});
    SweepRequest request;
    request.original = m_context.document().loaded();
    request.key = m_context.document().sweepKey();
    request.setup = m_context.document().state().compression;
    if (shouldMeasure && m_context.document().isSensitivityFresh()) request.known = m_context.document().sensitivity();
    if (!m_context.document().isSensitivityFresh()) request.related = m_context.document().relatedSensitivity();
    request.shouldMeasure = m_isMeasuring = shouldMeasure;
    request.savedAs = sweepFile(*request.original, request.key);
    const auto live = std::make_shared<Live>();
    m_live = live;
    m_job = m_context.jobs().start<Sweep>(
        this, u"sweep"_s, shouldMeasure ? tr("Measure sensitivities") : tr("Predict sensitivities"),
        [request, live](const JobContext& context) {
            return sweepSensitivity(
                request, [&live](const Sweep& sweep) { live->put(sweep); }, context);
        },
        [this](std::shared_ptr<const Sweep>) { takeLive(); },
        [this, activity](const Error& error) { m_context.report(activity, error); });
    m_timer.start();
    emit started();
}

void SweepJobs::remeasure(const QString& layer, double ratio) {
    if (isRunning() || !m_context.document().data()) return;
    if (!m_context.document().isSensitivityFresh())
        return emit m_context.noticed(tr("The map is for other settings."), tr("Predict or measure again first."));
    SweepRequest request;
    request.original = m_context.document().loaded();
    request.key = m_context.document().sweepKey();
    request.setup = m_context.document().state().compression;
    request.known = m_context.document().sensitivity();
    m_live.reset();
    m_job = m_context.jobs().start<Sweep>(
        this, u"sweep"_s, tr("Measure %1 again").arg(shortName(layer)),
        [request, name = toStdString(layer), ratio](const JobContext& context) {
            return remeasureCell(request, name, ratio, context);
        },
        [this](std::shared_ptr<const Sweep> sweep) { m_context.document().setSweep(*sweep); },
        [this](const Error& error) { m_context.report(tr("Measuring again"), error); });
}

void SweepJobs::importTable(const QString& path) {
    if (!m_context.document().hasModel()) return;
    const QString activity = tr("Importing sensitivities");
    const auto text = readFile(toPath(path));
    if (!text) return m_context.report(activity, text.error());
    auto parsed = parseSensitivity(*text);
    if (!parsed) return m_context.report(activity, parsed.error());
    auto table = fitToModel(std::move(*parsed), *m_context.document().loaded()->model,
                            m_context.document().state().compression.multiple);
    if (!table) return m_context.report(activity, table.error());
    // It counts as the answer to the present settings; the methods it was made with become the chosen ones.
    const std::vector<CompressionMethod> methods = methodsOf(*table);
    if (!methods.empty())
        m_context.document().edit(tr("Import sensitivities %1").arg(QFileInfo(path).fileName()),
                                  [&](DocumentState& state) { state.compression.methods = methods; });
    m_context.document().setSweep(
        {m_context.document().sweepKey(), std::make_shared<const SensitivityTable>(std::move(*table))});
}

void SweepJobs::exportTable(const QString& path) {
    const auto table = m_context.document().sensitivity();
    if (!table) return;
    if (auto written = writeFileAtomic(toPath(path), toJson(*table)); !written)
        return m_context.report(tr("Exporting sensitivities"), written.error());
    emit m_context.exported(path, tr("%n layer(s).", nullptr, static_cast<int>(table->layers.size())));
}

}  // namespace equant::ui
