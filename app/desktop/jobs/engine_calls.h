// SPDX-License-Identifier: GPL-3.0-or-later
// The engine functions that the window's jobs run, composed from core's own: each takes values and returns a value.
// They run on worker threads and know nothing of widgets.
#pragma once

#include "app/desktop/document/document.h"
#include "core/recipe/run.h"

namespace equant::ui {

Result<LoadedModel> loadModel(const QString& path, const JobContext& job);
/// Looks at a model that is in memory like loadModel() at one in a file.
Result<LoadedModel> prepareModel(std::shared_ptr<const Model> model, const QString& path, const JobContext& job);

/// Equalizes and proves it: compares outputs on samples of `data` (random inputs when null).
Result<EqualizedModel> equalizeAndProve(const Model& model, const EqualizeOptions& options, const LoadedData* data,
                                        const JobContext& job);

Result<LoadedData> loadData(const Model& model, const DataChoice& choice, const JobContext& job);
/// The same choice as the engine takes it.
DataOptions recipeData(const DataChoice& data);
DataChoice dataChoice(const DataOptions& data);

struct QuantizeRequest {
    std::shared_ptr<const Model> model;      ///< after the applied steps
    std::shared_ptr<const Model> reference;  ///< as opened: what scores compare with
    QuantizationSettings settings;
    DataChoice data;
    std::optional<EqualizeOptions> equalized;
    std::optional<CompressStep> compressed;
    /// Measured with exactly this request: exports write its encodings. Null: exports calibrate.
    std::shared_ptr<const QuantizationResult> shown = {};
};

/// Calibrates, then scores float, weights only, activations only and both in the same pass, and measures each layer.
Result<QuantizationResult> simulateQuantization(const QuantizeRequest& request, const JobContext& job);

struct SweepRequest {
    std::shared_ptr<const LoadedModel> original;
    SweepKey key;
    CompressionSetup setup;
    std::shared_ptr<const SensitivityTable> known;    ///< for this key: measured cells are kept
    std::shared_ptr<const SensitivityTable> related;  ///< for other methods: its scores are taken over
    bool shouldMeasure = false;
    QString savedAs;  ///< file that keeps the table through a crash; empty: none
};

/// Predicts sensitivities where `known` is null, then measures when asked to. `onTable` is called from the worker
/// thread with the table so far, at most about 20 times a second, and with the last state. Stopping keeps what was
/// measured.
Result<Sweep> sweepSensitivity(const SweepRequest& request, const std::function<void(const Sweep&)>& onTable,
                               const JobContext& job);

/// Scores the cells of one layer at one ratio on four times the samples (all when there are not so many). The change
/// against the baseline on those samples is what the table gets.
Result<Sweep> remeasureCell(const SweepRequest& request, const std::string& layer, double ratio, const JobContext& job);

/// Where the table of a sweep survives a crash: named by what it depends on.
QString sweepFile(const LoadedModel& original, const SweepKey& key);

struct CompressRequest {
    std::shared_ptr<const LoadedModel> original;
    CompressStep step;
    std::shared_ptr<const CompressedModel> known;  ///< computed before
    std::optional<int> evaluationSamples;          ///< absent: the result is not scored; 0: all
    std::string evaluationData = {};               ///< samples to score on; empty: those of the step
    bool shouldTime = true;                        ///< measure the latency, about a second
};

struct CompressResult {
    std::shared_ptr<const CompressedModel> model;
    std::optional<PlanMeasurement> measurement;
};

/// Compresses, times and looks at the result, and scores it beside the original.
Result<CompressResult> compressAndScore(const CompressRequest& request, const JobContext& job);

/// Looks at what a compression left, like at an opened model.
Result<std::shared_ptr<const CompressedModel>> prepareCompressed(const LoadedModel& original, const CompressStep& step,
                                                                 Outcome<CompressionReport> outcome,
                                                                 const JobContext& job);
PlanMeasurement planMeasurement(const CompressStep& step, const CompressionReport& report, ScoredChange scores,
                                int evaluationSamples, double seconds);

struct FlowRequest {
    CompressRequest compress;  ///< the step is that of the edited plan: candidates take its place
    SweepRequest sweep;        ///< predicted first where `known` is null, because plans are shown beside predictions
    std::set<std::string> excluded;
    std::map<std::string, double> locks;  ///< ratios of split layers that stay
};

/// What comes while the flow runs.
struct FlowNews {
    std::vector<Sweep> tables;
    std::vector<PlanMeasurement> plans;
};

struct FlowOutcome {
    FlowSummary summary;
    std::shared_ptr<const CompressedModel> model;
};

/// Tries the setup's methods, and divisions of the work between factorizing and pruning where both are among them
/// (core/compression/plan/flow.h), down to the setup's share of the MACs. `onNews` is called from the worker thread after each candidate; stopping loses none of those.
Result<FlowOutcome> runFlow(const FlowRequest& request, const std::function<void(const FlowNews&)>& onNews,
                            const JobContext& job);

/// What an export wrote, in one sentence for people.
struct ExportSummary {
    QString text;
};

/// Writes the model, with `preprocess` (a preset or a file) in its metadata, and reads it back to prove that it says the
/// same.
Result<ExportSummary> exportModel(const Model& model, const QString& preprocess, std::uintmax_t bytesBefore,
                                  const QString& path, const JobContext& job);
/// Takes the encodings of the shown result, else calibrates like simulateQuantization. Writes a model with QuantizeLinear / DequantizeLinear nodes.
Result<ExportSummary> exportQdq(const QuantizeRequest& request, std::uintmax_t bytesBefore, const QString& path,
                                const JobContext& job);
Result<ExportSummary> exportEncodings(const QuantizeRequest& request, const QString& version, const QString& path,
                                      const JobContext& job);

}  // namespace equant::ui
