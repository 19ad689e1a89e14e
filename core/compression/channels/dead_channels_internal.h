// SPDX-License-Identifier: Apache-2.0
// Removes for nothing what does nothing: channels that hold one value for every input, and channels that nobody reads.
// A pure function of the model; safe from any thread.
//
// Before:  layer1 -> activation -> layer2, channel i of layer1 constant; or no layer reads channel i with a weight but
// 0 After :  the channel is gone from every layer, constant and shape that held it; a constant moved into layer2's bias
// Needs :  findConstantChannels (core/passes/constant_channels.h), and channels that may go (channel_groups.h)
// Keeps :  the function, up to rounding
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/passes/outcome.h"

namespace equant {

struct DeadChannels {
    std::string layer;  ///< lost output channels
    std::int64_t removed = 0;
    std::int64_t left = 0;
};

struct DeadChannelReport {
    std::vector<DeadChannels> layers;  ///< only those that lost some, in execution order
    std::int64_t parametersBefore = 0, parametersAfter = 0;
    std::int64_t macsBefore = 0, macsAfter = 0;
};

/// Repeats until nothing more is found. Fails only for graphs that Topology or inferShapes refuse.
Result<Outcome<DeadChannelReport>> removeDeadChannels(const Model& model);

}  // namespace equant
