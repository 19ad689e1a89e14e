// SPDX-License-Identifier: Apache-2.0
// Ranks and costs of compression against the numbers AIMET computed (aimet_ref/cases.json, "cost_mnist").
#include <QtTest>
#include <nlohmann/json.hpp>

#include "core/base/file.h"
#include "core/compression/method.h"
#include "tests/acceptance/shared_folder.h"
#include "tests/support/registry.h"

namespace test_reference_costs {

using namespace equant;
using Json = nlohmann::json;

class TestReferenceCosts : public QObject {
    Q_OBJECT

private slots:
    void ranksAndCosts() {
        const auto path = sharedFolder() / "aimet_ref" / "cases.json";
        if (!std::filesystem::exists(path)) QSKIP("no reference data");
        const auto text = readFile(path);
        QVERIFY(text.has_value());
        const Json cases = Json::parse(*text)["cost_mnist"];
        int compared = 0;
        for (const auto& [method, layers] : cases.items()) {
            const auto kind = method == "spatial_svd" ? CompressionMethod::SpatialSvd : CompressionMethod::WeightSvd;
            for (const auto& [name, expected] : layers.items()) {
                if (!expected.contains("by_ratio")) continue;
                LayerGeometry layer;
                const auto weight = expected["weight_shape"], output = expected["output_shape"];
                layer.outputs = weight[0];
                layer.inputs = weight[1];
                layer.kernelHeight = weight[2];
                layer.kernelWidth = weight[3];
                layer.positions = output[2].get<std::int64_t>() * output[3].get<std::int64_t>();
                layer.cost = {expected["mac"].get<double>(), expected["mem"].get<double>()};
                QCOMPARE(maxSize(kind, layer), expected["max_rank"].get<std::int64_t>());
                for (const auto& [ratio, byMetric] : expected["by_ratio"].items())
                    for (const auto& [metric, wanted] : byMetric.items()) {
                        const auto costMetric = metric == "mac" ? CostMetric::Macs : CostMetric::Parameters;
                        const auto choice = sizeForRatio(kind, layer, std::stod(ratio), costMetric);
                        QCOMPARE(choice.size, wanted["rank"].get<std::int64_t>());
                        QCOMPARE(choice.ratio, wanted["ratio_back"].get<double>());
                        const auto cost = costAtSize(kind, layer, choice.size);
                        QCOMPARE(cost.macs, wanted["mac"].get<double>());
                        QCOMPARE(cost.parameters, wanted["mem"].get<double>());
                        ++compared;
                    }
            }
        }
        qInfo("%d ranks and costs are AIMET's", compared);
        QVERIFY(compared > 0);
    }
};

EQUANT_TEST(TestReferenceCosts)
}  // namespace test_reference_costs

#include "test_reference_costs.moc"
