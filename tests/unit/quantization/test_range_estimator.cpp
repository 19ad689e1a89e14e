// SPDX-License-Identifier: Apache-2.0
// Range estimators: properties of the default mode, naive twins of its searches, facts of the compatible mode.
#include <QTest>
#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

#include "core/quantization/entropy_search_internal.h"
#include "core/quantization/range_estimator.h"
#include "core/quantization/range_histogram_internal.h"
#include "core/quantization/range_search_internal.h"
#include "core/quantization/value_scan_internal.h"
#include "tests/support/registry.h"

namespace test_range_estimator {

using namespace equant;

namespace {

constexpr RangeScheme kSchemes[] = {RangeScheme::MinMax, RangeScheme::Sqnr, RangeScheme::Percentile, RangeScheme::Mse,
                                    RangeScheme::Entropy};

std::vector<float> normal(std::size_t count, unsigned seed, double mean, double deviation) {
    std::mt19937 random(seed);
    std::normal_distribution<double> distribution(mean, deviation);
    std::vector<float> values(count);
    for (float& value : values) value = static_cast<float>(distribution(random));
    return values;
}

GridRange gridOfAll(const std::vector<std::vector<float>>& batches, const RangeSettings& settings) {
    RangeEstimator estimator(settings);
    for (const auto& batch : batches) estimator.add(batch);
    return estimator.grid().value();
}

/// Mean squared error of the samples themselves.
double sampleError(std::span<const float> values, const GridRange& grid, double clippingWeight) {
    double sum = 0.0;
    for (const float value : values) {
        const double x = static_cast<double>(value);
        const double clamped = std::clamp(x, grid.min, grid.max);
        const bool isClipped = clamped != x;
        const double error = isClipped ? x - clamped : x - grid.scale * std::round(x / grid.scale);
        sum += (isClipped ? clippingWeight : 1.0) * error * error;
    }
    return sum / static_cast<double>(values.size());
}

}  // namespace

class TestRangeEstimator : public QObject {
    Q_OBJECT

private slots:
    void histogramDropsNothing();
    void countsEqualCountingOneByOne();
    void scansFindRangeAndWhatIsNotFinite();
    void histogramDoesNotDependOnOrder();
    void defaultModeDoesNotDependOnBatches();
    void mergedIsTheSameAsTogether();
    void rangesContainZero();
    void widerDataGiveWiderRanges();
    void scalingDataScalesGrids();
    void costMatchesSamples();
    void searchIsAsGoodAsExhaustion();
    void percentileMatchesSorting();
    void divergenceOfAKnownWindow();
    void entropyClipsHeavyTails();
    void oddValues();
    void tinyWeightsKeepTheirResolution();
    void perChannel();
    void compatibleFacts();
    void compatibleModeForgetsWhatTheFirstBatchDidNotShow();
    void names();
};

void TestRangeEstimator::histogramDropsNothing() {
    const auto narrow = normal(1000, 1, 0.0, 0.01);
    const auto wide = normal(1000, 2, 5.0, 100.0);
    RangeHistogram histogram(256);
    histogram.add(narrow);
    histogram.add(wide);
    QCOMPARE(histogram.samples(), 2000);
    double counted = 0.0;
    for (const auto& bin : histogram.filledBins()) counted += bin.count;
    QCOMPARE(counted, 2000.0);
    QVERIFY(histogram.counts().size() <= 256 && histogram.counts().size() > 64);
    const auto [lowest, highest] = std::minmax_element(wide.begin(), wide.end());
    QCOMPARE(histogram.min(), static_cast<double>(*lowest));
    QCOMPARE(histogram.max(), static_cast<double>(*highest));
    // Every sample lies in the bin it was counted in.
    std::vector<float> all = narrow;
    all.insert(all.end(), wide.begin(), wide.end());
    for (const auto& bin : histogram.filledBins()) {
        const double width = histogram.binWidth();
        const double index = std::floor(0.5 * (bin.begin + bin.end) / width);
        const auto inside = std::count_if(all.begin(), all.end(), [&](float value) {
            return std::floor(static_cast<double>(value) / width) == index;
        });
        QCOMPARE(bin.count, static_cast<double>(inside));
    }
}

void TestRangeEstimator::countsEqualCountingOneByOne() {
    // Rectified, two-sided, far from zero, tiny, huge; lengths that end inside a vector and beyond one block.
    for (const auto& [mean, deviation] :
         {std::pair{0.0, 1.0}, {1000.0, 0.01}, {-3.0, 0.2}, {0.0, 1e-33}, {0.0, 1e30}}) {
        for (const std::size_t count : {std::size_t{3}, std::size_t{2500}, std::size_t{70001}}) {
            for (const bool isRectified : {false, true}) {
                auto values = normal(count, 11, mean, deviation);
                if (isRectified)
                    for (float& value : values) value = std::max(value, 0.0F);
                values[0] = -1e-40F * static_cast<float>(!isRectified);
                RangeHistogram histogram;
                histogram.add(values);
                const double width = histogram.binWidth();
                std::vector<std::int64_t> counts(histogram.counts().size(), 0);
                for (const float value : values)
                    ++counts.at(static_cast<std::size_t>(std::floor(static_cast<double>(value) / width) -
                                                         histogram.firstBegin() / width));
                QCOMPARE(histogram.counts(), counts);
            }
        }
    }
}

void TestRangeEstimator::scansFindRangeAndWhatIsNotFinite() {
    for (const std::size_t count : {std::size_t{1}, std::size_t{17}, std::size_t{300}}) {
        auto values = normal(count, 5, 0.5, 2.0);
        const auto [lowest, highest] = std::minmax_element(values.begin(), values.end());
        const ValueRange range = scanRange(values);
        QCOMPARE(range.lowest, *lowest);
        QCOMPARE(range.highest, *highest);
        QVERIFY(range.isFinite);
        for (const float odd : {NAN, -NAN, INFINITY, -INFINITY}) {
            values.back() = odd;
            QVERIFY(!scanRange(values).isFinite);
        }
        values.back() = -std::numeric_limits<float>::max();
        QCOMPARE(scanRange(values).lowest, values.back());
        QVERIFY(scanRange(values).isFinite);
    }
    QVERIFY(!std::signbit(scanRange(std::vector{-0.0F}).lowest));
}

void TestRangeEstimator::histogramDoesNotDependOnOrder() {
    std::vector<float> values = normal(500, 7, 0.3, 2.0);
    values.push_back(1e6F);
    values.push_back(-3e-5F);
    values.push_back(0.0F);
    RangeHistogram together;
    together.add(values);
    std::mt19937 random(5);
    for (int round = 0; round < 5; ++round) {
        std::shuffle(values.begin(), values.end(), random);
        RangeHistogram single;
        for (const float value : values) single.add({&value, 1});
        QVERIFY(single == together);
    }
}

void TestRangeEstimator::defaultModeDoesNotDependOnBatches() {
    const auto a = normal(3000, 1, 1.0, 3.0);
    const auto b = normal(2000, 2, 0.0, 0.02);
    std::vector<float> both = a;
    both.insert(both.end(), b.begin(), b.end());
    for (const RangeScheme scheme : kSchemes) {
        RangeSettings settings;
        settings.scheme = scheme;
        QVERIFY(gridOfAll({a, b}, settings) == gridOfAll({b, a}, settings));
        QVERIFY(gridOfAll({a, b}, settings) == gridOfAll({both}, settings));
    }
}

void TestRangeEstimator::mergedIsTheSameAsTogether() {
    const auto a = normal(3000, 1, 1.0, 3.0);
    const auto b = normal(2000, 2, 40.0, 0.02);
    for (const RangeScheme scheme : kSchemes) {
        RangeSettings settings;
        settings.scheme = scheme;
        RangeEstimator first(settings);
        RangeEstimator second(settings);
        first.add(a);
        second.add(b);
        second.merge(first);
        QVERIFY(second.grid().value() == gridOfAll({a, b}, settings));
    }
}

void TestRangeEstimator::rangesContainZero() {
    for (const bool isCompatible : {false, true}) {
        for (const RangeScheme scheme : kSchemes) {
            for (const double mean : {-50.0, 50.0}) {
                RangeSettings settings;
                settings.scheme = scheme;
                settings.isAimetCompatible = isCompatible;
                const GridRange grid = gridOfAll({normal(2000, 4, mean, 1.0)}, settings);
                QVERIFY(grid.min <= 0.0 && grid.max >= 0.0 && grid.scale > 0.0);
                QVERIFY(std::max(-grid.min, grid.max) > 40.0);
            }
        }
    }
}

void TestRangeEstimator::widerDataGiveWiderRanges() {
    const auto data = normal(4000, 9, 0.0, 1.0);
    for (const RangeScheme scheme : {RangeScheme::MinMax, RangeScheme::Percentile}) {
        double previous = 0.0;
        for (const float factor : {1.0F, 1.5F, 4.0F, 100.0F}) {
            std::vector<float> scaled = data;
            for (float& value : scaled) value *= factor;
            RangeSettings settings;
            settings.scheme = scheme;
            const GridRange grid = gridOfAll({scaled}, settings);
            QVERIFY(grid.max - grid.min > previous);
            previous = grid.max - grid.min;
        }
    }
    double previous = 0.0;
    for (const double percentile : {60.0, 90.0, 99.0, 99.9, 100.0}) {
        RangeSettings settings;
        settings.scheme = RangeScheme::Percentile;
        settings.percentile = percentile;
        const GridRange grid = gridOfAll({data}, settings);
        QVERIFY(grid.max - grid.min > previous);
        previous = grid.max - grid.min;
    }
}

void TestRangeEstimator::scalingDataScalesGrids() {
    const auto data = normal(4000, 11, 0.4, 1.0);
    std::vector<float> scaled = data;
    for (float& value : scaled) value *= 1024.0F;  // exact, and so are the bins
    for (const RangeScheme scheme : kSchemes) {
        RangeSettings settings;
        settings.scheme = scheme;
        const GridRange small = gridOfAll({data}, settings);
        const GridRange large = gridOfAll({scaled}, settings);
        QCOMPARE(large.offset, small.offset);
        QCOMPARE(large.scale, small.scale * 1024.0);
    }
}

void TestRangeEstimator::costMatchesSamples() {
    const auto data = normal(20000, 13, 0.2, 1.0);
    RangeHistogram histogram;
    histogram.add(data);
    const auto bins = histogram.filledBins();
    for (const int bits : {3, 4, 6, 8}) {
        for (const double shrink : {0.3, 0.7, 1.0}) {
            GridOptions options;
            options.bits = bits;
            const GridRange grid = gridFromRange(histogram.min() * shrink, histogram.max() * shrink, options);
            const double cost = quantizationCost(bins, grid, 3.0);
            const double naive = sampleError(data, grid, 3.0);
            QVERIFY2(std::abs(cost - naive) < 0.03 * naive, qPrintable(QString("%1 against %2").arg(cost).arg(naive)));
        }
    }
    // Where the grid is much finer than the bins, the error of evenly spread data is scale^2 / 12.
    GridOptions fine;
    fine.bits = 16;
    const GridRange grid = gridFromRange(histogram.min(), histogram.max(), fine);
    const double expected = grid.scale * grid.scale / 12.0;
    QVERIFY(std::abs(quantizationCost(bins, grid, 1.0) - expected) < 0.05 * expected);
}

void TestRangeEstimator::searchIsAsGoodAsExhaustion() {
    std::vector<float> data = normal(5000, 17, 0.0, 1.0);
    data.push_back(12.0F);
    data.push_back(-9.0F);
    RangeHistogram histogram;
    histogram.add(data);
    for (const bool isSymmetric : {false, true}) {
        GridOptions options;
        options.bits = 4;
        options.isSymmetric = isSymmetric;
        const GridRange found = leastCostGrid(histogram, options, 1.0);
        double best = std::numeric_limits<double>::max();
        for (int low = 1; low <= 48; ++low) {
            for (int high = 1; high <= 48; ++high) {
                if (isSymmetric && low != high) continue;
                const GridRange grid = gridFromRange(-9.0 * low / 48.0, 12.0 * high / 48.0, options);
                best = std::min(best, sampleError(data, grid, 1.0));
            }
        }
        const double error = sampleError(data, found, 1.0);
        QVERIFY2(error < 1.03 * best, qPrintable(QString("%1 against %2").arg(error).arg(best)));
        QVERIFY(error < 0.5 * sampleError(data, gridFromRange(-9.0, 12.0, options), 1.0));
    }
}

void TestRangeEstimator::percentileMatchesSorting() {
    std::vector<float> data = normal(10000, 19, 0.0, 1.0);
    RangeHistogram histogram;
    histogram.add(data);
    std::sort(data.begin(), data.end());
    for (const double percentile : {90.0, 99.0, 99.9}) {
        const RealRange range = percentileRange(histogram, percentile);
        const auto cut = static_cast<std::size_t>(std::lround((100.0 - percentile) * 100.0));
        // Between the last sample cut off and the first one kept, to the bin.
        const double slack = 2.0 * histogram.binWidth();
        QVERIFY(range.min >= static_cast<double>(data[cut - 1]) - slack);
        QVERIFY(range.min <= static_cast<double>(data[cut]) + slack);
        QVERIFY(range.max <= static_cast<double>(data[data.size() - cut]) + slack);
        QVERIFY(range.max >= static_cast<double>(data[data.size() - 1 - cut]) - slack);
    }
}

void TestRangeEstimator::divergenceOfAKnownWindow() {
    // 4 bins into 2 levels: {4, 2 | 1, 3} becomes {3, 3 | 2, 2}; nothing is outside, nothing is empty.
    const std::vector<double> counts{4, 2, 1, 3};
    const double expected =
        0.4 * std::log(4.0 / 3.0) + 0.2 * std::log(2.0 / 3.0) + 0.1 * std::log(0.5) + 0.3 * std::log(1.5);
    QVERIFY(std::abs(windowDivergence(counts, {0, 4}, 2) - expected) < 1e-12);
    // Levels as fine as the bins lose nothing.
    QVERIFY(std::abs(windowDivergence(counts, {0, 4}, 4)) < 1e-12);
    // Cut to the middle: P = {6, 4}, Q = {2, 1} at one level each.
    const double cut = 0.6 * std::log(0.6 / (2.0 / 3.0)) + 0.4 * std::log(0.4 / (1.0 / 3.0));
    QVERIFY(std::abs(windowDivergence(counts, {1, 3}, 2) - cut) < 1e-12);
}

void TestRangeEstimator::entropyClipsHeavyTails() {
    std::vector<float> data = normal(20000, 23, 0.0, 1.0);
    data.push_back(60.0F);
    data.push_back(-60.0F);
    RangeSettings settings;
    settings.scheme = RangeScheme::Entropy;
    const GridRange grid = gridOfAll({data}, settings);
    QVERIFY(grid.max < 20.0 && grid.max > 2.5);
    QVERIFY(grid.min > -20.0 && grid.min < -2.5);
    // Data on one side of zero are not clipped away by the mirrored window.
    settings.grid.isSymmetric = true;
    std::mt19937 random(29);
    std::uniform_real_distribution<float> uniform(0.5F, 1.0F);
    std::vector<float> oneSided(1000);
    for (float& value : oneSided) value = uniform(random);
    QVERIFY(gridOfAll({oneSided}, settings).max > 0.8);
}

void TestRangeEstimator::oddValues() {
    for (const bool isCompatible : {false, true}) {
        for (const RangeScheme scheme : kSchemes) {
            RangeSettings settings;
            settings.scheme = scheme;
            settings.isAimetCompatible = isCompatible;
            RangeEstimator estimator(settings);
            QVERIFY(!estimator.grid().has_value());
            estimator.add(std::vector<float>{});
            estimator.add(std::vector<float>{NAN, INFINITY});
            QVERIFY(!estimator.grid().has_value());
            QCOMPARE(estimator.notFinite(), std::size_t{2});
            estimator.add(std::vector<float>(10, 0.0F));
            QVERIFY(estimator.grid()->scale > 0.0);
            estimator.add(std::vector<float>{NAN, 2.0F});
            QVERIFY(estimator.grid()->max >= 0.0);
            QCOMPARE(estimator.observed()->max, 2.0);
            RangeEstimator constant(settings);
            constant.add(std::vector<float>(10, 3.0F));
            QVERIFY(std::isfinite(constant.grid()->scale) && constant.grid()->scale > 0.0);
        }
    }
}

void TestRangeEstimator::tinyWeightsKeepTheirResolution() {
    RangeSettings settings;
    settings.grid.isSymmetric = true;
    const auto tiny = normal(100, 31, 0.0, 1e-6);
    const GridRange grid = gridOfAll({tiny}, settings);
    QVERIFY(grid.max < 1e-5);  // AIMET's minimum width of 0.01 would leave nothing of them
    settings.isAimetCompatible = true;
    QVERIFY(gridOfAll({tiny}, settings).max > 0.009);
}

void TestRangeEstimator::perChannel() {
    const Tensor tensor(Shape{2, 3, 2}, {1.F, -2.F, 3.F, 4.F, -5.F, 6.F, 7.F, 8.F, -9.F, 10.F, 11.F, -12.F});
    RangeSettings settings;
    settings.grid.isSymmetric = true;
    const auto grids = estimateGrids(tensor, 1, settings);
    QVERIFY(grids.has_value());
    QCOMPARE(grids->size(), std::size_t{3});
    QCOMPARE(grids->at(0).max, 8.0);
    QCOMPARE(grids->at(1).max, 10.0);
    QCOMPARE(grids->at(2).max, 12.0);
    QCOMPARE(estimateGrids(tensor, -1, settings)->size(), std::size_t{1});
    QVERIFY(!estimateGrids(tensor, 3, settings).has_value());
    QVERIFY(!estimateGrids(Tensor(DType::Int64, {2}), -1, settings).has_value());
}

void TestRangeEstimator::compatibleFacts() {
    RangeSettings settings;
    settings.isAimetCompatible = true;
    settings.scheme = RangeScheme::Sqnr;
    const GridRange zeros = gridOfAll({std::vector<float>(64, 0.0F)}, settings);
    QCOMPARE(zeros.offset, -128);
    QVERIFY(std::abs(zeros.min + 1.00392156862745) < 1e-12 && std::abs(zeros.max - 0.996078431372549) < 1e-12);
    settings.scheme = RangeScheme::MinMax;
    const GridRange zeroMinMax = gridOfAll({std::vector<float>(64, 0.0F)}, settings);
    QCOMPARE(zeroMinMax.max, 0.01);
    const GridRange known = gridOfAll({{-40, -1, 0, 1, 2, -50, 80}}, settings);
    QVERIFY(std::abs(known.min + 49.9608) < 1e-4 && std::abs(known.max - 80.0392) < 1e-4);
}

void TestRangeEstimator::compatibleModeForgetsWhatTheFirstBatchDidNotShow() {
    const auto narrow = normal(2000, 1, 0.0, 0.02);
    const auto wide = normal(2000, 2, 0.0, 3.0);
    RangeSettings settings;
    settings.scheme = RangeScheme::Mse;
    QVERIFY(gridOfAll({narrow, wide}, settings).max > 5.0);
    settings.isAimetCompatible = true;
    QVERIFY(gridOfAll({narrow, wide}, settings).max < 0.5);
}

void TestRangeEstimator::names() {
    for (const RangeScheme scheme : kSchemes) QVERIFY(parseRangeScheme(name(scheme)).value() == scheme);
    QVERIFY(parseRangeScheme("tf").value() == RangeScheme::MinMax);
    QVERIFY(parseRangeScheme("tf-enhanced").value() == RangeScheme::Sqnr);
    QVERIFY(!parseRangeScheme("best").has_value());
}

EQUANT_TEST(TestRangeEstimator)
}  // namespace test_range_estimator

#include "test_range_estimator.moc"
