// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <string_view>

#include "core/interop/opset_raise_internal.h"

namespace equant {

namespace {

enum class When {
    Always,      ///< the operator means or looks something else from this version on
    HasAxes,     ///< only if axes are an attribute
    HasNoSplit,  ///< only if the sizes of the parts are not given as an input
};

struct Change {
    std::string_view opType;
    std::int64_t version;
    When when = When::Always;
};

constexpr std::array kChanges = {
    Change{"Upsample", 9},
    Change{"Upsample", 10},
    Change{"Slice", 10},
    Change{"TopK", 10},
    Change{"Resize", 11},
    Change{"Clip", 11},
    Change{"Pad", 11},
    Change{"Dropout", 12},
    Change{"Softmax", 13},
    Change{"LogSoftmax", 13},
    Change{"Hardmax", 13},
    Change{"Squeeze", 13, When::HasAxes},
    Change{"Unsqueeze", 13},
    Change{"ReduceSum", 13, When::HasAxes},
    Change{"Split", 13},
    Change{"Split", 18, When::HasNoSplit},
    Change{"ReduceMax", 18, When::HasAxes},
    Change{"ReduceMin", 18, When::HasAxes},
    Change{"ReduceMean", 18, When::HasAxes},
    Change{"ReduceProd", 18, When::HasAxes},
    Change{"ReduceL1", 18, When::HasAxes},
    Change{"ReduceL2", 18, When::HasAxes},
    Change{"ReduceLogSum", 18, When::HasAxes},
    Change{"ReduceLogSumExp", 18, When::HasAxes},
    Change{"ReduceSumSquare", 18, When::HasAxes},
    Change{"GridSample", 20},
    Change{"GroupNormalization", 21},
    Change{"Scatter", 11},
};

bool isAffected(const Node& node, const Change& change) {
    switch (change.when) {
        case When::Always:
            return true;
        case When::HasAxes:
            return node.attribute("axes") != nullptr;
        case When::HasNoSplit:
            return !node.hasInput(1) && node.attribute("num_outputs") == nullptr;
    }
    return true;
}

/// The first node, subgraphs included, that stands against it.
const Node* obstacle(const Graph& graph, std::int64_t from, std::int64_t to) {
    for (const Node& node : graph.nodes) {
        const bool isAgainst = std::any_of(kChanges.begin(), kChanges.end(), [&](const Change& change) {
            return node.is(change.opType) && change.version > from && change.version <= to && isAffected(node, change);
        });
        if (isAgainst) return &node;
        for (const Attribute& attribute : node.attributes) {
            if (const auto* body = std::get_if<std::shared_ptr<const Graph>>(&attribute.value); body && *body) {
                if (const Node* inner = obstacle(**body, from, to)) return inner;
            }
        }
    }
    return nullptr;
}

std::int64_t irVersionOf(std::int64_t opset) {
    if (opset >= 21) return 10;
    if (opset >= 19) return 9;
    if (opset >= 15) return 8;
    return opset >= 12 ? 7 : 5;
}

}  // namespace

Status raiseOpset(Model& model, std::int64_t opset) {
    const std::int64_t from = model.opset();
    if (from >= opset) return {};
    if (const Node* node = obstacle(model.graph, from, opset)) {
        return fail(ErrorCode::Unsupported,
                    fmt::format("The model uses opset {}, {} is needed, and {} \"{}\" is written differently there.",
                                from, opset, node->opType, node->label()),
                    fmt::format("Export the model again with opset {} or newer.", opset), node->label());
    }
    if (!model.functionIds.empty()) {
        return fail(
            ErrorCode::Unsupported,
            fmt::format("The model uses opset {} and {} is needed, but it has functions of its own.", from, opset),
            fmt::format("Export the model again with opset {} or newer.", opset));
    }
    model.opsets[""] = opset;
    model.irVersion = std::max(model.irVersion, irVersionOf(opset));
    return {};
}

}  // namespace equant
