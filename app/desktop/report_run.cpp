// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/desktop/report_run.h"

#include <QCoreApplication>
#include <QDir>
#include <QFileInfo>
#include <algorithm>

#include "app/desktop/engine_calls.h"
#include "widgets/bridge/text.h"

namespace equant::ui {

using namespace Qt::StringLiterals;

namespace {

QString tr(const char* text) {
    return QCoreApplication::translate("Report", text);
}

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

}  // namespace

QString preprocessingBeside(const LoadedModel& loaded) {
    return toQString(equant::preprocessingBeside(*loaded.model, toPath(loaded.path)).string());
}

Status runRecipe(const ReportRequest& request, Document& document, const std::function<void(const QString&)>& say,
                 const JobContext& job) {
    const EqualizeStep* equalizing = request.recipe.equalizeStep();
    const QuantizeStep* quantizing = request.recipe.quantizeStep();
    if (quantizing && request.data.path.isEmpty())
        return fail(ErrorCode::InvalidArgument, "The recipe quantizes, which needs data to calibrate on.",
                    "Add --data with an image folder, an .npy file or ONNX test data.");

    const auto isKnown = [](const Step& step) {
        return std::holds_alternative<EqualizeStep>(step) || std::holds_alternative<QuantizeStep>(step);
    };
    if (!std::ranges::all_of(request.recipe.steps, isKnown))
        return fail(
            ErrorCode::Unsupported, "The recipe has a step that a report cannot carry out yet.",
            "Reports carry out \"equalize\" and \"quantize\": run the other steps first, on a file of their own.");
    say(tr("Opening %1").arg(QFileInfo(request.modelPath).fileName()));
    auto loaded = loadModel(QFileInfo(request.modelPath).absoluteFilePath(), job);
    if (!loaded) return fail(loaded.error());
    DocumentState state;
    state.recipe = request.recipe;
    state.data = request.data;
    if (state.data.preprocess.isEmpty()) state.data.preprocess = preprocessingBeside(*loaded);
    if (equalizing) state.equalize = equalizing->options;
    if (quantizing) state.quantization = quantizing->settings;
    document.setModel(std::make_shared<const LoadedModel>(std::move(*loaded)), state);

    if (!request.data.path.isEmpty()) {
        say(tr("Opening the data"));
        auto data = loadData(*document.loaded()->model, state.data, job);
        if (!data) return fail(data.error());
        document.setData(std::make_shared<const LoadedData>(std::move(*data)));
    }
    if (const CompressStep* compressing = request.recipe.compressStep()) {
        say(tr("Compressing"));
        auto compressed = compressAndScore({document.loaded(), *compressing, nullptr, std::nullopt}, job);
        if (!compressed) return fail(compressed.error());
        document.addCompressed(compressed->model);
    }
    if (equalizing) {
        say(tr("Equalizing and comparing outputs"));
        const auto data = document.data();
        auto equalized =
            equalizeAndProve(*document.base()->model, equalizing->options, data ? data->dataset.get() : nullptr, job);
        if (!equalized) return fail(equalized.error());
        if (const CompressStep* step = request.recipe.compressStep()) equalized->compressed = *step;
        document.addEqualized(std::make_shared<const EqualizedModel>(std::move(*equalized)));
    }
    if (!quantizing) return {};
    if (equalizing && request.shouldCompare) {
        say(tr("Simulating quantization without equalization, to compare with"));
        if (auto status = quantizeInto(document, document.base()->folded, std::nullopt, job); !status) return status;
    }
    say(tr("Simulating quantization"));
    return quantizeInto(document, document.currentModel(),
                        equalizing ? std::optional(equalizing->options) : std::nullopt, job);
}

}  // namespace equant::ui
