// SPDX-License-Identifier: GPL-3.0-or-later
// The quantization half of engine_calls.h.
#include <QCoreApplication>
#include <QElapsedTimer>
#include <QFileInfo>
#include <QLocale>

#include "app/desktop/jobs/engine_calls.h"
#include "app/desktop/jobs/engine_text_internal.h"
#include "core/base/file.h"
#include "core/graph/onnx_io.h"
#include "core/interop/encodings_json.h"
#include "core/interop/qdq_export.h"
#include "widgets/bridge/text.h"
#include "widgets/plots/base/plot_scene.h"

namespace equant::ui {

using namespace Qt::StringLiterals;

namespace {

/// A model and the encodings of its values.
struct Quantized {
    std::shared_ptr<const Model> model;
    std::shared_ptr<const QuantSim> sim;
};

/// Those of the shown result, else calibrated now.
Result<Quantized> quantizedFor(const QuantizeRequest& request, const JobContext& job) {
    if (request.shown) return Quantized{request.shown->model, request.shown->sim};
    const DataOptions data = recipeData(request.data);
    auto samples = openSamples(data.path, *request.model, data.preprocess, data.calibrationSamples);
    if (!samples) return fail(samples.error());
    auto sim = calibrate(*request.model, **samples, request.settings, {}, job);
    if (!sim) return fail(sim.error());
    return Quantized{request.model, std::make_shared<const QuantSim>(std::move(*sim))};
}

QString gridText(const CalibratedQuantizer& quantizer) {
    if (quantizer.grids.empty()) return {};
    const QLocale locale;
    if (quantizer.grids.size() == 1) {
        const GridRange& grid = quantizer.grids.front();
        return translated("%1 to %2, step %3")
            .arg(plots::numberText(grid.min), plots::numberText(grid.max), plots::numberText(grid.scale));
    }
    double least = quantizer.grids.front().scale;
    double most = least;
    for (const GridRange& grid : quantizer.grids) {
        least = std::min(least, grid.scale);
        most = std::max(most, grid.scale);
    }
    return translated("%1 channels, steps %2 to %3")
        .arg(locale.toString(static_cast<qlonglong>(quantizer.grids.size())), plots::numberText(least),
             plots::numberText(most));
}

std::vector<LayerNoise> describeLayers(const SimulationReport& report) {
    std::vector<LayerNoise> result;
    for (const LayerSqnr& layer : report.layers) {
        LayerNoise line{toQString(layer.name), layer.localDb, layer.accumulatedDb, {}, {}};
        if (const CalibratedQuantizer* weight = report.sim.find(layer.weight)) line.weightGrid = gridText(*weight);
        if (const CalibratedQuantizer* output = report.sim.find(layer.output)) line.outputGrid = gridText(*output);
        result.push_back(std::move(line));
    }
    return result;
}

}  // namespace

DataOptions recipeData(const DataChoice& data) {
    const auto count = [](int samples) { return static_cast<std::size_t>(std::max(0, samples)); };
    DataOptions options;
    options.path = toStdString(data.path);
    options.evaluationPath = toStdString(data.evaluationPath);
    options.preprocess = toStdString(data.preprocess);
    options.calibrationSamples = count(data.calibrationSamples);
    options.evaluationSamples = count(data.evaluationSamples);
    return options;
}

DataChoice dataChoice(const DataOptions& data) {
    return {toQString(data.path), toQString(data.preprocess), static_cast<int>(data.calibrationSamples),
            static_cast<int>(data.evaluationSamples), toQString(data.evaluationPath)};
}

Result<QuantizationResult> simulateQuantization(const QuantizeRequest& request, const JobContext& job) {
    QElapsedTimer clock;
    clock.start();
    auto outcome = runStep(QuantizeStep{request.settings}, *request.model, request.reference.get(),
                           recipeData(request.data), {}, job);
    if (!outcome) return fail(outcome.error());
    auto* report = &std::get<SimulationReport>(outcome->report);
    QuantizationResult result;
    result.settings = request.settings;
    result.data = request.data;
    result.equalized = request.equalized;
    result.compressed = request.compressed;
    result.floating = report->floating;
    if (request.compressed) result.prepared = report->prepared;
    result.weightsOnly = report->weightsOnly;
    result.activationsOnly = report->activationsOnly;
    result.both = report->quantized;
    result.layers = describeLayers(*report);
    result.calibrationSamples = report->sim.samples;
    result.layerSamples = report->layerSamples;
    result.notQuantized = report->sim.skipped;
    result.findings = report->findings;
    result.model = std::make_shared<const Model>(std::move(report->model));
    result.sim = std::make_shared<const QuantSim>(std::move(report->sim));
    result.seconds = static_cast<double>(clock.elapsed()) / 1000.0;
    return result;
}

Result<ExportSummary> exportQdq(const QuantizeRequest& request, std::uintmax_t bytesBefore, const QString& path,
                                const JobContext& job) {
    const auto quantized = quantizedFor(request, job);
    if (!quantized) return fail(quantized.error());
    auto outcome = equant::exportQdq(*quantized->model, overlay(*quantized->sim));
    if (!outcome) return fail(outcome.error());
    auto written = exportModel(outcome->model, request.data.preprocess, bytesBefore, path, job);
    if (!written) return fail(written.error());
    written->text +=
        u' ' +
        translated("%1 weights are stored as integers, %2 activations have QuantizeLinear and DequantizeLinear nodes.")
            .arg(outcome->report.weights)
            .arg(outcome->report.activations);
    return written;
}

Result<ExportSummary> exportEncodings(const QuantizeRequest& request, const QString& version, const QString& path,
                                      const JobContext& job) {
    auto format = parseEncodingsVersion(toStdString(version));
    if (!format) return fail(format.error());
    const auto quantized = quantizedFor(request, job);
    if (!quantized) return fail(quantized.error());
    const QuantSim& sim = *quantized->sim;
    const std::string json = writeEncodings(sim, *format);
    // A file that cannot be read back is not written.
    if (auto reread = parseEncodings(json, *quantized->model); !reread) return fail(reread.error());
    if (auto written = writeFileAtomic(toPath(path), json); !written) return fail(written.error());
    return ExportSummary{translated("Written and read back: %1 encodings, %2, calibrated on %3 samples.")
                             .arg(sim.quantizers.size())
                             .arg(plots::bytesText(static_cast<double>(QFileInfo(path).size())))
                             .arg(sim.samples)};
}

}  // namespace equant::ui
