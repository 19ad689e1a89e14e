// SPDX-License-Identifier: Apache-2.0
// Sampling of images at positions that are data: GridSample (opset 16) and RoiAlign (opset 10, 16).
#include "core/runtime/kernels/resize_internal.h"
#include "core/runtime/kernels/support_internal.h"

namespace equant::kernels {
namespace {

// --- GridSample --------------------------------------------------------------------------------------------------

enum class Padding { Zeros, Border, Reflection };
enum class Sampling { Nearest, Linear, Cubic };

struct GridAttributes {
    Sampling sampling = Sampling::Linear;
    Padding padding = Padding::Zeros;
    bool alignsCorners = false;
};

/// Position in pixels of a coordinate in [-1, 1].
double pixelPosition(double coordinate, std::int64_t extent, bool alignsCorners) {
    const auto size = static_cast<double>(extent);
    return alignsCorners ? (coordinate + 1) / 2 * (size - 1) : ((coordinate + 1) * size - 1) / 2;
}

/// The position mirrored at the borders of the image until it lies inside.
double reflected(double x, std::int64_t extent, bool alignsCorners) {
    const double low = alignsCorners ? 0 : -0.5;
    const double high = alignsCorners ? static_cast<double>(extent) - 1 : static_cast<double>(extent) - 0.5;
    const double range = high - low;
    if (range <= 0) return 0;
    double folded = std::fmod(x - low, 2 * range);
    if (folded < 0) folded += 2 * range;
    return low + (folded > range ? 2 * range - folded : folded);
}

/// Index of the pixel that a position refers to, or -1 for zero padding outside.
std::int64_t pixelIndex(double position, std::int64_t extent, const GridAttributes& attributes) {
    const double last = static_cast<double>(extent) - 1;
    if (attributes.padding == Padding::Reflection) position = reflected(position, extent, attributes.alignsCorners);
    if (attributes.padding == Padding::Zeros) {
        return position >= 0 && position <= last ? static_cast<std::int64_t>(position) : -1;
    }
    return static_cast<std::int64_t>(std::clamp(std::nearbyint(position), 0.0, last));
}

struct AxisTaps {
    std::array<std::int64_t, 4> index{};
    std::array<double, 4> weight{};
    std::size_t count = 0;
};

AxisTaps axisTaps(double coordinate, std::int64_t extent, const GridAttributes& attributes) {
    AxisTaps taps;
    double x = pixelPosition(coordinate, extent, attributes.alignsCorners);
    if (!std::isfinite(x)) x = attributes.padding == Padding::Zeros ? -10 : 0;  // NaN and infinities see the padding
    x = std::clamp(x, -1e9, 1e9);
    if (attributes.padding == Padding::Reflection) x = reflected(x, extent, attributes.alignsCorners);
    if (attributes.padding == Padding::Border && attributes.sampling != Sampling::Cubic) {
        x = std::clamp(x, 0.0, static_cast<double>(extent) - 1);
    }
    const auto add = [&](double position, double weight) {
        taps.index[taps.count] = pixelIndex(position, extent, attributes);
        taps.weight[taps.count++] = weight;
    };
    const double whole = std::floor(x);
    const double t = x - whole;
    if (attributes.sampling == Sampling::Nearest) {
        add(std::nearbyint(x), 1);
    } else if (attributes.sampling == Sampling::Linear) {
        add(whole, 1 - t);
        add(whole + 1, t);
    } else {
        constexpr double kA = -0.75;
        const auto near = [](double d) { return ((kA + 2) * d - (kA + 3)) * d * d + 1; };
        const auto far = [](double d) { return ((kA * d - 5 * kA) * d + 8 * kA) * d - 4 * kA; };
        add(whole - 1, far(t + 1));
        add(whole, near(t));
        add(whole + 1, near(1 - t));
        add(whole + 2, far(2 - t));
    }
    return taps;
}

template <typename T>
void sampleImage(const TensorView& x, const T* grid, std::int64_t points, const GridAttributes& attributes,
                 const T* image, T* out) {
    const std::int64_t channels = x.shape[1], height = x.shape[2], width = x.shape[3];
    for (std::int64_t p = 0; p < points; ++p) {
        const AxisTaps column = axisTaps(static_cast<double>(grid[2 * p]), width, attributes);
        const AxisTaps row = axisTaps(static_cast<double>(grid[2 * p + 1]), height, attributes);
        for (std::int64_t c = 0; c < channels; ++c) {
            const T* plane = image + c * height * width;
            double sum = 0;
            for (std::size_t i = 0; i < row.count; ++i) {
                for (std::size_t j = 0; j < column.count; ++j) {
                    if (row.index[i] < 0 || column.index[j] < 0) continue;
                    sum += row.weight[i] * column.weight[j] *
                           static_cast<double>(plane[row.index[i] * width + column.index[j]]);
                }
            }
            out[c * points + p] = static_cast<T>(sum);
        }
    }
}

Result<GridAttributes> gridAttributes(const Node& node) {
    GridAttributes attributes;
    attributes.alignsCorners = node.intAttribute("align_corners", 0) != 0;
    const auto mode = node.stringAttribute("mode", "bilinear");
    const auto padding = node.stringAttribute("padding_mode", "zeros");
    if (mode == "nearest") {
        attributes.sampling = Sampling::Nearest;
    } else if (mode == "bicubic" || mode == "cubic") {
        attributes.sampling = Sampling::Cubic;
    } else if (mode != "bilinear" && mode != "linear") {
        return unsupported("GridSample does not know the mode \"{}\".", mode);
    }
    if (padding == "border") {
        attributes.padding = Padding::Border;
    } else if (padding == "reflection") {
        attributes.padding = Padding::Reflection;
    } else if (padding != "zeros") {
        return unsupported("GridSample does not know the padding \"{}\".", padding);
    }
    return attributes;
}

/// Inputs: x [N, C, H, W], grid [N, h, w, 2] of (x, y) in [-1, 1].
Result<Kernel> makeGridSample(const Node& node, std::int64_t) {
    const auto attributes = gridAttributes(node);
    if (!attributes) return fail(attributes.error());
    return makeChecked(2, [attributes = *attributes](const Inputs& inputs, KernelOutputs& outputs) -> Status {
        const TensorView& x = inputs[0];
        const TensorView& grid = inputs[1];
        if (x.shape.size() != 4 || grid.shape.size() != 4)
            return unsupported("GridSample is supported for images only.");
        if (grid.shape[0] != x.shape[0] || grid.shape[3] != 2 || grid.dtype != x.dtype) {
            return invalid("A grid of shape {} does not fit images of shape {}.", show(grid.shape), show(x.shape));
        }
        const std::int64_t points = grid.shape[1] * grid.shape[2];
        const std::int64_t plane = x.shape[1] * x.shape[2] * x.shape[3];
        if (x.shape[2] * x.shape[3] == 0) return invalid("GridSample of empty images is undefined.");
        return dispatch(FloatTypes{}, x.dtype, [&]<typename T>() -> Status {
            auto out = makeOutputAs<T>(outputs, 0, {x.shape[0], x.shape[1], grid.shape[1], grid.shape[2]});
            if (!out) return fail(std::move(out.error()));
            if (*out == nullptr) return {};
            for (std::int64_t n = 0; n < x.shape[0]; ++n) {
                sampleImage(x, grid.as<T>() + n * points * 2, points, attributes, x.as<T>() + n * plane,
                            *out + n * x.shape[1] * points);
            }
            return {};
        });
    });
}

// --- RoiAlign ----------------------------------------------------------------------------------------------------

struct RoiAttributes {
    bool isMax = false;
    float offset = 0;  ///< half a pixel in the newer transformation mode
    std::int64_t height = 1, width = 1, samples = 0;
    float scale = 1;
};

/// The four weighted neighbours of a position; none outside by more than a pixel.
AxisTaps roiTaps(float y, std::int64_t extent) {
    AxisTaps taps;
    if (!(y >= -1 && y <= static_cast<float>(extent))) return taps;
    y = std::max(y, 0.0F);
    auto low = static_cast<std::int64_t>(y);
    auto high = low + 1;
    if (low >= extent - 1) {
        low = high = extent - 1;
        y = static_cast<float>(low);
    }
    const auto t = static_cast<double>(y - static_cast<float>(low));
    taps.index = {low, high, 0, 0};
    taps.weight = {1 - t, t, 0, 0};
    taps.count = 2;
    return taps;
}

/// One output element: mean or maximum over a grid of samples inside its bin.
float poolBin(const RoiAttributes& attributes, const std::vector<AxisTaps>& rows, const std::vector<AxisTaps>& columns,
              const float* plane, std::int64_t width) {
    double sum = 0;
    double best = -std::numeric_limits<double>::infinity();
    for (const auto& row : rows) {
        for (const auto& column : columns) {
            double sample = 0;
            double largest = row.count * column.count == 0 ? 0 : -std::numeric_limits<double>::infinity();
            for (std::size_t i = 0; i < row.count; ++i) {
                for (std::size_t j = 0; j < column.count; ++j) {
                    const double value = row.weight[i] * column.weight[j] *
                                         static_cast<double>(plane[row.index[i] * width + column.index[j]]);
                    sample += value;
                    largest = std::max(largest, value);
                }
            }
            sum += sample;
            best = std::max(best, largest);
        }
    }
    const auto count = static_cast<double>(rows.size() * columns.size());
    return static_cast<float>(attributes.isMax ? best : (count > 0 ? sum / count : 0));
}

void alignRoi(const RoiAttributes& attributes, const TensorView& x, const float* roi, const float* image, float* out) {
    const std::int64_t height = x.shape[2], width = x.shape[3];
    const auto edge = [&](std::size_t i) { return roi[i] * attributes.scale - attributes.offset; };
    float roiWidth = edge(2) - edge(0), roiHeight = edge(3) - edge(1);
    if (attributes.offset == 0) roiWidth = std::max(roiWidth, 1.0F), roiHeight = std::max(roiHeight, 1.0F);
    const auto taps = [&](float start, float extent, std::int64_t bins, std::int64_t bin, std::int64_t limit) {
        const float size = extent / static_cast<float>(bins);
        const auto samples = attributes.samples > 0
                                 ? attributes.samples
                                 : static_cast<std::int64_t>(std::ceil(std::clamp(size, 0.0F, 1e4F)));
        std::vector<AxisTaps> result;
        for (std::int64_t i = 0; i < samples; ++i) {
            const float within = (static_cast<float>(i) + 0.5F) / static_cast<float>(samples);
            result.push_back(roiTaps(start + (static_cast<float>(bin) + within) * size, limit));
        }
        return result;
    };
    std::vector<std::vector<AxisTaps>> columns;
    for (std::int64_t b = 0; b < attributes.width; ++b)
        columns.push_back(taps(edge(0), roiWidth, attributes.width, b, width));
    for (std::int64_t b = 0; b < attributes.height; ++b) {
        const auto rows = taps(edge(1), roiHeight, attributes.height, b, height);
        for (std::int64_t c = 0; c < x.shape[1]; ++c) {
            for (std::size_t a = 0; a < columns.size(); ++a) {
                const std::int64_t at = (c * attributes.height + b) * attributes.width + static_cast<std::int64_t>(a);
                out[at] = poolBin(attributes, rows, columns[a], image + c * height * width, width);
            }
        }
    }
}

/// Inputs: x [N, C, H, W], rois [R, 4] as (x1, y1, x2, y2), batch index per roi. Source: He et al., Mask R-CNN, 2017.
Result<Kernel> makeRoiAlign(const Node& node, std::int64_t opset) {
    RoiAttributes attributes;
    attributes.isMax = node.stringAttribute("mode", "avg") == "max";
    const auto mode =
        node.stringAttribute("coordinate_transformation_mode", opset < 16 ? "output_half_pixel" : "half_pixel");
    attributes.offset = mode == "half_pixel" ? 0.5F : 0;
    attributes.height = node.intAttribute("output_height", 1);
    attributes.width = node.intAttribute("output_width", 1);
    attributes.samples = node.intAttribute("sampling_ratio", 0);
    attributes.scale = node.floatAttribute("spatial_scale", 1);
    if (attributes.height < 1 || attributes.width < 1 || attributes.samples < 0 || attributes.samples > 1024) {
        return unsupported("RoiAlign to {} x {} bins is not possible.", attributes.height, attributes.width);
    }
    return makeChecked(3, [attributes](const Inputs& inputs, KernelOutputs& outputs) -> Status {
        const TensorView& x = inputs[0];
        const TensorView& rois = inputs[1];
        if (x.dtype != DType::Float || rois.dtype != DType::Float)
            return unsupported("RoiAlign is supported for float.");
        const auto batch = readIntegers(inputs[2]);
        if (!batch) return fail(batch.error());
        if (x.shape.size() != 4 || rois.shape.size() != 2 || rois.shape[1] != 4 || inputs[2].count() != rois.shape[0] ||
            x.shape[2] * x.shape[3] == 0) {
            return invalid("Regions of shape {} do not fit images of shape {}.", show(rois.shape), show(x.shape));
        }
        auto out = makeOutputAs<float>(outputs, 0, {rois.shape[0], x.shape[1], attributes.height, attributes.width});
        if (!out) return fail(std::move(out.error()));
        if (*out == nullptr) return {};
        const std::int64_t image = product(x.shape.subspan(1));
        for (std::int64_t r = 0; r < rois.shape[0]; ++r) {
            const std::int64_t n = (*batch)[static_cast<std::size_t>(r)];
            if (n < 0 || n >= x.shape[0]) return invalid("Region {} names image {} of {}.", r, n, x.shape[0]);
            alignRoi(attributes, x, rois.as<float>() + r * 4, x.as<float>() + n * image,
                     *out + r * x.shape[1] * attributes.height * attributes.width);
        }
        return {};
    });
}

constexpr KernelEntry kResizeSamplingKernels[] = {{"GridSample", halfToo<&makeGridSample>}, {"RoiAlign", makeRoiAlign}};

}  // namespace

std::span<const KernelEntry> samplingKernels() {
    return kResizeSamplingKernels;
}

}  // namespace equant::kernels
