// SPDX-License-Identifier: Apache-2.0
// Carries out a recipe, in the one order there is: compress, equalize, quantize. Each step is a pure function of model,
// step and samples; the console replays whole recipes with them, the window runs the same steps as background jobs.
// Safe from any thread; results do not depend on the number of threads.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "core/data/dataset.h"
#include "core/metrics/evaluate.h"
#include "core/quantization/simulate.h"
#include "core/recipe/recipe.h"

namespace equant {

/// The samples that steps use; a recipe names none but those of a compression.
struct RecipeData {
    std::string path;            ///< to calibrate on, and to fit to; empty: none
    std::string evaluationPath;  ///< to score on; empty: those of `path`
    std::string preprocess;      ///< preset or file, for all samples; empty: as the step says, else as the model does
    std::size_t calibrationSamples = 100;  ///< of quantization; 0: all. A compression has its own number
    std::size_t evaluationSamples = 500;   ///< at most; 0: all
    bool shouldTime = true;                ///< measure the latency of a compressed network, about a second
    bool replacesNamed = true;  ///< `path` and `preprocess` go before what a step names, not only where it names none
};

/// A recipe that can be carried out: steps in order, each with the samples that it will read.
struct PreparedRecipe {
    Recipe recipe;
    RecipeData data;
};

/// Everything that can be refused before the work begins. `modelFile`: beside it preprocessing is looked for.
/// InvalidArgument: two steps of one kind, a plan for another model (with its layers), a step without the samples that
/// it needs (with its name). Samples that cannot be opened fail as openDataset() does, with the step's name.
Result<PreparedRecipe> prepareRecipe(const Recipe& recipe, const Model& model, const std::filesystem::path& modelFile,
                                     const RecipeData& data);

/// "compress", "equalize", "quantize": as files spell them.
[[nodiscard]] std::string_view name(const Step& step);

/// Samples for `model`, at most `limit` (0: all).
Result<std::shared_ptr<const Dataset>> openSamples(const std::string& path, const Model& model,
                                                   const std::string& preprocess, std::size_t limit);

/// Compresses, fitted to the samples that the step names. Errors as of openDataset() and compress().
Result<Outcome<CompressionReport>> runStep(const CompressStep& step, const Model& model, unsigned threads,
                                           const JobContext& job = {});

/// Equalization, and how far the float outputs are from those before.
struct EqualizationProof {
    EqualizeReport report;
    std::optional<Equivalence> equivalence;  ///< absent: the outputs could not be compared
    std::optional<Error> problem;            ///< why not
};
/// Compares on a few samples of `data`, or on random inputs when null.
Result<Outcome<EqualizationProof>> runStep(const EqualizeStep& step, const Model& model, const Dataset* data,
                                           const JobContext& job = {});

/// Calibrates and simulates. `options.reference`: what scores compare with.
Result<SimulationReport> runStep(const QuantizeStep& step, const Model& model, const RecipeData& data,
                                 const SimulationOptions& options, const JobContext& job = {});

struct StepRun {
    Step step;
    std::variant<CompressionReport, EqualizationProof, SimulationReport> report;
    double seconds = 0;
};

struct RecipeRun {
    /// After all steps; with a quantization, ONNX with QuantizeLinear / DequantizeLinear pairs and integer weights.
    Model model;
    std::vector<StepRun> steps;
};

/// Carries out all steps. Errors as of the steps themselves; Cancelled.
Result<RecipeRun> runRecipe(const PreparedRecipe& prepared, const Model& model, unsigned threads,
                            const JobContext& job = {});

}  // namespace equant
