// SPDX-License-Identifier: Apache-2.0
// Facts about operators that make tensors out of attributes or shapes: Constant, Shape, Size, ConstantOfShape, Range,
// random generators, signal windows.
#include <algorithm>
#include <cmath>

#include "core/graph/shapes/shapes_internal.h"

namespace equant::shapes {

namespace {

/// ConstantOfShape contents are kept only while short: longer ones are data, and their shape is all that counts.
constexpr std::int64_t kMaxFilled = 1024;

void inferConstant(Inference& in) {
    const Node& node = in.node();
    for (const auto& attribute : node.attributes) {
        const auto length = [](const auto& list) { return static_cast<std::int64_t>(list.size()); };
        if (const auto* tensor = std::get_if<Tensor>(&attribute.value); tensor && attribute.name == "value") {
            if (!tensor->isEmpty()) in.setConstant(0, *tensor);
        } else if (const auto* real = std::get_if<float>(&attribute.value); real && attribute.name == "value_float") {
            in.setConstant(0, Tensor(Shape{}, {*real}));
        } else if (const auto* whole = std::get_if<std::int64_t>(&attribute.value);
                   whole && attribute.name == "value_int") {
            in.setConstant(0, Tensor(Shape{}, {*whole}));
        } else if (const auto* reals = std::get_if<std::vector<float>>(&attribute.value);
                   reals && attribute.name == "value_floats") {
            in.setConstant(0, Tensor({length(*reals)}, *reals));
        } else if (const auto* wholes = std::get_if<std::vector<std::int64_t>>(&attribute.value);
                   wholes && attribute.name == "value_ints") {
            in.setConstant(0, Tensor({length(*wholes)}, *wholes));
        } else if (attribute.name == "value_string") {
            in.set(0, DType::String, Shape{});
        } else if (const auto* texts = std::get_if<std::vector<std::string>>(&attribute.value);
                   texts && attribute.name == "value_strings") {
            in.set(0, DType::String, Shape{length(*texts)});
        }
    }
}

void inferShapeOf(Inference& in) {
    const auto& data = in.shape(0);
    if (!data) {
        in.set(0, DType::Int64, Shape{kUnknown});
        return;
    }
    const auto rank = static_cast<std::int64_t>(data->size());
    const auto bound = [&](std::string_view key, std::int64_t fallback) {
        auto value = in.node().intAttribute(key, fallback);
        if (value < 0) value = value < -rank ? 0 : value + rank;
        return std::clamp<std::int64_t>(value, 0, rank);
    };
    const auto start = bound("start", 0);
    const auto end = std::max(start, bound("end", rank));
    const Entries entries(data->begin() + start, data->begin() + end);
    in.set(0, DType::Int64, Shape{end - start});
    if (in.outputCount() == 0) return;
    auto& output = in.output(0);
    if (std::ranges::all_of(entries, [](std::int64_t dim) { return dim >= 0; })) {
        output.constant = Tensor({end - start}, entries);
        return;
    }
    output.entries = entries;
    std::ranges::replace(*output.entries, kUnknown, kUnknownEntry);
}

void inferSize(Inference& in) {
    in.set(0, DType::Int64, Shape{});
    const auto& data = in.shape(0);
    const auto count = data ? productOf(*data) : kUnknown;
    if (count >= 0) in.setConstant(0, Tensor(Shape{}, {count}));
}

void inferConstantOfShape(Inference& in) {
    const Tensor* fill = in.node().tensorAttribute("value");
    const DType type = fill ? fill->dtype() : DType::Float;
    const auto entries = in.entries(0);
    if (!entries) {
        const auto rank = in.length(0);
        in.set(0, type, rank && *rank <= 64 ? MaybeShape(unknownDims(*rank)) : std::nullopt);
        return;
    }
    Shape result = *entries;
    for (auto& dim : result) {
        require(dim >= 0 || dim == kUnknownEntry, "expected no negative dimension, found {}", dim);
        dim = std::max(dim, kUnknown);
    }
    in.set(0, type, result);
    const auto count = productOf(result);
    if (in.outputCount() == 0 || count < 0 || count > kMaxFilled || bitWidth(type) < 8 ||
        !checkedElementCount(result, type))
        return;
    require(!fill || fill->count() == 1, "expected one element in attribute value");
    Tensor filled(type, result);
    if (fill) {
        const auto target = filled.mutableBytes();
        const auto element = fill->bytes();
        for (std::size_t i = 0; i < target.size(); ++i) target[i] = element[i % element.size()];
    }
    in.output(0).constant = std::move(filled);
}

void inferRange(Inference& in) {
    const auto start = in.numbers(0);
    const auto limit = in.numbers(1);
    const auto delta = in.numbers(2);
    std::int64_t count = kUnknown;
    if (start && limit && delta) {
        require(start->size() == 1 && limit->size() == 1 && delta->size() == 1, "expected scalars");
        require(delta->front() != 0, "expected a delta other than 0");
        const double steps = std::ceil((limit->front() - start->front()) / delta->front());
        count = dimFromReal(std::max(steps, 0.0));
    }
    in.set(0, in.type(0), Shape{count});
}

DType typeAttribute(const Inference& in, std::string_view key) {
    return static_cast<DType>(in.node().intAttribute(key, static_cast<std::int64_t>(DType::Float)));
}

void inferRandom(Inference& in) {
    const auto shape = in.node().intsAttribute("shape");
    require(std::ranges::all_of(shape, [](std::int64_t dim) { return dim >= 0; }), "expected no negative dimension");
    in.set(0, typeAttribute(in, "dtype"), shape);
}

void inferMultinomial(Inference& in) {
    in.requireRank(0, 2, 2);
    const auto type = static_cast<DType>(in.node().intAttribute("dtype", static_cast<std::int64_t>(DType::Int32)));
    in.set(0, type, Shape{in.shape(0) ? in.shape(0)->front() : kUnknown, in.node().intAttribute("sample_size", 1)});
}

void inferSignalWindow(Inference& in) {
    const auto size = in.integers(0);
    require(!size || size->size() == 1, "expected one size");
    require(!size || size->front() >= 0, "expected no negative size");
    in.set(0, typeAttribute(in, "output_datatype"), Shape{size ? size->front() : kUnknown});
}

}  // namespace

void addGeneration(Table& table) {
    table["Constant"] = inferConstant;
    table["Shape"] = inferShapeOf;
    table["Size"] = inferSize;
    table["ConstantOfShape"] = inferConstantOfShape;
    table["Range"] = inferRange;
    table["RandomNormal"] = inferRandom;
    table["RandomUniform"] = inferRandom;
    table["Multinomial"] = inferMultinomial;
    for (const auto name : {"BlackmanWindow", "HammingWindow", "HannWindow"}) table[name] = inferSignalWindow;
}

}  // namespace equant::shapes
