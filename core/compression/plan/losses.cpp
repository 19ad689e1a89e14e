// SPDX-License-Identifier: Apache-2.0
#include "core/compression/plan/losses.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace equant {

namespace {

/// Half of a 95 % interval is that many standard deviations.
constexpr double kDeviations95 = 1.96;
/// How far the loss expected from a predicted error may be off, as a share of it.
constexpr double kPredictionDoubt = 0.5;
/// Of the largest loss: what the largest predicted error weighs where losses are equal.
constexpr double kTieShare = 1e-3;

/// One cell's measured loss with its standard deviation.
struct Measured {
    double loss = 0;
    double deviation = 0;
};

std::optional<Measured> measuredLoss(const SensitivityTable& table, const SensitivityCell& cell) {
    if (!cell.score) return std::nullopt;
    if (table.metric == SensitivityMetric::SqnrDb) {
        // Noise powers add up, decibels do not. A share of it stands for the sampling noise.
        const double noise = std::isfinite(*cell.score) ? std::pow(10, -*cell.score / 10) : 0;
        return Measured{noise, 0.02 * noise};
    }
    if (!table.baseline) return std::nullopt;
    const double deviation = cell.interval ? (cell.interval->high - cell.interval->low) / (2 * kDeviations95) : 0;
    return Measured{*table.baseline - *cell.score, deviation};
}

/// Expected loss for a predicted error, learned from the cells that have both: monotone, linear in between.
class LossCurve {
public:
    void add(double error, const Measured& measured) { m_points.push_back({error, measured}); }

    void fit() {
        std::ranges::stable_sort(m_points, std::ranges::greater{}, &Point::error);
        std::vector<double> values, weights;
        for (const Point& point : m_points) {
            values.push_back(point.measured.loss);
            weights.push_back(1 / (point.measured.deviation * point.measured.deviation + 1e-6));
        }
        values = nonIncreasing(std::move(values), std::move(weights));
        for (std::size_t i = 0; i < values.size(); ++i) m_points[i].measured.loss = std::max(0.0, values[i]);
    }

    [[nodiscard]] std::optional<double> at(double error) const {
        if (m_points.empty()) return std::nullopt;
        // Errors descend. Below the smallest one the loss goes to zero with it, above the largest it stays.
        if (error >= m_points.front().error) return m_points.front().measured.loss;
        const auto below = std::ranges::partition_point(m_points, [&](const Point& p) { return p.error > error; });
        const Point low = below == m_points.end() ? Point{} : *below;
        const Point& high = *std::prev(below);
        const double width = high.error - low.error;
        const double share = width > 0 ? (error - low.error) / width : 1;
        return low.measured.loss + share * (high.measured.loss - low.measured.loss);
    }

private:
    struct Point {
        double error = 0;
        Measured measured;
    };
    std::vector<Point> m_points;
};

double combined(const std::optional<Measured>& measured, const std::optional<double>& expected) {
    if (!measured) return expected.value_or(0);
    if (!expected) return measured->loss;
    const double doubt = kPredictionDoubt * *expected;
    const double ownVariance = measured->deviation * measured->deviation + 1e-12;
    const double expectedVariance = doubt * doubt + 1e-12;
    return (measured->loss * expectedVariance + *expected * ownVariance) / (ownVariance + expectedVariance);
}

/// Where no loss can be measured, the errors still tell the cells apart: nobody wants a layer cut to a quarter because
/// half looked just as good on these samples. Too little to outweigh a loss.
void breakTies(const SensitivityTable& table, CellLosses& losses) {
    double largestLoss = 0, largestError = 0;
    for (std::size_t row = 0; row < table.layers.size(); ++row) {
        for (std::size_t cell = 0; cell < table.layers[row].cells.size(); ++cell) {
            largestLoss = std::max(largestLoss, losses.loss[row][cell]);
            largestError = std::max(largestError, table.layers[row].cells[cell].prediction().value_or(0));
        }
    }
    if (largestError <= 0) return;
    const double share = kTieShare * (largestLoss > 0 ? largestLoss : 1) / largestError;
    for (std::size_t row = 0; row < table.layers.size(); ++row)
        for (std::size_t cell = 0; cell < table.layers[row].cells.size(); ++cell)
            losses.loss[row][cell] += share * table.layers[row].cells[cell].prediction().value_or(0);
}

}  // namespace

std::vector<double> nonIncreasing(std::vector<double> values, std::vector<double> weights) {
    struct Pool {
        double value, weight;
        std::size_t count;
    };
    std::vector<Pool> pools;
    for (std::size_t i = 0; i < values.size(); ++i) {
        pools.push_back({values[i], weights[i], 1});
        while (pools.size() > 1 && pools[pools.size() - 2].value < pools.back().value) {
            const Pool last = pools.back();
            pools.pop_back();
            Pool& into = pools.back();
            into.value = (into.value * into.weight + last.value * last.weight) / (into.weight + last.weight);
            into.weight += last.weight;
            into.count += last.count;
        }
    }
    std::vector<double> fitted;
    for (const Pool& pool : pools) fitted.insert(fitted.end(), pool.count, pool.value);
    return fitted;
}

CellLosses lossesOf(const SensitivityTable& table) {
    CellLosses result;
    result.isNoise = true;
    LossCurve curve;
    for (const LayerSensitivity& layer : table.layers) {
        for (const SensitivityCell& cell : layer.cells) {
            const auto measured = measuredLoss(table, cell);
            result.isMeasured = result.isMeasured || measured.has_value();
            result.isNoise = result.isNoise && cell.predictedNoise.has_value();
            if (measured && cell.prediction()) curve.add(*cell.prediction(), *measured);
        }
    }
    curve.fit();
    for (const LayerSensitivity& layer : table.layers) {
        std::vector<double> losses;
        for (const SensitivityCell& cell : layer.cells) {
            const double error = cell.prediction().value_or(0);
            losses.push_back(result.isMeasured ? combined(measuredLoss(table, cell),
                                                          cell.prediction() ? curve.at(error) : std::nullopt)
                                               : error);
        }
        losses = nonIncreasing(losses, std::vector<double>(losses.size(), 1));
        for (double& loss : losses) loss = std::max(0.0, loss);
        result.loss.push_back(std::move(losses));
    }
    if (result.isMeasured) {
        result.isNoise = table.metric == SensitivityMetric::SqnrDb;
        breakTies(table, result);
    }
    return result;
}

std::optional<double> scoreAt(const SensitivityTable& table, const CellLosses& losses, double total) {
    if (table.metric == SensitivityMetric::SqnrDb)
        return losses.isNoise && total > 0 ? std::optional(-10 * std::log10(total)) : std::nullopt;
    if (!losses.isMeasured || !table.baseline) return std::nullopt;
    return std::max(0.0, *table.baseline - total);
}

}  // namespace equant
