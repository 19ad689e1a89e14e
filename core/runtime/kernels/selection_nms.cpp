// SPDX-License-Identifier: Apache-2.0
// NonMaxSuppression: boxes in order of falling score, each kept unless it overlaps a kept one too much.
#include "core/runtime/kernels/selection_internal.h"

namespace equant::kernels {
namespace {

struct Box {
    float top, left, bottom, right;
};

/// Boxes come as two opposite corners (y, x, y, x) in any order, or as centre and size (x, y, width, height).
Box readBox(const float* values, bool isCentred) {
    if (isCentred) {
        const float halfWidth = values[2] / 2, halfHeight = values[3] / 2;
        return {values[1] - halfHeight, values[0] - halfWidth, values[1] + halfHeight, values[0] + halfWidth};
    }
    return {std::min(values[0], values[2]), std::min(values[1], values[3]), std::max(values[0], values[2]),
            std::max(values[1], values[3])};
}

float overlap(const Box& a, const Box& b) {
    const float height = std::min(a.bottom, b.bottom) - std::max(a.top, b.top);
    const float width = std::min(a.right, b.right) - std::max(a.left, b.left);
    if (height <= 0 || width <= 0) return 0;
    const auto area = [](const Box& box) { return (box.bottom - box.top) * (box.right - box.left); };
    const float together = area(a) + area(b) - height * width;
    return together > 0 ? height * width / together : 0;
}

struct Limits {
    std::int64_t perClass = 0;
    float overlap = 0;
    float score = -std::numeric_limits<float>::infinity();
    bool isCentred = false;
};

/// Indices of the boxes kept for one class of one image.
std::vector<std::int64_t> keepBoxes(const float* boxes, const float* scores, std::int64_t count, const Limits& limits) {
    std::vector<std::int64_t> order;
    for (std::int64_t i = 0; i < count; ++i) {
        if (scores[i] > limits.score) order.push_back(i);
    }
    std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return scores[a] > scores[b]; });
    std::vector<std::int64_t> kept;
    for (const auto candidate : order) {
        if (static_cast<std::int64_t>(kept.size()) >= limits.perClass) break;
        const Box box = readBox(boxes + candidate * 4, limits.isCentred);
        const bool isFree = std::none_of(kept.begin(), kept.end(), [&](std::int64_t other) {
            return overlap(box, readBox(boxes + other * 4, limits.isCentred)) > limits.overlap;
        });
        if (isFree) kept.push_back(candidate);
    }
    return kept;
}

/// Inputs: boxes [N, B, 4], scores [N, C, B], and optionally limits; output rows [image, class, box].
Result<Kernel> makeNonMaxSuppression(const Node& node, std::int64_t) {
    const bool isCentred = node.intAttribute("center_point_box", 0) != 0;
    return makeChecked(2, [isCentred](const Inputs& inputs, KernelOutputs& outputs) -> Status {
        const TensorView& boxes = inputs[0];
        const TensorView& scores = inputs[1];
        const bool fits = boxes.dtype == DType::Float && scores.dtype == DType::Float && boxes.shape.size() == 3 &&
                          scores.shape.size() == 3 && boxes.shape[2] == 4 && boxes.shape[0] == scores.shape[0] &&
                          boxes.shape[1] == scores.shape[2];
        if (!fits) return invalid("Boxes {} and scores {} do not fit together.", show(boxes.shape), show(scores.shape));
        Limits limits;
        limits.isCentred = isCentred;
        for (std::size_t slot = 2; slot < 5; ++slot) {
            if (!inputs.has(slot)) continue;
            const auto value = readNumbers(inputs[slot]);
            if (!value) return fail(value.error());
            if (value->size() != 1) return invalid("A limit of NonMaxSuppression is not a single number.");
            if (slot == 2) limits.perClass = saturated<std::int64_t>(value->front());
            if (slot == 3) limits.overlap = static_cast<float>(value->front());
            if (slot == 4) limits.score = static_cast<float>(value->front());
        }
        std::vector<std::int64_t> rows;
        const std::int64_t classes = scores.shape[1], count = boxes.shape[1];
        for (std::int64_t n = 0; n < boxes.shape[0]; ++n) {
            for (std::int64_t c = 0; c < classes; ++c) {
                const float* own = scores.as<float>() + (n * classes + c) * count;
                for (const auto box : keepBoxes(boxes.as<float>() + n * count * 4, own, count, limits)) {
                    rows.insert(rows.end(), {n, c, box});
                }
            }
        }
        auto out = makeOutputAs<std::int64_t>(outputs, 0, {static_cast<std::int64_t>(rows.size()) / 3, 3});
        if (!out) return fail(std::move(out.error()));
        if (*out != nullptr) std::copy(rows.begin(), rows.end(), *out);
        return {};
    });
}

constexpr KernelEntry kSelectionNmsKernels[] = {{"NonMaxSuppression", makeNonMaxSuppression}};

}  // namespace

std::span<const KernelEntry> nmsKernels() {
    return kSelectionNmsKernels;
}

}  // namespace equant::kernels
