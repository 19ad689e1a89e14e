// SPDX-License-Identifier: Apache-2.0
// Whole-file input and atomic output. A file written here is the old one or the new one, never half of either.
#pragma once

#include <filesystem>
#include <functional>
#include <ostream>
#include <string>
#include <string_view>

#include "core/base/result.h"

namespace equant {

/// Reads a whole file. NotFound, Io (unreadable, a folder).
Result<std::string> readFile(const std::filesystem::path& path);

/// Writes through a temporary file in the same folder, flushes to disk, renames over `path`.
/// On any failure (full disk, read-only folder) the temporary file is removed and `path` is untouched.
/// Devices and pipes are written to directly.
Status writeFileAtomic(const std::filesystem::path& path, std::string_view bytes);

/// As above, for content too large to build in memory; `write` fills the stream.
Status writeFileAtomic(const std::filesystem::path& path, const std::function<void(std::ostream&)>& write);

}  // namespace equant
