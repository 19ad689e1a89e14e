// SPDX-License-Identifier: Apache-2.0
// Batches, shapes, threads and what is said when inputs do not fit.
#include "core/base/parallel.h"
#include "core/runtime/exec/executor.h"
#include "tests/support/registry.h"
#include "tests/unit/runtime/plan_testing.h"

namespace test_executor {

using namespace equant;
using namespace equant::test;

class TestExecutor : public QObject {
    Q_OBJECT

private slots:
    void anyBatch();
    void fixedBatchRunsSampleBySample();
    void bakedBatchFallsBack();
    void largeBatchesInParts();
    void samplesThatMixStayTogether();
    void observersSeeEveryElementOnce_data();
    void observersSeeEveryElementOnce();
    void anySpatialSize();
    void severalThreads();
    void wrongInputs();
    void unsupportedOperators();
    void shapesKnownOnlyWhileRunning();
};

namespace {

Model network(std::int64_t batch, std::int64_t size = 8) {
    ModelBuilder builder;
    builder.input("x", {batch, 3, size, size})
        .constant("w", randomTensor({19, 3, 3, 3}, 1))
        .constant("f", randomTensor({19, 4}, 2));
    builder.node("Conv", {"x", "w"}, {"c"})
        .node("Relu", {"c"}, {"r"})
        .node("GlobalAveragePool", {"r"}, {"g"})
        .node("Flatten", {"g"}, {"v"});
    builder.node("Gemm", {"v", "f"}, {"y"}).output("y");
    return builder.build();
}

Tensor sample(const Tensor& batch, std::int64_t index) {
    const auto each = static_cast<std::size_t>(batch.count() / batch.dim(0));
    Shape shape = batch.shape();
    shape[0] = 1;
    return Tensor(shape, batch.data<float>().subspan(each * static_cast<std::size_t>(index), each));
}

/// Every sample of the batch must give what it gives alone.
void checkSamples(Executor& executor, const Tensor& batch) {
    const auto together = executor.run(std::vector{batch});
    QVERIFY2(together.has_value(), together ? "" : describe(together.error()).c_str());
    QCOMPARE((*together)[0].dim(0), batch.dim(0));
    for (std::int64_t i = 0; i < batch.dim(0); ++i) {
        const auto alone = executor.run(std::vector{sample(batch, i)});
        QVERIFY(alone.has_value());
        QVERIFY(relativeDifference((*alone)[0], sample((*together)[0], i)) < 1e-5);
    }
}

}  // namespace

void TestExecutor::anyBatch() {
    const auto executor = Executor::create(network(-1));
    QVERIFY(executor.has_value());
    QCOMPARE((*executor)->outputs(), std::vector<std::string>{"y"});
    QCOMPARE((*executor)->inputs().size(), std::size_t{1});
    checkSamples(**executor, randomTensor({5, 3, 8, 8}, 4));
    checkSamples(**executor, randomTensor({2, 3, 8, 8}, 5));
}

void TestExecutor::fixedBatchRunsSampleBySample() {
    CompileOptions options;
    options.taps = {"r"};
    const auto executor = Executor::create(network(1), options);
    QVERIFY(executor.has_value());
    checkSamples(**executor, randomTensor({3, 3, 8, 8}, 4));
    int calls = 0;
    const auto result =
        (*executor)->run(std::vector{randomTensor({3, 3, 8, 8}, 4)}, 0, [&](std::size_t index, const Tensor& value) {
            ++calls;
            QCOMPARE(index, std::size_t{0});
            QCOMPARE(value.shape(), (Shape{3, 19, 6, 6}));
        });
    QVERIFY(result.has_value());
    QCOMPARE(calls, 1);
}

void TestExecutor::bakedBatchFallsBack() {
    ModelBuilder builder;
    builder.input("x", {-1, 6})
        .constant("shape", Tensor(Shape{2}, {std::int64_t{1}, std::int64_t{6}}))
        .constant("w", randomTensor({6, 4}, 1));
    builder.node("Reshape", {"x", "shape"}, {"v"}).node("MatMul", {"v", "w"}, {"y"}).output("y");
    const auto executor = Executor::create(builder.build());
    QVERIFY(executor.has_value());
    checkSamples(**executor, randomTensor({4, 6}, 3));
}

void TestExecutor::largeBatchesInParts() {
    // Activations of about 1.5 MB a sample: seven of them are run in parts, which must not show.
    ModelBuilder builder;
    builder.input("x", {-1, 3, 96, 96})
        .constant("w", randomTensor({19, 3, 3, 3}, 1))
        .constant("v", randomTensor({2, 19, 3, 3}, 2));
    builder.node("Conv", {"x", "w"}, {"c"}).node("Relu", {"c"}, {"r"}).node("Conv", {"r", "v"}, {"y"}).output("y");
    CompileOptions options;
    options.taps = {"c"};
    const auto executor = Executor::create(builder.build(), options);
    QVERIFY(executor.has_value());
    const Tensor batch = randomTensor({7, 3, 96, 96}, 4);
    checkSamples(**executor, batch);
    Shape tapped;
    QVERIFY((*executor)
                ->run(std::vector{batch}, 0, [&](std::size_t, const Tensor& value) { tapped = value.shape(); })
                .has_value());
    QCOMPARE(tapped, (Shape{7, 19, 94, 94}));
}

void TestExecutor::samplesThatMixStayTogether() {
    // A mean over the batch: splitting it would change the result.
    ModelBuilder builder(13);
    builder.input("x", {-1, 3, 96, 96}).constant("w", randomTensor({19, 3, 3, 3}, 1));
    builder.node("Conv", {"x", "w"}, {"c"})
        .node("ReduceMean", {"c"}, {"m"}, {{"axes", std::vector<std::int64_t>{0}}, {"keepdims", std::int64_t{1}}});
    builder.node("Sub", {"c", "m"}, {"y"}).output("y");
    const Tensor batch = randomTensor({7, 3, 96, 96}, 4);
    const auto executor = Executor::create(builder.build());
    QVERIFY(executor.has_value());
    const auto result = (*executor)->run(std::vector{batch});
    QVERIFY(result.has_value());
    CompileOptions options;
    options.fuse = false;
    options.inputShapes["x"] = batch.shape();
    const RunResult expected = compileAndRun(builder.build(), {batch}, options);
    QVERIFY2(expected.error.empty(), expected.error.c_str());
    QVERIFY(relativeDifference(expected.outputs[0], (*result)[0]) < 1e-5);
}

void TestExecutor::observersSeeEveryElementOnce_data() {
    QTest::addColumn<int>("size");
    QTest::addColumn<bool>("isBaked");
    QTest::newRow("whole batch") << 8 << false;
    QTest::newRow("in parts") << 160 << false;
    QTest::newRow("fails as a whole, after the tap") << 8 << true;
}

void TestExecutor::observersSeeEveryElementOnce() {
    QFETCH(const int, size);
    QFETCH(const bool, isBaked);
    ModelBuilder builder;
    builder.input("x", {-1, 3, size, size}).constant("w", randomTensor({19, 3, 3, 3}, 1));
    builder.node("Conv", {"x", "w"}, {"c"}).node("Relu", {"c"}, {"r"}).node("GlobalMaxPool", {"r"}, {"g"});
    if (isBaked) {
        // As many rows as there are positive values, which only running shows: 19 for one sample.
        builder.constant("n", Tensor(Shape{2}, std::vector<std::int64_t>{1, 19}))
            .node("Flatten", {"g"}, {"f"})
            .node("NonZero", {"f"}, {"z"})
            .node("Transpose", {"z"}, {"t"})
            .node("GatherND", {"f", "t"}, {"p"})
            .node("Reshape", {"p", "n"}, {"y"})
            .output("y");
    } else {
        builder.node("Flatten", {"g"}, {"y"}).output("y");
    }
    CompileOptions options;
    options.taps = {"x", "r", "y"};
    const Model model = builder.build();
    const Tensor batch = randomTensor({5, 3, size, size}, 4);
    const auto sorted = [](std::vector<float> values) {
        std::sort(values.begin(), values.end());
        return values;
    };
    const auto ordered = Executor::create(model, options);
    QVERIFY(ordered.has_value());
    std::map<std::size_t, std::vector<float>> expected, seen;
    const auto tapped = (*ordered)->run(std::vector{batch}, 0, [&](std::size_t tap, const Tensor& value) {
        expected[tap].assign(value.data<float>().begin(), value.data<float>().end());
    });
    QVERIFY2(tapped.has_value(), tapped ? "" : describe(tapped.error()).c_str());
    options.areTapsUnordered = true;
    const auto unordered = Executor::create(model, options);
    QVERIFY(unordered.has_value());
    for (int run = 0; run < 2; ++run) {
        seen.clear();
        const auto outputs = (*unordered)->observe(std::vector{batch}, 0, [&](std::size_t tap, auto values) {
            seen[tap].insert(seen[tap].end(), values.begin(), values.end());
        });
        QVERIFY2(outputs.has_value(), outputs ? "" : describe(outputs.error()).c_str());
        QVERIFY((*outputs)[0] == (*tapped)[0]);
        QCOMPARE(seen.size(), std::size_t{3});
        for (const auto& [tap, values] : expected) QVERIFY(sorted(values) == sorted(seen[tap]));
    }
}

void TestExecutor::anySpatialSize() {
    const auto executor = Executor::create(network(-1, -1));
    QVERIFY(executor.has_value());
    for (const std::int64_t size : {5, 9}) {
        const auto result = (*executor)->run(std::vector{randomTensor({1, 3, size, size}, 2)});
        QVERIFY(result.has_value());
        QCOMPARE((*result)[0].shape(), (Shape{1, 4}));
    }
}

void TestExecutor::severalThreads() {
    const auto executor = Executor::create(network(-1));
    QVERIFY(executor.has_value());
    std::vector<Tensor> inputs;
    std::vector<Tensor> expected;
    for (unsigned i = 0; i < 24; ++i) {
        inputs.push_back(randomTensor({1 + i % 3, 3, 8, 8}, i));
        expected.push_back((*(*executor)->run(std::vector{inputs.back()}))[0]);
    }
    std::vector<Tensor> results(inputs.size());
    parallelFor(inputs.size(), 2, {}, [&](unsigned worker, std::size_t index) {
        auto result = (*executor)->run(std::vector{inputs[index]}, worker);
        if (result) results[index] = (*result)[0];
    });
    for (std::size_t i = 0; i < inputs.size(); ++i) QVERIFY(results[i] == expected[i]);
}

void TestExecutor::wrongInputs() {
    const auto executor = Executor::create(network(-1));
    QVERIFY(executor.has_value());
    const std::vector<std::vector<Tensor>> wrong{
        {}, {randomTensor({1, 4, 8, 8}, 1)}, {randomTensor({3, 8, 8}, 1)}, {Tensor(DType::Int64, {1, 3, 8, 8})}};
    for (const auto& inputs : wrong) {
        const auto result = (*executor)->run(inputs);
        QVERIFY(!result.has_value());
        QCOMPARE(result.error().code, ErrorCode::InvalidArgument);
        QVERIFY(describe(result.error()).find("\"x\" float Nx3x8x8") != std::string::npos);
    }
    CompileOptions options;
    options.outputs = {"nothing"};
    QVERIFY(!Executor::create(network(-1), options).has_value());
}

void TestExecutor::unsupportedOperators() {
    ModelBuilder builder;
    builder.input("x", {1, 4}).node("NoSuchOperator", {"x"}, {"a"}).node("Relu", {"a"}, {"y"}).output("y");
    const auto missing = unsupportedNodes(builder.build());
    QCOMPARE(missing.size(), std::size_t{1});
    QCOMPARE(missing[0].opType, std::string("NoSuchOperator"));
    const auto executor = Executor::create(builder.build());
    QVERIFY(!executor.has_value());
    QCOMPARE(executor.error().code, ErrorCode::Unsupported);
    QVERIFY(executor.error().message.find("NoSuchOperator") != std::string::npos);
}

void TestExecutor::shapesKnownOnlyWhileRunning() {
    ModelBuilder builder;
    builder.input("x", {2, 3})
        .node("Relu", {"x"}, {"r"})
        .node("NonZero", {"r"}, {"n"})
        .node("Transpose", {"n"}, {"t"})
        .output("t", {}, DType::Int64);
    builder.node("GatherND", {"r", "t"}, {"y"}).output("y");
    const RunResult result =
        compileAndRun(builder.build(), {Tensor(Shape{2, 3}, {1.0F, -1.0F, 2.0F, -5.0F, -6.0F, 3.0F})}, {}, 2);
    QVERIFY2(result.error.empty(), result.error.c_str());
    QCOMPARE(result.outputs[0].shape(), (Shape{3, 2}));
    QVERIFY(result.outputs[1] == Tensor(Shape{3}, {1.0F, 2.0F, 3.0F}));
}

EQUANT_TEST(TestExecutor)
}  // namespace test_executor

#include "test_executor.moc"
