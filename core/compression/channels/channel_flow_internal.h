// SPDX-License-Identifier: Apache-2.0
// The rules by which channels pass operators, one node at a time in execution order. Private to core/compression:
// analyzeChannels drives it. Units are merged while the graph is walked and numbered at the end (UnitSets).
#pragma once

#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/compression/channels/channel_analysis_internal.h"
#include "core/compression/channels/unit_sets_internal.h"
#include "core/graph/model.h"
#include "core/graph/shapes/shapes.h"
#include "core/graph/topology.h"

namespace equant {

class ChannelFlow {
public:
    ChannelFlow(const Model& model, const Topology& topology, const FactMap& facts);
    ChannelAnalysis run();

private:
    /// A small vector of integers computed from shapes: what an element is.
    struct ShapeElement {
        std::optional<std::int64_t> number;
        std::string value;  ///< the dimension `axis` of this value
        int axis = 0;
        std::size_t node = Topology::kNone;  ///< a Concat whose input `slot` is a constant that holds the number
        std::size_t slot = 0;
        std::size_t element = 0;
    };
    using ShapeVector = std::vector<ShapeElement>;

    // --- values
    const Shape* shapeOf(const std::string& value) const;  ///< null unless every dimension but the first is known
    const ChannelAxis* axisOf(const Node& node, std::size_t slot) const;
    void label(const std::string& value, int axis, ChannelUnits units);
    void makeOpaque(const Node& node, const std::string& why);
    void blockInputs(const Node& node, const std::string& why, std::size_t firstSlot = 0);
    bool isConstant(const Node& node, std::size_t slot) const;
    std::optional<std::vector<std::int64_t>> integers(const Node& node, std::size_t slot) const;
    std::optional<std::vector<std::int64_t>> axesOf(const Node& node, std::size_t slot, int rank) const;
    std::string opaqueReason(const Node& node) const;
    void cut(std::size_t slot, int axis, const ChannelUnits& units);
    void editCount(std::size_t slot, const std::string& attribute, const std::vector<std::int64_t>& values,
                   std::size_t element, const ChannelUnits& units);

    // --- operators; `m_node` is the index of the node at hand
    void visit(const Node& node);
    void visitLabeled(const Node& node);
    bool visitMovement(const Node& node, const ChannelAxis& input);
    bool visitNormalization(const Node& node, const ChannelAxis& input);
    void layer(const Node& node);
    void depthwise(const Node& node, const Tensor& weight, ChannelLayer record);
    void elementwise(const Node& node);
    bool joinOperand(const Node& node, std::size_t slot, int axis, int rank, const ChannelUnits& units);
    void concat(const Node& node);
    void split(const Node& node, const ChannelAxis& input);
    void slice(const Node& node, const ChannelAxis& input);
    void pad(const Node& node, const ChannelAxis& input);
    void reshape(const Node& node, const ChannelAxis& input);
    bool editTarget(const Node& node, int axis, int oldAxis, std::int64_t count, const ChannelUnits& units);
    void resize(const Node& node, const ChannelAxis& input);
    void reduce(const Node& node, const ChannelAxis& input);
    bool shapeArithmetic(const Node& node);
    std::optional<ShapeVector> gatherShape(const Node& node) const;
    std::optional<ShapeVector> sliceShape(const Node& node) const;
    std::optional<ShapeVector> concatShapes(const Node& node) const;
    ShapeVector shapeVector(const Node& node, std::size_t slot) const;
    void refuse(const Node& node, const std::string& why);

    const Model& m_model;
    const Graph& m_graph;
    const Topology& m_topology;
    const FactMap& m_facts;
    std::size_t m_node = 0;
    UnitSets m_units;
    std::unordered_map<std::string, std::string> m_opaque;  ///< values whose channels are not followed, and why
    std::unordered_map<std::string, ShapeVector> m_shapes;
    ChannelAnalysis m_analysis;
};

/// "Softmax \"head/probabilities\"": how a node is named in a sentence.
[[nodiscard]] std::string quotedNode(const Node& node);

}  // namespace equant
