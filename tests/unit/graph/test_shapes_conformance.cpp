// SPDX-License-Identifier: Apache-2.0
// Shape inference against the declared output types of ONNX's own node tests, where the package that has them
// (libonnx-testdata) is installed. Small inputs are given as constants, as a caller with initializers would have them.
#include <QTest>
#include <algorithm>
#include <filesystem>
#include <map>
#include <set>

#include "core/base/file.h"
#include "core/graph/onnx_io.h"
#include "core/graph/shapes/shapes.h"
#include "tests/support/registry.h"

namespace test_shapes_conformance {

using namespace equant;
namespace fs = std::filesystem;

namespace {

const fs::path kTestData = "/usr/share/libonnx-testdata/data/node";

/// The window functions written out as nodes end in a Range over computed real numbers, which takes an evaluator.
bool isWrittenOutWindow(const std::string& test) {
    return test.ends_with("window_expanded") || test.ends_with("window_symmetric_expanded");
}

/// Operators whose output sizes depend on contents that shape inference does not compute, or that are not tensors.
bool isLeftOpen(const std::string& opType) {
    static const std::set<std::string> kOpen{
        "NonZero",            // as many columns as there are elements other than zero
        "NonMaxSuppression",  // as many rows as boxes survive
        "Unique",             // as many entries as there are different ones
        "Loop",
        "Scan",
        "If",  // bodies may change shapes in every iteration
        "Optional",
        "OptionalGetElement",
        "OptionalHasElement",
        "SequenceAt",
        "SequenceConstruct",
        "SequenceEmpty",
        "SequenceErase",
        "SequenceInsert",
        "SequenceLength",
        "SequenceMap",
        "SplitToSequence",
        "ConcatFromSequence",  // sequences are not followed
        "StringNormalizer",
        "TfIdfVectorizer",  // text, no part of inference networks
        "DFT",
        "STFT",
        "MelWeightMatrix",  // signals, no part of inference networks
        "Momentum",
        "Adagrad",
        "Adam",
        "Gradient",  // training
    };
    return kOpen.contains(opType);
}

/// Turns small inputs into constants.
void addConstants(Model& model, const fs::path& folder) {
    for (std::size_t i = 0; i < model.graph.inputs.size(); ++i) {
        const auto& input = model.graph.inputs[i];
        if (model.graph.initializer(input.name)) continue;
        const auto bytes = readFile(folder / "test_data_set_0" / ("input_" + std::to_string(i) + ".pb"));
        const auto tensor = parseTensorProto(bytes.value_or(""));
        if (tensor && !tensor->isEmpty() && tensor->count() <= 64 && tensor->dtype() == input.dtype) {
            model.graph.initializers.push_back({input.name, *tensor, {}});
        }
    }
}

std::string declaredText(const ValueInfo& value) {
    Shape shape;
    for (const auto& dim : *value.shape) shape.push_back(dim.value);
    return std::string(name(value.dtype)) + " " + toString(shape);
}

std::string inferredText(const ValueFacts& facts) {
    return std::string(name(facts.dtype)) + " " + (facts.shape ? toString(*facts.shape) : "unknown rank");
}

enum class Verdict { Equal, Open, Different };

Verdict compare(const ValueInfo& declared, const ValueFacts& facts) {
    if (facts.dtype != DType::Undefined && facts.dtype != declared.dtype) return Verdict::Different;
    if (!facts.shape) return Verdict::Open;
    if (facts.shape->size() != declared.shape->size()) return Verdict::Different;
    auto verdict = facts.dtype == DType::Undefined ? Verdict::Open : Verdict::Equal;
    for (std::size_t i = 0; i < facts.shape->size(); ++i) {
        const auto expected = (*declared.shape)[i].value;
        if ((*facts.shape)[i] < 0 && expected >= 0) verdict = Verdict::Open;
        if ((*facts.shape)[i] >= 0 && expected >= 0 && (*facts.shape)[i] != expected) return Verdict::Different;
    }
    return verdict;
}

}  // namespace

class TestShapesConformance : public QObject {
    Q_OBJECT
private slots:
    void equalsDeclaredOutputs();
};

void TestShapesConformance::equalsDeclaredOutputs() {
    std::error_code error;
    if (!fs::is_directory(kTestData, error)) QSKIP("libonnx-testdata is not installed");
    std::vector<fs::path> folders;
    for (const auto& entry : fs::directory_iterator(kTestData)) folders.push_back(entry.path());
    std::ranges::sort(folders);
    int equal = 0;
    int open = 0;
    std::vector<std::string> problems;
    for (const auto& folder : folders) {
        auto model = readOnnx(folder / "model.onnx");
        if (!model) continue;  // reading is checked elsewhere
        const auto isFollowed = [](const Node& node) {
            return (node.domain.empty() || node.domain == "ai.onnx") && !isLeftOpen(node.opType);
        };
        const bool isAllFollowed = std::ranges::all_of(model->graph.nodes, isFollowed);
        const auto test = folder.filename().string();
        const bool isOpenAllowed = !isAllFollowed || isWrittenOutWindow(test);
        addConstants(*model, folder);
        const auto outputs = model->graph.outputs;
        for (auto& output : model->graph.outputs) output = {output.name, DType::Undefined, std::nullopt, {}};
        const auto facts = inferShapes(*model, {});
        if (!facts) {
            problems.push_back(test + ": " + describe(facts.error()));
            continue;
        }
        for (const auto& output : outputs) {
            if (output.dtype == DType::Undefined || !output.shape) continue;
            const auto& inferred = facts->at(output.name);
            const auto verdict = compare(output, inferred);
            if (verdict == Verdict::Equal) {
                ++equal;
            } else if (verdict == Verdict::Open && isOpenAllowed) {
                ++open;
            } else {
                problems.push_back(test + ": " + inferredText(inferred) + " instead of " + declaredText(output));
            }
        }
    }
    for (const auto& problem : problems) qWarning("%s", problem.c_str());
    qInfo("%d outputs inferred as declared, %d left open", equal, open);
    QCOMPARE(problems.size(), std::size_t{0});
    QVERIFY(equal > 500);
}

EQUANT_TEST(TestShapesConformance)
}  // namespace test_shapes_conformance

#include "test_shapes_conformance.moc"
