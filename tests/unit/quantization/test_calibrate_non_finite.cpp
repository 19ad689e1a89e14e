// SPDX-License-Identifier: Apache-2.0
// What calibration and simulation do when the network makes NaN: an error or a finding that names operator and sample.
#include <QtTest>
#include <limits>

#include "core/metrics/non_finite_findings.h"
#include "core/quantization/simulate.h"
#include "tests/support/registry.h"
#include "tests/unit/support/model_builder.h"

namespace test_calibrate_non_finite {

using namespace equant;
using test::ModelBuilder;
using test::randomTensor;

namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

/// Positive values, but one negative in one sample.
class Samples : public Dataset {
public:
    explicit Samples(std::size_t negative = 1000) : m_negative(negative) {}
    std::size_t size() const override { return 12; }
    Result<Sample> load(std::size_t index) const override {
        Tensor tensor = randomTensor({4}, unsigned(index), 0.5F, 2.0F);
        if (index == m_negative) tensor.mutableData<float>()[2] = -1.0F;
        return Sample{{tensor}, std::nullopt, {}};
    }
    std::string sampleName(std::size_t index) const override { return "sample " + std::to_string(index); }
    bool hasLabels() const override { return false; }
    std::optional<std::int64_t> label(std::size_t) const override { return std::nullopt; }
    std::string describe() const override { return "samples"; }
    std::string fingerprint() const override { return "samples"; }

private:
    std::size_t m_negative;
};

/// x -> Sqrt -> MatMul -> `last` -> y
Model rooted(const std::string& last) {
    return ModelBuilder()
        .input("x", {-1, 4})
        .output("y", {-1, 3})
        .constant("w", randomTensor({4, 3}, 5))
        .node("Sqrt", {"x"}, {"a"})
        .node("MatMul", {"a", "w"}, {"b"})
        .node(last, {"b"}, {"y"})
        .build();
}

/// x + mask -> Softmax -> MatMul -> y
Model masked() {
    return ModelBuilder()
        .input("x", {-1, 4})
        .output("y", {-1, 3})
        .constant("mask", Tensor(Shape{1, 4}, {0.0F, -kInfinity, 0.0F, -kInfinity}))
        .constant("w", randomTensor({4, 3}, 5))
        .node("Add", {"x", "mask"}, {"a"})
        .node("Softmax", {"a"}, {"b"})
        .node("MatMul", {"b", "w"}, {"y"})
        .build();
}

}  // namespace

class TestCalibrateNonFinite : public QObject {
    Q_OBJECT

private slots:
    void nanInTheOutputsIsAnError() {
        for (const bool isCompatible : {false, true}) {
            for (const unsigned threads : {1U, 3U}) {
                QuantizationSettings settings;
                settings.isAimetCompatible = isCompatible;
                const auto sim = calibrate(rooted("Neg"), Samples(5), settings, {threads, 2});
                QVERIFY(!sim.has_value());
                QCOMPARE(sim.error().code, ErrorCode::InvalidArgument);
                QCOMPARE(sim.error().subject, std::string("sample 5"));
                QVERIFY2(sim.error().message.find("Sqrt \"Sqrt_0\" makes 1 NaN of finite inputs") != std::string::npos,
                         sim.error().message.c_str());
                QVERIFY(!sim.error().hint.empty());
            }
        }
        QVERIFY(calibrate(rooted("Neg"), Samples(), {}).has_value());
    }

    void timingMayGoOn() {
        CalibrationOptions options;
        options.shouldRefuseNan = false;
        const auto sim = calibrate(rooted("Neg"), Samples(5), {}, options);
        QVERIFY(sim.has_value());
        QVERIFY(sim->notFinite.has_value());
    }

    void nanThatDoesNotReachTheOutputsIsToldOnly() {
        const auto sim = calibrate(rooted("IsNaN"), Samples(7), {}, {1, 4});
        QVERIFY(sim.has_value());
        QVERIFY(sim->notFinite.has_value());
        QCOMPARE(sim->notFinite->sample, std::string("sample 7"));
        QCOMPARE(sim->notFinite->origin.layer, std::string("Sqrt_0"));
        const Finding finding = asFinding(*sim->notFinite);
        QCOMPARE(finding.id, std::string("non-finite-values"));
        QCOMPARE(finding.subject, std::string("Sqrt_0"));
        QVERIFY(finding.message.starts_with("Sample \"sample 7\": Sqrt"));
        QVERIFY(!calibrate(rooted("IsNaN"), Samples(), {})->notFinite);
    }

    void batchesInMemoryAreNamedByNumber() {
        std::vector<std::vector<Tensor>> batches;
        for (unsigned i = 0; i < 3; ++i) batches.push_back({randomTensor({2, 4}, i, i == 1 ? -1.0F : 0.5F, 2.0F)});
        const auto sim = calibrate(rooted("Neg"), batches, {});
        QVERIFY(!sim.has_value());
        QCOMPARE(sim.error().subject, std::string("batch 1"));
    }

    void masksAreNoFault() {
        const auto sim = calibrate(masked(), Samples(), {});
        QVERIFY(sim.has_value());
        QVERIFY(!sim->notFinite);
        const auto report = simulate(masked(), Samples(), Samples(), {});
        QVERIFY(report.has_value());
        QVERIFY(report->findings.empty());
    }

    void evaluationDataAreExplained() {
        const auto report = simulate(rooted("Neg"), Samples(), Samples(3), {});
        QVERIFY2(report.has_value(), report ? "" : describe(report.error()).c_str());
        QCOMPARE(report->floating.notFinite, std::size_t{1});
        QCOMPARE(report->findings.size(), std::size_t{1});
        QCOMPARE(report->findings[0].subject, std::string("Sqrt_0"));
        QVERIFY(report->findings[0].message.starts_with("Sample \"sample 3\""));
        QVERIFY(simulate(rooted("Neg"), Samples(), Samples(), {})->findings.empty());
    }

    void scoresAreExplained() {
        Score score;
        score.samples = 12;
        QVERIFY(explainScore(score, rooted("Neg"), Samples(3))->empty());
        score.notFinite = 2;
        score.firstNotFinite = 3;
        const auto found = explainScore(score, rooted("Neg"), Samples(3));
        QCOMPARE(found->size(), std::size_t{1});
        QVERIFY(found->front().message.ends_with("2 of 12 samples have such results."));
        // Nothing wrong with that sample by itself: the finding stays, without a layer.
        score.firstNotFinite = 4;
        const auto vague = explainScore(score, rooted("Neg"), Samples(3));
        QCOMPARE(vague->size(), std::size_t{1});
        QVERIFY(vague->front().subject.empty());
    }
};

EQUANT_TEST(TestCalibrateNonFinite)
}  // namespace test_calibrate_non_finite

#include "test_calibrate_non_finite.moc"
