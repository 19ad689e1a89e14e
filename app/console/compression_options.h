// SPDX-License-Identifier: Apache-2.0
// Options and reports that the compression commands share.
#pragma once

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/compression/compress.h"

namespace equant::console {

/// --plain, --no-refit, --positions.
void addCompressOptions(CLI::App& command, CompressOptions& options);

/// --no-latency.
void addLatencyOption(CLI::App& command, bool& shouldTime);

[[nodiscard]] nlohmann::json asJson(const CompressionReport& report);
[[nodiscard]] std::string asText(const CompressionReport& report);

}  // namespace equant::console
