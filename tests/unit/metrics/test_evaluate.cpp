// SPDX-License-Identifier: Apache-2.0
#include <QtTest>
#include <algorithm>
#include <atomic>
#include <cmath>
#include <tuple>

#include "core/base/load_ahead.h"
#include "core/metrics/evaluate.h"
#include "tests/support/registry.h"
#include "tests/unit/support/model_builder.h"

namespace test_evaluate {

using namespace equant;
using test::ModelBuilder;
using test::randomTensor;

namespace {

/// Random vectors whose label is the index of their largest element, except for every fifth.
class Vectors : public Dataset {
public:
    std::size_t size() const override { return 50; }
    Result<Sample> load(std::size_t index) const override {
        ++m_loaded;
        if (index == m_broken) return fail(ErrorCode::Corrupt, "This sample is broken.", {}, sampleName(index));
        return Sample{{randomTensor({10}, unsigned(index))}, label(index), {}};
    }
    std::string sampleName(std::size_t index) const override { return "#" + std::to_string(index); }
    bool hasLabels() const override { return true; }
    std::optional<std::int64_t> label(std::size_t index) const override {
        const auto largest = std::int64_t(argmax(randomTensor({10}, unsigned(index)).data<float>()));
        return index % 5 == 0 ? (largest + 1) % 10 : largest;
    }
    std::string describe() const override { return "vectors"; }
    std::string fingerprint() const override { return "vectors"; }

    std::size_t m_broken = 1000;
    mutable std::atomic<int> m_loaded = 0;
};

std::shared_ptr<Executor> scaled(float factor, float shift = 0) {
    return *Executor::create(ModelBuilder()
                                 .input("x", {-1, 10})
                                 .output("y", {-1, 10})
                                 .constant("factor", Tensor(Shape{1}, {factor}))
                                 .constant("shift", Tensor(Shape{1}, {shift}))
                                 .node("Mul", {"x", "factor"}, {"m"})
                                 .node("Add", {"m", "shift"}, {"y"})
                                 .build());
}

}  // namespace

class TestEvaluate : public QObject {
    Q_OBJECT

private slots:
    void scoresAgainstLabelsAndReference() {
        const auto reference = scaled(1);
        const auto scores = evaluateAll({reference, scaled(0.9F), scaled(-1)}, reference, Vectors(), {});
        QVERIFY2(scores.has_value(), scores ? "" : describe(scores.error()).c_str());
        const auto& [same, smaller, negated] = std::tie((*scores)[0], (*scores)[1], (*scores)[2]);
        QCOMPARE(same.samples, std::size_t{50});
        QCOMPARE(*same.top1, 80.0);
        QVERIFY(*same.top5 >= 80.0);
        QCOMPARE(*same.agreement, 100.0);
        QVERIFY(std::isinf(*same.sqnrDb));
        QVERIFY(std::abs(*smaller.sqnrDb - 20) < 1e-3);  // a tenth off: 20 dB
        QVERIFY(std::abs(*smaller.cosine - 1) < 1e-6);
        QCOMPARE(*smaller.top1, 80.0);
        QVERIFY(*negated.agreement < 20);
        QVERIFY(std::abs(*negated.cosine + 1) < 1e-6);
        QVERIFY(same.top1Interval->low < 80 && same.top1Interval->high > 80);
    }

    void samplesWithoutFiniteOutputsAreCounted() {
        const auto root = *Executor::create(ModelBuilder()
                                                .input("x", {-1, 10})
                                                .output("y", {-1, 10})
                                                .constant("shift", Tensor(Shape{1}, {0.9998F}))
                                                .node("Add", {"x", "shift"}, {"a"})
                                                .node("Sqrt", {"a"}, {"y"})
                                                .build());
        std::size_t expected = 0, first = 1000;
        for (std::size_t i = 0; i < 50; ++i) {
            const Tensor sample = randomTensor({10}, unsigned(i));
            if (std::ranges::none_of(sample.data<float>(), [](float value) { return value + 0.9998F < 0; })) continue;
            ++expected;
            first = std::min(first, i);
        }
        QVERIFY(expected > 1 && expected < 50);
        for (const unsigned threads : {1U, 3U}) {
            const auto score = evaluate(root, nullptr, Vectors(), {threads, 7});
            QVERIFY(score.has_value());
            QCOMPARE(score->notFinite, expected);
            QCOMPARE(*score->firstNotFinite, first);
        }
        const auto score = evaluate(scaled(1), nullptr, Vectors(), {});
        QCOMPARE(score->notFinite, std::size_t{0});
        QVERIFY(!score->firstNotFinite);
    }

    void doesNotDependOnThreadsOrBatches() {
        const auto reference = scaled(1);
        const auto one = evaluate(scaled(0.7F, 0.1F), reference, Vectors(), {.threads = 1, .batch = 1});
        const auto many = evaluate(scaled(0.7F, 0.1F), reference, Vectors(), {.threads = 4, .batch = 7});
        QVERIFY(one.has_value() && many.has_value());
        QCOMPARE(*one->top1, *many->top1);
        QVERIFY(std::abs(*one->sqnrDb - *many->sqnrDb) < 1e-9);
        QVERIFY(std::abs(*one->cosine - *many->cosine) < 1e-12);
    }

    void aBrokenSampleIsNamed() {
        Vectors vectors;
        vectors.m_broken = 23;
        const auto score = evaluate(scaled(1), nullptr, vectors, {});
        QVERIFY(!score.has_value());
        QCOMPARE(score.error().subject, std::string("#23"));
    }

    void nothingIsReadBehindABrokenSample() {
        for (const unsigned threads : {1U, 4U}) {
            Vectors vectors;
            vectors.m_broken = 3;
            const auto score = evaluate(scaled(1), nullptr, vectors, {.threads = threads, .batch = 1});
            QVERIFY(!score.has_value());
            QCOMPARE(score.error().subject, std::string("#3"));
            // Some may have been loaded ahead: two for each thread that works, and one in each that loads.
            const int most = 4 + 4 * static_cast<int>(threads + loadersFor(threads));
            QVERIFY2(vectors.m_loaded <= most, qPrintable(QString::number(vectors.m_loaded)));
        }
    }

    void stopsWhenAsked() {
        std::stop_source stop;
        stop.request_stop();
        const auto score = evaluate(scaled(1), nullptr, Vectors(), {}, {stop.get_token(), nullptr});
        QCOMPARE(score.error().code, ErrorCode::Cancelled);
    }

    void equivalenceMeasuresTheDifference() {
        const auto model = [](float shift) {
            return ModelBuilder()
                .input("x", {-1, 10})
                .output("y", {-1, 10})
                .constant("s", Tensor(Shape{1}, {shift}))
                .node("Add", {"x", "s"}, {"y"})
                .build();
        };
        const auto same = compareOutputs(model(0.5F), model(0.5F), nullptr, 4, 0);
        QVERIFY(same.has_value());
        QCOMPARE(same->maxAbsDiff, 0.0);
        QVERIFY(same->isOnRandomInputs);
        const Vectors vectors;
        const auto shifted = compareOutputs(model(0.5F), model(0.75F), &vectors, 20, 0);
        QCOMPARE(shifted->samples, std::size_t{20});
        QVERIFY(std::abs(shifted->maxAbsDiff - 0.25) < 1e-6);
        QVERIFY(std::abs(shifted->meanAbsDiff - 0.25) < 1e-6);
        QVERIFY(shifted->outputStd > 0.3 && shifted->outputStd < 0.8);
    }
};

EQUANT_TEST(TestEvaluate)
}  // namespace test_evaluate

#include "test_evaluate.moc"
