// SPDX-License-Identifier: Apache-2.0
#include "core/base/check_target.h"

#include <filesystem>
#include <unistd.h>

namespace equant {

Status checkTarget(const std::string& path) {
    if (path.empty()) return {};
    std::error_code ignored;
    if (std::filesystem::is_directory(path, ignored))
        return fail(ErrorCode::Io, "There is a folder of that name.", "Choose another file name.", path);
    const auto parent = std::filesystem::absolute(path, ignored).parent_path();
    if (std::filesystem::exists(parent, ignored) && !std::filesystem::is_directory(parent, ignored))
        return fail(ErrorCode::Io, "The file could not be written: what should be its folder is a file.",
                    "Choose another place.", path);
    if (!std::filesystem::is_directory(parent, ignored))
        return fail(ErrorCode::Io, "The file could not be written: its folder does not exist.",
                    "Create the folder first or choose another place.", path);
    if (::access(parent.c_str(), W_OK) != 0)
        return fail(ErrorCode::Io, "The file could not be written: its folder is read-only.",
                    "Check the folder's permissions or choose another place.", path);
    return {};
}

}  // namespace equant
