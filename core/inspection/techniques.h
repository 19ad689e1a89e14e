// SPDX-License-Identifier: Apache-2.0
// Which technique applies to which layer, and why not. The rules of compression are core/compression's own.
#pragma once

#include <string>
#include <vector>

#include "core/compression/method.h"
#include "core/layers/layers.h"
#include "core/passes/channel_links.h"

namespace equant {

struct Verdict {
    bool isOk = false;
    std::string reason;  ///< why not; empty when ok
};

/// What can be done with one layer.
struct LayerTechniques {
    Verdict spatialSvd;
    Verdict weightSvd;
    Verdict channelPruning;
    Verdict equalization;
};

/// `compressible`: compressibleLayers of the same model.
LayerTechniques techniquesFor(const Model& model, const LayerInfo& layer, const std::vector<ChannelLink>& links,
                              const std::vector<CompressibleLayer>& compressible);

}  // namespace equant
