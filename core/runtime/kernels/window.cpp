// SPDX-License-Identifier: Apache-2.0
#include "core/runtime/kernels/window_internal.h"

namespace equant::kernels {

Result<WindowAttributes> windowAttributes(const Node& node) {
    WindowAttributes attributes;
    attributes.kernel = node.intsAttribute("kernel_shape");
    attributes.strides = node.intsAttribute("strides");
    attributes.dilations = node.intsAttribute("dilations");
    attributes.pads = node.intsAttribute("pads");
    attributes.isCeil = node.intAttribute("ceil_mode", 0) != 0;
    const auto mode = node.stringAttribute("auto_pad", "NOTSET");
    if (mode == "VALID") {
        attributes.autoPad = AutoPad::Valid;
    } else if (mode == "SAME_UPPER") {
        attributes.autoPad = AutoPad::SameUpper;
    } else if (mode == "SAME_LOWER") {
        attributes.autoPad = AutoPad::SameLower;
    } else if (mode != "NOTSET" && !mode.empty()) {
        return unsupported("auto_pad \"{}\" is not known.", mode);
    }
    return attributes;
}

Shape Window::outputShape(std::int64_t n, std::int64_t c) const {
    Shape shape{n, c};
    shape.insert(shape.end(), out.end() - std::min<std::int64_t>(spatialRank, 3), out.end());
    return shape;
}

std::pair<std::int64_t, std::int64_t> Window::validRange(std::size_t axis, std::int64_t k) const {
    // Output o reads input o * stride + shift.
    const std::int64_t shift = k * dilation[axis] - before[axis];
    const std::int64_t first = shift >= 0 ? 0 : (-shift + stride[axis] - 1) / stride[axis];
    const std::int64_t room = in[axis] - shift;
    const std::int64_t last = room <= 0 ? 0 : (room - 1) / stride[axis] + 1;
    return {std::min(first, out[axis]), std::max(std::min(last, out[axis]), std::min(first, out[axis]))};
}

namespace {

constexpr std::int64_t kMaxExtent = std::int64_t{1} << 31;

/// Everything but padding and output extents.
Result<Window> baseWindow(const WindowAttributes& attributes, Dims input, Dims kernel) {
    const std::size_t spatial = input.size() < 2 ? 0 : input.size() - 2;
    if (spatial < 1 || spatial > 3) {
        return unsupported("An input of shape {} is not supported: one to three spatial axes are.", show(input));
    }
    const Dims extents = kernel.empty() ? Dims(attributes.kernel) : kernel;
    const auto fits = [&](const std::vector<std::int64_t>& list, std::size_t count) {
        return list.empty() || list.size() == count;
    };
    if (extents.size() != spatial || !fits(attributes.strides, spatial) || !fits(attributes.dilations, spatial) ||
        !fits(attributes.pads, 2 * spatial)) {
        return invalid("The window attributes do not fit an input of shape {}.", show(input));
    }
    Window window;
    window.spatialRank = static_cast<std::int64_t>(spatial);
    const std::size_t lead = 3 - spatial;
    for (std::size_t i = 0; i < spatial; ++i) {
        window.in[lead + i] = input[2 + i];
        window.kernel[lead + i] = extents[i];
        if (!attributes.strides.empty()) window.stride[lead + i] = attributes.strides[i];
        if (!attributes.dilations.empty()) window.dilation[lead + i] = attributes.dilations[i];
        if (!attributes.pads.empty() && attributes.autoPad == AutoPad::NotSet) {
            window.before[lead + i] = attributes.pads[i];
            window.after[lead + i] = attributes.pads[spatial + i];
        }
    }
    for (std::size_t axis = 0; axis < 3; ++axis) {
        const auto isBad = [](std::int64_t value, std::int64_t least) { return value < least || value > kMaxExtent; };
        if (isBad(window.kernel[axis], 1) || isBad(window.stride[axis], 1) || isBad(window.dilation[axis], 1) ||
            isBad(window.before[axis], 0) || isBad(window.after[axis], 0) || isBad(window.in[axis], 0) ||
            window.kernel[axis] * window.dilation[axis] > kMaxExtent) {
            return invalid("A window has a kernel, stride, dilation or padding out of range.");
        }
    }
    return window;
}

void splitPadding(Window& window, std::size_t axis, std::int64_t total, bool isMoreAtEnd) {
    const std::int64_t less = total / 2;
    window.before[axis] = isMoreAtEnd ? less : total - less;
    window.after[axis] = isMoreAtEnd ? total - less : less;
}

}  // namespace

Result<Window> resolveWindow(const WindowAttributes& attributes, Dims input, Dims kernel) {
    auto window = baseWindow(attributes, input, kernel);
    if (!window) return window;
    const bool isSame = attributes.autoPad == AutoPad::SameUpper || attributes.autoPad == AutoPad::SameLower;
    for (std::size_t axis = 0; axis < 3; ++axis) {
        const std::int64_t in = window->in[axis];
        const std::int64_t stride = window->stride[axis];
        if (isSame && axis + static_cast<std::size_t>(window->spatialRank) >= 3) {
            window->out[axis] = (in + stride - 1) / stride;
            const std::int64_t total =
                std::max<std::int64_t>(0, (window->out[axis] - 1) * stride + window->reach(axis) - in);
            splitPadding(*window, axis, total, attributes.autoPad == AutoPad::SameUpper);
            continue;
        }
        const std::int64_t room = in + window->before[axis] + window->after[axis] - window->reach(axis);
        if (room < 0)
            return invalid("A window of {} does not fit an input of shape {}.", window->reach(axis), show(input));
        window->out[axis] = (attributes.isCeil ? room + stride - 1 : room) / stride + 1;
        // A window that would begin in the padding behind the input does not count.
        if (attributes.isCeil && (window->out[axis] - 1) * stride >= in + window->before[axis]) --window->out[axis];
    }
    return window;
}

Result<Window> resolveTransposedWindow(const WindowAttributes& attributes, Dims input, Dims kernel,
                                       const std::vector<std::int64_t>& outputPadding,
                                       const std::vector<std::int64_t>& outputShape) {
    auto window = baseWindow(attributes, input, kernel);
    if (!window) return window;
    const auto spatial = static_cast<std::size_t>(window->spatialRank);
    // Some exporters write the whole output shape, batch and channels included.
    const std::size_t skip = outputShape.size() == spatial + 2 ? 2 : 0;
    if ((!outputPadding.empty() && outputPadding.size() != spatial) ||
        (!outputShape.empty() && outputShape.size() != spatial + skip)) {
        return invalid("output_padding or output_shape does not fit an input of shape {}.", show(input));
    }
    const bool isSame = attributes.autoPad == AutoPad::SameUpper || attributes.autoPad == AutoPad::SameLower;
    for (std::size_t i = 0; i < spatial; ++i) {
        const std::size_t axis = 3 - spatial + i;
        const std::int64_t extra = outputPadding.empty() ? 0 : outputPadding[i];
        const std::int64_t full = window->stride[axis] * (window->in[axis] - 1) + extra + window->reach(axis);
        if (!outputShape.empty() || isSame) {
            window->out[axis] = outputShape.empty() ? window->in[axis] * window->stride[axis] : outputShape[skip + i];
            const std::int64_t total = std::max<std::int64_t>(0, full - window->out[axis]);
            splitPadding(*window, axis, total, attributes.autoPad == AutoPad::SameUpper);
        } else {
            window->out[axis] = full - window->before[axis] - window->after[axis];
        }
        if (window->out[axis] < 0 || extra < 0) {
            return invalid("The padding leaves nothing of the output for an input of shape {}.", show(input));
        }
    }
    return window;
}

Window globalWindow(Dims input) {
    Window window;
    window.spatialRank = static_cast<std::int64_t>(input.size()) - 2;
    window.in[2] = window.kernel[2] = product(input.subspan(2));
    return window;
}

}  // namespace equant::kernels
