// SPDX-License-Identifier: Apache-2.0
// Takes channels out of a graph: weights, biases, constants, counts and declared shapes become smaller, nothing else
// changes. Pure functions of plain values.
#pragma once

#include <vector>

#include "core/compression/channels/channel_groups_internal.h"
#include "core/graph/model.h"

namespace equant {

/// Removes the units with isRemoved[unit] from `model`, which `analysis` must describe. What the removed channels
/// contributed is lost: removing channels that hold zeros leaves the function unchanged.
/// InvalidArgument: a unit that must stay (with its reason), or a layer that would lose its last channel.
Status removeChannels(Model& model, const ChannelAnalysis& analysis, const std::vector<bool>& isRemoved);

}  // namespace equant
