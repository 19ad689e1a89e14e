// SPDX-License-Identifier: Apache-2.0
// Which channel units are one and the same: disjoint sets (union-find with path halving), each with the first reason why
// it must stay. Owned by one ChannelFlow; not for several threads.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/compression/channels/channel_analysis_internal.h"

namespace equant {

class UnitSets {
public:
    /// New units, each in a set of its own; `blockedBy` says why they must stay, empty when they may go.
    ChannelUnits add(std::int64_t count, const std::string& blockedBy = {});
    /// Merges the sets of units at the same position; the longer list's rest is ignored.
    void unite(const ChannelUnits& a, const ChannelUnits& b);
    /// Keeps the sets of these units; a set keeps its first reason.
    void block(const ChannelUnits& units, const std::string& why);

    /// The sets numbered in the order of their first units.
    struct Numbering {
        std::vector<int> set;                ///< per unit
        std::vector<std::string> blockedBy;  ///< per set
    };
    [[nodiscard]] Numbering numbered();

private:
    int find(int unit);
    void unite(int a, int b);

    std::vector<int> m_parent;
    std::vector<std::string> m_blockedBy;  ///< valid at the roots
};

}  // namespace equant
