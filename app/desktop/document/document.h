// SPDX-License-Identifier: GPL-3.0-or-later
// What the window works on: the opened model, everything the user decided about it (undoable), and what was computed,
// each result kept with the decisions it was computed for, so that undo makes results fresh again instead of losing
// them. The document computes nothing itself (session.h does). GUI thread only; results are shared as const.
#pragma once

#include <QObject>
#include <QString>
#include <QUndoStack>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "app/desktop/document/compression_state.h"
#include "core/inspection/inspection.h"
#include "core/metrics/evaluate.h"
#include "core/passes/weight_ranges.h"
#include "core/quantization/quantsim.h"
#include "core/recipe/recipe.h"
#include "widgets/plots/base/saved_plot.h"

namespace equant::ui {

/// A model as opened, with the first look at it.
struct LoadedModel {
    QString path;
    std::uintmax_t fileBytes = 0;
    std::shared_ptr<const Model> model;
    /// With batch norms folded into the layers before them, as hardware does: what is quantized, and what "before"
    /// means on the ranges page. The same as `model` when there are none.
    std::shared_ptr<const Model> folded;
    FoldReport fold;
    Inspection inspection;
    std::vector<ChannelRanges> ranges;  ///< of `folded`
    std::vector<CompressibleLayer> compressible;
};

/// Which samples to use and how to make them fit the model.
struct DataChoice {
    QString path;
    QString preprocess;  ///< preset name or file; empty: chosen from the model
    int calibrationSamples = 100;
    int evaluationSamples = 500;  ///< at most; 0: all
    QString evaluationPath;       ///< samples to score on; empty: those of `path`
    friend bool operator==(const DataChoice&, const DataChoice&) = default;
};

/// Everything the user decides: the value that undo commands exchange.
struct DocumentState {
    Recipe recipe;             ///< steps that are applied to the model
    EqualizeOptions equalize;  ///< options being edited on the ranges page
    QuantizationSettings quantization;
    DataChoice data;
    CompressionSetup compression;
    CompressionPlan plan;                                             ///< being edited on the compression page
    CompressionPlan suggestion;                                       ///< the solver's last one
    std::vector<std::shared_ptr<const plots::PlotCopy>> reportPlots;  ///< added to the next report by hand
    friend bool operator==(const DocumentState&, const DocumentState&) = default;
};

/// The state with a recipe, and the options that are edited as its steps have them.
void adoptRecipe(Recipe recipe, DocumentState& state);
/// Likewise the plan and the setup, as if they had been made in the window.
void adoptCompression(const CompressStep& step, DocumentState& state);

/// The model after cross-layer equalization with `options`.
struct EqualizedModel {
    EqualizeOptions options;
    std::optional<CompressStep> compressed;  ///< the compression before it, if any
    std::shared_ptr<const Model> model;
    EqualizeReport report;
    std::vector<ChannelRanges> ranges;
    std::optional<Equivalence> equivalence;  ///< absent: the model could not be run
    QString equivalenceProblem;              ///< why not
};

/// A sample as it is and as the model sees it.
struct SamplePicture {
    QString caption;
    Image original;
    Image seen;
};

/// An opened data set with a few samples to look at.
struct LoadedData {
    DataChoice choice;
    std::shared_ptr<const Dataset> dataset;
    PreprocessingChoice preprocessing;
    std::vector<SamplePicture> pictures;
};

struct LayerNoise {
    QString layer;
    std::optional<double> localDb;
    std::optional<double> accumulatedDb;
    QString weightGrid;  ///< in words, for the inspector
    QString outputGrid;
};

/// What simulated quantization measured.
struct QuantizationResult {
    QuantizationSettings settings;
    DataChoice data;
    std::optional<EqualizeOptions> equalized;  ///< the equalization applied, if any
    std::optional<CompressStep> compressed;    ///< the compression applied, if any
    Score floating, weightsOnly, activationsOnly, both;
    std::optional<Score> prepared = {};  ///< float after compression and equalization; absent: without a compression
    std::vector<LayerNoise> layers;
    std::size_t calibrationSamples = 0;  ///< really used
    std::size_t layerSamples = 0;        ///< behind `layers`
    std::vector<UnquantizedValue> notQuantized;
    std::vector<Finding> findings;  ///< NaN and infinity met
    double seconds = 0;
    /// What was simulated: exports write these very encodings.
    std::shared_ptr<const Model> model = {};
    std::shared_ptr<const QuantSim> sim = {};
};

enum class Stage { Overview, Ranges, Compression, Quantization };
constexpr int kStages = 4;
enum class StageState { Empty, NotRun, Stale, Done };

class Document : public QObject {
    Q_OBJECT

public:
    explicit Document(QObject* parent = nullptr);

    // The model.
    bool hasModel() const { return m_loaded != nullptr; }
    const std::shared_ptr<const LoadedModel>& loaded() const { return m_loaded; }
    QString modelName() const;
    /// What equalization and quantization begin with: the compressed model when a compression is applied and computed,
    /// else the opened one.
    const std::shared_ptr<const LoadedModel>& base() const;
    bool isBaseReady() const;  ///< false: the applied compression is not computed yet
    /// By name, in the base, else in the model as opened.
    const LayerInfo* layer(const QString& name) const;
    const ChannelRanges* rangesBefore(const QString& name) const;
    /// Replaces the model; forgets results and undo history and begins with these decisions.
    void setModel(std::shared_ptr<const LoadedModel> loaded, DocumentState initial = {});

    // Decisions.
    const DocumentState& state() const { return m_state; }
    QUndoStack* undoStack() { return &m_undoStack; }
    /// Makes a change undoable under `text`. Edits with the same positive `mergeId` in a row become one command.
    void edit(const QString& text, const std::function<void(DocumentState&)>& change, int mergeId = -1);
    bool isEqualizeApplied() const { return m_state.recipe.equalizeStep() != nullptr; }
    /// Whether the options being edited are the ones that are applied.
    bool isEqualizeUpToDate() const;

    // Compression.
    bool isCompressionApplied() const { return m_state.recipe.compressStep() != nullptr; }
    /// Whether the plan being edited is the one that is applied.
    bool isCompressionUpToDate() const;
    /// What applying the edited plan would put into the recipe.
    CompressStep editedCompression() const;
    SweepKey sweepKey() const;
    void setSweep(Sweep sweep);
    /// The sensitivities for the present setup, else the newest ones; see isSensitivityFresh().
    std::shared_ptr<const SensitivityTable> sensitivity() const;
    bool isSensitivityFresh() const;
    std::shared_ptr<const SensitivityTable> sensitivityFor(const SweepKey& key) const;  ///< null: none
    /// The newest ones that differ from the present setup in the methods only; null: none.
    std::shared_ptr<const SensitivityTable> relatedSensitivity() const;
    void addCompressed(std::shared_ptr<const CompressedModel> result);
    std::shared_ptr<const CompressedModel> compressedFor(const CompressStep& step) const;
    void addMeasurement(PlanMeasurement measurement);
    void setFlow(FlowSummary summary);
    /// Of the recommended flow, if it ran on the present data; null: it did not.
    const FlowSummary* flow() const;
    /// Plans measured on the present data, oldest first.
    std::vector<const PlanMeasurement*> measurements() const;
    /// Of the plan being edited; null: not measured like that.
    const PlanMeasurement* measurement() const;
    /// The newest of exactly this step, on whatever samples; null: none.
    const PlanMeasurement* measurementOf(const CompressStep& step) const;

    // Results.
    void addEqualized(std::shared_ptr<const EqualizedModel> result);
    void setData(std::shared_ptr<const LoadedData> data);
    void addQuantization(std::shared_ptr<const QuantizationResult> result);
    std::shared_ptr<const EqualizedModel> equalizedFor(const EqualizeOptions& options) const;
    /// What the ranges page shows as "after": for the edited options, else the applied ones, else nothing.
    std::shared_ptr<const EqualizedModel> shownEqualized() const;
    const ChannelRanges* rangesAfter(const QString& name) const;
    /// The opened data set, if it is the one chosen now.
    std::shared_ptr<const LoadedData> data() const;
    /// The newest quantization result; see isQuantizationFresh().
    std::shared_ptr<const QuantizationResult> quantization() const;
    bool isQuantizationFresh() const;
    /// The newest result for another equalization but the same settings and data: what `quantization()` compares to.
    std::shared_ptr<const QuantizationResult> otherQuantization() const;
    /// The model after the applied steps; null while it has to be computed.
    std::shared_ptr<const Model> currentModel() const;

    StageState stageState(Stage stage) const;

signals:
    void modelChanged();
    void stateChanged();
    void planChanged();  ///< the edited plan, its suggestion or the setup; emitted alone when nothing else changed
    void sensitivityChanged();
    void compressedChanged();  ///< a compressed model or a measured plan came
    void equalizedChanged();
    void dataChanged();
    void quantizationChanged();

private:
    friend class StateCommand;
    void setState(const DocumentState& state);
    bool isFresh(const QuantizationResult& result) const;
    std::optional<CompressStep> appliedCompression() const;
    void refreshBase();

    std::shared_ptr<const LoadedModel> m_loaded;
    DocumentState m_state;
    QUndoStack m_undoStack;
    std::vector<Sweep> m_sweeps;  // newest last
    std::vector<std::shared_ptr<const CompressedModel>> m_compressed;
    std::vector<PlanMeasurement> m_measurements;
    std::optional<FlowSummary> m_flow;
    std::shared_ptr<const LoadedModel> m_base;                               // of the applied compression; null: none
    std::vector<std::shared_ptr<const EqualizedModel>> m_equalized;          // newest last
    std::vector<std::shared_ptr<const QuantizationResult>> m_quantizations;  // newest last
    std::shared_ptr<const LoadedData> m_data;
};

/// The ranges of a layer by name; null when there are none.
const ChannelRanges* findRanges(const std::vector<ChannelRanges>& ranges, const QString& layer);

}  // namespace equant::ui
