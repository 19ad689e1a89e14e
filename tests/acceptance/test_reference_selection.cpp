// SPDX-License-Identifier: Apache-2.0
// The greedy choice of ratios against what AIMET chose from the same scores, with and without its monotone fit. Skips
// where the reference is not available; set EQUANT_SHARED to its folder.
#include <QTest>
#include <fstream>
#include <nlohmann/json.hpp>

#include "core/compression/plan/greedy_selection_internal.h"
#include "tests/acceptance/shared_folder.h"
#include "tests/support/registry.h"

namespace test_reference_selection {

using namespace equant;
using nlohmann::json;

class TestReferenceSelection : public QObject {
    Q_OBJECT

private slots:
    void picksTheSameRatios();
};

void TestReferenceSelection::picksTheSameRatios() {
    std::ifstream file(sharedFolder() / "aimet_ref" / "cases.json");
    if (!file) QSKIP("no reference data");
    const json cases = json::parse(file);
    int compared = 0;
    for (const json& reference : cases["greedy"]) {
        const std::string costs = reference["cost"], metric = reference["metric"];
        const char* cost = metric == "mac" ? "mac" : "mem";
        double total = 0;
        for (const auto& [name, layer] : cases["cost_mnist"][costs].items()) total += layer[cost].get<double>();
        // The last layer was in the network but not in the search, where the table has no row for it.
        std::vector<GreedyLayer> layers;
        std::vector<std::string> names;
        for (const auto& [name, scores] : cases["greedy_eval_scores"].items()) {
            if (!cases["cost_mnist"][costs].contains(name)) continue;
            const json& table = cases["cost_mnist"][costs][name];
            GreedyLayer& layer = layers.emplace_back();
            std::vector<double> ratios;
            for (const auto& [ratio, score] : scores.items()) {
                ratios.push_back(std::stod(ratio));
                layer.scores.push_back(score);
                layer.saved.push_back(table[cost].get<double>() - table["by_ratio"][ratio][metric][cost].get<double>());
            }
            if (reference["monotonic_fit"]) layer.scores = monotoneFit(ratios, layer.scores);
            names.push_back(name);
        }
        const auto picked = selectGreedily(layers, total, reference["target"]);
        for (std::size_t i = 0; i < names.size(); ++i) {
            const json& expected = reference["picked"][names[i]];
            const double ratio = picked[i] ? 0.1 * double(*picked[i] + 1) : 0;
            const double wanted = expected.is_null() ? 0 : expected.get<double>();
            QVERIFY2(std::abs(ratio - wanted) < 1e-9, qPrintable(QString("%1 %2 fit %3 target %4 %5: %6 instead of %7")
                                                                     .arg(costs.c_str(), metric.c_str())
                                                                     .arg(reference["monotonic_fit"].get<bool>())
                                                                     .arg(reference["target"].get<double>())
                                                                     .arg(names[i].c_str())
                                                                     .arg(ratio)
                                                                     .arg(wanted)));
            ++compared;
        }
    }
    qInfo("%d choices compared", compared);
    QVERIFY(compared >= 40);
}

EQUANT_TEST(TestReferenceSelection)
}  // namespace test_reference_selection

#include "test_reference_selection.moc"
