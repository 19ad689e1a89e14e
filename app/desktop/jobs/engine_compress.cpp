// SPDX-License-Identifier: GPL-3.0-or-later
// The compression half of engine_calls.h.
#include <QCryptographicHash>
#include <QDir>
#include <QElapsedTimer>
#include <QStandardPaths>
#include <algorithm>

#include "app/desktop/jobs/engine_calls.h"
#include "core/base/file.h"
#include "core/graph/onnx_io.h"
#include "core/recipe/sensitivity_reuse.h"
#include "widgets/bridge/text.h"

namespace equant::ui {

using namespace Qt::StringLiterals;

namespace {

constexpr qint64 kLiveMilliseconds = 50;
constexpr qint64 kSaveMilliseconds = 2000;

Result<std::shared_ptr<const Dataset>> openSamples(const Model& model, const std::string& path,
                                                   const std::string& preprocess, int limit) {
    return equant::openSamples(path, model, preprocess, static_cast<std::size_t>(std::max(0, limit)));
}

/// A table that an interrupted sweep left behind, if it is of this model and these data.
std::optional<SensitivityTable> interruptedTable(const SweepRequest& request, const std::string& fingerprint) {
    if (request.savedAs.isEmpty()) return std::nullopt;
    const auto text = readFile(toPath(request.savedAs));
    if (!text) return std::nullopt;
    auto table = parseSensitivity(*text);
    if (!table || !canContinue(*table, contentHash(*request.original->model), fingerprint)) return std::nullopt;
    return std::move(*table);
}

void save(const QString& path, const SensitivityTable& table) {
    if (path.isEmpty() || !hasScores(table)) return;
    QDir().mkpath(QFileInfo(path).absolutePath());
    // A sweep must not fail because its safety copy cannot be written.
    (void)writeFileAtomic(toPath(path), toJson(table));
}

}  // namespace

QString sweepFile(const LoadedModel& original, const SweepKey& key) {
    QCryptographicHash hash(QCryptographicHash::Sha256);
    QString text = original.path + u'\n' + toQString(key.data) + u'\n' + toQString(key.preprocess);
    for (const CompressionMethod method : key.methods) text += u'\n' + toQString(name(method));
    text += u"\n%1 %2 %3 %4 %5 %6"_s.arg(key.metric ? static_cast<int>(*key.metric) : -1)
                .arg(key.calibrationSamples)
                .arg(key.evaluationSamples)
                .arg(key.candidates)
                .arg(key.multiple)
                .arg(key.isPlain ? 1 : 0);
    hash.addData(text.toUtf8());
    return QStandardPaths::writableLocation(QStandardPaths::AppLocalDataLocation) + u"/sweeps/"_s +
           QString::fromLatin1(hash.result().toHex().left(24)) + u".json"_s;
}

Result<Sweep> sweepSensitivity(const SweepRequest& request, const std::function<void(const Sweep&)>& onTable,
                               const JobContext& job) {
    const Model& model = *request.original->model;
    auto calibration = openSamples(model, request.key.data, request.key.preprocess, request.key.calibrationSamples);
    if (!calibration) return fail(calibration.error());
    const SensitivityOptions options = sweepOptions(request.setup);
    auto evaluation = openSamples(model, request.key.data, request.key.preprocess, request.key.evaluationSamples);
    if (!evaluation) return fail(evaluation.error());
    Sweep sweep{request.key, request.known};
    std::shared_ptr<const SensitivityStudy> study;
    if (!sweep.table) {
        if (auto found = interruptedTable(request, (*evaluation)->fingerprint())) {
            sweep.table = std::make_shared<const SensitivityTable>(std::move(*found));
        } else {
            auto studied = studyLayers(model, **calibration, options, job);
            if (!studied) return fail(studied.error());
            study = std::move(*studied);
            auto predicted = equant::predictSensitivity(*study, options, job);
            if (!predicted) return fail(predicted.error());
            if (request.related) reuseScores(*predicted, *request.related);
            sweep.table = std::make_shared<const SensitivityTable>(std::move(*predicted));
        }
        onTable(sweep);
    }
    if (!request.shouldMeasure) return sweep;
    QElapsedTimer shown, saved;
    shown.start();
    saved.start();
    if (!study) {
        auto studied = studyLayers(model, **calibration, options, job);
        if (!studied) return fail(studied.error());
        study = std::move(*studied);
    }
    auto measured = equant::measureSensitivity(
        *study, **evaluation, *sweep.table, options,
        [&](const SensitivityTable& table, std::size_t, std::size_t) {
            if (shown.elapsed() >= kLiveMilliseconds) {
                onTable({request.key, std::make_shared<const SensitivityTable>(table)});
                shown.restart();
            }
            if (saved.elapsed() >= kSaveMilliseconds) {
                save(request.savedAs, table);
                saved.restart();
            }
        },
        job);
    if (!measured) return fail(measured.error());
    save(request.savedAs, *measured);
    sweep.table = std::make_shared<const SensitivityTable>(std::move(*measured));
    onTable(sweep);
    return sweep;
}

Result<Sweep> remeasureCell(const SweepRequest& request, const std::string& layer, double ratio,
                            const JobContext& job) {
    constexpr int kMoreSamples = 4;
    const Model& model = *request.original->model;
    const int wanted = request.key.evaluationSamples * kMoreSamples;
    auto calibration = openSamples(model, request.key.data, request.key.preprocess, request.key.calibrationSamples);
    if (!calibration) return fail(calibration.error());
    auto evaluation = openSamples(model, request.key.data, request.key.preprocess, wanted);
    if (!evaluation) return fail(evaluation.error());
    SensitivityOptions options = sweepOptions(request.setup);
    options.evaluationSamples = static_cast<std::size_t>(wanted);
    if (hasScores(*request.known)) options.metric = request.known->metric;
    auto measured = equant::measureSensitivity(
        model, **calibration, **evaluation, cellsAt(*request.known, layer, ratio), options,
        [](const SensitivityTable&, std::size_t, std::size_t) {}, job);
    if (!measured) return fail(measured.error());
    if (job.stopped()) return cancelled();
    SensitivityTable table = *request.known;
    mergeScores(table, *measured, ratio);
    return Sweep{request.key, std::make_shared<const SensitivityTable>(std::move(table))};
}

Result<std::shared_ptr<const CompressedModel>> prepareCompressed(const LoadedModel& original, const CompressStep& step,
                                                                 Outcome<CompressionReport> outcome,
                                                                 const JobContext& job) {
    CompressedModel result;
    result.step = step;
    result.report = std::move(outcome.report);
    job.begin("inspecting the result", 2);
    auto prepared = prepareModel(std::make_shared<const Model>(std::move(outcome.model)), original.path, job);
    if (!prepared) return fail(prepared.error());
    prepared->fileBytes = original.fileBytes;
    result.prepared = std::make_shared<const LoadedModel>(std::move(*prepared));
    return std::make_shared<const CompressedModel>(std::move(result));
}

PlanMeasurement planMeasurement(const CompressStep& step, const CompressionReport& report, ScoredChange scores,
                                int evaluationSamples, double seconds) {
    PlanMeasurement measurement;
    measurement.step = step;
    measurement.evaluationSamples = evaluationSamples;
    measurement.floating = std::move(scores.before);
    measurement.score = std::move(scores.after);
    measurement.macsRatio = report.macsRatio;
    measurement.sizeRatio = report.sizeRatio;
    measurement.costs = engineCosts(report);
    measurement.compressedLayers = static_cast<int>(
        std::ranges::count_if(report.layers, [](const CompressedLayer& layer) { return layer.skipped.empty(); }));
    measurement.seconds = seconds;
    return measurement;
}

namespace {

Result<std::shared_ptr<const CompressedModel>> compressModel(const CompressRequest& request, const JobContext& job) {
    if (request.known) return request.known;
    auto outcome = runStep(request.step, *request.original->model, nullptr, {},
                           {request.step.options.threads, request.shouldTime}, job);
    if (!outcome) return fail(outcome.error());
    return prepareCompressed(*request.original, request.step,
                             {std::move(outcome->model), std::get<CompressionReport>(std::move(outcome->report))}, job);
}

}  // namespace

Result<CompressResult> compressAndScore(const CompressRequest& request, const JobContext& job) {
    QElapsedTimer clock;
    clock.start();
    auto compressed = compressModel(request, job);
    if (!compressed) return fail(compressed.error());
    CompressResult result{*compressed, std::nullopt};
    if (!request.evaluationSamples) return result;
    const std::string& scored = request.evaluationData.empty() ? request.step.data : request.evaluationData;
    auto samples = openSamples(*request.original->model, scored, request.step.preprocess, *request.evaluationSamples);
    if (!samples) return fail(samples.error());
    auto scores = scoreChange(*request.original->model, *result.model->prepared->model, **samples, {}, job);
    if (!scores) return fail(scores.error());
    result.measurement = planMeasurement(request.step, result.model->report, std::move(*scores),
                                         *request.evaluationSamples, static_cast<double>(clock.elapsed()) / 1000.0);
    return result;
}

}  // namespace equant::ui
