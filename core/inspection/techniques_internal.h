// SPDX-License-Identifier: Apache-2.0
// Which technique applies to which layer, and why not. The rules of compression are core/compression's own.
#pragma once

#include "core/compression/method.h"
#include "core/inspection/inspection.h"
#include "core/passes/channel_links.h"

namespace equant {

/// `compressible`: compressibleLayers of the same model.
LayerTechniques techniquesFor(const Model& model, const LayerInfo& layer, const std::vector<ChannelLink>& links,
                              const std::vector<CompressibleLayer>& compressible);

}  // namespace equant
