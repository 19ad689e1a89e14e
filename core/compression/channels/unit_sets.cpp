// SPDX-License-Identifier: Apache-2.0
#include <numeric>
#include <utility>

#include "core/compression/channels/unit_sets_internal.h"

namespace equant {

ChannelUnits UnitSets::add(std::int64_t count, const std::string& blockedBy) {
    ChannelUnits units(static_cast<std::size_t>(count));
    std::iota(units.begin(), units.end(), static_cast<int>(m_parent.size()));
    m_parent.insert(m_parent.end(), units.begin(), units.end());
    m_blockedBy.resize(m_parent.size(), blockedBy);
    return units;
}

int UnitSets::find(int unit) {
    while (m_parent[static_cast<std::size_t>(unit)] != unit) {
        int& parent = m_parent[static_cast<std::size_t>(unit)];
        parent = m_parent[static_cast<std::size_t>(parent)];
        unit = parent;
    }
    return unit;
}

void UnitSets::unite(int a, int b) {
    a = find(a);
    b = find(b);
    if (a == b) return;
    if (b < a) std::swap(a, b);
    m_parent[static_cast<std::size_t>(b)] = a;
    if (m_blockedBy[static_cast<std::size_t>(a)].empty())
        m_blockedBy[static_cast<std::size_t>(a)] = m_blockedBy[static_cast<std::size_t>(b)];
}

void UnitSets::unite(const ChannelUnits& a, const ChannelUnits& b) {
    for (std::size_t i = 0; i < a.size() && i < b.size(); ++i) unite(a[i], b[i]);
}

void UnitSets::block(const ChannelUnits& units, const std::string& why) {
    for (const int unit : units)
        if (auto& reason = m_blockedBy[static_cast<std::size_t>(find(unit))]; reason.empty()) reason = why;
}

UnitSets::Numbering UnitSets::numbered() {
    Numbering result;
    result.set.resize(m_parent.size(), -1);
    for (std::size_t i = 0; i < m_parent.size(); ++i) {
        const auto root = static_cast<std::size_t>(find(static_cast<int>(i)));
        if (result.set[root] < 0) {
            result.set[root] = static_cast<int>(result.blockedBy.size());
            result.blockedBy.push_back(m_blockedBy[root]);
        }
        result.set[i] = result.set[root];
    }
    return result;
}

}  // namespace equant
