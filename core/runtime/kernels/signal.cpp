// SPDX-License-Identifier: Apache-2.0
// Signal operators of audio models: DFT, STFT, MelWeightMatrix and the window functions. Computed in double, written
// in the type of the signal. Transforms of a power of two take n log n steps, others n^2.
#include <bit>
#include <complex>
#include <numbers>

#include "core/runtime/kernels/support_internal.h"

namespace equant::kernels {
namespace {

using Complex = std::complex<double>;
constexpr std::int64_t kMaxLength = std::int64_t{1} << 24;

/// The discrete Fourier transform of one length; the roots of unity are computed once.
class Transform {
public:
    Transform(std::size_t length, bool isInverse) : m_roots(length), m_isInverse(isInverse) {
        const double step = (isInverse ? 2.0 : -2.0) * std::numbers::pi / static_cast<double>(length);
        for (std::size_t i = 0; i < length; ++i) m_roots[i] = std::polar(1.0, step * static_cast<double>(i));
    }

    void run(const std::vector<Complex>& in, std::vector<Complex>& out) const {
        const std::size_t n = m_roots.size();
        out.resize(n);
        if (std::has_single_bit(n)) {
            split(in.data(), out.data(), n, 1);
        } else {
            for (std::size_t k = 0; k < n; ++k) {
                Complex sum = 0;
                for (std::size_t i = 0; i < n; ++i) sum += in[i] * m_roots[i * k % n];
                out[k] = sum;
            }
        }
        if (!m_isInverse) return;
        for (Complex& value : out) value /= static_cast<double>(n);
    }

private:
    /// Cooley-Tukey: even and odd samples by themselves.
    void split(const Complex* in, Complex* out, std::size_t n, std::size_t stride) const {
        if (n == 1) {
            out[0] = in[0];
            return;
        }
        split(in, out, n / 2, 2 * stride);
        split(in + stride, out + n / 2, n / 2, 2 * stride);
        for (std::size_t k = 0; k < n / 2; ++k) {
            const Complex odd = m_roots[k * stride] * out[k + n / 2];
            const Complex even = out[k];
            out[k] = even + odd;
            out[k + n / 2] = even - odd;
        }
    }

    std::vector<Complex> m_roots;
    bool m_isInverse;
};

/// A single integer, or `fallback` where the input is omitted.
Result<std::int64_t> oneInteger(const Inputs& inputs, std::size_t slot, std::int64_t fallback) {
    const auto values = integersFrom(inputs, slot, {fallback});
    if (!values) return fail(values.error());
    if (values->size() != 1) return invalid("Input {} must be a single integer.", slot);
    return values->front();
}

/// Element `at` of a signal whose last axis holds real numbers (1) or real and imaginary parts (2).
template <typename T>
Complex sampleAt(const T* signal, std::int64_t at, std::int64_t parts) {
    return {static_cast<double>(signal[at * parts]), parts == 2 ? static_cast<double>(signal[at * parts + 1]) : 0.0};
}

struct DftPlan {
    AxisSplit split;  ///< of the shape without the parts
    std::int64_t parts = 1;
    std::int64_t length = 0;
    std::int64_t bins = 0;
};

template <typename T>
void transformAxis(const T* x, const DftPlan& plan, bool isInverse, T* out) {
    const Transform transform(static_cast<std::size_t>(plan.length), isInverse);
    std::vector<Complex> line(static_cast<std::size_t>(plan.length));
    std::vector<Complex> spectrum;
    const std::int64_t taken = std::min(plan.length, plan.split.extent);
    for (std::int64_t o = 0; o < plan.split.outer; ++o) {
        for (std::int64_t in = 0; in < plan.split.inner; ++in) {
            std::ranges::fill(line, Complex{});
            for (std::int64_t i = 0; i < taken; ++i) {
                const std::int64_t at = (o * plan.split.extent + i) * plan.split.inner + in;
                line[static_cast<std::size_t>(i)] = sampleAt(x, at, plan.parts);
            }
            transform.run(line, spectrum);
            for (std::int64_t k = 0; k < plan.bins; ++k) {
                const Complex value = spectrum[static_cast<std::size_t>(k)];
                T* target = out + 2 * ((o * plan.bins + k) * plan.split.inner + in);
                target[0] = static_cast<T>(value.real());
                target[1] = static_cast<T>(value.imag());
            }
        }
    }
}

/// Inputs: x [..., 1 or 2], length (optional), axis (since opset 20; an attribute before).
Result<Kernel> makeDft(const Node& node, std::int64_t opset) {
    const bool isInverse = node.intAttribute("inverse", 0) != 0;
    const bool isOneSided = node.intAttribute("onesided", 0) != 0;
    const std::int64_t fallback = opset < 20 ? node.intAttribute("axis", 1) : -2;
    return makeChecked(1, [=](const Inputs& inputs, KernelOutputs& outputs) -> Status {
        const TensorView& x = inputs[0];
        if (x.shape.size() < 2 || (x.shape.back() != 1 && x.shape.back() != 2)) {
            return invalid("DFT needs a signal whose last axis has 1 or 2 entries, not {}.", show(x.shape));
        }
        const auto given = opset < 20 ? Result<std::int64_t>(fallback) : oneInteger(inputs, 2, fallback);
        if (!given) return fail(given.error());
        const auto axis = normalizeAxis(*given, rankOf(x));
        if (!axis) return fail(axis.error());
        if (*axis == rankOf(x) - 1) return invalid("DFT cannot transform along the axis of real and imaginary parts.");
        const auto length = oneInteger(inputs, 1, x.shape[static_cast<std::size_t>(*axis)]);
        if (!length) return fail(length.error());
        if (*length < 1 || *length > kMaxLength) return invalid("DFT of length {} is not possible.", *length);
        DftPlan plan{splitAt(x.shape.first(x.shape.size() - 1), *axis), x.shape.back(), *length, *length};
        if (isOneSided) plan.bins = *length / 2 + 1;
        Shape shape = shapeOf(x);
        shape[static_cast<std::size_t>(*axis)] = plan.bins;
        shape.back() = 2;
        return dispatch(FloatTypes{}, x.dtype, [&]<typename T>() -> Status {
            auto out = makeOutputAs<T>(outputs, 0, shape);
            if (!out) return fail(std::move(out.error()));
            if (*out != nullptr) transformAxis(x.as<T>(), plan, isInverse, *out);
            return {};
        });
    });
}

/// Inputs: signal [batch, n] or [batch, n, 1 or 2], step, window (optional), frame length (optional).
Result<Kernel> makeStft(const Node& node, std::int64_t) {
    const bool isOneSided = node.intAttribute("onesided", 1) != 0;
    return makeChecked(2, [=](const Inputs& inputs, KernelOutputs& outputs) -> Status {
        const TensorView& x = inputs[0];
        const std::int64_t parts = x.shape.size() == 3 ? x.shape[2] : 1;
        if (x.shape.size() < 2 || x.shape.size() > 3 || parts < 1 || parts > 2) {
            return invalid("STFT needs a signal [batch, length, 1 or 2], not {}.", show(x.shape));
        }
        const auto step = oneInteger(inputs, 1, 0);
        const auto length = oneInteger(inputs, 3, inputs.has(2) ? inputs[2].count() : x.shape[1]);
        if (!step) return fail(step.error());
        if (!length) return fail(length.error());
        if (*step < 1 || *length < 1 || *length > x.shape[1]) {
            return invalid("STFT cannot cut {} samples into frames of {} every {}.", x.shape[1], *length, *step);
        }
        std::vector<double> window(static_cast<std::size_t>(*length), 1.0);
        if (inputs.has(2)) {
            auto values = readNumbers(inputs[2]);
            if (!values) return fail(values.error());
            if (values->size() != window.size()) {
                return invalid("A window of {} does not fit frames of {}.", values->size(), window.size());
            }
            window = std::move(*values);
        }
        const std::int64_t frames = (x.shape[1] - *length) / *step + 1;
        const std::int64_t bins = isOneSided ? *length / 2 + 1 : *length;
        const Transform transform(window.size(), false);
        return dispatch(FloatTypes{}, x.dtype, [&]<typename T>() -> Status {
            auto out = makeOutputAs<T>(outputs, 0, {x.shape[0], frames, bins, 2});
            if (!out) return fail(std::move(out.error()));
            if (*out == nullptr) return {};
            std::vector<Complex> frame(window.size());
            std::vector<Complex> spectrum;
            T* target = *out;
            for (std::int64_t f = 0; f < x.shape[0] * frames; ++f) {
                const std::int64_t first = f / frames * x.shape[1] + f % frames * *step;
                for (std::size_t i = 0; i < frame.size(); ++i)
                    frame[i] = window[i] * sampleAt(x.as<T>(), first + static_cast<std::int64_t>(i), parts);
                transform.run(frame, spectrum);
                for (std::int64_t k = 0; k < bins; ++k) {
                    *target++ = static_cast<T>(spectrum[static_cast<std::size_t>(k)].real());
                    *target++ = static_cast<T>(spectrum[static_cast<std::size_t>(k)].imag());
                }
            }
            return {};
        });
    });
}

/// a0 - a1 cos(x) + a2 cos(2x), x once around over the window.
template <int numerator0, int numerator1, int numerator2, int denominator>
Result<Kernel> makeWindow(const Node& node, std::int64_t) {
    const bool isPeriodic = node.intAttribute("periodic", 1) != 0;
    const auto type = static_cast<DType>(node.intAttribute("output_datatype", static_cast<int>(DType::Float)));
    return makeChecked(1, [=](const Inputs& inputs, KernelOutputs& outputs) -> Status {
        const auto size = oneInteger(inputs, 0, 0);
        if (!size) return fail(size.error());
        if (*size < 0 || *size > kMaxLength) return invalid("A window of {} samples is not possible.", *size);
        return dispatch(NumberTypes{}, type, [&]<typename T>() -> Status {
            auto out = makeOutputAs<T>(outputs, 0, {*size});
            if (!out) return fail(std::move(out.error()));
            if (*out == nullptr) return {};
            const auto period = static_cast<double>(std::max<std::int64_t>(isPeriodic ? *size : *size - 1, 1));
            for (std::int64_t i = 0; i < *size; ++i) {
                const double x = 2.0 * std::numbers::pi * static_cast<double>(i) / period;
                const double value = numerator0 - numerator1 * std::cos(x) + numerator2 * std::cos(2.0 * x);
                (*out)[i] = saturated<T>(value / denominator);
            }
            return {};
        });
    });
}

/// Edges of the triangular filters as bins of the spectrum: equal steps on the mel scale.
std::vector<std::int64_t> melEdges(std::int64_t filters, std::int64_t length, double rate, double low, double high) {
    const auto toMel = [](double hertz) { return 2595.0 * std::log10(1.0 + hertz / 700.0); };
    const auto count = static_cast<std::size_t>(filters + 2);
    const double step = (toMel(high) - toMel(low)) / static_cast<double>(count);
    std::vector<std::int64_t> edges(count);
    for (std::size_t i = 0; i < count; ++i) {
        const double mel = toMel(low) + step * static_cast<double>(i);
        const double hertz = 700.0 * (std::pow(10.0, mel / 2595.0) - 1.0);
        edges[i] = saturated<std::int64_t>(std::floor(static_cast<double>(length + 1) * hertz / rate));
    }
    return edges;
}

template <typename T>
void fillMelFilters(const std::vector<std::int64_t>& edges, std::int64_t bins, T* out) {
    const auto filters = static_cast<std::int64_t>(edges.size()) - 2;
    std::fill_n(out, bins * filters, T{0});
    const auto put = [&](std::int64_t bin, std::int64_t filter, double value) {
        if (bin >= 0 && bin < bins) out[bin * filters + filter] = saturated<T>(value);
    };
    for (std::int64_t i = 0; i < filters; ++i) {
        const auto at = static_cast<std::size_t>(i);
        const std::int64_t low = std::max<std::int64_t>(edges[at], 0);
        const std::int64_t center = edges[at + 1];
        const std::int64_t high = std::min(edges[at + 2], bins);
        const auto rise = static_cast<double>(center - edges[at]);
        const auto fall = static_cast<double>(edges[at + 2] - center);
        if (center == edges[at]) put(center, i, 1.0);
        for (std::int64_t bin = low; center > edges[at] && bin <= std::min(center, bins - 1); ++bin)
            put(bin, i, static_cast<double>(bin - edges[at]) / rise);
        for (std::int64_t bin = std::max<std::int64_t>(center, 0); bin < high; ++bin)
            put(bin, i, static_cast<double>(edges[at + 2] - bin) / fall);
    }
}

/// Inputs: number of filters, DFT length, sample rate, lowest and highest frequency. Output: [length / 2 + 1, filters].
Result<Kernel> makeMelWeightMatrix(const Node& node, std::int64_t) {
    const auto type = static_cast<DType>(node.intAttribute("output_datatype", static_cast<int>(DType::Float)));
    return makeChecked(5, [=](const Inputs& inputs, KernelOutputs& outputs) -> Status {
        std::array<double, 5> given{};
        for (std::size_t i = 0; i < given.size(); ++i) {
            const auto values = readNumbers(inputs[i]);
            if (!values) return fail(values.error());
            if (values->size() != 1) return invalid("Input {} of MelWeightMatrix must be a scalar.", i);
            given[i] = values->front();
        }
        const auto [filters, length, rate, low, high] = given;
        const bool isSound = filters >= 1 && filters <= 1e6 && length >= 1 && length <= 1e8 && rate > 0 && low >= 0 &&
                             high >= low && high < 1e12;
        if (!isSound) return invalid("MelWeightMatrix cannot spread {} filters over {} to {} Hz.", filters, low, high);
        const auto count = static_cast<std::int64_t>(filters);
        const auto samples = static_cast<std::int64_t>(length);
        const auto edges = melEdges(count, samples, rate, low, high);
        return dispatch(NumberTypes{}, type, [&]<typename T>() -> Status {
            const std::int64_t bins = samples / 2 + 1;
            auto out = makeOutputAs<T>(outputs, 0, {bins, count});
            if (!out) return fail(std::move(out.error()));
            if (*out != nullptr) fillMelFilters(edges, bins, *out);
            return {};
        });
    });
}

constexpr KernelEntry kSignalKernels[] = {
    {"DFT", makeDft},
    {"STFT", makeStft},
    {"HannWindow", makeWindow<1, 1, 0, 2>},
    {"HammingWindow", makeWindow<25, 21, 0, 46>},
    {"BlackmanWindow", makeWindow<42, 50, 8, 100>},
    {"MelWeightMatrix", makeMelWeightMatrix},
};

}  // namespace
}  // namespace equant::kernels

namespace equant {

std::span<const KernelEntry> signalKernels() {
    return kernels::kSignalKernels;
}

}  // namespace equant
