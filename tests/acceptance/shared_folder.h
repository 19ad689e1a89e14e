// SPDX-License-Identifier: Apache-2.0
// Where reference data lie that are not part of the project: EQUANT_SHARED, or "shared" beside the source folder.
#pragma once

#include <cstdlib>
#include <filesystem>

namespace equant {

inline std::filesystem::path sharedFolder() {
    if (const char* folder = std::getenv("EQUANT_SHARED")) return folder;
    return std::filesystem::path(EQUANT_SOURCE_DIR).parent_path() / "shared";
}

}  // namespace equant
