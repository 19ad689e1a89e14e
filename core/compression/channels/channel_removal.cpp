// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstring>
#include <fmt/format.h>
#include <map>

#include "core/compression/channels/channel_removal_internal.h"
#include "core/graph/constants.h"

namespace equant {

namespace {

class Removal {
public:
    Removal(Graph& graph, const ChannelAnalysis& analysis, const std::vector<bool>& isRemoved)
        : m_graph(graph), m_analysis(analysis), m_isRemoved(isRemoved) {}

    [[nodiscard]] Status check() const {
        if (m_isRemoved.size() != m_analysis.blockedBy.size())
            return fail(ErrorCode::InvalidArgument, "The channels to remove are those of another model.");
        for (std::size_t unit = 0; unit < m_isRemoved.size(); ++unit)
            if (m_isRemoved[unit] && !m_analysis.blockedBy[unit].empty())
                return fail(ErrorCode::InvalidArgument, "A channel cannot be removed: " + m_analysis.blockedBy[unit]);
        for (const auto& [value, axis] : m_analysis.values)
            if (!axis.units.empty() && kept(axis.units) == 0)
                return fail(ErrorCode::InvalidArgument, "Not all channels can be removed.",
                            "At least one channel must stay.", value);
        return {};
    }

    void run() {
        for (const auto& cut : m_analysis.cuts) cutConstant(cut);
        for (const auto& count : m_analysis.counts) editCount(count);
        const auto update = [&](ValueInfo& info) {
            const auto found = m_analysis.values.find(info.name);
            if (found == m_analysis.values.end() || !info.shape || !touches(found->second.units)) return;
            const auto axis = static_cast<std::size_t>(found->second.axis);
            if (axis < info.shape->size()) (*info.shape)[axis] = Dim{kept(found->second.units), {}};
        };
        std::ranges::for_each(m_graph.values, update);
        removeUnused(m_graph);
    }

private:
    [[nodiscard]] bool isGone(int unit) const { return m_isRemoved[static_cast<std::size_t>(unit)]; }
    [[nodiscard]] bool touches(const ChannelUnits& units) const {
        return std::ranges::any_of(units, [&](int unit) { return isGone(unit); });
    }
    [[nodiscard]] std::int64_t kept(const ChannelUnits& units) const {
        return std::ranges::count_if(units, [&](int unit) { return !isGone(unit); });
    }

    void cutConstant(const ConstantCut& cut) {
        if (!touches(cut.units)) return;
        const auto tensor = constantInput(m_graph, m_graph.nodes[cut.node], cut.slot);
        const auto axis = static_cast<std::size_t>(cut.axis);
        Shape shape = tensor->shape();
        shape[axis] = kept(cut.units);
        Tensor result(tensor->dtype(), shape);
        const std::size_t elementBytes = static_cast<std::size_t>(bitWidth(tensor->dtype()) / 8);
        std::size_t inner = elementBytes;
        for (std::size_t i = axis + 1; i < shape.size(); ++i) inner *= static_cast<std::size_t>(shape[i]);
        std::size_t outer = 1;
        for (std::size_t i = 0; i < axis; ++i) outer *= static_cast<std::size_t>(shape[i]);
        const std::byte* source = tensor->bytes().data();
        std::byte* target = result.mutableBytes().data();
        for (std::size_t row = 0; row < outer; ++row)
            for (const int unit : cut.units) {
                if (!isGone(unit)) {
                    std::memcpy(target, source, inner);
                    target += inner;
                }
                source += inner;
            }
        setConstantInput(m_graph, cut.node, cut.slot, std::move(result), "pruned");
    }

    void editCount(const CountEdit& count) {
        std::vector<std::int64_t> values = count.values;
        bool isChanged = false;
        for (const auto& entry : count.entries) isChanged |= kept(entry.units) != values[entry.element];
        if (!isChanged) return;
        for (const auto& entry : count.entries) values[entry.element] = kept(entry.units);
        Node& node = m_graph.nodes[count.node];
        if (count.attribute == "group") return node.setAttribute("group", values.front());
        if (!count.attribute.empty()) return node.setAttribute(count.attribute, values);
        if (node.is("Split")) node.removeAttribute("num_outputs");
        const auto size = static_cast<std::int64_t>(values.size());
        const auto old = constantInput(m_graph, node, count.slot);
        const bool isInt32 = old && old->dtype() == DType::Int32;
        Tensor tensor(Shape{size}, values);
        if (isInt32) tensor = *tensor.converted(DType::Int32);
        setConstantInput(m_graph, count.node, count.slot, std::move(tensor), "pruned");
    }

    Graph& m_graph;
    const ChannelAnalysis& m_analysis;
    const std::vector<bool>& m_isRemoved;
};

}  // namespace

Status removeChannels(Model& model, const ChannelAnalysis& analysis, const std::vector<bool>& isRemoved) {
    Removal removal(model.graph, analysis, isRemoved);
    if (auto checked = removal.check(); !checked) return checked;
    removal.run();
    return {};
}

}  // namespace equant
