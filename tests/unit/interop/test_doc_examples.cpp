// SPDX-License-Identifier: Apache-2.0
// The JSON examples of docs/formats are read by the parsers they document.
#include <QtTest>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "core/interop/encodings_json.h"
#include "core/quantization/rules.h"
#include "core/recipe/recipe_format.h"
#include "tests/support/registry.h"

namespace test_doc_examples {

using namespace equant;

namespace {

/// The fenced json blocks of a page, in order.
std::vector<std::string> jsonBlocks(const char* page) {
    std::ifstream file(std::filesystem::path(EQUANT_SOURCE_DIR) / "docs/formats" / page);
    std::vector<std::string> blocks;
    bool isInside = false;
    for (std::string line; std::getline(file, line);) {
        if (line == "```json") {
            isInside = true;
            blocks.emplace_back();
        } else if (line.starts_with("```")) {
            isInside = false;
        } else if (isInside) {
            blocks.back() += line + "\n";
        }
    }
    return blocks;
}

}  // namespace

class TestDocExamples : public QObject {
    Q_OBJECT

private slots:
    void recipes() {
        const auto blocks = jsonBlocks("recipe.md");
        QVERIFY(!blocks.empty());
        for (const std::string& block : blocks) {
            const auto recipe = parseRecipe(block);
            QVERIFY2(recipe, recipe ? "" : recipe.error().message.c_str());
            QVERIFY(!recipe->steps.empty());
        }
    }

    void rules() {
        const auto blocks = jsonBlocks("rules.md");
        QVERIFY(!blocks.empty());
        for (const std::string& block : blocks) {
            const auto rules = parseRules(block);
            QVERIFY2(rules, rules ? "" : rules.error().message.c_str());
            QVERIFY(!rules->supergroups.empty());
        }
    }

    void encodings() {
        const auto blocks = jsonBlocks("encodings.md");
        QVERIFY(!blocks.empty());
        for (const std::string& block : blocks) {
            const auto file = parseEncodings(block, Model{});
            QVERIFY2(file, file ? "" : file.error().message.c_str());
            QVERIFY(!file->all().empty());
        }
    }
};

EQUANT_TEST(TestDocExamples)
}  // namespace test_doc_examples

#include "test_doc_examples.moc"
