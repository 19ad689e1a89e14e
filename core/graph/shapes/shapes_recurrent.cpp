// SPDX-License-Identifier: Apache-2.0
// Shapes of the recurrent operators RNN, GRU and LSTM, and of operators with subgraphs.
#include "core/graph/shapes/shapes_internal.h"

namespace equant::shapes {

namespace {

/// X [steps, batch, features] (layout 1: batch first), W [directions, gates * hidden, features],
/// R [directions, gates * hidden, hidden].
void inferRecurrent(Inference& in, std::int64_t gates) {
    for (const std::size_t slot : {0U, 1U, 2U}) in.requireRank(slot, 3, 3);
    const auto& data = in.shape(0);
    const auto& weight = in.shape(1);
    const auto& recurrence = in.shape(2);
    const bool isBatchFirst = in.node().intAttribute("layout", 0) != 0;
    std::int64_t hidden = in.node().intAttribute("hidden_size", kUnknown);
    std::int64_t directions = in.node().stringAttribute("direction", "forward") == "bidirectional" ? 2 : 1;
    if (recurrence) {
        directions = unify(directions, (*recurrence)[0], "directions");
        hidden = unify(hidden, (*recurrence)[2], "hidden_size and the recurrence weight");
    }
    if (weight) {
        directions = unify(directions, (*weight)[0], "directions");
        static_cast<void>(
            unify((*weight)[1], mulDims(hidden, gates), "rows of the weight and gates times hidden size"));
        if (data) static_cast<void>(unify((*data)[2], (*weight)[2], "features of data and weight"));
    }
    const auto steps = data ? (*data)[isBatchFirst ? 1 : 0] : kUnknown;
    const auto batch = data ? (*data)[isBatchFirst ? 0 : 1] : kUnknown;
    in.set(0, in.type(0),
           isBatchFirst ? Shape{batch, steps, directions, hidden} : Shape{steps, directions, batch, hidden});
    const Shape last = isBatchFirst ? Shape{batch, directions, hidden} : Shape{directions, batch, hidden};
    in.set(1, in.type(0), last);
    in.set(2, in.type(0), last);
}

void inferRnn(Inference& in) {
    inferRecurrent(in, 1);
}
void inferGru(Inference& in) {
    inferRecurrent(in, 3);
}
void inferLstm(Inference& in) {
    inferRecurrent(in, 4);
}

MaybeShape declaredShape(const ValueInfo& value) {
    if (!value.shape) return std::nullopt;
    Shape shape;
    for (const auto& dim : *value.shape) shape.push_back(dim.value);
    return shape;
}

const Graph* subgraph(const Inference& in, std::string_view key) {
    const auto* attribute = in.node().attribute(key);
    const auto* graph = attribute ? std::get_if<std::shared_ptr<const Graph>>(&attribute->value) : nullptr;
    return graph ? graph->get() : nullptr;
}

/// What both branches declare of their outputs and agree on.
void inferIf(Inference& in) {
    const Graph* then = subgraph(in, "then_branch");
    const Graph* otherwise = subgraph(in, "else_branch");
    if (!then || !otherwise) return;
    for (std::size_t k = 0; k < in.outputCount(); ++k) {
        if (k >= then->outputs.size() || k >= otherwise->outputs.size()) break;
        const ValueInfo& a = then->outputs[k];
        const ValueInfo& b = otherwise->outputs[k];
        if (a.dtype != b.dtype) continue;
        auto shape = declaredShape(a);
        const auto other = declaredShape(b);
        if (shape && other && shape->size() == other->size()) {
            for (std::size_t i = 0; i < shape->size(); ++i) {
                if ((*shape)[i] != (*other)[i]) (*shape)[i] = kUnknown;
            }
        } else {
            shape.reset();
        }
        in.set(k, a.dtype, shape);
    }
}

/// Types only: a body may change shapes from one iteration to the next. `skipped` outputs of the body come first.
void setBodyTypes(Inference& in, std::size_t skipped) {
    const Graph* body = subgraph(in, "body");
    for (std::size_t k = 0; body && k < in.outputCount() && k + skipped < body->outputs.size(); ++k) {
        in.set(k, body->outputs[k + skipped].dtype, std::nullopt);
    }
}

void inferLoop(Inference& in) {
    setBodyTypes(in, 1);
}  // the body's first output is the condition
void inferScan(Inference& in) {
    setBodyTypes(in, 0);
}

}  // namespace

void addRecurrent(Table& table) {
    table["RNN"] = inferRnn;
    table["GRU"] = inferGru;
    table["LSTM"] = inferLstm;
}

void addControl(Table& table) {
    table["If"] = inferIf;
    table["Loop"] = inferLoop;
    table["Scan"] = inferScan;
}

}  // namespace equant::shapes
