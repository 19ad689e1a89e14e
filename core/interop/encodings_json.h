// SPDX-License-Identifier: Apache-2.0
// Encodings files: the grids of a model's values as JSON, in the three versions in use. 0.6.1 and 1.0.0 are AIMET's
// (offset <= 0, x = scale * (q + offset)), 2.0.0 speaks ONNX (zero point >= 0 for unsigned types).
// Free functions on plain values: safe from any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/graph/model.h"
#include "core/quantization/quantsim.h"

namespace equant {

enum class EncodingsVersion { V0_6_1, V1_0_0, V2_0_0 };

/// "0.6.1", "1.0.0", "2.0.0"; InvalidArgument lists them.
Result<EncodingsVersion> parseEncodingsVersion(std::string_view text);

struct EncodingsFile {
    EncodingsVersion version = EncodingsVersion::V1_0_0;
    QuantOverlay activations;
    QuantOverlay parameters;             ///< version 2.0.0 does not tell them apart: all are in `activations`
    std::vector<std::string> floatOnly;  ///< entries that say "float": nothing to quantize

    [[nodiscard]] QuantOverlay all() const;
};

/// The version is detected. Per-channel entries of the two older versions do not name their axis: it is taken from the
/// weights of `model`. Corrupt / InvalidArgument name the entry; Unsupported: blockwise and low-power block entries.
Result<EncodingsFile> parseEncodings(std::string_view json, const Model& model);

/// Symmetric grids of the older versions are written as unsigned integers with their offset, as AIMET does.
[[nodiscard]] std::string writeEncodings(const QuantSim& sim, EncodingsVersion version = EncodingsVersion::V1_0_0);

}  // namespace equant
