// SPDX-License-Identifier: Apache-2.0
// Bytes that activations write and keep alive, counted by hand on small networks.
#include <QtTest>

#include "core/runtime/diagnose/activation_memory.h"
#include "tests/support/registry.h"
#include "tests/unit/support/model_builder.h"

namespace test_activation_memory {

using namespace equant;
using namespace equant::test;

namespace {

constexpr std::int64_t kFloat = 4;

ModelBuilder& conv(ModelBuilder& builder, const std::string& from, const std::string& to, std::int64_t in,
                   std::int64_t out) {
    builder.constant("w" + to, randomTensor({out, in, 1, 1}, 1));
    return builder.node("Conv", {from, "w" + to}, {to});
}

}  // namespace

class TestActivationMemory : public QObject {
    Q_OBJECT

private slots:
    void countsAChain();
    void fusedOperatorsWriteOnce();
    void aResidualStaysAlive();
    void reshapingMovesNothing();
    void batchesCountPerSample();
    void fixedBatchIsDivided();
    void namesWhatCannotBeKnown();
};

void TestActivationMemory::countsAChain() {
    ModelBuilder builder;
    builder.input("x", {1, 3, 8, 8}).output("c");
    conv(builder, "x", "a", 3, 16);
    conv(builder, "a", "b", 16, 4);
    conv(builder, "b", "c", 4, 10);
    const auto memory = activationMemory(builder.build());
    QVERIFY(memory.has_value());
    QCOMPARE(memory->writtenBytes, (16 + 4 + 10) * 64 * kFloat);
    QCOMPARE(memory->peakBytes, (16 + 4) * 64 * kFloat);  // while the second layer runs
}

void TestActivationMemory::fusedOperatorsWriteOnce() {
    ModelBuilder builder;
    builder.input("x", {1, 3, 8, 8}).output("y");
    conv(builder, "x", "a", 3, 16);
    for (const char* name : {"scale", "shift", "mean"}) builder.constant(name, randomTensor({16}, 2));
    builder.constant("variance", randomTensor({16}, 3, 0.5F, 2.0F));
    builder.node("BatchNormalization", {"a", "scale", "shift", "mean", "variance"}, {"n"}).node("Relu", {"n"}, {"y"});
    const auto memory = activationMemory(builder.build());
    QVERIFY(memory.has_value());
    QCOMPARE(memory->writtenBytes, 16 * 64 * kFloat);
    QCOMPARE(memory->peakBytes, (3 + 16) * 64 * kFloat);
    CompileOptions apart;
    apart.fuse = false;
    const auto single = activationMemory(builder.build(), apart);
    QVERIFY(single.has_value());
    QCOMPARE(single->writtenBytes, 3 * 16 * 64 * kFloat);
}

void TestActivationMemory::aResidualStaysAlive() {
    ModelBuilder builder;
    builder.input("x", {1, 8, 4, 4}).output("y");
    conv(builder, "x", "a", 8, 8);
    conv(builder, "a", "b", 8, 32);
    conv(builder, "b", "c", 32, 8);
    builder.node("Add", {"c", "a"}, {"y"});
    const auto memory = activationMemory(builder.build());
    QVERIFY(memory.has_value());
    QCOMPARE(memory->writtenBytes, (8 + 32 + 8) * 16 * kFloat);  // the sum is the third layer's
    QCOMPARE(memory->peakBytes, (32 + 8 + 8) * 16 * kFloat);     // and waits for what came before
}

void TestActivationMemory::reshapingMovesNothing() {
    ModelBuilder builder;
    builder.input("x", {1, 2, 4, 4}).output("y");
    builder.constant("w", randomTensor({2, 32}, 1)).constant("b", randomTensor({2}, 2));
    builder.node("Flatten", {"x"}, {"f"}).node("Gemm", {"f", "w", "b"}, {"y"}, {{"transB", std::int64_t{1}}});
    const auto memory = activationMemory(builder.build());
    QVERIFY(memory.has_value());
    QCOMPARE(memory->writtenBytes, 2 * kFloat);
    QCOMPARE(memory->peakBytes, (32 + 2) * kFloat);
}

void TestActivationMemory::batchesCountPerSample() {
    ModelBuilder builder;
    builder.input("x", {-1, 3, 8, 8}).output("a");
    conv(builder, "x", "a", 3, 16);
    const auto memory = activationMemory(builder.build());
    QVERIFY(memory.has_value());
    QCOMPARE(memory->writtenBytes, 16 * 64 * kFloat);
}

void TestActivationMemory::fixedBatchIsDivided() {
    ModelBuilder builder;
    builder.input("x", {4, 3, 8, 8}).output("a");
    conv(builder, "x", "a", 3, 16);
    const auto memory = activationMemory(builder.build());
    QVERIFY(memory.has_value());
    QCOMPARE(*memory, (ActivationMemory{16 * 64 * kFloat, (3 + 16) * 64 * kFloat}));
}

void TestActivationMemory::namesWhatCannotBeKnown() {
    ModelBuilder builder;
    builder.input("x", {1, 8}).output("where", {}, DType::Int64).node("NonZero", {"x"}, {"where"});
    const auto memory = activationMemory(builder.build());
    QVERIFY(!memory.has_value());
    QCOMPARE(memory.error().code, ErrorCode::Unsupported);
    QCOMPARE(memory.error().subject, std::string("where"));
}

EQUANT_TEST(TestActivationMemory)
}  // namespace test_activation_memory

#include "test_activation_memory.moc"
