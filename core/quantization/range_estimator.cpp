// SPDX-License-Identifier: Apache-2.0
#include "core/quantization/range_estimator.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <fmt/format.h>

#include "core/quantization/aimet_histogram_internal.h"
#include "core/quantization/range_histogram_internal.h"
#include "core/quantization/range_search_internal.h"
#include "core/quantization/value_scan_internal.h"

namespace equant {

namespace {

constexpr double kSqnrClippingWeight = 3.0;
constexpr double kAimetMinimumWidth = 0.01;

/// Values looked at twice in a row (range, then histogram) should still be in the second-level cache.
constexpr std::size_t kBlock = std::size_t{1} << 16;

std::vector<float> finiteOnly(std::span<const float> values) {
    std::vector<float> finite;
    std::copy_if(values.begin(), values.end(), std::back_inserter(finite),
                 [](float value) { return std::isfinite(value); });
    return finite;
}

}  // namespace

std::string_view name(RangeScheme scheme) {
    switch (scheme) {
        case RangeScheme::MinMax:
            return "minmax";
        case RangeScheme::Sqnr:
            return "sqnr";
        case RangeScheme::Percentile:
            return "percentile";
        case RangeScheme::Mse:
            return "mse";
        case RangeScheme::Entropy:
            return "entropy";
    }
    return "minmax";
}

Result<RangeScheme> parseRangeScheme(std::string_view text) {
    if (text == "tf") return RangeScheme::MinMax;
    if (text == "tf-enhanced" || text == "tf_enhanced") return RangeScheme::Sqnr;
    for (const RangeScheme scheme :
         {RangeScheme::MinMax, RangeScheme::Sqnr, RangeScheme::Percentile, RangeScheme::Mse, RangeScheme::Entropy}) {
        if (text == name(scheme)) return scheme;
    }
    return fail(ErrorCode::InvalidArgument, fmt::format("There is no range scheme called \"{}\".", text),
                "Choose minmax (tf), sqnr (tf-enhanced), percentile, mse or entropy.", std::string(text));
}

struct RangeEstimator::State {
    RangeSettings settings;
    RealRange observed;
    bool hasSamples = false;
    std::size_t notFinite = 0;
    RangeHistogram histogram;
    std::unique_ptr<AimetHistogram> aimet;
    std::unique_ptr<AimetEntropyHistogram> aimetEntropy;

    explicit State(const RangeSettings& wanted) : settings(wanted) {
        if (!settings.isAimetCompatible || settings.scheme == RangeScheme::MinMax) return;
        if (settings.scheme == RangeScheme::Entropy) {
            aimetEntropy = std::make_unique<AimetEntropyHistogram>();
        } else {
            aimet = std::make_unique<AimetHistogram>();
        }
    }
    State(const State& other)
        : settings(other.settings),
          observed(other.observed),
          hasSamples(other.hasSamples),
          notFinite(other.notFinite),
          histogram(other.histogram) {
        if (other.aimet) aimet = std::make_unique<AimetHistogram>(*other.aimet);
        if (other.aimetEntropy) aimetEntropy = std::make_unique<AimetEntropyHistogram>(*other.aimetEntropy);
    }

    void widenObserved(double min, double max) {
        observed.min = hasSamples ? std::min(observed.min, min) : min;
        observed.max = hasSamples ? std::max(observed.max, max) : max;
        hasSamples = true;
    }
    void addBlock(std::span<const float> values);
    [[nodiscard]] GridRange aimetGrid() const;
    [[nodiscard]] GridRange ownGrid() const;
};

RangeEstimator::RangeEstimator(const RangeSettings& settings) : m_state(std::make_unique<State>(settings)) {}
RangeEstimator::~RangeEstimator() = default;
RangeEstimator::RangeEstimator(const RangeEstimator& other) : m_state(std::make_unique<State>(*other.m_state)) {}
RangeEstimator& RangeEstimator::operator=(const RangeEstimator& other) {
    if (this != &other) m_state = std::make_unique<State>(*other.m_state);
    return *this;
}
RangeEstimator::RangeEstimator(RangeEstimator&&) noexcept = default;
RangeEstimator& RangeEstimator::operator=(RangeEstimator&&) noexcept = default;

void RangeEstimator::add(std::span<const float> batch) {
    // In compatible mode a batch counts as a whole.
    const std::size_t block = m_state->aimet || m_state->aimetEntropy ? batch.size() : kBlock;
    for (std::size_t at = 0; at < batch.size(); at += block)
        m_state->addBlock(batch.subspan(at, std::min(block, batch.size() - at)));
}

void RangeEstimator::State::addBlock(std::span<const float> values) {
    ValueRange range = scanRange(values);
    std::vector<float> finite;
    if (!range.isFinite) {
        finite = finiteOnly(values);
        notFinite += values.size() - finite.size();
        if (finite.empty()) return;
        values = finite;
        range = scanRange(values);
    }
    widenObserved(static_cast<double>(range.lowest), static_cast<double>(range.highest));
    if (settings.scheme == RangeScheme::MinMax) return;
    if (aimet) {
        aimet->add(values);
    } else if (aimetEntropy) {
        aimetEntropy->add(values);
    } else {
        histogram.add(values, range.lowest, range.highest);
    }
}

void RangeEstimator::merge(const RangeEstimator& other) {
    State& state = *m_state;
    assert(!state.aimet && !state.aimetEntropy);
    state.notFinite += other.m_state->notFinite;
    if (!other.m_state->hasSamples) return;
    state.widenObserved(other.m_state->observed.min, other.m_state->observed.max);
    state.histogram.merge(other.m_state->histogram);
}

GridRange RangeEstimator::State::aimetGrid() const {
    switch (settings.scheme) {
        case RangeScheme::MinMax:
            break;
        case RangeScheme::Sqnr:
            return aimet->sqnrGrid(settings.grid);
        case RangeScheme::Percentile:
            return aimet->percentileGrid(settings.percentile, settings.grid);
        case RangeScheme::Mse:
            return aimet->mseGrid(settings.grid);
        case RangeScheme::Entropy:
            return aimetEntropy->grid(settings.grid);
    }
    const RealRange range = widenRange(observed, kAimetMinimumWidth);
    return gridFromRange(range.min, range.max, settings.grid);
}

GridRange RangeEstimator::State::ownGrid() const {
    RealRange range = observed;
    switch (settings.scheme) {
        case RangeScheme::MinMax:
            break;
        case RangeScheme::Sqnr:
            return leastCostGrid(histogram, settings.grid, kSqnrClippingWeight);
        case RangeScheme::Mse:
            return leastCostGrid(histogram, settings.grid, 1.0);
        case RangeScheme::Percentile:
            range = percentileRange(histogram, settings.percentile);
            break;
        case RangeScheme::Entropy:
            range = entropyRange(histogram, settings.grid);
            break;
    }
    range = usableRange(range, settings.grid);
    return gridFromRange(range.min, range.max, settings.grid);
}

std::optional<GridRange> RangeEstimator::grid() const {
    if (!m_state->hasSamples) return std::nullopt;
    return m_state->settings.isAimetCompatible ? m_state->aimetGrid() : m_state->ownGrid();
}

std::optional<RealRange> RangeEstimator::observed() const {
    if (!m_state->hasSamples) return std::nullopt;
    return m_state->observed;
}

std::size_t RangeEstimator::notFinite() const {
    return m_state->notFinite;
}

Result<std::vector<GridRange>> estimateGrids(const Tensor& tensor, int axis, const RangeSettings& settings) {
    if (tensor.dtype() != DType::Float) {
        return fail(ErrorCode::InvalidArgument, fmt::format("Ranges need float values, not {}.", name(tensor.dtype())));
    }
    if (axis >= tensor.rank()) {
        return fail(ErrorCode::InvalidArgument,
                    fmt::format("The tensor {} has no axis {}.", toString(tensor.shape()), axis));
    }
    const std::span<const float> values = tensor.data<float>();
    std::size_t channels = 1;
    std::size_t inner = values.size();
    if (axis >= 0) {
        channels = static_cast<std::size_t>(tensor.dim(axis));
        inner = 1;
        for (int i = axis + 1; i < tensor.rank(); ++i) inner *= static_cast<std::size_t>(tensor.dim(i));
    }
    const std::size_t outer = channels * inner == 0 ? 0 : values.size() / (channels * inner);
    std::vector<GridRange> grids;
    std::vector<float> channel;
    for (std::size_t c = 0; c < channels; ++c) {
        channel.clear();
        for (std::size_t o = 0; o < outer; ++o) {
            const auto part = values.subspan((o * channels + c) * inner, inner);
            channel.insert(channel.end(), part.begin(), part.end());
        }
        RangeEstimator estimator(settings);
        estimator.add(channel);
        const auto grid = estimator.grid();
        if (!grid) return fail(ErrorCode::InvalidArgument, fmt::format("Channel {} has no finite value.", c));
        grids.push_back(*grid);
    }
    return grids;
}

}  // namespace equant
