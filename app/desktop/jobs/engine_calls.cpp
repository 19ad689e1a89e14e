// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/desktop/jobs/engine_calls.h"

#include <QCoreApplication>
#include <QFileInfo>
#include <algorithm>

#include "app/desktop/jobs/engine_text_internal.h"
#include "core/graph/onnx_io.h"
#include "widgets/bridge/text.h"
#include "widgets/plots/base/plot_scene.h"

namespace equant::ui {

namespace {

constexpr std::size_t kPreviewPictures = 6;

/// Photographs would make the window slow; a preview needs no more than this.
Image thumbnail(Image image) {
    constexpr int kSide = 256;
    const int longest = std::max(image.width, image.height);
    if (longest <= kSide) return image;
    const auto scaled = [longest](int side) { return std::max(1, side * kSide / longest); };
    return resizeImage(image, scaled(image.width), scaled(image.height));
}

}  // namespace

Result<LoadedModel> loadModel(const QString& path, const JobContext& job) {
    job.begin("reading", 3);
    auto model = readOnnx(toPath(path));
    if (!model) return fail(model.error());
    job.advance();
    auto loaded = prepareModel(std::make_shared<const Model>(std::move(*model)), path, job);
    if (loaded) loaded->fileBytes = static_cast<std::uintmax_t>(QFileInfo(path).size());
    return loaded;
}

Result<LoadedModel> prepareModel(std::shared_ptr<const Model> model, const QString& path, const JobContext& job) {
    LoadedModel loaded;
    loaded.path = path;
    auto inspection = inspect(*model);
    if (!inspection) return fail(inspection.error());
    loaded.inspection = std::move(*inspection);
    job.advance();
    if (job.stopped()) return cancelled();
    // A model without usable weights still opens; it only has no ranges.
    loaded.model = std::move(model);
    loaded.folded = loaded.model;
    if (auto folded = foldBatchNorms(*loaded.model)) {
        loaded.fold = std::move(folded->report);
        if (!loaded.fold.folded.empty()) loaded.folded = std::make_shared<const Model>(std::move(folded->model));
    }
    if (auto ranges = weightRanges(*loaded.folded)) loaded.ranges = std::move(*ranges);
    loaded.compressible = compressibleLayers(*loaded.model, loaded.inspection.facts);
    job.advance();
    return loaded;
}

Result<EqualizedModel> equalizeAndProve(const Model& model, const EqualizeOptions& options, const LoadedData* data,
                                        const JobContext& job) {
    const DataOptions samples = data ? recipeData(data->choice) : DataOptions{};
    auto outcome = runStep(EqualizeStep{options}, model, nullptr, samples, {}, job);
    if (!outcome) return fail(outcome.error());
    EqualizedModel result;
    result.options = options;
    if (auto ranges = weightRanges(outcome->model)) result.ranges = std::move(*ranges);
    auto& proof = std::get<EqualizationProof>(outcome->report);
    result.report = std::move(proof.report);
    result.equivalence = proof.equivalence;
    if (proof.problem) result.equivalenceProblem = errorText(*proof.problem);
    result.model = std::make_shared<const Model>(std::move(outcome->model));
    return result;
}

Result<LoadedData> loadData(const Model& model, const DataChoice& choice, const JobContext& job) {
    job.begin("opening data", static_cast<std::int64_t>(kPreviewPictures) + 1);
    DatasetOptions options;
    options.preprocess = toStdString(choice.preprocess);
    auto opened = openDataset(toPath(choice.path), model, options);
    if (!opened) return fail(opened.error());
    LoadedData loaded{choice, opened->dataset, opened->preprocessing, {}};
    job.advance();
    const std::size_t count = loaded.dataset->size();
    const auto classes = loaded.dataset->classNames();
    for (std::size_t i = 0; i < std::min(count, kPreviewPictures); ++i) {
        if (job.stopped()) return cancelled();
        // Spread over the set, so that a class-sorted folder shows several classes.
        const std::size_t index = i * count / std::min(count, kPreviewPictures);
        const auto path = loaded.dataset->imagePath(index);
        if (path.empty()) break;
        auto sample = loaded.dataset->load(index);
        if (!sample) return fail(sample.error());
        auto original = readImage(path, Preprocessing::Channels::Rgb);
        if (!original) return fail(original.error());
        SamplePicture picture;
        const auto label = sample->label;
        const bool isNamed = label && *label >= 0 && static_cast<std::size_t>(*label) < classes.size();
        picture.caption = isNamed ? toQString(classes[static_cast<std::size_t>(*label)])
                          : label ? translated("label %1").arg(*label)
                                  : toQString(loaded.dataset->sampleName(index));
        picture.original = thumbnail(std::move(*original));
        picture.seen = thumbnail(asPicture(sample->inputs.front(), loaded.preprocessing.preprocessing));
        loaded.pictures.push_back(std::move(picture));
        job.advance();
    }
    return loaded;
}

Result<ExportSummary> exportModel(const Model& model, const QString& preprocess, std::uintmax_t bytesBefore,
                                  const QString& path, const JobContext& job) {
    job.begin("writing", 3);
    const Model complete = withPreprocessing(model, toStdString(preprocess));
    if (auto written = writeOnnx(complete, toPath(path)); !written) return fail(written.error());
    job.advance();
    auto reread = readOnnx(toPath(path));
    if (!reread) return fail(reread.error());
    job.advance();
    if (contentHash(*reread) != contentHash(complete))
        return fail(ErrorCode::Io, "The file read back differs from the model that was written.",
                    "Check the disk and export again.", toStdString(path));
    job.advance();
    const auto size = QFileInfo(path).size();
    return ExportSummary{
        translated("Written and read back without a difference: %1 (the opened file has %2).")
            .arg(plots::bytesText(static_cast<double>(size)), plots::bytesText(static_cast<double>(bytesBefore)))};
}

}  // namespace equant::ui
