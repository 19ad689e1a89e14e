// SPDX-License-Identifier: Apache-2.0
// Where the output channels of one layer are the input channels of the next: the places that cross-layer
// equalization, bias absorption and dead-channel removal work on.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "core/graph/model.h"
#include "core/graph/topology.h"

namespace equant {

/// An activation that clips at constants: lower <= y <= upper; absent bounds are infinite.
struct Clipping {
    std::size_t node = 0;
    std::optional<double> lower;
    std::optional<double> upper;
};

/// From layer `from` to the layer that reads its channels, or to what stops the search.
struct ChannelLink {
    std::size_t from = 0;               ///< node index of the producing layer
    std::size_t to = Topology::kNone;   ///< node index of the consuming layer; kNone when there is none
    std::string blockedBy;              ///< why there is none, one sentence
    std::string blockedCode;            ///< "branch", "output", "join", "nonlinear", "weights" ...
    std::vector<std::size_t> between;   ///< nodes passed on the way, all of which commute with s_i > 0 per channel
    std::vector<std::size_t> biasAdds;  ///< those of `between` that add a per-channel constant (it must be scaled too)
    std::optional<Clipping> clipping;   ///< the activation between them, if it clips (Relu: lower 0, no upper)
    bool isDirect = true;               ///< nothing but at most one activation in between
    std::int64_t repeat = 1;            ///< consecutive inputs of `to` that belong to one channel (Flatten)
};

/// One link per layer with usable weights, in execution order. Layers whose own weights are unusable are reported with
/// blockedCode "weights".
std::vector<ChannelLink> findChannelLinks(const Graph& graph, const Topology& topology);

/// Bounds of a value that hold for every input, from the activation that produces it; a value about which nothing is
/// known counts as bounded by +-kAssumedMagnitude.
struct Bounds {
    double lower;
    double upper;
};
inline constexpr double kAssumedMagnitude = 1e6;
Bounds boundsOf(const Graph& graph, const Topology& topology, const std::string& value);

}  // namespace equant
