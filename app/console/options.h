// SPDX-License-Identifier: Apache-2.0
// Options that several commands take: the model, the data, preprocessing.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "core/data/dataset.h"
#include "core/graph/model.h"
#include "core/runtime/plan.h"

namespace equant::console {

struct DataOptions {
    std::string path;
    DatasetOptions dataset;

    /// Adds `flag` (such as --data), --limit, --offset and --preprocess.
    void addTo(CLI::App& command, const std::string& flag, const std::string& help, bool isRequired);
};

/// Reads an encodings file of any version for the model.
Result<QuantOverlay> readOverlay(const std::string& path, const Model& model);

/// Fails where a file could not be written: before the work, not after it. An empty path is none to write.
[[nodiscard]] Status checkTarget(const std::string& path);

void addModelOption(CLI::App& command, std::string& path);

/// "Preprocessing: ... (chosen because ...)" for the human text.
[[nodiscard]] std::string describeData(const OpenedDataset& data);

}  // namespace equant::console
