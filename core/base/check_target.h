// SPDX-License-Identifier: Apache-2.0
// Whether a file could be written, asked before the work that makes it.
#pragma once

#include <string>

#include "core/base/result.h"

namespace equant {

/// Fails where a file could not be written: before the work, not after it. An empty path is none to write.
[[nodiscard]] Status checkTarget(const std::string& path);

}  // namespace equant
