// SPDX-License-Identifier: Apache-2.0
// What the four scores of a simulation say about the cause of the loss, and which remedies are left.
#include <QTest>

#include "core/quantization/diagnosis.h"
#include "tests/support/registry.h"

namespace test_diagnosis {

using namespace equant;

namespace {

Score top1(double percent, double halfWidth = 0) {
    Score score;
    score.top1 = percent;
    if (halfWidth > 0) score.top1Interval = Interval{percent - halfWidth, percent + halfWidth};
    return score;
}

Score withSqnr(double db) {
    Score score;
    score.sqnrDb = db;
    return score;
}

}  // namespace

class TestDiagnosis : public QObject {
    Q_OBJECT

private slots:
    void namesTheCause() {
        const Score floating = top1(80), good = top1(79.8), bad = top1(60), fair = top1(72);
        const QuantizationSettings settings;
        const auto weights = diagnoseLoss({floating, nullptr, bad, good, bad}, settings, false);
        QVERIFY(weights && weights->cause == LossCause::Weights && weights->unit == LossUnit::Top1Points);
        QCOMPARE(weights->weights, 20.0);
        QVERIFY((weights->remedies == std::vector{LossRemedy::Equalize, LossRemedy::PerChannelWeights}));
        const auto activations = diagnoseLoss({floating, nullptr, good, bad, bad}, settings, true);
        QCOMPARE(activations->cause, LossCause::Activations);
        const auto both = diagnoseLoss({floating, nullptr, fair, fair, bad}, settings, true);
        QCOMPARE(both->cause, LossCause::Both);
        QCOMPARE(both->remedies.front(), LossRemedy::PerChannelWeights);
    }

    /// Half the confidence interval counts as none, within 0.5 and 1 point.
    void smallLossesAreNegligible() {
        const Score low = top1(79.3), lower = top1(78.9);
        for (const auto& [halfWidth, score, isNegligible] :
             {std::tuple(0.1, low, false), std::tuple(0.8, low, true), std::tuple(5.0, lower, false)}) {
            const Score floating = top1(80, halfWidth);
            const auto found = diagnoseLoss({floating, nullptr, score, score, score}, {}, true);
            QCOMPARE(found->cause == LossCause::Negligible, isNegligible);
            QCOMPARE(found->remedies.empty(), isNegligible);
        }
    }

    /// What a compression lost before is no loss by quantization.
    void comparesWithThePreparedModel() {
        const Score floating = top1(80), prepared = top1(70), quantized = top1(69.8);
        const auto found = diagnoseLoss({floating, &prepared, quantized, quantized, quantized}, {}, true);
        QCOMPARE(found->cause, LossCause::Negligible);
        QVERIFY(std::abs(found->total - 0.2) < 1e-9);
    }

    void remediesEnd() {
        QuantizationSettings settings;
        settings.isPerChannel = true;
        settings.scheme = RangeScheme::Mse;
        settings.weightBits = settings.activationBits = 16;
        const Score floating = top1(80), bad = top1(60);
        const auto found = diagnoseLoss({floating, nullptr, bad, bad, bad}, settings, true);
        QVERIFY(found->remedies.empty() && found->cause == LossCause::Both);
    }

    void withoutClassesDecibelsCount() {
        const Score floating, noisy = withSqnr(12), clean = withSqnr(45);
        const auto found = diagnoseLoss({floating, nullptr, noisy, clean, noisy}, {}, false);
        QVERIFY(found && found->unit == LossUnit::Decibels && found->cause == LossCause::Weights);
        QCOMPARE(found->total, 18.0);
        QVERIFY(!diagnoseLoss({floating, nullptr, floating, floating, floating}, {}, false));
    }
};

EQUANT_TEST(TestDiagnosis)
}  // namespace test_diagnosis

#include "test_diagnosis.moc"
