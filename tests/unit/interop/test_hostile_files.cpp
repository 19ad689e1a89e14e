// SPDX-License-Identifier: Apache-2.0
// Damaged text and array files through their readers: encodings, preprocessing, recipes, rules, .npy and .npz. They may
// be refused; they may not crash, throw, hang or ask for absurd amounts of memory.
#include <QTemporaryDir>
#include <QTest>
#include <filesystem>
#include <functional>

#include "core/base/file.h"
#include "core/data/npy.h"
#include "core/data/preprocess.h"
#include "core/graph/onnx_io.h"
#include "core/interop/encodings_json.h"
#include "core/quantization/rules.h"
#include "core/recipe/recipe_format.h"
#include "tests/support/registry.h"
#include "tests/unit/support/model_builder.h"
#include "tests/unit/support/mutation.h"

namespace test_hostile_files {

using namespace equant;
using namespace equant::test;

namespace {

const char* const kOldEncodings = R"({"version":"0.6.1","activation_encodings":{"y":[{"bitwidth":8,"dtype":"int",
"is_symmetric":"False","max":2.5,"min":-0.5,"offset":-43,"scale":0.01176}]},"param_encodings":{"w":[{"bitwidth":8,
"dtype":"int","is_symmetric":"True","max":1.0,"min":-1.0,"offset":-128,"scale":0.0078},{"bitwidth":8,"dtype":"int",
"is_symmetric":"True","max":1.0,"min":-1.0,"offset":-128,"scale":0.0078}]},"quantizer_args":{}})";

const char* const kNewEncodings = R"({"version":"1.0.0","activation_encodings":[{"name":"y","bw":8,"dtype":"INT",
"enc_type":"PER_TENSOR","is_sym":false,"offset":[-43],"scale":[0.0117]}],"param_encodings":[{"name":"w","bw":8,
"dtype":"INT","enc_type":"PER_CHANNEL","is_sym":true,"offset":[-128,-128],"scale":[0.0078,0.0078]}]})";

const char* const kNewestEncodings = R"({"version":"2.0.0","encodings":[{"name":"y","output_dtype":"uint8",
"y_scale":0.0117,"y_zero_point":43},{"name":"w","output_dtype":"int8","y_scale":[0.0078,0.0078],"axis":0}]})";

const char* const kRules = R"({"defaults":{"ops":{"is_output_quantized":"True"},"params":{"is_quantized":"True"},
"strict_symmetric":"False","per_channel_quantization":"False"},"params":{"bias":{"is_quantized":"False"}},
"op_type":{"Conv":{"params":{"weight":{"is_symmetric":"True"}}}},"supergroups":[{"op_list":["Conv","Relu"]}],
"model_input":{"is_input_quantized":"True"},"model_output":{}})";

const char* const kPreprocessing = R"({"resize":"short","size":[64,64],"crop":64,"channels":"RGB","scale":0.0039,
"mean":[0.5,0.5,0.5],"std":[0.25,0.25,0.25]})";

/// A text under bytewise damage, with numbers and brackets replaced by nasty ones, cut off, and nested without end.
void damage(const std::string& text, std::uint64_t seed, const std::function<void(const std::string&)>& read) {
    Dice dice(seed);
    for (int i = 0; i < 400; ++i) read(damaged(text, dice));
    static constexpr std::array kValues = {"null",  "[]",          "{}",       "-1",   "1e400", "9223372036854775808",
                                           "-1e39", "\"\\u0000\"", "[[[[]]]]", "true", "0",     "2147483648"};
    for (int i = 0; i < 300; ++i) {
        // A whole value after a colon replaced by another.
        std::string spoiled = text;
        const auto colon = spoiled.find(':', dice.below(spoiled.size()));
        if (colon == std::string::npos) continue;
        const auto end = std::min(spoiled.find_first_of(",}", colon), spoiled.size());
        spoiled.replace(colon + 1, end - colon - 1, kValues[dice.below(kValues.size())]);
        read(spoiled);
    }
    for (std::size_t size = 0; size < text.size(); size += 5) read(text.substr(0, size));
    read(std::string(100'000, '['));
    std::string deep;
    for (int i = 0; i < 20'000; ++i) deep += "{\"a\":";
    read(deep);
}

}  // namespace

class TestHostileFiles : public QObject {
    Q_OBJECT

private slots:
    void encodings() {
        const Model model = ModelBuilder()
                                .input("x", {1, 2})
                                .output("y")
                                .constant("w", randomTensor({2, 2}, 1))
                                .node("MatMul", {"x", "w"}, {"y"})
                                .build();
        std::uint64_t seed = 1;
        for (const char* text : {kOldEncodings, kNewEncodings, kNewestEncodings}) {
            const auto whole = parseEncodings(text, model);
            QVERIFY2(whole, whole ? "" : whole.error().message.c_str());
            QCOMPARE(whole->all().size(), std::size_t{2});
            damage(text, seed++, [&](const std::string& spoiled) {
                const auto read = parseEncodings(spoiled, model);
                if (!read) QVERIFY(!read.error().message.empty());
            });
        }
    }

    void rules() {
        const auto whole = parseRules(kRules);
        QVERIFY2(whole, whole ? "" : whole.error().message.c_str());
        damage(kRules, 11, [](const std::string& spoiled) {
            const auto read = parseRules(spoiled);
            if (!read) QVERIFY(!read.error().message.empty());
        });
    }

    void preprocessing() {
        for (const std::string& text :
             {toJson(*preprocessingPreset("imagenet", 64, 64, 3)), std::string(kPreprocessing)})
            damage(text, 21, [](const std::string& spoiled) {
                const auto read = parsePreprocessing(spoiled);
                if (!read) QVERIFY(!read.error().message.empty());
                // What is accepted must be usable.
                if (read && read->size[0] <= 512 && read->size[1] <= 512 && read->crop <= 512)
                    static_cast<void>(preprocess(Image{4, 4, 3, std::vector<std::uint8_t>(48, 7)}, *read));
            });
    }

    void recipes() {
        Recipe recipe;
        recipe.steps.emplace_back(EqualizeStep{});
        recipe.steps.emplace_back(QuantizeStep{});
        const std::string text = toJson(recipe);
        QVERIFY(parseRecipe(text));
        damage(text, 31, [](const std::string& spoiled) {
            const auto read = parseRecipe(spoiled);
            if (!read) QVERIFY(!read.error().message.empty());
            if (read) QVERIFY(!toJson(*read).empty());
        });
    }

    void arrays() {
        const QTemporaryDir folder;
        const auto path = std::filesystem::path(folder.path().toStdString()) / "a.npy";
        QVERIFY(writeNpy(randomTensor({3, 4}, 1), path));
        const std::string bytes = *readFile(path);
        QVERIFY(parseNpy(bytes, "whole"));
        Dice dice(41);
        int accepted = 0;
        for (int i = 0; i < 3000; ++i) accepted += parseNpy(damaged(bytes, dice, 0, 128), "damaged").has_value();
        QVERIFY(accepted > 50);
        for (std::size_t size = 0; size < bytes.size(); ++size) QVERIFY(!parseNpy(bytes.substr(0, size), "cut"));
        for (const char* shape : {"(0, 4611686018427387904, 4611686018427387904)", "(9223372036854775807,)",
                                  "(4294967296, 4294967296)", "(-1,)", "(1099511627776,)", "(", "(3 4)"}) {
            std::string spoiled = bytes;
            const auto at = spoiled.find("(3, 4)");
            QVERIFY(at != std::string::npos);
            spoiled.replace(at, 6, shape);
            QVERIFY2(!parseNpy(spoiled, "shape"), shape);
        }
    }

    void archivesAndTensors() {
        const QTemporaryDir folder;
        const auto path = std::filesystem::path(folder.path().toStdString()) / "a.npz";
        Dice dice(51);
        for (int i = 0; i < 200; ++i) {
            std::string bytes("PK\x03\x04", 4);
            for (std::size_t k = dice.below(200); k > 0; --k) bytes += static_cast<char>(dice.next());
            QVERIFY(writeFileAtomic(path, bytes));
            QVERIFY(!readNpz(path));
        }
        // dims 2, 3; float; raw data of 24 bytes
        const std::string tensor = std::string("\x08\x02\x08\x03\x10\x01\x4a\x18", 8) + std::string(24, '\1');
        QVERIFY(parseTensorProto(tensor));
        for (int i = 0; i < 3000; ++i) static_cast<void>(parseTensorProto(damaged(tensor, dice)));
    }
};

EQUANT_TEST(TestHostileFiles)
}  // namespace test_hostile_files

#include "test_hostile_files.moc"
