// SPDX-License-Identifier: Apache-2.0
// Concatenation along every axis of values in the layouts that convolutions leave and in dense ones, against the plain
// operator.
#include "tests/support/registry.h"
#include "tests/unit/runtime/plan_testing.h"

namespace test_plan_concat {

using namespace equant;
using namespace equant::test;

class TestPlanConcat : public QObject {
    Q_OBJECT

private slots:
    void everyAxis_data();
    void everyAxis();
    void threeOfOne();
};

void TestPlanConcat::everyAxis_data() {
    QTest::addColumn<int>("axis");
    QTest::addColumn<int>("channels");
    QTest::addColumn<bool>("isFirstConvolved");
    for (const int axis : {0, 1, 2, 3, -1}) {
        for (const int channels : {1, 5, 16, 48}) {
            for (const bool isFirstConvolved : {true, false})
                QTest::addRow("axis %d, %d channels, %s", axis, channels,
                              isFirstConvolved ? "conv first" : "dense first")
                    << axis << channels << isFirstConvolved;
        }
    }
}

void TestPlanConcat::everyAxis() {
    QFETCH(int, axis);
    QFETCH(int, channels);
    QFETCH(bool, isFirstConvolved);
    const Shape shape{2, channels, 6, 7};
    Shape other = shape;
    other[static_cast<std::size_t>(axis < 0 ? axis + 4 : axis)] += 3;
    ModelBuilder builder;
    builder.input("x", shape).input("d", other).constant("w", randomTensor({channels, channels, 3, 3}, 1));
    builder.node("Conv", {"x", "w"}, {"c"}, {{"pads", std::vector<std::int64_t>{1, 1, 1, 1}}});
    builder.node("Concat", isFirstConvolved ? std::vector<std::string>{"c", "d"} : std::vector<std::string>{"d", "c"},
                 {"j"}, {{"axis", std::int64_t{axis}}});
    builder.node("Relu", {"j"}, {"y"}).output("y").output("c");
    const Model model = builder.build();
    CompileOptions options;
    options.inputShapes = {{"x", shape}, {"d", other}};
    const std::string message = compareWithUnfused(model, {randomTensor(shape, 3), randomTensor(other, 4)}, options);
    QVERIFY2(message.empty(), message.c_str());
}

void TestPlanConcat::threeOfOne() {
    // The same value twice, the input itself, and one channel of constants.
    ModelBuilder builder;
    builder.input("x", {1, 6, 4, 4}).constant("k", randomTensor({1, 1, 4, 4}, 2));
    builder.node("Relu", {"x"}, {"r"})
        .node("Concat", {"r", "k", "r", "x"}, {"y"}, {{"axis", std::int64_t{1}}})
        .output("y");
    const std::string message = compareWithUnfused(builder.build(), {randomTensor({1, 6, 4, 4}, 3)});
    QVERIFY2(message.empty(), message.c_str());
}

EQUANT_TEST(TestPlanConcat)
}  // namespace test_plan_concat

#include "test_plan_concat.moc"
