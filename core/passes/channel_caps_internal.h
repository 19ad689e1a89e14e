// SPDX-License-Identifier: Apache-2.0
// Clipping activations with one limit per channel: what a clip at a constant becomes when its channels were scaled.
//
// Before:  y = clip(x, lo, hi)
// After :  y = min(max(x, lo / s_i - c_i), hi / s_i - c_i), written as Relu or Max, then Min, with [1, C, 1, 1]
// constants
#pragma once

#include <span>

#include "core/passes/channel_links.h"

namespace equant {

/// `factors` s_i > 0; `absorbed` c_i (empty: none; a lower bound of 0 stays 0: the absorbed part is above it anyway);
/// `rank` of the tensor. The node that is replaced keeps its output's name. Does nothing when nothing changes.
void setChannelCaps(Graph& graph, const Clipping& clipping, std::span<const double> factors,
                    std::span<const double> absorbed, int rank);

/// Turns a Clip into a Relu (the cap is lost).
void replaceByRelu(Graph& graph, std::size_t node);

/// Divides the per-channel constant of an Add by the factors.
void divideBiasAdd(Graph& graph, std::size_t node, std::span<const double> factors);

}  // namespace equant
