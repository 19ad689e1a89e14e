// SPDX-License-Identifier: Apache-2.0
// Which technique applies to which layer, and why not.
#pragma once

#include "core/inspection/inspection.h"
#include "core/passes/channel_links.h"

namespace equant {

LayerTechniques techniquesFor(const Model& model, const LayerInfo& layer, const std::vector<ChannelLink>& links);

}  // namespace equant
