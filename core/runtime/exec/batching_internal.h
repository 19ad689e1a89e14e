// SPDX-License-Identifier: Apache-2.0
// Whether the samples of a batch can be computed one after the other, and how to take a batch apart and join results.
// Pure functions, any thread.
#pragma once

#include <span>
#include <string>

#include "core/graph/model.h"
#include "core/runtime/compile_options.h"

namespace equant {

/// True when it is certain that every output has the samples along axis 0 and that sample i of it depends on sample i
/// of the inputs alone, for exactly the input shapes given in `batch`; `single` are the same options for one sample.
/// Constants that the graph computes from the batch size must be the same in both. Small parts of a batch stay in the
/// caches: running MobileNetV2 sample by sample is a quarter faster than eight at once.
bool areSamplesIndependent(const Model& model, const CompileOptions& single, const CompileOptions& batch);

/// Samples [first, first + count) of a batch; the batch itself (shared) when that is all of them.
Tensor samplesOf(const Tensor& batch, std::int64_t first, std::int64_t count);

/// Joined along axis 0. Unsupported for scalars or where the other dimensions differ.
Result<Tensor> concatenated(std::span<const Tensor> parts, const std::string& outputName);

}  // namespace equant
