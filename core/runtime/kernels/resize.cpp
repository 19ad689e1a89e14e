// SPDX-License-Identifier: Apache-2.0
// Resize (opset 10 to 19) and Upsample. Every axis gets a table of taps (input index, weight) per output index, so all
// modes are one separable loop. Coordinates are computed in float, as ONNX Runtime does.
#include "core/runtime/kernels/resize_internal.h"

namespace equant {
namespace kernels {
namespace {

enum class Mode { Nearest, Linear, Cubic };

struct ResizeAttributes {
    Mode mode = Mode::Nearest;
    std::string coordinates = "half_pixel";
    std::string nearest = "round_prefer_floor";
    std::string aspect = "stretch";
    float cubicA = -0.75F;
    float extrapolation = 0;
    bool excludesOutside = false;
    bool isAntialiased = false;
    std::vector<std::int64_t> axes;
};

/// How one axis is resized.
struct AxisPlan {
    std::int64_t in = 1;
    std::int64_t out = 1;
    float scale = 1;
    float roiStart = 0;
    float roiEnd = 1;

    [[nodiscard]] bool isIdentity(const std::string& coordinates) const {
        return in == out && scale == 1.0F && coordinates != "tf_crop_and_resize" &&
               coordinates != "tf_half_pixel_for_nn";
    }
};

/// Taps of all output indices of an axis: `count` each.
struct Taps {
    std::size_t count = 1;
    std::vector<std::int64_t> source;
    std::vector<float> weight;
    std::vector<bool> isOutside;  ///< takes the extrapolation value instead; empty: none does
};

float originalCoordinate(const std::string& mode, const AxisPlan& axis, std::int64_t position) {
    const auto x = static_cast<float>(position);
    const auto in = static_cast<float>(axis.in);
    const auto out = static_cast<float>(axis.out);
    if (mode == "asymmetric") return x / axis.scale;
    if (mode == "align_corners") return axis.out == 1 ? 0.0F : x * (in - 1) / (out - 1);
    if (mode == "pytorch_half_pixel") return axis.out > 1 ? (x + 0.5F) / axis.scale - 0.5F : 0.0F;
    if (mode == "tf_half_pixel_for_nn") return (x + 0.5F) / axis.scale;
    if (mode == "tf_crop_and_resize") {
        if (axis.out == 1) return 0.5F * (axis.roiStart + axis.roiEnd) * (in - 1);
        return axis.roiStart * (in - 1) + x * (axis.roiEnd - axis.roiStart) * (in - 1) / (out - 1);
    }
    if (mode == "half_pixel_symmetric") {
        const float adjustment = out / (axis.scale * in);
        return in / 2 * (1 - adjustment) + (x + 0.5F) / axis.scale - 0.5F;
    }
    return (x + 0.5F) / axis.scale - 0.5F;  // half_pixel
}

std::int64_t nearestIndex(const std::string& mode, float x) {
    if (mode == "floor") return static_cast<std::int64_t>(std::floor(x));
    if (mode == "ceil") return static_cast<std::int64_t>(std::ceil(x));
    if (mode == "round_prefer_ceil") return static_cast<std::int64_t>(std::floor(x + 0.5F));
    return static_cast<std::int64_t>(std::ceil(x - 0.5F));
}

/// The interpolation kernel at distance t: a triangle, or Keys' cubic.
float kernelAt(const ResizeAttributes& attributes, float t) {
    t = std::fabs(t);
    if (attributes.mode == Mode::Linear) return std::max(0.0F, 1 - t);
    const float a = attributes.cubicA;
    if (t <= 1) return ((a + 2) * t - (a + 3)) * t * t + 1;
    if (t < 2) return ((a * t - 5 * a) * t + 8 * a) * t - 4 * a;
    return 0;
}

Taps makeTaps(const ResizeAttributes& attributes, const AxisPlan& axis) {
    Taps taps;
    const float shrink = attributes.isAntialiased ? std::min(axis.scale, 1.0F) : 1.0F;
    const float radius = (attributes.mode == Mode::Cubic ? 2.0F : 1.0F) / shrink;
    const auto first = static_cast<std::int64_t>(std::floor(-radius)) + 1;
    taps.count = attributes.mode == Mode::Nearest ? 1 : static_cast<std::size_t>(2 - 2 * first);
    const bool isCrop = attributes.coordinates == "tf_crop_and_resize";
    for (std::int64_t o = 0; o < axis.out; ++o) {
        const float x = originalCoordinate(attributes.coordinates, axis, o);
        if (isCrop) taps.isOutside.push_back(x < 0 || x > static_cast<float>(axis.in - 1));
        if (attributes.mode == Mode::Nearest) {
            taps.source.push_back(std::clamp<std::int64_t>(nearestIndex(attributes.nearest, x), 0, axis.in - 1));
            taps.weight.push_back(1);
            continue;
        }
        const float whole = std::floor(x);
        const float ratio = x - whole;
        float sum = 0;
        const std::size_t begin = taps.weight.size();
        for (std::size_t k = 0; k < taps.count; ++k) {
            const std::int64_t offset = first + static_cast<std::int64_t>(k);
            const std::int64_t at = static_cast<std::int64_t>(whole) + offset;
            const bool isExcluded = attributes.excludesOutside && (at < 0 || at >= axis.in);
            taps.source.push_back(std::clamp<std::int64_t>(at, 0, axis.in - 1));
            taps.weight.push_back(isExcluded ? 0 : kernelAt(attributes, (static_cast<float>(offset) - ratio) * shrink));
            sum += taps.weight.back();
        }
        const bool needsNormalizing = attributes.excludesOutside || shrink < 1;
        for (std::size_t i = begin; needsNormalizing && sum != 0 && i < taps.weight.size(); ++i) taps.weight[i] /= sum;
    }
    return taps;
}

/// One axis of [outer, in, inner] to [outer, out, inner].
template <typename T>
void interpolateAxis(const Taps& taps, const AxisPlan& axis, std::int64_t outer, std::int64_t inner, const T* in,
                     T* out) {
    for (std::int64_t o = 0; o < outer; ++o) {
        for (std::int64_t p = 0; p < axis.out; ++p) {
            T* __restrict target = out + (o * axis.out + p) * inner;
            const std::int64_t* source = taps.source.data() + static_cast<std::size_t>(p) * taps.count;
            const float* weight = taps.weight.data() + static_cast<std::size_t>(p) * taps.count;
            const T* base = in + o * axis.in * inner;
            if (inner == 1) {
                T sum{0};
                for (std::size_t k = 0; k < taps.count; ++k) sum += static_cast<T>(weight[k]) * base[source[k]];
                *target = sum;
                continue;
            }
            std::fill_n(target, inner, T{0});
            for (std::size_t k = 0; k < taps.count; ++k) {
                const T factor = static_cast<T>(weight[k]);
                const T* row = base + source[k] * inner;
                if (factor == T{0}) continue;
                for (std::int64_t i = 0; i < inner; ++i) target[i] += factor * row[i];
            }
        }
    }
}

template <typename T>
void interpolate(const ResizeAttributes& attributes, const std::vector<AxisPlan>& axes, const T* in, T* out,
                 std::int64_t outCount) {
    Shape shape;
    for (const auto& axis : axes) shape.push_back(axis.in);
    std::vector<T> current, next;
    const T* source = in;
    for (std::size_t a = 0; a < axes.size(); ++a) {
        if (axes[a].isIdentity(attributes.coordinates)) continue;
        const AxisSplit split = splitAt(shape, static_cast<std::int64_t>(a));
        next.resize(static_cast<std::size_t>(split.outer * axes[a].out * split.inner));
        interpolateAxis(makeTaps(attributes, axes[a]), axes[a], split.outer, split.inner, source, next.data());
        shape[a] = axes[a].out;
        current.swap(next);
        source = current.data();
    }
    std::copy_n(source, outCount, out);
}

/// Nearest neighbours move elements of any type; equal source rows in a row are copied once.
template <typename T>
void pickNearest(const std::vector<Taps>& taps, const std::vector<AxisPlan>& axes, const T* in, T* out) {
    const std::size_t last = axes.size() - 1;
    Shape inShape, outShape;
    for (const auto& axis : axes) {
        inShape.push_back(axis.in);
        outShape.push_back(axis.out);
    }
    const Shape strides = stridesOf(inShape);
    const std::int64_t width = axes[last].out;
    const std::int64_t* columns = taps[last].source.data();
    Shape index(last, 0);
    std::int64_t previous = -1;
    for (std::int64_t row = 0; row < product(Dims(outShape).first(last)); ++row, out += width) {
        std::int64_t offset = 0;
        for (std::size_t a = 0; a < last; ++a)
            offset += taps[a].source[static_cast<std::size_t>(index[a])] * strides[a];
        if (offset == previous) {
            std::memcpy(out, out - width, static_cast<std::size_t>(width) * sizeof(T));
        } else {
            for (std::int64_t x = 0; x < width; ++x) out[x] = in[offset + columns[x]];
        }
        previous = offset;
        for (std::size_t a = last; a-- > 0;) {
            if (++index[a] < outShape[a]) break;
            index[a] = 0;
        }
    }
}

/// Writes the extrapolation value wherever an axis looks outside its region (tf_crop_and_resize).
template <typename T>
void fillOutside(const std::vector<Taps>& taps, const Shape& shape, T value, T* out) {
    const Shape strides = stridesOf(shape);
    for (std::int64_t i = 0; i < product(shape); ++i) {
        for (std::size_t a = 0; a < shape.size(); ++a) {
            const auto at = static_cast<std::size_t>(i / strides[a] % shape[a]);
            if (!taps[a].isOutside.empty() && taps[a].isOutside[at]) out[i] = value;
        }
    }
}

Result<std::vector<AxisPlan>> planAxes(const ResizeAttributes& attributes, const TensorView& x,
                                       const std::vector<double>& scales, const std::vector<std::int64_t>& sizes,
                                       const std::vector<double>& roi) {
    std::vector<std::int64_t> axes = attributes.axes;
    if (axes.empty()) {
        axes.resize(x.shape.size());
        std::iota(axes.begin(), axes.end(), 0);
    }
    const auto normal = normalizeAxes(axes, rankOf(x));
    if (!normal) return fail(normal.error());
    const std::size_t count = normal->size();
    if ((scales.size() != count && sizes.size() != count) || (!roi.empty() && roi.size() != 2 * count)) {
        return invalid("Resize of {} needs scales or sizes for {} axes.", show(x.shape), count);
    }
    const bool hasSizes = sizes.size() == count && scales.size() != count;
    std::vector<AxisPlan> plans;
    for (const auto dim : x.shape) plans.push_back({dim, dim, 1, 0, 1});
    float common = attributes.aspect == "not_smaller" ? 0.0F : std::numeric_limits<float>::infinity();
    for (std::size_t i = 0; i < count; ++i) {
        AxisPlan& plan = plans[static_cast<std::size_t>((*normal)[i])];
        plan.scale =
            hasSizes ? static_cast<float>(sizes[i]) / static_cast<float>(plan.in) : static_cast<float>(scales[i]);
        if (!roi.empty()) plan.roiStart = static_cast<float>(roi[i]), plan.roiEnd = static_cast<float>(roi[count + i]);
        const float exact = plan.scale * static_cast<float>(plan.in);
        if (plan.in > 0 && !(plan.scale > 0 && exact < 1e9F))
            return invalid("Resize by {} is not possible.", plan.scale);
        plan.out = hasSizes ? sizes[i] : static_cast<std::int64_t>(plan.in == 0 ? 0 : exact);
        common = attributes.aspect == "not_smaller" ? std::max(common, plan.scale) : std::min(common, plan.scale);
        if (plan.in == 0 && plan.out != 0) return invalid("An empty axis cannot be resized to {}.", plan.out);
    }
    for (const auto axis : *normal) {
        if (!hasSizes || attributes.aspect == "stretch") break;
        AxisPlan& plan = plans[static_cast<std::size_t>(axis)];
        plan.scale = common;
        plan.out = static_cast<std::int64_t>(std::floor(common * static_cast<float>(plan.in) + 0.5F));
    }
    return plans;
}

Status resize(const ResizeAttributes& attributes, const TensorView& x, const std::vector<AxisPlan>& axes,
              KernelOutputs& outputs) {
    Shape shape;
    bool isIdentity = true;
    for (const auto& axis : axes) {
        shape.push_back(axis.out);
        isIdentity = isIdentity && axis.isIdentity(attributes.coordinates);
    }
    if (isIdentity) return copyAs(x, shape, outputs);
    auto memory = makeOutput(outputs, 0, x.dtype, shape);
    if (!memory) return fail(std::move(memory.error()));
    const std::int64_t count = product(shape);
    if (*memory == nullptr || count == 0) return {};
    std::vector<Taps> taps;
    const bool isCrop = attributes.coordinates == "tf_crop_and_resize";
    if (attributes.mode == Mode::Nearest || isCrop) {
        for (const auto& axis : axes) taps.push_back(makeTaps(attributes, axis));
    }
    if (attributes.mode == Mode::Nearest) {
        auto status = dispatchBySize(x.dtype, [&]<typename T>() -> Status {
            pickNearest(taps, axes, x.as<T>(), reinterpret_cast<T*>(*memory));
            return {};
        });
        if (!status || !isCrop) return status;
    }
    return dispatch(NumberTypes{}, x.dtype, [&]<typename T>() -> Status {
        using Real = std::conditional_t<std::is_same_v<T, double>, double, float>;
        auto* out = reinterpret_cast<T*>(*memory);
        if (attributes.mode != Mode::Nearest) {
            if constexpr (std::is_floating_point_v<T>) {
                interpolate<T>(attributes, axes, x.as<T>(), out, count);
            } else {
                const std::vector<Real> in(x.as<T>(), x.as<T>() + x.count());
                std::vector<Real> result(static_cast<std::size_t>(count));
                interpolate<Real>(attributes, axes, in.data(), result.data(), count);
                std::transform(result.begin(), result.end(), out, [](Real v) { return saturated<T>(double{v}); });
            }
        }
        if (isCrop) fillOutside(taps, shape, saturated<T>(double{attributes.extrapolation}), out);
        return {};
    });
}

Result<Mode> modeOf(const std::string& mode) {
    if (mode == "nearest") return Mode::Nearest;
    if (mode == "linear" || mode == "bilinear") return Mode::Linear;
    if (mode == "cubic") return Mode::Cubic;
    return unsupported("Resize does not know the mode \"{}\".", mode);
}

Result<Kernel> makeResize(const Node& node, std::int64_t opset) {
    const auto mode = modeOf(node.stringAttribute("mode", "nearest"));
    if (!mode) return fail(mode.error());
    ResizeAttributes attributes;
    attributes.mode = *mode;
    if (opset < 11) {
        attributes.coordinates = "asymmetric";
        attributes.nearest = "floor";
    } else {
        attributes.coordinates = node.stringAttribute("coordinate_transformation_mode", "half_pixel");
        attributes.nearest = node.stringAttribute("nearest_mode", "round_prefer_floor");
        attributes.aspect = node.stringAttribute("keep_aspect_ratio_policy", "stretch");
        attributes.cubicA = node.floatAttribute("cubic_coeff_a", -0.75F);
        attributes.extrapolation = node.floatAttribute("extrapolation_value", 0);
        attributes.excludesOutside = node.intAttribute("exclude_outside", 0) != 0;
        attributes.isAntialiased = node.intAttribute("antialias", 0) != 0;
        attributes.axes = node.intsAttribute("axes");
    }
    constexpr std::string_view kCoordinates[] = {"half_pixel",          "pytorch_half_pixel",   "align_corners",
                                                 "asymmetric",          "tf_half_pixel_for_nn", "tf_crop_and_resize",
                                                 "half_pixel_symmetric"};
    if (std::find(std::begin(kCoordinates), std::end(kCoordinates), attributes.coordinates) == std::end(kCoordinates)) {
        return unsupported("Resize does not know the coordinates \"{}\".", attributes.coordinates);
    }
    const std::size_t scalesSlot = opset < 11 ? 1 : 2;
    return makeChecked(1, [=](const Inputs& inputs, KernelOutputs& outputs) -> Status {
        const auto numbers = [&](std::size_t slot) {
            return inputs.has(slot) ? readNumbers(inputs[slot]) : Result<std::vector<double>>(std::vector<double>{});
        };
        const auto scales = numbers(scalesSlot);
        if (!scales) return fail(scales.error());
        const bool isCrop = attributes.coordinates == "tf_crop_and_resize";
        const auto roi = isCrop ? numbers(1) : Result<std::vector<double>>(std::vector<double>{});
        if (!roi) return fail(roi.error());
        const auto sizes = integersFrom(opset < 11 ? Inputs({}) : inputs, 3, {});
        if (!sizes) return fail(sizes.error());
        const auto axes = planAxes(attributes, inputs[0], *scales, *sizes, *roi);
        if (!axes) return fail(axes.error());
        return resize(attributes, inputs[0], *axes, outputs);
    });
}

/// Upsample: scales are an attribute in opset 7 and an input in 9.
Result<Kernel> makeUpsample(const Node& node, std::int64_t) {
    const auto mode = modeOf(node.stringAttribute("mode", "nearest"));
    if (!mode) return fail(mode.error());
    ResizeAttributes attributes;
    attributes.mode = *mode;
    attributes.coordinates = "asymmetric";
    attributes.nearest = "floor";
    const auto fixed = node.floatsAttribute("scales");
    return makeChecked(1, [=](const Inputs& inputs, KernelOutputs& outputs) -> Status {
        const auto scales = inputs.has(1)
                                ? readNumbers(inputs[1])
                                : Result<std::vector<double>>(std::vector<double>(fixed.begin(), fixed.end()));
        if (!scales) return fail(scales.error());
        const auto axes = planAxes(attributes, inputs[0], *scales, {}, {});
        if (!axes) return fail(axes.error());
        return resize(attributes, inputs[0], *axes, outputs);
    });
}

constexpr KernelEntry kResizeKernels[] = {{"Resize", halfToo<&makeResize>}, {"Upsample", halfToo<&makeUpsample>}};

}  // namespace
}  // namespace kernels

std::span<const KernelEntry> resizeKernels() {
    static const auto kAll = kernels::joinTables({kernels::kResizeKernels, kernels::samplingKernels()});
    return kAll;
}

}  // namespace equant
