// SPDX-License-Identifier: Apache-2.0
// Long pointwise chains: how many posts a primitive is tried with, and what compiling costs as the chain grows.
#include <QTest>
#include <ctime>
#include <random>

#include "core/runtime/emit/onednn_internal.h"
#include "core/runtime/emit/post_operations_internal.h"
#include "core/runtime/plan.h"
#include "tests/support/registry.h"
#include "tests/unit/runtime/plan_testing.h"

namespace test_post_operations {

using namespace equant;
using namespace equant::test;

namespace {

ir::Post eltwise(ir::EltwiseFunction function, float alpha = 0.0F, float beta = 0.0F) {
    ir::Post post;
    post.eltwise = function;
    post.alpha = alpha;
    post.beta = beta;
    return post;
}

ir::Post randomPost(std::minstd_rand& random) {
    using ir::EltwiseFunction;
    const float parameter = 0.5F + 0.25F * static_cast<float>(random() % 3);
    switch (random() % 7) {
        case 0:
            return eltwise(EltwiseFunction::Relu);
        case 1:
            return eltwise(EltwiseFunction::Clip, -parameter, parameter);
        case 2:
        case 3:
            return eltwise(EltwiseFunction::Linear, parameter, random() % 2 == 0 ? 0.0F : 1.0F);
        case 4:
            return eltwise(EltwiseFunction::Tanh);
        case 5: {
            ir::Post post;
            post.kind = ir::Post::Kind::Binary;
            post.binary = ir::BinaryFunction::Max;
            post.spread = random() % 8 == 0 ? ir::Spread::LastAxis : ir::Spread::Channel;
            return post;
        }
        default: {
            ir::Post post;
            post.kind = ir::Post::Kind::FakeQuant;
            post.encoding = std::make_shared<const Encoding>(asymmetricGrid(-parameter, parameter));
            return post;
        }
    }
}

/// Alternating residual additions and activations behind a convolution.
Model chainModel(int nodes) {
    ModelBuilder builder;
    builder.input("x", {1, 4, 2, 2}).constant("w", randomTensor({4, 4, 1, 1}, 1));
    builder.node("Conv", {"x", "w"}, {"v0"});
    for (int i = 0; i < nodes; ++i) {
        const std::string from = "v" + std::to_string(i), to = "v" + std::to_string(i + 1);
        if (i % 2 == 0) {
            builder.node("Add", {from, "x"}, {to});
        } else {
            builder.node(i % 4 == 1 ? "Relu" : "Tanh", {from}, {to});
        }
    }
    return builder.output("v" + std::to_string(nodes)).build();
}

/// Seconds of this thread, the least of three: what other programs do meanwhile does not count.
double secondsToCompile(int nodes) {
    const Model model = chainModel(nodes);
    const auto now = [] {
        timespec time{};
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
        return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
    };
    double least = 1e9;
    for (int i = 0; i < 3; ++i) {
        const double start = now();
        if (!compile(model, {})) return -1;
        least = std::min(least, now() - start);
    }
    return least;
}

}  // namespace

class TestPostOperations : public QObject {
    Q_OBJECT

private slots:
    /// No prefix longer than the bound can be expressed, whatever the chain.
    void boundsEveryPrefix() {
        const auto destination = onednn::denseDesc({1, 8, 4, 4});
        std::minstd_rand random(7);
        int reached = 0;
        for (int round = 0; round < 300; ++round) {
            std::vector<ir::Post> posts(10 + random() % 40);
            for (ir::Post& post : posts) post = randomPost(random);
            for (const bool takeFactor : {false, true}) {
                const std::size_t most = mostPostOperations(posts, destination, takeFactor);
                QVERIFY(most <= posts.size());
                for (std::size_t count = most + 1; count <= posts.size(); ++count)
                    QVERIFY(!toPostOperations(std::span(posts).first(count), destination, false, takeFactor));
                reached += most > 0 && toPostOperations(std::span(posts).first(most), destination, false, takeFactor);
            }
        }
        QVERIFY(reached > 100);
    }

    /// Clamps and multiplications merge, so that more than 24 posts may fit.
    void countsMergedPostsOnce() {
        const auto destination = onednn::denseDesc({1, 8, 4, 4});
        std::vector<ir::Post> posts{eltwise(ir::EltwiseFunction::Tanh)};
        posts.resize(100, eltwise(ir::EltwiseFunction::Linear, 1.01F));
        QCOMPARE(mostPostOperations(posts, destination, false), std::size_t{100});
        QVERIFY(toPostOperations(posts, destination, false, false));
    }

    void computesLongChains() {
        QCOMPARE(compareWithUnfused(chainModel(90), {randomTensor({1, 4, 2, 2}, 3)}), std::string());
    }

    /// Trying all prefixes of all rests would take the cube of the length: 64 times as long for 4 times as many nodes.
    void compilesLongChainsInLittleMoreThanLinearTime() {
        const double once = secondsToCompile(150);
        const double twice = secondsToCompile(300);
        const double fourTimes = secondsToCompile(600);
        QVERIFY(once > 0);
        const QString figures = QString("%1 s, %2 s, %3 s").arg(once).arg(twice).arg(fourTimes);
        QVERIFY2(fourTimes < 16 * once, qPrintable(figures));
        QVERIFY2(fourTimes < 6 * twice, qPrintable(figures));
    }
};

EQUANT_TEST(TestPostOperations)
}  // namespace test_post_operations

#include "test_post_operations.moc"
