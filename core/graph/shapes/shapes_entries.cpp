// SPDX-License-Identifier: Apache-2.0
// Follows the contents of shape-like integer vectors (Shape -> Gather -> Concat -> Reshape) entry by entry, so that one
// unknown batch size does not hide the dimensions beside it. No kernels: only what exporters compute shapes with.
#include <algorithm>

#include "core/graph/shapes/shapes_internal.h"

namespace equant::shapes {

namespace {

constexpr std::size_t kMaxLength = 256;

bool isVector(const MaybeShape& shape) {
    return shape && shape->size() <= 1;
}

bool fitsInto(std::int64_t value, DType type) {
    switch (type) {
        case DType::Int64:
            return true;
        case DType::Int32:
            return value >= std::numeric_limits<std::int32_t>::min() &&
                   value <= std::numeric_limits<std::int32_t>::max();
        case DType::Bool:
            return value == 0 || value == 1;
        default:
            return false;
    }
}

std::optional<Entries> copied(const Inference& in) {
    return in.entries(0);
}

std::optional<Entries> gathered(const Inference& in) {
    const auto data = in.entries(0);
    const auto indices = in.integers(1);
    if (!data || !indices || !in.shape(0) || in.shape(0)->size() != 1) return std::nullopt;
    Entries result;
    for (const auto index : *indices) result.push_back((*data)[axisOf(index, data->size())]);
    return result;
}

std::optional<Entries> concatenated(const Inference& in) {
    Entries result;
    for (std::size_t i = 0; i < in.inputCount(); ++i) {
        const auto part = in.entries(i);
        const auto length = in.length(i);
        if (!length || result.size() + *length > kMaxLength) return std::nullopt;
        if (part) {
            result.insert(result.end(), part->begin(), part->end());
        } else {
            result.resize(result.size() + *length, kUnknownEntry);
        }
    }
    return result;
}

std::optional<Entries> sliced(const Inference& in) {
    const auto data = in.entries(0);
    const auto starts = integersFrom(in, "starts", 1, 10);
    const auto ends = integersFrom(in, "ends", 2, 10);
    const auto steps = in.opset() < 10 ? std::optional<Entries>(Entries{}) : integersFrom(in, "steps", 4, 10);
    if (!data || !in.shape(0) || in.shape(0)->size() != 1) return std::nullopt;
    if (!starts || !ends || !steps || starts->size() != 1 || ends->size() != 1) return std::nullopt;
    const auto size = static_cast<std::int64_t>(data->size());
    const auto step = steps->empty() ? 1 : steps->front();
    const auto count = sliceCount(size, starts->front(), ends->front(), step);
    auto position = starts->front() < 0 ? starts->front() + size : starts->front();
    position =
        step > 0 ? std::clamp<std::int64_t>(position, 0, size) : std::clamp<std::int64_t>(position, -1, size - 1);
    Entries result;
    for (std::int64_t i = 0; i < count; ++i) {
        result.push_back((*data)[static_cast<std::size_t>(position)]);
        if (i + 1 < count) position += step;
    }
    return result;
}

std::optional<Entries> negated(const Inference& in) {
    auto result = in.entries(0);
    if (!result) return result;
    for (auto& entry : *result) {
        if (entry != kUnknownEntry) entry = -entry;
    }
    return result;
}

using Operation = std::optional<std::int64_t> (*)(std::int64_t, std::int64_t);

/// Element by element with a scalar or one-element vector repeated; nullopt from `operation`: unknown.
std::optional<Entries> combined(const Entries& a, const Entries& b, Operation operation) {
    if (a.empty() || b.empty() || (a.size() != b.size() && a.size() != 1 && b.size() != 1)) return std::nullopt;
    Entries result(std::max(a.size(), b.size()), kUnknownEntry);
    for (std::size_t i = 0; i < result.size(); ++i) {
        const auto x = a[a.size() == 1 ? 0 : i];
        const auto y = b[b.size() == 1 ? 0 : i];
        if (x == kUnknownEntry || y == kUnknownEntry) continue;
        result[i] = operation(x, y).value_or(kUnknownEntry);
    }
    return result;
}

std::optional<std::int64_t> sum(std::int64_t a, std::int64_t b) {
    std::int64_t result = 0;
    return __builtin_add_overflow(a, b, &result) ? std::nullopt : std::optional(result);
}

std::optional<std::int64_t> difference(std::int64_t a, std::int64_t b) {
    std::int64_t result = 0;
    return __builtin_sub_overflow(a, b, &result) ? std::nullopt : std::optional(result);
}

std::optional<std::int64_t> product(std::int64_t a, std::int64_t b) {
    std::int64_t result = 0;
    return __builtin_mul_overflow(a, b, &result) ? std::nullopt : std::optional(result);
}

std::optional<std::int64_t> quotient(std::int64_t a, std::int64_t b) {
    return b == 0 || b == -1 ? (b == 0 ? std::nullopt : difference(0, a)) : std::optional(a / b);
}

std::optional<std::int64_t> smaller(std::int64_t a, std::int64_t b) {
    return std::min(a, b);
}
std::optional<std::int64_t> larger(std::int64_t a, std::int64_t b) {
    return std::max(a, b);
}
std::optional<std::int64_t> isEqual(std::int64_t a, std::int64_t b) {
    return a == b ? 1 : 0;
}

template <Operation operation>
std::optional<Entries> arithmetic(const Inference& in) {
    const auto a = in.entries(0);
    const auto b = in.entries(1);
    if (!a || !b || in.inputCount() != 2) return std::nullopt;
    return combined(*a, *b, operation);
}

std::optional<Entries> chosen(const Inference& in) {
    const auto condition = in.entries(0);
    const auto a = in.entries(1);
    const auto b = in.entries(2);
    if (!condition || !a || !b) return std::nullopt;
    const auto size = std::max({condition->size(), a->size(), b->size()});
    const auto at = [size](const Entries& list, std::size_t i) {
        if (list.size() == 1) return list.front();
        return list.size() == size ? list[i] : kUnknownEntry;
    };
    Entries result;
    for (std::size_t i = 0; i < size; ++i) {
        const auto isFirst = at(*condition, i);
        result.push_back(isFirst == kUnknownEntry ? kUnknownEntry : at(isFirst != 0 ? *a : *b, i));
    }
    return result;
}

std::optional<Entries> multiplied(const Inference& in) {
    const auto data = in.integers(0);
    if (!data || !in.shape(0) || in.shape(0)->size() != 1) return std::nullopt;
    std::int64_t result = 1;
    for (const auto entry : *data) {
        const auto next = product(result, entry);
        if (!next) return std::nullopt;
        result = *next;
    }
    return Entries{result};
}

using EntriesFunction = std::optional<Entries> (*)(const Inference&);

EntriesFunction findEntriesFunction(std::string_view opType) {
    static const std::unordered_map<std::string_view, EntriesFunction> kTable{
        {"Identity", copied},
        {"Cast", copied},
        {"Neg", negated},
        {"Squeeze", copied},
        {"Unsqueeze", copied},
        {"Reshape", copied},
        {"Flatten", copied},
        {"Gather", gathered},
        {"Concat", concatenated},
        {"Slice", sliced},
        {"Add", arithmetic<sum>},
        {"Sub", arithmetic<difference>},
        {"Mul", arithmetic<product>},
        {"Div", arithmetic<quotient>},
        {"Min", arithmetic<smaller>},
        {"Max", arithmetic<larger>},
        {"Equal", arithmetic<isEqual>},
        {"Where", chosen},
        {"ReduceProd", multiplied},
    };
    const auto found = kTable.find(opType);
    return found == kTable.end() ? nullptr : found->second;
}

Tensor tensorOf(const Entries& entries, DType type, const Shape& shape) {
    Tensor tensor(type, shape);
    if (type == DType::Int64) {
        std::ranges::copy(entries, tensor.mutableData<std::int64_t>().begin());
    } else if (type == DType::Int32) {
        std::ranges::transform(entries, tensor.mutableData<std::int32_t>().begin(),
                               [](std::int64_t v) { return static_cast<std::int32_t>(v); });
    } else {
        std::ranges::transform(entries, tensor.mutableBytes().begin(),
                               [](std::int64_t v) { return static_cast<std::byte>(v); });
    }
    return tensor;
}

/// Concat of short constant vectors of any type: scales of Resize are often written so.
std::optional<Tensor> joinedConstants(const Inference& in) {
    std::vector<std::byte> bytes;
    std::int64_t length = 0;
    const DType type = in.type(0);
    for (std::size_t i = 0; i < in.inputCount(); ++i) {
        const Tensor* part = in.constant(i);
        const bool isJoinable = part && part->rank() == 1 && part->dtype() == type && bitWidth(type) >= 8;
        if (!isJoinable || length + part->count() > static_cast<std::int64_t>(kMaxLength)) return std::nullopt;
        bytes.insert(bytes.end(), part->bytes().begin(), part->bytes().end());
        length += part->count();
    }
    Tensor joined(type, {length});
    std::ranges::copy(bytes, joined.mutableBytes().begin());
    return joined;
}

}  // namespace

void propagateEntries(Inference& in) {
    if (in.outputCount() != 1 || in.output(0).constant || in.output(0).entries) return;
    if (in.node().opType == "Concat" && in.inputCount() > 0) {
        if (auto joined = joinedConstants(in)) {
            in.setConstant(0, std::move(*joined));
            return;
        }
    }
    const auto function = findEntriesFunction(in.node().opType);
    if (!function) return;
    Known& output = in.output(0);
    auto entries = function(in);
    if (!entries || entries->size() > kMaxLength || !isVector(output.shape)) return;
    const auto length = output.shape->empty() ? 1 : output.shape->front();
    if (length >= 0 && length != static_cast<std::int64_t>(entries->size())) return;
    bool isComplete = true;
    for (auto& entry : *entries) {
        if (!fitsInto(entry, output.dtype)) entry = kUnknownEntry;
        isComplete = isComplete && entry != kUnknownEntry;
    }
    if (!output.shape->empty()) output.shape->front() = static_cast<std::int64_t>(entries->size());
    if (isComplete && (output.dtype == DType::Int64 || output.dtype == DType::Int32 || output.dtype == DType::Bool)) {
        output.constant = tensorOf(*entries, output.dtype, *output.shape);
    } else {
        output.entries = std::move(entries);
    }
}

}  // namespace equant::shapes
