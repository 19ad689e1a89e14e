// SPDX-License-Identifier: Apache-2.0
#include <QtTest>

#include "core/graph/topology.h"
#include "tests/support/registry.h"
#include "tests/unit/support/model_builder.h"

namespace test_topology {

using namespace equant;
using test::ModelBuilder;

class TestTopology : public QObject {
    Q_OBJECT

private slots:
    void ordersAnUnsortedFile() {
        const Model model = ModelBuilder()
                                .input("x", {1, 4})
                                .output("y")
                                .node("Relu", {"b"}, {"y"})
                                .node("Neg", {"a"}, {"b"})
                                .node("Abs", {"x"}, {"a"})
                                .build();
        const auto topology = Topology::of(model.graph);
        QVERIFY(topology.has_value());
        QCOMPARE(topology->order(), (std::vector<std::size_t>{2, 1, 0}));
        QCOMPARE(topology->producer("b"), std::size_t{1});
        QCOMPARE(topology->soleConsumer("a"), std::size_t{1});
        QCOMPARE(topology->soleConsumer("y"), Topology::kNone);
        QVERIFY(topology->isGraphOutput("y"));
        QCOMPARE(topology->producer("x"), Topology::kNone);
    }

    void severalReadersAreNoSoleConsumer() {
        const Model model = ModelBuilder()
                                .input("x", {4})
                                .output("y")
                                .node("Relu", {"x"}, {"a"})
                                .node("Add", {"a", "a"}, {"y"})
                                .build();
        const auto topology = Topology::of(model.graph);
        QVERIFY(topology.has_value());
        QCOMPARE(topology->uses("a").size(), std::size_t{2});
        QCOMPARE(topology->soleConsumer("a"), Topology::kNone);
    }

    void capturesOfSubgraphsAreUses() {
        auto body = std::make_shared<Graph>();
        body->nodes.push_back({"inner", "Neg", "", {"a"}, {"n"}, {}, {}});
        body->outputs.push_back({"n", DType::Float, {}, {}});
        const Model model = ModelBuilder()
                                .input("x", {4})
                                .input("c", {}, DType::Bool)
                                .output("y")
                                .node("If", {"c"}, {"y"}, {{"then_branch", std::shared_ptr<const Graph>(body)}})
                                .node("Relu", {"x"}, {"a"})
                                .build();
        const auto topology = Topology::of(model.graph);
        QVERIFY(topology.has_value());
        QCOMPARE(topology->order(), (std::vector<std::size_t>{1, 0}));
        QCOMPARE(topology->uses("a").front().slot, Topology::kNone);
    }

    void badGraphsAreNamed_data() {
        QTest::addColumn<Model>("model");
        QTest::addColumn<QString>("words");
        QTest::newRow("cycle") << ModelBuilder()
                                      .input("x", {4})
                                      .output("y")
                                      .node("Add", {"x", "b"}, {"a"})
                                      .node("Relu", {"a"}, {"b"})
                                      .node("Neg", {"b"}, {"y"})
                                      .build()
                               << "cycle";
        QTest::newRow("reads nothing")
            << ModelBuilder().input("x", {4}).output("y").node("Add", {"x", "ghost"}, {"y"}).build() << "\"ghost\"";
        QTest::newRow("two producers")
            << ModelBuilder().input("x", {4}).output("y").node("Relu", {"x"}, {"y"}).node("Neg", {"x"}, {"y"}).build()
            << "defined twice";
        QTest::newRow("no output") << ModelBuilder().input("x", {4}).output("z").node("Relu", {"x"}, {"y"}).build()
                                   << "\"z\"";
    }
    void badGraphsAreNamed() {
        QFETCH(Model, model);
        QFETCH(QString, words);
        const auto topology = Topology::of(model.graph);
        QVERIFY(!topology.has_value());
        QCOMPARE(topology.error().code, ErrorCode::Corrupt);
        QVERIFY2(QString::fromStdString(topology.error().message).contains(words), topology.error().message.c_str());
    }
};

EQUANT_TEST(TestTopology)
}  // namespace test_topology

#include "test_topology.moc"
