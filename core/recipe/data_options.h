// SPDX-License-Identifier: Apache-2.0
// Which samples a recipe uses. One meaning and one default for the console commands that run steps (--data, --limit,
// --offset, --eval-data, --eval-limit, --preprocess), for workspaces, for the report and for the window. Plain values.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "core/data/dataset.h"

namespace equant {

/// Samples of one purpose.
struct SampleChoice {
    std::string path;        ///< empty: none
    std::string preprocess;  ///< preset or file; empty: as the model says
    std::size_t limit = 0;   ///< at most, spread over the data; 0: all
    std::size_t offset = 0;  ///< samples to skip
};

struct DataOptions {
    std::string path;            ///< to calibrate on, and to fit to; empty: none
    std::string evaluationPath;  ///< to score on; empty: those of `path`
    std::string preprocess;      ///< preset or file, for all samples; empty: as the step says, else as the model does
    /// At most, of quantization; 0: all. More than 100 change ranges hardly. A compression has its own number.
    std::size_t calibrationSamples = 100;
    std::size_t evaluationSamples = 500;  ///< at most; 0: all. 500 resolve about one point of top-1
    std::size_t offset = 0;               ///< samples of `path` that are skipped when calibrating and fitting
    bool replacesNamed = true;  ///< `path` and `preprocess` go before what a step names, not only where it names none

    /// For a step that only learns.
    [[nodiscard]] DataOptions withoutEvaluation() const {
        DataOptions learning = *this;
        learning.evaluationPath.clear();
        learning.evaluationSamples = DataOptions{}.evaluationSamples;
        return learning;
    }
    [[nodiscard]] SampleChoice calibration() const { return {path, preprocess, calibrationSamples, offset}; }
    [[nodiscard]] SampleChoice evaluation() const {
        return {evaluationPath.empty() ? path : evaluationPath, preprocess, evaluationSamples, 0};
    }
};

/// Null where no path is named. Errors as of openDataset().
Result<std::shared_ptr<const Dataset>> openSamples(const SampleChoice& choice, const Model& model);
/// Samples for `model`, at most `limit` (0: all).
Result<std::shared_ptr<const Dataset>> openSamples(const std::string& path, const Model& model,
                                                   const std::string& preprocess, std::size_t limit);

}  // namespace equant
