// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/desktop/jobs/session.h"

#include <QCoreApplication>
#include <QDir>
#include <QFileInfo>
#include <QLocale>

#include "app/desktop/jobs/engine_calls.h"
#include "app/desktop/report/report_content.h"
#include "app/desktop/report/report_run.h"
#include "widgets/bridge/text.h"

namespace equant::ui {

using namespace Qt::StringLiterals;

QString sampleFolder() {
    const QString beside =
        QDir(QCoreApplication::applicationDirPath())
            .absoluteFilePath(u"../"_s + QStringLiteral(EQUANT_INSTALL_DATADIR) + u"/equant/sample"_s);
    for (const QString& folder : {beside, QStringLiteral(EQUANT_SOURCE_DIR) + u"/resources/sample"_s})
        if (QFileInfo::exists(folder + u"/equant_sample.onnx"_s)) return QDir::cleanPath(folder);
    return {};
}

namespace {

/// About 20 pictures a second while a sweep fills the map.
constexpr int kSweepMilliseconds = 50;

/// Paper as the user's country has it.
bool isLetterCountry() {
    return QLocale().measurementSystem() == QLocale::ImperialUSSystem;
}

}  // namespace

Session::Session(QObject* parent) : QObject(parent) {
    connect(&m_document, &Document::stateChanged, this, [this] {
        loadDataIfNeeded();
        compressIfNeeded();
        equalizeIfNeeded();
    });
    m_sweepTimer.setInterval(kSweepMilliseconds);
    connect(&m_sweepTimer, &QTimer::timeout, this, &Session::takeLiveSweep);
    connect(&m_sweepTimer, &QTimer::timeout, this, &Session::takeLiveFlow);
    connect(&m_jobs, &JobRunner::jobsChanged, this, &Session::busyChanged);
    connect(&m_jobs, &JobRunner::jobEnded, this, [this](const Job* job) {
        if ((job == m_equalizeJob || job == m_compressJob) && job->state() == Job::State::Cancelled)
            m_isQuantizePending = m_isPreviewPending = false;
        if (job == m_sweepJob) takeLiveSweep();  // a paused sweep keeps its last cells
        if (job == m_flowJob) takeLiveFlow();    // so does a flow its plans
    });
}

void Session::report(const QString& activity, const Error& error) {
    emit failed(activity, error);
}

Session::Source Session::classify(const QString& path) {
    const QFileInfo info(path);
    if (info.isDir()) return Source::Data;
    const QString suffix = info.suffix().toLower();
    if (suffix == "onnx"_L1) return Source::Model;
    if (suffix == "equant"_L1) return Source::Workspace;
    if (suffix == "npy"_L1 || suffix == "npz"_L1) return Source::Data;
    return Source::Unknown;
}

QString Session::modelInFolder(const QString& folder) {
    if (!QFileInfo(folder).isDir()) return {};
    const QDir place(folder);
    const QStringList models = place.entryList({u"*.onnx"_s}, QDir::Files);
    return models.size() == 1 ? place.filePath(models.front()) : QString();
}

bool Session::testDataInFolder(const QString& folder) {
    return !QDir(folder).entryList({u"test_data_set_*"_s}, QDir::Dirs).isEmpty();
}

void Session::open(const QString& path, const InitialState& initial, const std::function<void()>& then) {
    const QString absolute = QFileInfo(path).absoluteFilePath();
    m_openJob = m_jobs.start<LoadedModel>(
        this, u"open"_s, tr("Open %1").arg(QFileInfo(path).fileName()),
        [absolute](const JobContext& job) { return loadModel(absolute, job); },
        [this, initial, then](std::shared_ptr<const LoadedModel> loaded) {
            m_isQuantizePending = m_isPreviewPending = false;
            m_failedData = {};
            m_failedCompression.reset();
            m_liveSweep.reset();
            m_liveFlow.reset();
            m_flowTried = 0;
            for (const auto& job :
                 {m_dataJob, m_equalizeJob, m_quantizeJob, m_sweepJob, m_compressJob, m_suggestJob, m_flowJob})
                if (job) job->cancel();  // it belongs to the former model
            m_flowJob.clear();
            m_selection.clear();
            m_workspacePath.clear();
            const DocumentState state = initial(*loaded);
            m_document.setModel(std::move(loaded), state);
            emit modelOpened(m_document.loaded()->path);
            then();
        },
        [this](const Error& error) { report(tr("Opening the model"), error); });
}

void Session::openModel(const QString& path, const QString& dataPath) {
    const auto initial = [](const LoadedModel& loaded) {
        DocumentState state;
        state.data.preprocess = preprocessingBeside(loaded);
        state.compression.methods = usefulMethods(loaded.compressible);
        return state;
    };
    open(path, initial, [this, dataPath] {
        if (!dataPath.isEmpty()) setDataPath(dataPath);
    });
}

void Session::openSample() {
    const QString folder = sampleFolder();
    if (folder.isEmpty())
        return report(tr("Opening the sample"),
                      Error{ErrorCode::NotFound, "The bundled sample is missing.", "Install Equant again.", {}});
    openModel(folder + u"/equant_sample.onnx"_s, folder + u"/images"_s);
}

void Session::setDataPath(const QString& path) {
    if (!m_document.hasModel()) return;
    const QString absolute = QFileInfo(path).absoluteFilePath();
    m_failedData = {};
    m_document.edit(tr("Choose data %1").arg(QFileInfo(absolute).fileName()),
                    [&](DocumentState& state) { state.data.path = absolute; });
    loadDataIfNeeded();
}

void Session::loadDataIfNeeded() {
    const DataChoice& choice = m_document.state().data;
    const auto isSameData = [&choice](const DataChoice& other) {
        return other.path == choice.path && other.preprocess == choice.preprocess;
    };
    if (!m_document.hasModel() || choice.path.isEmpty() || m_document.data() || isSameData(m_failedData)) return;
    if (isLoadingData() && isSameData(m_loadingData)) return;
    m_loadingData = choice;
    m_dataJob = m_jobs.start<LoadedData>(
        this, u"data"_s, tr("Open data %1").arg(QFileInfo(choice.path).fileName()),
        [model = m_document.loaded()->model, choice](const JobContext& job) { return loadData(*model, choice, job); },
        [this](std::shared_ptr<const LoadedData> data) { m_document.setData(std::move(data)); },
        [this, choice](const Error& error) {
            m_failedData = choice;
            m_document.setData(nullptr);
            report(tr("Opening the data"), error);
        });
}

void Session::previewEqualization() {
    if (m_document.hasModel()) computeEqualization(m_document.state().equalize);
}

void Session::applyEqualization() {
    if (!m_document.hasModel() || m_document.isEqualizeUpToDate()) return;
    // Computed by equalizeIfNeeded() once the recipe holds it.
    m_document.edit(tr("Equalize"), [](DocumentState& state) {
        std::erase_if(state.recipe.steps, [](const Step& step) { return std::holds_alternative<EqualizeStep>(step); });
        const bool isCompressed = state.recipe.compressStep() != nullptr;
        state.recipe.steps.insert(state.recipe.steps.begin() + (isCompressed ? 1 : 0), EqualizeStep{state.equalize});
    });
}

void Session::removeEqualization() {
    m_document.edit(tr("Remove equalization"), [](DocumentState& state) {
        std::erase_if(state.recipe.steps, [](const Step& step) { return std::holds_alternative<EqualizeStep>(step); });
    });
}

void Session::equalizeIfNeeded() {
    const EqualizeStep* step = m_document.state().recipe.equalizeStep();
    if (step && m_document.hasModel() && !m_document.equalizedFor(step->options)) computeEqualization(step->options);
}

void Session::computeEqualization(const EqualizeOptions& options) {
    if (!m_document.isBaseReady()) {
        m_isPreviewPending = true;  // continues when the compressed model is there
        return compressIfNeeded();
    }
    const CompressStep* step = m_document.state().recipe.compressStep();
    const auto compressed = step ? std::optional(*step) : std::nullopt;
    if (m_document.equalizedFor(options) ||
        (isEqualizing() && m_equalizing == options && m_equalizingAfter == compressed))
        return;
    m_equalizing = options;
    m_equalizingAfter = compressed;
    const auto data = m_document.data();
    m_equalizeJob = m_jobs.start<EqualizedModel>(
        this, u"equalize"_s, tr("Equalize and compare outputs"),
        [model = m_document.base()->model, options, data, compressed](const JobContext& context) {
            auto result = equalizeAndProve(*model, options, data ? data->dataset.get() : nullptr, context);
            if (result) result->compressed = compressed;
            return result;
        },
        [this](std::shared_ptr<const EqualizedModel> result) {
            m_document.addEqualized(std::move(result));
            if (m_isQuantizePending) quantize();
        },
        [this](const Error& error) {
            m_isQuantizePending = false;
            report(tr("Equalizing"), error);
        });
}

void Session::quantize() {
    m_isQuantizePending = false;
    if (!m_document.hasModel()) return;
    if (m_document.state().data.path.isEmpty())
        return report(tr("Quantizing"), Error{ErrorCode::InvalidArgument,
                                              "Calibration needs data, and none is chosen.",
                                              "Choose an image folder, an .npy file or ONNX test data under \"Data\".",
                                              {}});
    const auto model = m_document.currentModel();
    if (!model) {
        m_isQuantizePending = true;  // continues when the compressed and equalized model is there
        compressIfNeeded();
        return equalizeIfNeeded();
    }
    startQuantization(model);
}

void Session::startQuantization(std::shared_ptr<const Model> model) {
    const DocumentState& state = m_document.state();
    const EqualizeStep* step = state.recipe.equalizeStep();
    const CompressStep* first = state.recipe.compressStep();
    const auto compressed = first ? std::optional(*first) : std::nullopt;
    QuantizeRequest request{std::move(model),
                            m_document.loaded()->model,
                            state.quantization,
                            state.data,
                            step ? std::optional(step->options) : std::nullopt,
                            compressed};
    m_quantizeJob = m_jobs.start<QuantizationResult>(
        this, u"quantize"_s, tr("Simulate quantization"),
        [request](const JobContext& context) { return simulateQuantization(request, context); },
        [this](std::shared_ptr<const QuantizationResult> result) {
            m_document.addQuantization(std::move(result));
            emit quantizationFinished();
        },
        [this](const Error& error) { report(tr("Quantizing"), error); });
}

void Session::exportTo(ExportKind kind, const QString& path) {
    const auto model = m_document.currentModel();
    if (!model)
        return report(tr("Exporting"), Error{ErrorCode::InvalidArgument,
                                             "The applied steps are not computed yet.",
                                             "Wait for them to finish, then export again.",
                                             {}});
    const DocumentState& state = m_document.state();
    if (kind != ExportKind::OptimizedModel && state.data.path.isEmpty())
        return report(tr("Exporting"), Error{ErrorCode::InvalidArgument,
                                             "A quantized export needs data to calibrate on.",
                                             "Choose data on the quantization page first.",
                                             {}});
    const EqualizeStep* step = state.recipe.equalizeStep();
    const QuantizeRequest request{model,
                                  m_document.loaded()->model,
                                  state.quantization,
                                  state.data,
                                  step ? std::optional(step->options) : std::nullopt,
                                  std::nullopt,
                                  m_document.isQuantizationFresh() ? m_document.quantization() : nullptr};
    const auto bytes = m_document.loaded()->fileBytes;
    m_jobs.start<ExportSummary>(
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
        [this, path](std::shared_ptr<const ExportSummary> summary) { emit exported(path, summary->text); },
        [this](const Error& error) { report(tr("Exporting"), error); });
}

void Session::writeReport(const QString& path) {
    if (!m_document.hasModel()) return;
    const QFileInfo info(path);
    const QString pictures = info.dir().filePath(info.completeBaseName() + u"-pictures"_s);
    m_jobs.start<ReportFacts>(
        this, u"report"_s, tr("Write %1").arg(info.fileName()),
        [loaded = m_document.loaded(), data = m_document.state().data, recipe = m_document.state().recipe](
            const JobContext& job) { return gatherReportFacts(*loaded, data, job, recipe.compressStep()); },
        [this, path, pictures, loaded = m_document.loaded()](std::shared_ptr<const ReportFacts> facts) {
            if (m_document.loaded() != loaded) return;  // another model was opened meanwhile
            const auto written =
                saveReport(makeReport(m_document, *facts, reportDate()), path, isLetterCountry(), pictures);
            if (!written) return report(tr("Writing the report"), written.error());
            emit exported(path, tr("With %n picture(s) of its pages and plots in %1.", nullptr,
                                   static_cast<int>(written->size()) - 1)
                                    .arg(QFileInfo(pictures).fileName()));
        },
        [this](const Error& error) { report(tr("Writing the report"), error); });
}

}  // namespace equant::ui
