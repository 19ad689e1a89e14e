// SPDX-License-Identifier: Apache-2.0
// Shapes of matrix products: Gemm, MatMul and its integer forms, Einsum, Det.
#include <algorithm>
#include <cctype>

#include "core/graph/shapes/shapes_internal.h"

namespace equant::shapes {

namespace {

/// numpy.matmul of inputs a and b: vectors gain a dimension for the product and lose it afterwards.
MaybeShape productShape(const Inference& in, std::size_t aSlot, std::size_t bSlot) {
    in.requireRank(aSlot, 1);
    in.requireRank(bSlot, 1);
    if (!in.shape(aSlot) || !in.shape(bSlot)) return std::nullopt;
    Shape a = *in.shape(aSlot);
    Shape b = *in.shape(bSlot);
    const bool isRow = a.size() == 1;
    const bool isColumn = b.size() == 1;
    if (isRow) a.insert(a.begin(), 1);
    if (isColumn) b.push_back(1);
    static_cast<void>(unify(a.back(), b[b.size() - 2], "inner dimensions of the product"));
    Shape result = broadcastShapes(Shape(a.begin(), a.end() - 2), Shape(b.begin(), b.end() - 2));
    if (!isRow) result.push_back(a[a.size() - 2]);
    if (!isColumn) result.push_back(b.back());
    return result;
}

void inferMatMul(Inference& in) {
    in.set(0, in.type(0), productShape(in, 0, 1));
}
void inferMatMulInteger(Inference& in) {
    in.set(0, DType::Int32, productShape(in, 0, 1));
}
void inferQLinearMatMul(Inference& in) {
    in.set(0, in.type(7), productShape(in, 0, 3));
}

void inferGemm(Inference& in) {
    in.requireRank(0, 2, 2);
    in.requireRank(1, 2, 2);
    const std::size_t isATransposed = in.node().intAttribute("transA", 0) != 0;
    const std::size_t isBTransposed = in.node().intAttribute("transB", 0) != 0;
    const auto dim = [&](std::size_t slot, std::size_t axis) {
        return in.shape(slot) ? (*in.shape(slot))[axis] : kUnknown;
    };
    static_cast<void>(unify(dim(0, 1 - isATransposed), dim(1, isBTransposed), "inner dimensions of the product"));
    const Shape result{dim(0, isATransposed), dim(1, 1 - isBTransposed)};
    if (in.shape(2)) requireBroadcastsTo(*in.shape(2), result, "the bias");
    in.set(0, in.type(0), result);
}

void inferDet(Inference& in) {
    in.requireRank(0, 2);
    auto result = in.shape(0);
    if (result) {
        static_cast<void>(unify(result->back(), (*result)[result->size() - 2], "rows and columns"));
        result->resize(result->size() - 2);
    }
    in.set(0, in.type(0), result);
}

// Einsum.

constexpr char kEllipsis = '.';

/// One term's labels; an ellipsis is a single '.'.
std::string labelsOf(std::string_view term) {
    std::string labels;
    for (std::size_t i = 0; i < term.size(); ++i) {
        if (term.substr(i, 3) == "...") {
            require(labels.find(kEllipsis) == std::string::npos, "the equation has two ellipses in a term");
            labels += kEllipsis;
            i += 2;
        } else {
            require(std::isalpha(static_cast<unsigned char>(term[i])) != 0, "'{}' is no label of an equation", term[i]);
            labels += term[i];
        }
    }
    return labels;
}

struct Equation {
    std::vector<std::string> terms;
    std::string result;
};

Equation parseEquation(std::string text) {
    std::erase_if(text, [](unsigned char c) { return std::isspace(c) != 0; });
    const auto arrow = text.find("->");
    std::string_view left = std::string_view(text).substr(0, arrow);
    Equation equation;
    while (true) {
        const auto comma = left.find(',');
        equation.terms.push_back(labelsOf(left.substr(0, comma)));
        if (comma == std::string_view::npos) break;
        left.remove_prefix(comma + 1);
    }
    if (arrow != std::string::npos) {
        equation.result = labelsOf(std::string_view(text).substr(arrow + 2));
        return equation;
    }
    // Without an arrow the result has the ellipsis and, in alphabetical order, the labels that occur once.
    std::string all;
    for (const auto& term : equation.terms) all += term;
    std::ranges::sort(all);
    for (const char label : all) {
        const auto count = std::ranges::count(all, label);
        const bool isNew = equation.result.find(label) == std::string::npos;
        if (isNew && (label == kEllipsis || count == 1)) equation.result += label;
    }
    return equation;
}

struct LabelDims {
    std::unordered_map<char, std::int64_t> dims;
    Shape ellipsis;
};

void bindTerm(const std::string& term, const Shape& shape, LabelDims& bound) {
    const bool hasEllipsis = term.find(kEllipsis) != std::string::npos;
    const auto labels = term.size() - (hasEllipsis ? 1 : 0);
    require(hasEllipsis ? shape.size() >= labels : shape.size() == labels,
            "the equation names {} dimensions where the input has {}", labels, shape.size());
    std::size_t axis = 0;
    for (const char label : term) {
        if (label == kEllipsis) {
            const auto count = shape.size() - labels;
            const auto first = shape.begin() + static_cast<std::ptrdiff_t>(axis);
            bound.ellipsis = broadcastShapes(bound.ellipsis, Shape(first, first + static_cast<std::ptrdiff_t>(count)));
            axis += count;
            continue;
        }
        const auto [entry, isNew] = bound.dims.try_emplace(label, shape[axis]);
        if (!isNew) entry->second = broadcastDim(entry->second, shape[axis]);
        ++axis;
    }
}

void inferEinsum(Inference& in) {
    const Equation equation = parseEquation(in.node().stringAttribute("equation", ""));
    require(equation.terms.size() == in.inputCount(), "the equation has {} terms for {} inputs", equation.terms.size(),
            in.inputCount());
    LabelDims bound;
    bool isKnown = true;
    for (std::size_t i = 0; i < equation.terms.size(); ++i) {
        if (in.shape(i)) {
            bindTerm(equation.terms[i], *in.shape(i), bound);
        } else {
            isKnown = false;
        }
    }
    if (!isKnown) {
        in.set(0, in.type(0), std::nullopt);
        return;
    }
    Shape result;
    for (const char label : equation.result) {
        if (label == kEllipsis) {
            result.insert(result.end(), bound.ellipsis.begin(), bound.ellipsis.end());
            continue;
        }
        const auto entry = bound.dims.find(label);
        require(entry != bound.dims.end(), "label '{}' of the result is in no term of the equation", label);
        result.push_back(entry->second);
    }
    in.set(0, in.type(0), result);
}

}  // namespace

void addMatrix(Table& table) {
    table["MatMul"] = inferMatMul;
    table["MatMulInteger"] = inferMatMulInteger;
    table["QLinearMatMul"] = inferQLinearMatMul;
    table["Gemm"] = inferGemm;
    table["Det"] = inferDet;
    table["Einsum"] = inferEinsum;
}

}  // namespace equant::shapes
