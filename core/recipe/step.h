// SPDX-License-Identifier: Apache-2.0
// What kinds of steps there are. A kind says everything about its step: where it may stand in a recipe, its options
// (which are its JSON and its command line), which samples it reads and what it computes. step_kinds.h has the list.
// Steps are pure functions of model, options and samples: safe from any thread, independent of the number of threads.
#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/metrics/evaluate.h"
#include "core/quantization/simulate.h"
#include "core/recipe/data_options.h"
#include "core/recipe/recipe.h"
#include "core/recipe/step_option.h"

namespace equant {

/// What a step is given besides the model and its options. Everything must outlive the call.
struct StepContext {
    const Model* reference = nullptr;      ///< as opened: what scores compare with; null: the model given
    const Dataset* calibration = nullptr;  ///< what is learned from; null: none
    const Dataset* evaluation = nullptr;   ///< what is scored on; null: none
    unsigned threads = 0;                  ///< 0: all cores
    bool shouldTime = true;                ///< measure the latency of a compressed network, about a second
    JobContext job{};
};

/// Equalization, and how far the float outputs are from those before.
struct EqualizationProof {
    EqualizeReport report;
    std::optional<Equivalence> equivalence;  ///< absent: the outputs could not be compared
    std::optional<Error> problem;            ///< why not
};

using StepReport = std::variant<CompressionReport, EqualizationProof, SimulationReport>;

struct StepSamples {
    SampleChoice calibration, evaluation;
};

struct StepKind {
    std::string_view name;                   ///< in files and on the command line
    std::string_view output;                 ///< name of the file that its printed command writes
    const std::vector<StepOption>& options;  ///< the table
    Step (*make)();                          ///< with the default of every option
    /// Why the step may not stand behind those; empty: it may.
    std::string (*refusal)(std::span<const Step> before);
    /// Fields beyond the table; null: there are none.
    Status (*readFields)(const nlohmann::json& object, Step& step);
    void (*writeFields)(const Step& step, nlohmann::json& object);
    /// Checks the step against the model and puts samples and preprocessing in their final form. `beside`: preprocessing
    /// file next to the model, may be empty. Null: nothing to do.
    Status (*prepare)(Step& step, const Model& model, const std::string& beside, const DataOptions& data);
    StepSamples (*samples)(const Step& step, const DataOptions& data);
    /// The part of the command line that is about samples and files ("--plan plan.json --data images").
    std::string (*fileArguments)(const Step& step, const DataOptions& data);
    Result<Outcome<StepReport>> (*run)(const Model& model, const Step& step, const StepContext& context);
};

/// StepKind::run of a step that has a runStep() of its own.
template <typename Of>
Result<Outcome<StepReport>> runAs(const Model& model, const Step& step, const StepContext& context) {
    // Filled in place: g++ 12 warns falsely about a moved variant.
    Result<Outcome<StepReport>> done;
    if (auto outcome = runStep(std::get<Of>(step), model, context)) {
        done->model = std::move(outcome->model);
        done->report.template emplace<std::remove_cvref_t<decltype(outcome->report)>>(std::move(outcome->report));
    } else {
        done = fail(outcome.error());
    }
    return done;
}

/// "compress", "equalize", "quantize": as files spell them.
[[nodiscard]] std::string_view name(const Step& step);

/// "--data D --limit N ..." without what is the default. For a POSIX shell.
[[nodiscard]] std::string dataArguments(const DataOptions& data);
/// One word of a POSIX shell.
[[nodiscard]] std::string shellQuoted(const std::string& text);

template <typename Of>
[[nodiscard]] bool contains(std::span<const Step> steps) {
    return std::ranges::any_of(steps, [](const Step& step) { return std::holds_alternative<Of>(step); });
}

}  // namespace equant
