// SPDX-License-Identifier: Apache-2.0
// What a network's activations cost in memory: bytes written in a forward pass, and bytes alive at once.
// Counted on the network as the engine fuses it, so that a folded batch norm or a fused activation is no saving.
// Pure functions, safe from any thread.
#pragma once

#include <cstdint>

#include "core/runtime/plan.h"

namespace equant {

/// Of one sample, in bytes of dense tensors of the values' own types (float32 in a float network).
struct ActivationMemory {
    /// What all fused operators write: the output of each counted once. A fused operator is a layer with the batch
    /// norm, the activation and the addition behind it. Reshaped values are the same bytes, constants and inputs of the
    /// graph are not written, and what a kernel needs for itself does not count.
    std::int64_t writtenBytes = 0;
    /// The most that is alive while one fused operator runs: what it reads and writes and what is read later. Inputs of
    /// the graph count until they have been read, outputs to the end, and nothing is overwritten in place. No arena
    /// that keeps every value dense can be smaller.
    std::int64_t peakBytes = 0;
    friend bool operator==(const ActivationMemory&, const ActivationMemory&) = default;
};

/// A first dimension that the model fixes to N is a batch: its bytes are divided by N, other shapes are as compile()
/// would have them. Unsupported: a value whose shape is only known while running (subject: its name). Errors of
/// compile().
Result<ActivationMemory> activationMemory(const Model& model, const CompileOptions& options = {});

}  // namespace equant
