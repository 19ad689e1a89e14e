// SPDX-License-Identifier: Apache-2.0
// The ONNX project's own test suite (Debian package libonnx-testdata) through the whole engine: every model is read,
// compiled and run by an Executor, once with all fusions and once operator by operator. What is out of scope stands in
// conformance_out_of_scope.txt with its reason; a listed test that passes is a failure, so the list stays honest.
// Skips when the package is not installed.
#include <QtTest>
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>

#include "core/base/file.h"
#include "core/graph/onnx_io.h"
#include "core/runtime/exec/executor.h"
#include "tests/support/registry.h"

namespace test_conformance {

using namespace equant;
namespace fs = std::filesystem;

namespace {

const fs::path kSuite = "/usr/share/libonnx-testdata/data";
const fs::path kList = fs::path(EQUANT_SOURCE_DIR) / "tests/unit/runtime/conformance_out_of_scope.txt";

/// Lines "group/test  reason"; '#' starts a comment.
std::map<std::string, std::string> readList() {
    std::map<std::string, std::string> reasons;
    std::ifstream file(kList);
    for (std::string line; std::getline(file, line);) {
        const std::size_t space = line.find(' ');
        if (line.empty() || line.front() == '#') continue;
        const std::size_t reason = line.find_first_not_of(' ', space);
        reasons[line.substr(0, space)] = reason == std::string::npos ? std::string() : line.substr(reason);
    }
    return reasons;
}

/// Expected values filed with fewer digits than the suite compares elsewhere.
double absoluteTolerance(const std::string& test) {
    if (test.starts_with("node/test_roialign_aligned") || test == "node/test_gridsample_bicubic") return 1e-4;
    // The expected values were made with pi = 3.1415.
    if (test.find("window") != std::string::npos && !test.starts_with("node/test_stft")) return 1e-4;
    return 1e-6;
}

/// Empty when `actual` is what is expected (relative tolerance of the suite: 1e-3; ours is tighter).
std::string difference(const Tensor& actual, const Tensor& expected, double absolute) {
    if (actual.dtype() != expected.dtype() || actual.shape() != expected.shape()) {
        return std::string(name(actual.dtype())) + " " + toString(actual.shape()) + " for " +
               std::string(name(expected.dtype())) + " " + toString(expected.shape());
    }
    const auto a = actual.converted(DType::Double);
    const auto e = expected.converted(DType::Double);
    if (!a || !e) return actual == expected ? "" : "other bytes";
    double largest = 0;
    for (std::size_t i = 0; i < a->data<double>().size(); ++i) {
        const double x = a->data<double>()[i];
        const double y = e->data<double>()[i];
        if (x == y || (std::isnan(x) && std::isnan(y))) continue;
        const double excess = std::fabs(x - y) - (absolute + 1e-4 * std::fabs(y));
        if (!(excess <= 0)) largest = std::isfinite(excess) ? std::max(largest, std::fabs(x - y)) : HUGE_VAL;
    }
    return largest == 0 ? "" : "differs by " + std::to_string(largest);
}

Result<Tensor> readTensor(const fs::path& path, DType declared) {
    const auto bytes = readFile(path);
    if (!bytes) return fail(bytes.error());
    auto tensor = parseTensorProto(*bytes);
    // The suite files bfloat16 as the 16-bit integers with the same bits.
    if (tensor && declared == DType::Bfloat16 && tensor->dtype() == DType::Uint16) {
        Tensor bits(DType::Bfloat16, tensor->shape());
        std::ranges::copy(tensor->bytes(), bits.mutableBytes().begin());
        return bits;
    }
    return tensor;
}

Result<std::vector<Tensor>> readInputs(const Model& model, const fs::path& set) {
    std::vector<Tensor> tensors;
    const auto required = model.graph.requiredInputs();
    for (const ValueInfo* input : required) {
        const auto declared = std::ranges::find(model.graph.inputs, input->name, &ValueInfo::name);
        const auto index = declared - model.graph.inputs.begin();
        auto tensor = readTensor(set / ("input_" + std::to_string(index) + ".pb"), input->dtype);
        if (!tensor) return fail(tensor.error());
        tensors.push_back(std::move(*tensor));
    }
    return tensors;
}

/// Empty when the model gives what the data set expects.
std::string judgeSet(const Model& model, const fs::path& set, const std::string& test, bool fuse) {
    const auto inputs = readInputs(model, set);
    if (!inputs) return "input: " + describe(inputs.error());
    CompileOptions options;
    options.fuse = fuse;
    const auto executor = Executor::create(model, options);
    if (!executor) return describe(executor.error());
    const auto outputs = (*executor)->run(*inputs);
    if (!outputs) return describe(outputs.error());
    for (std::size_t i = 0; i < model.graph.outputs.size(); ++i) {
        const auto expected = readTensor(set / ("output_" + std::to_string(i) + ".pb"), model.graph.outputs[i].dtype);
        if (!expected) return "expected output: " + describe(expected.error());
        const std::string text = difference((*outputs)[i], *expected, absoluteTolerance(test));
        if (!text.empty()) return "output " + std::to_string(i) + ": " + text + (fuse ? "" : " (operator by operator)");
    }
    return {};
}

std::string judge(const std::string& test) {
    const auto model = readOnnx(kSuite / test / "model.onnx");
    if (!model) return "model: " + describe(model.error());
    int sets = 0;
    for (const auto& entry : fs::directory_iterator(kSuite / test)) {
        if (!entry.is_directory()) continue;
        ++sets;
        for (const bool fuse : {true, false}) {
            if (auto text = judgeSet(*model, entry.path(), test, fuse); !text.empty()) return text;
        }
    }
    return sets > 0 ? "" : "no test data";
}

}  // namespace

class TestConformance : public QObject {
    Q_OBJECT

private slots:
    void initTestCase();
    void models_data();
    void models();
    void listedTestsExist();
    void cleanupTestCase();

private:
    struct Count {
        int passed = 0;
        int failed = 0;
        int listed = 0;
    };
    std::map<std::string, std::string> m_outOfScope;
    std::vector<std::string> m_tests;
    std::map<std::string, Count> m_counts;
};

void TestConformance::initTestCase() {
    std::error_code error;
    if (!fs::is_directory(kSuite, error)) QSKIP("The package libonnx-testdata is not installed.");
    m_outOfScope = readList();
    // The folder "real" holds data for models that have to be downloaded.
    for (const char* group : {"node", "simple", "pytorch-converted", "pytorch-operator", "light"}) {
        if (!fs::is_directory(kSuite / group, error)) continue;
        for (const auto& entry : fs::directory_iterator(kSuite / group)) {
            if (fs::exists(entry.path() / "model.onnx"))
                m_tests.push_back(std::string(group) + "/" + entry.path().filename().string());
        }
    }
    std::ranges::sort(m_tests);
    QVERIFY(!m_tests.empty());
}

void TestConformance::models_data() {
    QTest::addColumn<QString>("test");
    for (const auto& test : m_tests) QTest::newRow(test.c_str()) << QString::fromStdString(test);
}

void TestConformance::models() {
    QFETCH(QString, test);
    const std::string key = test.toStdString();
    Count& count = m_counts[key.substr(0, key.find('/'))];
    const std::string problem = judge(key);
    const auto listed = m_outOfScope.find(key);
    const bool isListed = listed != m_outOfScope.end();
    ++(problem.empty() ? count.passed : isListed ? count.listed : count.failed);
    if (isListed) {
        QVERIFY2(!problem.empty(), "It passes: take it out of conformance_out_of_scope.txt.");
        QVERIFY2(!listed->second.empty(), "It is listed without a reason.");
    } else {
        QVERIFY2(problem.empty(), problem.c_str());
    }
}

void TestConformance::listedTestsExist() {
    const std::set<std::string> known(m_tests.begin(), m_tests.end());
    for (const auto& [test, reason] : m_outOfScope) QVERIFY2(known.contains(test), test.c_str());
}

void TestConformance::cleanupTestCase() {
    for (const auto& [group, count] : m_counts) {
        qInfo("%-18s %4d passed, %d failed, %d out of scope", group.c_str(), count.passed, count.failed, count.listed);
    }
    if (m_counts.contains("node")) QVERIFY(m_counts["node"].passed >= 800);
}

EQUANT_TEST(TestConformance)
}  // namespace test_conformance

#include "test_conformance.moc"
