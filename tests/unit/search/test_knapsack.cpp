// SPDX-License-Identifier: Apache-2.0
// The solver's choice against trying everything.
#include <QTest>
#include <limits>
#include <random>

#include "core/search/knapsack.h"
#include "tests/support/registry.h"

namespace test_knapsack {

using namespace equant;

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

std::vector<KnapsackClass> randomClasses(std::mt19937& random, std::size_t groups, std::size_t options) {
    std::uniform_int_distribution<int> value(0, 20), weight(0, 12);
    std::vector<KnapsackClass> classes;
    for (std::size_t i = 0; i < groups; ++i) {
        KnapsackClass& group = classes.emplace_back();
        for (std::size_t o = 0; o < options; ++o)
            group.push_back({double(value(random)), {double(weight(random)), double(weight(random))}});
    }
    return classes;
}

double bestByTrying(const std::vector<KnapsackClass>& classes, const std::array<double, 2>& limits) {
    double best = kInfinity;
    std::vector<std::size_t> chosen(classes.size(), 0);
    for (;;) {
        double value = 0;
        std::array<double, 2> weight{};
        for (std::size_t i = 0; i < classes.size(); ++i) {
            value += classes[i][chosen[i]].value;
            for (std::size_t k = 0; k < 2; ++k) weight[k] += classes[i][chosen[i]].weight[k];
        }
        if (weight[0] <= limits[0] && weight[1] <= limits[1]) best = std::min(best, value);
        std::size_t i = 0;
        while (i < classes.size() && ++chosen[i] == classes[i].size()) chosen[i++] = 0;
        if (i == classes.size()) return best;
    }
}

}  // namespace

class TestKnapsack : public QObject {
    Q_OBJECT

private slots:
    void equalsTryingEverything();
    void infeasibleComesClose();
    void descentStaysOptimal();
    void manyClasses();
};

void TestKnapsack::equalsTryingEverything() {
    std::mt19937 random(7);
    int feasible = 0;
    for (int round = 0; round < 300; ++round) {
        const auto classes = randomClasses(random, 5, 4);
        const bool hasSecond = round % 2 == 0;
        const std::array<double, 2> limits{double(random() % 40), hasSecond ? double(random() % 40) : kInfinity};
        const double expected = bestByTrying(classes, limits);
        const auto found = solveKnapsack(classes, limits);
        QCOMPARE(found.isFeasible, expected < kInfinity);
        if (!found.isFeasible) continue;
        ++feasible;
        QCOMPARE(found.value, expected);
        QCOMPARE(found.gap, 0.0);
        QVERIFY(found.weight[0] <= limits[0] && found.weight[1] <= limits[1]);
    }
    QVERIFY(feasible > 100);
}

void TestKnapsack::infeasibleComesClose() {
    const std::vector<KnapsackClass> classes{{{0, {10, 0}}, {5, {4, 0}}}, {{0, {8, 0}}, {1, {3, 0}}}};
    const auto found = solveKnapsack(classes, {5, kInfinity});
    QVERIFY(!found.isFeasible);
    QCOMPARE(found.weight[0], 7.0);
}

void TestKnapsack::descentStaysOptimal() {
    std::mt19937 random(11);
    for (int round = 0; round < 50; ++round) {
        const auto classes = randomClasses(random, 4, 4);
        const auto descent = descend(classes);
        auto chosen = descent.start;
        double rate = 0;
        for (const KnapsackStep& step : descent.steps) {
            QVERIFY(step.weightSaved > 0);
            QVERIFY(step.valueAdded / step.weightSaved >= rate - 1e-12);
            rate = step.valueAdded / step.weightSaved;
            chosen[step.group] = step.option;
            double value = 0, weight = 0;
            for (std::size_t i = 0; i < classes.size(); ++i) {
                value += classes[i][chosen[i]].value;
                weight += classes[i][chosen[i]].weight[0];
            }
            QCOMPARE(value, bestByTrying(classes, {weight, kInfinity}));
        }
    }
}

/// 200 layers with real-valued losses: still exact, or says how far from it.
void TestKnapsack::manyClasses() {
    std::mt19937 random(3);
    std::uniform_real_distribution<double> unit(0, 1);
    std::vector<KnapsackClass> classes;
    for (int i = 0; i < 200; ++i) {
        KnapsackClass& group = classes.emplace_back();
        const double cost = unit(random), pain = unit(random);
        for (int o = 1; o <= 10; ++o)
            group.push_back({pain * (10 - o) * (10 - o) * (1 + 0.1 * unit(random)), {cost * o / 10, 0}});
    }
    double total = 0;
    for (const auto& group : classes) total += group.back().weight[0];
    const auto found = solveKnapsack(classes, {total / 2, kInfinity});
    QVERIFY(found.isFeasible);
    QVERIFY(found.weight[0] <= total / 2 && found.weight[0] > 0.499 * total);
    QVERIFY(found.gap <= 1e-3 * found.value);
}

EQUANT_TEST(TestKnapsack)
}  // namespace test_knapsack

#include "test_knapsack.moc"
