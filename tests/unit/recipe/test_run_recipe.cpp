// SPDX-License-Identifier: Apache-2.0
// Recipes carried out: the whole is the same as its steps one by one, and what cannot work is refused beforehand.
#include <QTemporaryDir>
#include <QTest>

#include "core/data/npy.h"
#include "core/graph/onnx_io.h"
#include "core/recipe/run.h"
#include "tests/support/registry.h"
#include "tests/unit/support/model_builder.h"

namespace test_run_recipe {

using namespace equant;
using test::ModelBuilder;
using test::randomTensor;

namespace {

/// conv - relu - conv - relu - mean - 4 classes, for [N, 3, 8, 8].
Model network(const std::string& second = "second") {
    Model model = ModelBuilder(13)
                      .input("x", {-1, 3, 8, 8})
                      .output("y", {-1, 4})
                      .constant("w1", randomTensor({12, 3, 3, 3}, 1))
                      .constant("b1", randomTensor({12}, 2))
                      .constant("w2", randomTensor({4, 12, 3, 3}, 3))
                      .constant("b2", randomTensor({4}, 4))
                      .node("Conv", {"x", "w1", "b1"}, {"c1"})
                      .node("Relu", {"c1"}, {"r1"})
                      .node("Conv", {"r1", "w2", "b2"}, {"c2"})
                      .node("Relu", {"c2"}, {"r2"})
                      .node("GlobalAveragePool", {"r2"}, {"p"})
                      .node("Flatten", {"p"}, {"y"})
                      .build();
    model.graph.nodes[0].name = "first";
    model.graph.nodes[2].name = second;
    return model;
}

CompressStep halving(const std::string& layer = "second") {
    CompressStep step;
    step.plan.choices = {{layer, CompressionMethod::WeightSvd, 0.5}};
    step.source = DataSource::GivenAtRun;
    return step;
}

}  // namespace

class TestRunRecipe : public QObject {
    Q_OBJECT

private:
    QTemporaryDir m_folder;
    std::string m_samples;
    std::string m_others;

    std::string at(const char* name) const { return m_folder.filePath(QString::fromLatin1(name)).toStdString(); }
    DataOptions data() const {
        DataOptions data;
        data.path = m_samples;
        return data;
    }
    static Result<PreparedRecipe> prepare(const Recipe& recipe, const DataOptions& data) {
        return prepareRecipe(recipe, network(), "network.onnx", data);
    }

private slots:
    void initTestCase() {
        m_samples = at("samples.npy");
        m_others = at("others.npy");
        QVERIFY(writeNpy(randomTensor({24, 3, 8, 8}, 7), m_samples));
        QVERIFY(writeNpy(randomTensor({10, 3, 8, 8}, 8), m_others));
    }

    void theWholeIsItsStepsOneByOne() {
        const auto prepared = prepare({{halving(), EqualizeStep{}, QuantizeStep{}}}, data());
        QVERIFY2(prepared, prepared ? "" : prepared.error().message.c_str());
        const Model original = network();
        const auto run = runRecipe(*prepared, original, {1, false});
        QVERIFY2(run, run ? "" : run.error().message.c_str());
        QCOMPARE(run->steps.size(), std::size_t(3));
        QCOMPARE(name(run->steps[0].step), std::string_view("compress"));
        QCOMPARE(name(run->steps[1].step), std::string_view("equalize"));
        QCOMPARE(name(run->steps[2].step), std::string_view("quantize"));

        const auto* compress = prepared->recipe.compressStep();
        QVERIFY(compress && compress->data == m_samples);
        const auto samples = openSamples(m_samples, original, {}, 0);
        QVERIFY(samples);
        StepContext context;
        context.calibration = context.evaluation = samples->get();
        context.shouldTime = false;
        const auto compressed = runStep(*compress, original, context);
        QVERIFY(compressed);
        QVERIFY(compressed->report.macsRatio < 0.9);
        const auto equalized = runStep(EqualizeStep{}, compressed->model, context);
        QVERIFY(equalized && equalized->report.equivalence);
        context.reference = &original;
        const auto simulated = runStep(QuantizeStep{}, equalized->model, context);
        QVERIFY(simulated);
        const auto& whole = std::get<SimulationReport>(run->steps[2].report);
        QCOMPARE(contentHash(whole.model), contentHash(simulated->report.model));
        QCOMPARE(whole.quantized.sqnrDb.value_or(-1), simulated->report.quantized.sqnrDb.value_or(-2));
        QCOMPARE(std::get<CompressionReport>(run->steps[0].report).samples, std::size_t(24));
        QCOMPARE(run->simulation(), &whole);
        QCOMPARE(contentHash(run->model), contentHash(whole.model));
        // The number of threads changes nothing.
        const auto again = runRecipe(*prepared, original, {2, false});
        QVERIFY(again);
        QCOMPARE(contentHash(again->model), contentHash(run->model));
    }

    void anEmptyRecipeChangesNothing() {
        const auto prepared = prepare({}, {});
        QVERIFY(prepared);
        const auto run = runRecipe(*prepared, network(), {1, false});
        QVERIFY(run && run->steps.empty());
        QCOMPARE(contentHash(run->model), contentHash(network()));
    }

    void whichSamplesCount() {
        const auto resolved = [&](CompressStep step, const DataOptions& given) -> std::string {
            const auto prepared = prepare({{std::move(step)}}, given);
            return prepared ? prepared->recipe.compressStep()->data : prepared.error().message;
        };
        CompressStep named = halving();
        named.source = DataSource::Named;
        named.data = m_others;
        CompressStep without = halving();
        without.source = DataSource::Named;
        CompressStep plain = halving();
        plain.options.isPlain = true;
        QCOMPARE(resolved(halving(), data()), m_samples);  // the recipe names none: those given
        QCOMPARE(resolved(named, {}), m_others);           // the recipe's own
        QCOMPARE(resolved(named, data()), m_samples);      // given ones stand in for them
        QCOMPARE(resolved(without, data()), std::string());
        QCOMPARE(resolved(plain, {}), std::string());
    }

    void preprocessingIsFoundInOrder() {
        const auto resolved = [&](const std::string& own, const std::string& asked) {
            CompressStep step = halving();
            step.preprocess = own;
            DataOptions given = data();
            given.preprocess = asked;
            const auto prepared = prepare({{step}}, given);
            return prepared ? prepared->recipe.compressStep()->preprocess : prepared.error().message;
        };
        QCOMPARE(resolved("unit", "signed"), std::string("signed"));
        QCOMPARE(resolved("unit", ""), std::string("unit"));
        QCOMPARE(resolved("", ""), std::string());
    }

    void refusals_data() {
        QTest::addColumn<QByteArray>("json");
        QTest::addColumn<bool>("hasData");
        QTest::addColumn<QStringList>("says");
        const QByteArray plan = R"({"method": "weight-svd", "ratios": {"second": 0.5}})";
        const auto recipe = [](const QByteArray& steps) { return R"({"steps": [)" + steps + "]}"; };
        const QByteArray compress = R"({"step": "compress", "plan": )" + plan + "}";
        QTest::newRow("no samples to compress with") << recipe(compress) << false << QStringList{"compress", "--data"};
        QTest::newRow("no samples to quantize with")
            << recipe(R"({"step": "quantize"})") << false << QStringList{"quantize", "--data"};
        QTest::newRow("samples of the step are gone")
            << recipe(R"({"step": "compress", "data": "/nowhere/else", "plan": )" + plan + "}") << false
            << QStringList{"compress", "/nowhere/else", "--data"};
        const QByteArray equalize = R"({"step": "equalize"})", quantize = R"({"step": "quantize"})";
        QTest::newRow("compressed twice")
            << recipe(compress + "," + compress) << true << QStringList{"2", "compress", "one plan"};
        QTest::newRow("quantized twice") << recipe(quantize + "," + quantize) << true
                                         << QStringList{"quantize", "once"};
        QTest::newRow("compressed after quantization")
            << recipe(quantize + "," + compress) << true
            << QStringList{"A quantized network cannot be compressed: put compress before quantize."};
        QTest::newRow("equalized after quantization")
            << recipe(quantize + "," + equalize) << true << QStringList{"put equalize before quantize"};
        QTest::newRow("a plan for another model")
            << recipe(R"({"step": "compress", "plan": {"method": "weight-svd", "ratios": {"eins": 0.5, "zwei": 0.5}}})")
            << true << QStringList{"compress", "eins", "zwei"};
    }
    void refusals() {
        QFETCH(QByteArray, json);
        QFETCH(bool, hasData);
        QFETCH(QStringList, says);
        const auto recipe = parseRecipe(json.toStdString());
        QVERIFY2(recipe, recipe ? "" : recipe.error().message.c_str());
        const auto prepared = prepare(*recipe, hasData ? data() : DataOptions{});
        QVERIFY(!prepared);
        const QString text = QString::fromStdString(describe(prepared.error()));
        for (const QString& part : says) QVERIFY2(text.contains(part), qPrintable(part + " is not in: " + text));
    }

    void aListHoldsAnyNumberOfEqualizations() {
        const auto prepared = prepare({{EqualizeStep{}, halving(), EqualizeStep{}}}, data());
        QVERIFY2(prepared, prepared ? "" : prepared.error().message.c_str());
        const auto run = runRecipe(*prepared, network(), {1, false});
        QVERIFY2(run, run ? "" : run.error().message.c_str());
        QCOMPARE(run->steps.size(), std::size_t(3));
        QVERIFY(run->model.graph.nodes.size() > network().graph.nodes.size());
        const auto& proof = std::get<EqualizationProof>(run->steps[0].report);
        QCOMPARE(proof.equivalence->samples, std::size_t(16));
    }

    void unreadableEvaluationDataAreFoundBeforeTheWork() {
        DataOptions given = data();
        given.evaluationPath = "/nowhere";
        const auto prepared = prepare({{QuantizeStep{}}}, given);
        QVERIFY(!prepared);
        QVERIFY(describe(prepared.error()).find("/nowhere") != std::string::npos);
    }

    void stops() {
        const auto prepared = prepare({{halving(), EqualizeStep{}}}, data());
        QVERIFY(prepared);
        std::stop_source stop;
        stop.request_stop();
        const auto run = runRecipe(*prepared, network(), {1, false}, {stop.get_token(), nullptr});
        QVERIFY(!run);
        QCOMPARE(run.error().code, ErrorCode::Cancelled);
    }

    void changesAreScoredBesideTheOriginal() {
        const auto samples = openSamples(m_samples, network(), {}, 6);
        QVERIFY(samples && (*samples)->size() == 6);
        const auto same = scoreChange(network(), network(), **samples, {});
        QVERIFY(same);
        QCOMPARE(same->before.samples, std::size_t(6));
        QVERIFY(same->after.sqnrDb && std::isinf(*same->after.sqnrDb));
        Model other = network();
        other.graph.initializers[0].tensor = randomTensor({12, 3, 3, 3}, 99);
        const auto changed = scoreChange(network(), other, **samples, {});
        QVERIFY(changed && changed->after.sqnrDb && *changed->after.sqnrDb < 20);
    }
};

EQUANT_TEST(TestRunRecipe)
}  // namespace test_run_recipe

#include "test_run_recipe.moc"
