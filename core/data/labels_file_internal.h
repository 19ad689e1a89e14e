// SPDX-License-Identifier: Apache-2.0
// labels.csv: which image has which label. Private to core/data; pure functions.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "core/base/result.h"

namespace equant {

struct LabelledFile {
    std::filesystem::path path;  ///< made absolute with the list's folder; exists
    std::int64_t label = 0;
    std::string className;  ///< may be empty
    int line = 0;           ///< in the list, from 1
};

/// Reads filename,label[,class_name]. A first row of column names may put these in any order among other columns.
/// Fields may be quoted (RFC 4180). InvalidArgument and NotFound name the list and the line.
Result<std::vector<LabelledFile>> readLabelsFile(const std::filesystem::path& path);

}  // namespace equant
