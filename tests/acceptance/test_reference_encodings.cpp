// SPDX-License-Identifier: Apache-2.0
// Compares the compatible range estimators with a table of encodings computed by AIMET (data generators are described
// beside the table). Skips where the table is not available; set EQUANT_SHARED to its folder.
#include <QTest>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <functional>
#include <map>
#include <sstream>
#include <string>

#include "core/quantization/range_estimator.h"
#include "tests/acceptance/shared_folder.h"
#include "tests/support/registry.h"

namespace test_reference_encodings {

using namespace equant;

namespace {

class Uniform {
public:
    explicit Uniform(std::uint32_t seed) : m_state(seed) {}
    double next() {
        m_state = 1664525U * m_state + 1013904223U;
        return m_state / 4294967296.0;
    }
    double nearNormal() {
        double sum = 0.0;
        for (int i = 0; i < 12; ++i) sum += next();
        return sum - 6.0;
    }

private:
    std::uint32_t m_state;
};

std::vector<float> generate(std::size_t count, std::uint32_t seed, const std::function<double(Uniform&)>& value) {
    Uniform random(seed);
    std::vector<float> values(count);
    for (float& v : values) v = static_cast<float>(value(random));
    return values;
}

std::map<std::string, std::vector<std::vector<float>>> batchesByName() {
    const auto a = generate(4096, 1, [](Uniform& u) { return 3.0 * u.nearNormal() + 1.0; });
    const auto b = generate(4096, 1, [](Uniform& u) { return std::max(3.0 * u.nearNormal() + 1.0, 0.0); });
    const auto d = generate(8192, 42, [](Uniform& u) { return std::pow(u.nearNormal(), 3.0); });
    const auto e = generate(2304, 3, [](Uniform& u) { return 0.02 * u.nearNormal(); });
    return {{"A", {a}},
            {"B", {b}},
            {"C", {generate(1000, 7, [](Uniform& u) { return -1.0 + 3.0 * u.next(); })}},
            {"D", {d}},
            {"E", {e}},
            {"F", {generate(1000, 9, [](Uniform& u) { return 0.5 + 0.5 * u.next(); })}},
            {"G", {std::vector<float>(64, 0.0F)}},
            {"H", {generate(1000, 11, [](Uniform& u) { return -3.0 + 2.0 * u.next(); })}},
            {"AD", {a, d}},
            {"EA", {e, a}}};
}

bool isClose(double a, double b) {
    return std::abs(a - b) <= 1e-6 * std::max({std::abs(a), std::abs(b), 1e-9});
}

}  // namespace

class TestReferenceEncodings : public QObject {
    Q_OBJECT

private slots:
    void table();
};

void TestReferenceEncodings::table() {
    std::ifstream file(sharedFolder() / "aimet_ref" / "encodings.csv");
    if (!file) QSKIP("the reference table is not available");
    const auto batches = batchesByName();
    std::string line;
    std::getline(file, line);
    std::map<std::string, int> rows;
    std::map<std::string, int> equal;
    while (std::getline(file, line)) {
        std::vector<std::string> cells;
        std::stringstream stream(line);
        for (std::string cell; std::getline(stream, cell, ',');) cells.push_back(cell);
        RangeSettings settings;
        settings.isAimetCompatible = true;
        settings.scheme = parseRangeScheme(cells[1] == "tf" ? "minmax" : cells[1]).value();
        if (!cells[2].empty()) settings.percentile = std::stod(cells[2]);
        settings.grid.bits = std::stoi(cells[3]);
        settings.grid.isSymmetric = cells[4] != "asym";
        settings.grid.isStrict = cells[4] == "sym_strict";
        settings.grid.isUnsignedAllowed = cells[4] == "sym_unsigned";
        RangeEstimator estimator(settings);
        for (const auto& batch : batches.at(cells[0])) estimator.add(batch);
        const auto grid = estimator.grid();
        QVERIFY2(grid.has_value(), line.c_str());
        const bool isEqual = isClose(grid->min, std::stod(cells[5])) && isClose(grid->max, std::stod(cells[6])) &&
                             isClose(grid->scale, std::stod(cells[7])) && grid->offset == std::stod(cells[8]);
        ++rows[cells[1]];
        if (isEqual) {
            ++equal[cells[1]];
        } else {
            std::printf("%s | ours %.9g %.9g %.9g %d\n", line.c_str(), grid->min, grid->max, grid->scale, grid->offset);
        }
    }
    int total = 0;
    int totalEqual = 0;
    for (const auto& [scheme, count] : rows) {
        std::printf("%-12s %d of %d rows equal\n", scheme.c_str(), equal[scheme], count);
        total += count;
        totalEqual += equal[scheme];
    }
    std::printf("all          %d of %d rows equal\n", totalEqual, total);
    QCOMPARE(total, 640);
    QCOMPARE(equal["tf"], rows["tf"]);
    QCOMPARE(equal["percentile"], rows["percentile"]);
    QCOMPARE(equal["entropy"], rows["entropy"]);
    // What is left are candidates of almost equal cost.
    QVERIFY(equal["tf_enhanced"] >= 78);
    QVERIFY(equal["mse"] >= 44);
}

EQUANT_TEST(TestReferenceEncodings)
}  // namespace test_reference_encodings

#include "test_reference_encodings.moc"
