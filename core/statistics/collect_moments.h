// SPDX-License-Identifier: Apache-2.0
// The moments of many layers from one pass over the data. Uses all threads; the result does not depend on how many.
#pragma once

#include <vector>

#include "core/base/progress.h"
#include "core/base/result.h"
#include "core/data/batch_source.h"
#include "core/graph/model.h"
#include "core/statistics/moments.h"

namespace equant {

/// One per request, all collected in a single pass over the data through both models (one model when they are the same
/// object). Positions are chosen per layer and sample from the seed. Unsupported: a model that cannot run. Cancelled.
Result<std::vector<LayerMoments>> collectMoments(const Model& model, const Model& reference,
                                                 const std::vector<MomentRequest>& requests, const BatchSource& source,
                                                 const MomentOptions& options, const JobContext& job = {});

}  // namespace equant
