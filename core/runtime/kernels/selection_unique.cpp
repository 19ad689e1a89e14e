// SPDX-License-Identifier: Apache-2.0
// Unique: the different elements, or the different slices along an axis, with where they come from and how often.
#include "core/runtime/kernels/selection_internal.h"

namespace equant::kernels {
namespace {

struct Groups {
    std::vector<std::int64_t> first;    ///< by group: index of its first member
    std::vector<std::int64_t> groupOf;  ///< by member
    std::vector<std::int64_t> counts;   ///< by group
};

/// NaN counts as the largest value and equals itself, so that the order is total.
template <typename T>
int compare(T a, T b) {
    if constexpr (std::is_floating_point_v<T>) {
        if (std::isnan(a) || std::isnan(b)) return int{std::isnan(a)} - int{std::isnan(b)};
    }
    return a < b ? -1 : int{b < a};
}

/// Members [0, n) grouped by equality; groups in the order of `isLess`, or of their first members.
template <typename Less>
Groups groupEqual(std::int64_t n, bool isSorted, const Less& isLess) {
    std::vector<std::int64_t> order(static_cast<std::size_t>(n));
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), isLess);
    std::vector<std::vector<std::int64_t>> members;
    for (const std::int64_t i : order) {
        if (members.empty() || isLess(members.back().front(), i)) members.emplace_back();
        members.back().push_back(i);
    }
    if (!isSorted) std::ranges::sort(members, {}, [](const auto& group) { return group.front(); });
    Groups groups{{}, std::vector<std::int64_t>(order.size()), {}};
    for (const auto& group : members) {
        for (const std::int64_t i : group)
            groups.groupOf[static_cast<std::size_t>(i)] = static_cast<std::int64_t>(groups.first.size());
        groups.first.push_back(group.front());
        groups.counts.push_back(static_cast<std::int64_t>(group.size()));
    }
    return groups;
}

Status writeIndices(const std::vector<std::int64_t>& values, std::size_t index, KernelOutputs& outputs) {
    auto out = makeOutputAs<std::int64_t>(outputs, index, {static_cast<std::int64_t>(values.size())});
    if (!out) return fail(std::move(out.error()));
    if (*out != nullptr) std::ranges::copy(values, *out);
    return {};
}

Result<Kernel> makeUnique(const Node& node, std::int64_t) {
    const bool hasAxis = node.attribute("axis") != nullptr;
    const std::int64_t axis = node.intAttribute("axis", 0);
    const bool isSorted = node.intAttribute("sorted", 1) != 0;
    return makeChecked(1, [=](const Inputs& inputs, KernelOutputs& outputs) -> Status {
        const TensorView& x = inputs[0];
        const auto normal = hasAxis ? normalizeAxis(axis, rankOf(x)) : Result<std::int64_t>(0);
        if (!normal) return fail(normal.error());
        const AxisSplit split = hasAxis ? splitAt(x.shape, *normal) : AxisSplit{1, x.count(), 1};
        return dispatch(NumberAndBoolTypes{}, x.dtype, [&]<typename T>() -> Status {
            const T* in = x.as<T>();
            const auto at = [&](std::int64_t o, std::int64_t member) {
                return (o * split.extent + member) * split.inner;
            };
            const auto isLess = [&](std::int64_t a, std::int64_t b) {
                for (std::int64_t o = 0; o < split.outer; ++o) {
                    for (std::int64_t i = 0; i < split.inner; ++i) {
                        const T left = in[at(o, a) + i], right = in[at(o, b) + i];
                        if (const int order = compare(left, right); order != 0) return order < 0;
                    }
                }
                return false;
            };
            const Groups groups = groupEqual(split.extent, isSorted, isLess);
            Shape shape = hasAxis ? shapeOf(x) : Shape{0};
            shape[static_cast<std::size_t>(*normal)] = static_cast<std::int64_t>(groups.first.size());
            auto out = makeOutputAs<T>(outputs, 0, shape);
            if (!out) return fail(std::move(out.error()));
            for (std::int64_t o = 0; *out != nullptr && o < split.outer; ++o) {
                for (const std::int64_t member : groups.first) {
                    std::copy_n(in + at(o, member), split.inner, *out);
                    *out += split.inner;
                }
            }
            if (auto status = writeIndices(groups.first, 1, outputs); !status) return status;
            if (auto status = writeIndices(groups.groupOf, 2, outputs); !status) return status;
            return writeIndices(groups.counts, 3, outputs);
        });
    });
}

constexpr KernelEntry kSelectionUniqueKernels[] = {{"Unique", halfToo<&makeUnique>}};

}  // namespace

std::span<const KernelEntry> uniqueKernels() {
    return kSelectionUniqueKernels;
}

}  // namespace equant::kernels
