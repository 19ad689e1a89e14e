// SPDX-License-Identifier: Apache-2.0
// Recipes: JSON there and back, refusals that name the field, and console commands a shell understands.
#include <QTest>

#include "core/recipe/run.h"
#include "tests/support/registry.h"

namespace test_recipe {

using namespace equant;

class TestRecipe : public QObject {
    Q_OBJECT

private slots:
    void roundTrip() {
        EqualizeStep equalizing;
        equalizing.options.relu6 = CapMode::Skip;
        equalizing.options.iterations = 3;
        equalizing.options.excluded = {"layer \"one\"", "två"};
        QuantizeStep quantizing;
        quantizing.settings.weightBits = 4;
        quantizing.settings.isPerChannel = true;
        quantizing.settings.scheme = RangeScheme::Percentile;
        quantizing.settings.percentile = 99.5;
        CompressStep compressing;
        compressing.plan.choices = {{"conv \"1\"", CompressionMethod::WeightSvd, 0.25, 12, true}, {"c2"}};
        compressing.plan.predicted = PlanPrediction{0.5, 0.4, 88.5, 1.25};
        compressing.options.isPlain = true;
        compressing.options.seed = 7;
        compressing.data = "/data/images";
        compressing.samples = 0;
        const Recipe recipe{{compressing, equalizing, quantizing}};
        const auto again = parseRecipe(toJson(recipe));
        QVERIFY(again);
        QVERIFY(*again == recipe);
        QVERIFY(again->compressStep() && again->equalizeStep() && again->quantizeStep());
        QVERIFY(!Recipe{}.equalizeStep());
    }

    void samplesAreNamedOrGiven() {
        const std::string plan = R"("plan":{"method":"weight-svd","ratios":{"c":0.5}})";
        const auto read = [&](const std::string& field) {
            return parseRecipe(R"({"steps":[{"step":"compress",)" + field + plan + "}]}");
        };
        const auto open = read("");
        const auto none = read(R"("data":"",)");
        const auto named = read(R"("data":"pictures",)");
        QVERIFY(open && none && named);
        QVERIFY(open->compressStep()->source == DataSource::GivenAtRun);
        QVERIFY(none->compressStep()->source == DataSource::Named && none->compressStep()->data.empty());
        QVERIFY(named->compressStep()->source == DataSource::Named);
        QCOMPARE(named->compressStep()->data, std::string("pictures"));
        for (const auto& recipe : {open, none, named}) {
            const auto again = parseRecipe(toJson(*recipe));
            QVERIFY(again && *again == *recipe);
        }
    }

    void missingFieldsKeepDefaults() {
        const auto recipe = parseRecipe(R"({"steps":[{"step":"equalize"},{"step":"quantize"}]})");
        QVERIFY(recipe);
        QVERIFY((*recipe == Recipe{{EqualizeStep{}, QuantizeStep{}}}));
    }

    void refusals_data() {
        QTest::addColumn<QByteArray>("json");
        QTest::addColumn<QByteArray>("named");
        QTest::newRow("no json") << QByteArray("{") << QByteArray("recipe");
        QTest::newRow("no steps") << QByteArray("{}") << QByteArray("steps");
        QTest::newRow("unknown step") << QByteArray(R"({"steps":[{"step":"prune"}]})") << QByteArray("prune");
        QTest::newRow("no object") << QByteArray(R"({"steps":[1]})") << QByteArray("step");
        QTest::newRow("wrong type") << QByteArray(R"({"steps":[{"step":"equalize","iterations":"x"}]})")
                                    << QByteArray("iterations");
        QTest::newRow("out of range") << QByteArray(R"({"steps":[{"step":"quantize","weight_bits":99}]})")
                                      << QByteArray("weight_bits");
        QTest::newRow("unknown field") << QByteArray(R"({"steps":[{"step":"quantize","colour":1}]})")
                                       << QByteArray("colour");
        QTest::newRow("unknown choice") << QByteArray(R"({"steps":[{"step":"equalize","relu6":"maybe"}]})")
                                        << QByteArray("relu6");
        QTest::newRow("no plan") << QByteArray(R"({"steps":[{"step":"compress"}]})") << QByteArray("plan");
        QTest::newRow("samples") << QByteArray(R"({"steps":[{"step":"compress","samples":-1}]})")
                                 << QByteArray("samples");
        QTest::newRow("newer") << QByteArray(R"({"equant_recipe":99,"steps":[]})") << QByteArray("newer");
    }

    void refusals() {
        QFETCH(QByteArray, json);
        QFETCH(QByteArray, named);
        const auto recipe = parseRecipe(std::string_view(json.constData(), static_cast<std::size_t>(json.size())));
        QVERIFY(!recipe);
        QVERIFY2(recipe.error().message.find(named.toStdString()) != std::string::npos, recipe.error().message.c_str());
        QVERIFY(!recipe.error().hint.empty());
    }

    void everyOptionIsInTheFileAndHasADefault() {
        for (const StepKind& kind : stepKinds()) {
            const Step defaults = kind.make();
            QCOMPARE(name(defaults), kind.name);
            for (const StepOption& option : kind.options) {
                QVERIFY2(!option.help.empty(), option.key.c_str());
                // Whatever is written by a setter is what the getter tells.
                Step step = kind.make();
                option.set(step, option.get(defaults));
                QVERIFY2(step == defaults, option.key.c_str());
                OptionValue other = option.get(defaults);
                if (auto* flag = std::get_if<bool>(&other)) *flag = !*flag;
                if (auto* whole = std::get_if<std::int64_t>(&other)) *whole += 1;
                if (auto* real = std::get_if<double>(&other)) *real -= 1;
                if (auto* text = std::get_if<std::string>(&other))
                    *text = option.choices.empty() ? "other" : option.choices.back();
                if (auto* list = std::get_if<std::vector<std::string>>(&other)) list->emplace_back("other");
                option.set(step, other);
                QVERIFY2(option.get(step) == other && step != defaults, option.key.c_str());
                if (option.flag.empty()) continue;
                QVERIFY2(asCommand(step, "m.onnx", {}).find(' ' + option.flag) != std::string::npos,
                         option.flag.c_str());
            }
        }
    }

    void commandsAreQuoted() {
        DataOptions data;
        data.path = "a b";
        EqualizeStep step;
        step.options.relu6 = CapMode::Replace;
        QCOMPARE(asCommand(step, "my model's.onnx", {}),
                 std::string("equant-cli equalize 'my model'\\''s.onnx' --relu6 replace -o equalized.onnx"));
        CompressStep compressing;
        compressing.data = "d";
        QCOMPARE(asCommand(compressing, "m.onnx", data),
                 std::string("equant-cli compress m.onnx --plan plan.json --data 'a b' -o compressed.onnx"));
        compressing.samples = 0;
        compressing.preprocess = "my file.json";
        compressing.options = {false, false, 32, 7};
        QCOMPARE(asCommand(compressing, "m.onnx", data),
                 std::string("equant-cli compress m.onnx --plan plan.json --data 'a b' --limit 0 --preprocess "
                             "'my file.json' --no-refit --positions 32 --seed 7 -o compressed.onnx"));
        compressing.data.clear();
        compressing.options = {true};
        QCOMPARE(asCommand(compressing, "m.onnx", data),
                 std::string("equant-cli compress m.onnx --plan plan.json --plain -o compressed.onnx"));
        QuantizeStep quantizing;
        quantizing.settings.isPerChannel = true;
        data.calibrationSamples = 20;
        data.evaluationPath = "e";
        QCOMPARE(asCommand(quantizing, "m.onnx", data),
                 std::string("equant-cli quantize m.onnx --data 'a b' --limit 20 --eval-data e --encodings "
                             "encodings.json --granularity per-channel -o quantized.onnx"));
        // Several steps are one command, too.
        const std::string all = asCommand(Recipe{{step, quantizing}}, "m.onnx", data);
        QVERIFY2(all.starts_with("equant-cli apply '{\"equant_recipe\":1,"), all.c_str());
        QVERIFY2(all.ends_with("--model m.onnx --data 'a b' --limit 20 --eval-data e -o optimized.onnx"), all.c_str());
    }
};

EQUANT_TEST(TestRecipe)
}  // namespace test_recipe

#include "test_recipe.moc"
