// SPDX-License-Identifier: Apache-2.0
// What computes here, for provenance. Safe from any thread.
#pragma once

#include <string>

namespace equant {

/// "3.1.1"
[[nodiscard]] std::string oneDnnVersion();
/// The widest instructions that oneDNN uses on this machine: "AVX-512", "AVX2", ...; "other" where it has no name here.
[[nodiscard]] std::string oneDnnInstructions();

}  // namespace equant
