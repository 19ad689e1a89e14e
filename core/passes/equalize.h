// SPDX-License-Identifier: Apache-2.0
// Cross-layer equalization: makes the channels of consecutive layers use the same range, without changing the function.
//
// Before:  layer1(W1, b1) -> activation -> layer2(W2, b2)
// After :  layer1(W1 / s, b1 / s) -> activation' -> layer2(W2 s, b2)        s_i > 0 per channel i between them
// Needs :  (1) activation positively homogeneous (none, Relu, LeakyRelu, PRelu), or a clip at 0 from below and at a
//          constant cap from above (ReLU6), see below  (2) nobody else reads the values between (3) constant weights
//          (4) layer1 dense or depthwise, layer2 dense or depthwise
// Keeps :  the function, up to rounding
//          pair   s_i = sqrt(r1_i / r2_i);  r1_i = max |W1| over output channel i, r2_i = max |W2| over input channel i
//          triple (dense, depthwise, dense): c_i = cbrt(r1 r2 r3), s12 = r1 / c, s23 = c / r3
// A capped activation is not homogeneous: clip(x, 0, c) / s = clip(x / s, 0, c / s). Exact mode therefore gives every
// channel its own cap c / s_i (Relu, then Min with a [1, C, 1, 1] constant). See docs/algorithms/equalization.md.
// Source: Nagel et al., "Data-Free Quantization through Weight Equalization and Bias Correction", 2019, section 4.1.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/base/progress.h"
#include "core/passes/absorb_bias.h"
#include "core/passes/fold_batch_norm.h"
#include "core/passes/outcome.h"

namespace equant {

enum class CapMode {
    Exact,    ///< per-channel caps: the float function is kept (default)
    Replace,  ///< ReLU6 becomes ReLU, as AIMET does: changes the float function
    Skip      ///< layers joined by a capped activation are left alone
};

struct EqualizeOptions {
    CapMode relu6 = CapMode::Exact;
    bool shouldFoldBatchNorms = true;
    /// Where that keeps the function; with CapMode::Replace also by the three-sigma rule (see absorb_bias.h).
    bool shouldAbsorbBias = true;
    /// Sweeps over all pairs. One sweep is not a fixed point: a layer in two pairs is changed twice. Sweeps end early
    /// when no factor differs from 1 by more than a quarter (a third of a bit).
    int iterations = 20;
    /// Move channels that provably never change into the next bias and zero the weights that read them.
    bool shouldSilenceConstantChannels = true;
    /// Pairs to leave alone, by the name of their first layer.
    std::vector<std::string> excluded;
    /// One sweep with AIMET's own rules (docs/algorithms/equalization.md): replace, triples at once, no dead channels.
    bool isAimetCompatible = false;

    friend bool operator==(const EqualizeOptions&, const EqualizeOptions&) = default;
};

/// Two layers (or three around a depthwise one) that were, or could not be, equalized.
struct EqualizedPair {
    std::vector<std::string> layers;
    std::int64_t channels = 0;
    bool isEqualized = false;
    std::string reason;      ///< why skipped, or what was done ("Relu", "Clip kept exactly by per-channel caps" ...)
    std::string reasonCode;  ///< stable id: "homogeneous", "exact-caps", "cap-replaced", "capped", "branch", ...
    /// Product of all factors applied to channel i between layers[k] and layers[k + 1].
    std::vector<std::vector<float>> scales;
    std::vector<std::int64_t> constantChannels;  ///< of layers[0]: never change, silenced in layers[1]
};

struct EqualizeReport {
    FoldReport fold;
    std::vector<EqualizedPair> pairs;
    std::vector<AbsorbedBias> absorbed;
    int iterations = 0;  ///< sweeps done
};

Result<Outcome<EqualizeReport>> equalize(const Model& model, const EqualizeOptions& options,
                                         const JobContext& job = {});

}  // namespace equant
