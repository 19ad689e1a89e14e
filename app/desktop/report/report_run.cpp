// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/desktop/report/report_run.h"

#include <QCoreApplication>
#include <QDir>
#include <QFileInfo>
#include <algorithm>

#include "app/desktop/jobs/engine_calls.h"
#include "app/desktop/report/report_sections_internal.h"
#include "core/base/file.h"
#include "widgets/bridge/text.h"

namespace equant::ui {

using namespace Qt::StringLiterals;

namespace {

Status quantizeInto(Document& document, const std::shared_ptr<const Model>& model,
                    const std::optional<EqualizeOptions>& equalized, const JobContext& job) {
    const CompressStep* compressing = document.state().recipe.compressStep();
    const QuantizeRequest quantize{model,
                                   document.loaded()->model,
                                   document.state().quantization,
                                   document.state().data,
                                   equalized,
                                   compressing ? std::optional(*compressing) : std::nullopt};
    auto result = simulateQuantization(quantize, job);
    if (!result) return fail(result.error());
    document.addQuantization(std::make_shared<const QuantizationResult>(std::move(*result)));
    return {};
}

Result<SensitivityTable> readSensitivity(const QString& path, const Model& model, std::int64_t multiple) {
    const auto text = readFile(toPath(path));
    if (!text) return fail(text.error());
    auto table = parseSensitivity(*text);
    if (table) table = fitToModel(std::move(*table), model, multiple);
    if (table) return table;
    Error error = table.error();
    if (error.subject.empty()) error.subject = toStdString(path);
    return fail(std::move(error));
}

/// Compresses and, where there are samples, scores the result beside the original.
Status compressInto(Document& document, const CompressStep& step, bool shouldTime, const JobContext& job) {
    const DataChoice& data = document.state().data;
    CompressRequest request{document.loaded(), step, nullptr, std::nullopt};
    request.shouldTime = shouldTime;
    request.evaluationData = toStdString(data.evaluationPath.isEmpty() ? data.path : data.evaluationPath);
    if (!request.evaluationData.empty() || !step.data.empty()) request.evaluationSamples = data.evaluationSamples;
    auto compressed = compressAndScore(request, job);
    if (!compressed) return fail(compressed.error());
    document.addCompressed(compressed->model);
    if (compressed->measurement) document.addMeasurement(std::move(*compressed->measurement));
    return {};
}

/// Without a table at hand: the output errors of all layers, from one pass over the samples of the compression.
Status predictInto(Document& document, const CompressStep& step, const JobContext& job) {
    SweepRequest request;
    request.original = document.loaded();
    request.key = document.sweepKey();
    request.key.data = step.data;
    request.key.preprocess = step.preprocess;
    request.setup = document.state().compression;
    auto sweep = sweepSensitivity(
        request, [](const Sweep&) {}, job);
    if (!sweep) return fail(sweep.error());
    document.setSweep({document.sweepKey(), sweep->table});
    return {};
}

Status equalizeInto(Document& document, const EqualizeStep& step, const JobContext& job) {
    auto equalized = equalizeAndProve(*document.base()->model, step.options, document.data().get(), job);
    if (!equalized) return fail(equalized.error());
    if (const CompressStep* compressing = document.state().recipe.compressStep()) equalized->compressed = *compressing;
    document.addEqualized(std::make_shared<const EqualizedModel>(std::move(*equalized)));
    return {};
}

/// The document holds one result of each kind, in the order of stepKinds().
bool isWindowRecipe(const Recipe& recipe) {
    const auto place = [](const Step& step) { return &kindOf(step) - stepKinds().data(); };
    return std::ranges::adjacent_find(recipe.steps, std::ranges::greater_equal{}, place) == recipe.steps.end();
}

/// Opens the model and checks the recipe against it: what the steps begin with.
Status prepare(const ReportRequest& request, Document& document, const JobContext& job) {
    const QString path = QFileInfo(request.modelPath).absoluteFilePath();
    auto loaded = loadModel(path, job);
    if (!loaded) return fail(loaded.error());
    const Model& model = *loaded->model;
    DataOptions data = recipeData(request.data);
    data.replacesNamed = request.replacesNamedData;
    auto prepared = prepareRecipe(request.recipe, model, toPath(path), data);
    if (!prepared) return fail(prepared.error());
    if (!isWindowRecipe(prepared->recipe))
        return fail(ErrorCode::Unsupported, "A report shows one compression, then one equalization, then quantization.",
                    "Carry other recipes out with equant-cli apply.");
    DocumentState state;
    state.data = request.data;
    state.data.preprocess = toQString(prepared->data.preprocess);
    adoptRecipe(std::move(prepared->recipe), state);
    if (state.recipe.compressStep()) state.compression.evaluationSamples = state.data.evaluationSamples;
    std::shared_ptr<const SensitivityTable> table;
    if (!request.sensitivityPath.isEmpty()) {
        auto read = readSensitivity(request.sensitivityPath, model, state.compression.multiple);
        if (!read) return fail(read.error());
        table = std::make_shared<const SensitivityTable>(std::move(*read));
        state.compression.methods = equant::methodsOf(*table);
    }
    document.setModel(std::make_shared<const LoadedModel>(std::move(*loaded)), state);
    if (table) document.setSweep({document.sweepKey(), std::move(table)});
    return {};
}

}  // namespace

QString preprocessingBeside(const LoadedModel& loaded) {
    return toQString(equant::preprocessingBeside(*loaded.model, toPath(loaded.path)).string());
}

Status runRecipe(const ReportRequest& request, Document& document, const std::function<void(const QString&)>& say,
                 const JobContext& job) {
    say(tr("Opening %1").arg(QFileInfo(request.modelPath).fileName()));
    if (auto status = prepare(request, document, job); !status) return status;
    // By value: documents change while results are filed in them.
    const Recipe recipe = document.state().recipe;
    const EqualizeStep* equalizing = recipe.equalizeStep();
    const DataChoice choice = document.state().data;
    if (!choice.path.isEmpty()) {
        say(tr("Opening the data"));
        auto data = loadData(*document.loaded()->model, choice, job);
        if (!data) return fail(data.error());
        document.setData(std::make_shared<const LoadedData>(std::move(*data)));
    }
    if (const CompressStep* step = recipe.compressStep()) {
        if (!document.sensitivity() && !step->data.empty() && !step->options.isPlain && !step->plan.choices.empty()) {
            say(tr("Predicting how sensitive each layer is"));
            if (auto status = predictInto(document, *step, job); !status) return status;
        }
        say(tr("Compressing"));
        if (auto status = compressInto(document, *step, request.shouldTime, job); !status) return status;
    }
    if (equalizing) {
        say(tr("Equalizing and comparing outputs"));
        if (auto status = equalizeInto(document, *equalizing, job); !status) return status;
    }
    if (!recipe.quantizeStep()) return {};
    if (equalizing && request.shouldCompare) {
        say(tr("Simulating quantization without equalization, to compare with"));
        if (auto status = quantizeInto(document, document.base()->folded, std::nullopt, job); !status) return status;
    }
    say(tr("Simulating quantization"));
    return quantizeInto(document, document.currentModel(),
                        equalizing ? std::optional(equalizing->options) : std::nullopt, job);
}

}  // namespace equant::ui
