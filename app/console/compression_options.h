// SPDX-License-Identifier: Apache-2.0
// Options and reports that the compression commands share.
#pragma once

#include <CLI/CLI.hpp>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "core/compression/compress.h"

namespace equant::console {

/// --plain, --no-refit, --positions.
void addCompressOptions(CLI::App& command, CompressOptions& options);

/// --no-latency.
void addLatencyOption(CLI::App& command, bool& shouldTime);

/// --method, repeatable.
struct MethodOptions {
    std::vector<std::string> names;

    void addTo(CLI::App& command, const std::string& help);
    /// InvalidArgument names one that there is not.
    [[nodiscard]] Result<std::vector<CompressionMethod>> parsed() const;
};

/// --lock and --exclude.
struct LayerLimits {
    std::vector<std::string> locks, excluded;

    void addTo(CLI::App& command);
    /// Layer -> ratio. InvalidArgument quotes what is no lock.
    [[nodiscard]] Result<std::map<std::string, double>> locked() const;
    [[nodiscard]] std::set<std::string> left() const { return {excluded.begin(), excluded.end()}; }
};

[[nodiscard]] nlohmann::json asJson(const CompressionReport& report);
[[nodiscard]] std::string asText(const CompressionReport& report);

}  // namespace equant::console
