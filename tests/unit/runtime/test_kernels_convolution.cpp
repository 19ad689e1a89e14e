// SPDX-License-Identifier: Apache-2.0
// Convolutions and pools against loops that follow their definitions index by index.
#include "tests/support/registry.h"
#include "tests/unit/runtime/kernel_testing.h"

namespace test_kernels_convolution {

using namespace equant;
using namespace equant::testing;

struct Case {
    std::int64_t batch, groups, inPerGroup, outPerGroup, height, width, kernelH, kernelW, stride, dilation;
    std::vector<std::int64_t> pads;  // top, left, bottom, right
};

Case randomCase(std::mt19937& random) {
    const auto between = [&](int low, int high) {
        return low + static_cast<std::int64_t>(random() % static_cast<unsigned>(high - low + 1));
    };
    Case c{between(1, 2),
           between(1, 3),
           between(1, 3),
           between(1, 3),
           between(5, 9),
           between(5, 9),
           between(1, 3),
           between(1, 3),
           between(1, 3),
           between(1, 2),
           {}};
    for (int i = 0; i < 4; ++i) c.pads.push_back(between(0, 2));
    return c;
}

Node convNode(const char* type, const Case& c) {
    return makeNode(type, {{"group", c.groups},
                           {"strides", list({c.stride, c.stride})},
                           {"dilations", list({c.dilation, c.dilation})},
                           {"pads", c.pads}});
}

/// Convolution by definition; reads outside the image are zero.
Tensor naiveConv(const Case& c, const Tensor& x, const Tensor& w, const Tensor& bias) {
    const std::int64_t outH = (c.height + c.pads[0] + c.pads[2] - (c.kernelH - 1) * c.dilation - 1) / c.stride + 1;
    const std::int64_t outW = (c.width + c.pads[1] + c.pads[3] - (c.kernelW - 1) * c.dilation - 1) / c.stride + 1;
    const std::int64_t channels = c.groups * c.outPerGroup;
    std::vector<float> out;
    for (std::int64_t n = 0; n < c.batch; ++n)
        for (std::int64_t o = 0; o < channels; ++o)
            for (std::int64_t y = 0; y < outH; ++y)
                for (std::int64_t z = 0; z < outW; ++z) {
                    double sum = bias.data<float>()[static_cast<std::size_t>(o)];
                    for (std::int64_t i = 0; i < c.inPerGroup; ++i)
                        for (std::int64_t a = 0; a < c.kernelH; ++a)
                            for (std::int64_t b = 0; b < c.kernelW; ++b) {
                                const std::int64_t h = y * c.stride + a * c.dilation - c.pads[0];
                                const std::int64_t v = z * c.stride + b * c.dilation - c.pads[1];
                                if (h < 0 || h >= c.height || v < 0 || v >= c.width) continue;
                                const std::int64_t ic = o / c.outPerGroup * c.inPerGroup + i;
                                const auto at = ((n * c.groups * c.inPerGroup + ic) * c.height + h) * c.width + v;
                                const auto weight = ((o * c.inPerGroup + i) * c.kernelH + a) * c.kernelW + b;
                                sum += double{x.data<float>()[static_cast<std::size_t>(at)]} *
                                       double{w.data<float>()[static_cast<std::size_t>(weight)]};
                            }
                    out.push_back(static_cast<float>(sum));
                }
    return floats({c.batch, channels, outH, outW}, out);
}

double dot(const Tensor& a, const Tensor& b) {
    double sum = 0;
    for (std::size_t i = 0; i < a.data<float>().size(); ++i)
        sum += double{a.data<float>()[i]} * double{b.data<float>()[i]};
    return sum;
}

class TestKernelsConvolution : public QObject {
    Q_OBJECT

private slots:
    void convolutionFollowsItsDefinition() {
        std::mt19937 random(17);
        for (int round = 0; round < 60; ++round) {
            const Case c = randomCase(random);
            const Tensor x = randomFloats({c.batch, c.groups * c.inPerGroup, c.height, c.width}, random);
            const Tensor w = randomFloats({c.groups * c.outPerGroup, c.inPerGroup, c.kernelH, c.kernelW}, random);
            const Tensor bias = randomFloats({c.groups * c.outPerGroup}, random);
            COMPARE_TENSORS(run1(convNode("Conv", c), {x, w, bias}), naiveConv(c, x, w, bias), 1e-5);
        }
    }

    /// <conv(x), y> = <x, convTranspose(y)> for the same weight: the transposed operator is the adjoint.
    void transposedConvolutionIsTheAdjoint() {
        std::mt19937 random(23);
        for (int round = 0; round < 40; ++round) {
            const Case c = randomCase(random);
            const Tensor x = randomFloats({c.batch, c.groups * c.inPerGroup, c.height, c.width}, random);
            const Tensor w = randomFloats({c.groups * c.outPerGroup, c.inPerGroup, c.kernelH, c.kernelW}, random);
            const Tensor y = run1(convNode("Conv", c), {x, w});
            const Tensor z = randomFloats(y.shape(), random);
            Node adjoint = convNode("ConvTranspose", c);
            const auto extra = [&](int axis, std::int64_t kernel, std::int64_t pad) {
                return x.dim(axis) - ((y.dim(axis) - 1) * c.stride + (kernel - 1) * c.dilation + 1 - pad);
            };
            adjoint.setAttribute("output_padding", list({extra(2, c.kernelH, c.pads[0] + c.pads[2]),
                                                         extra(3, c.kernelW, c.pads[1] + c.pads[3])}));
            const Tensor back = run1(adjoint, {z, w});
            QCOMPARE(toString(back.shape()), toString(x.shape()));
            QVERIFY(std::fabs(dot(y, z) - dot(x, back)) < 1e-4);
        }
    }

    void oneAndThreeAxes() {
        COMPARE_TENSORS(run1(makeNode("Conv"), {floats({1, 1, 4}, {1, 2, 3, 4}), floats({1, 1, 2}, {1, 10})}),
                        floats({1, 1, 3}, {21, 32, 43}), 0);
        std::mt19937 random(1);
        const Tensor cube = randomFloats({1, 2, 3, 3, 3}, random);
        const Tensor centre = [] {
            std::vector<float> values(2 * 2 * 27, 0.0F);
            values[13] = values[27 * 3 + 13] = 1;
            return floats({2, 2, 3, 3, 3}, values);
        }();
        const Node same = makeNode("Conv", {{"auto_pad", std::string("SAME_UPPER")}});
        COMPARE_TENSORS(run1(same, {cube, centre}), cube, 0);
    }

    void autoPadSidesDiffer() {
        const Tensor x = floats({1, 1, 4}, {1, 2, 3, 4});
        const Tensor w = floats({1, 1, 2}, {1, 10});
        const auto padded = [&](const char* mode) {
            return run1(makeNode("Conv", {{"auto_pad", std::string(mode)}}), {x, w});
        };
        COMPARE_TENSORS(padded("SAME_UPPER"), floats({1, 1, 4}, {21, 32, 43, 4}), 0);
        COMPARE_TENSORS(padded("SAME_LOWER"), floats({1, 1, 4}, {10, 21, 32, 43}), 0);
        COMPARE_TENSORS(padded("VALID"), floats({1, 1, 3}, {21, 32, 43}), 0);
    }

    void badWindowsAreRefused() {
        const Tensor x = floats({1, 1, 4}, {1, 2, 3, 4});
        const Tensor w = floats({1, 1, 2}, {1, 10});
        QVERIFY(!run(makeNode("Conv"), {x, floats({1, 1, 5}, {1, 1, 1, 1, 1})}));
        QVERIFY(!run(makeNode("Conv"), {x, floats({1, 2, 1}, {1, 1})}));
        QVERIFY(!run(makeNode("Conv", {{"group", std::int64_t{0}}}), {x, w}));
        QVERIFY(!run(makeNode("Conv", {{"strides", list({0})}}), {x, w}));
        QVERIFY(!run(makeNode("Conv", {{"pads", list({-1, 0})}}), {x, w}));
        QVERIFY(!run(makeNode("Conv", {{"strides", list({1, 1})}}), {x, w}));
        QVERIFY(!run(makeNode("Conv"), {x, w, floats({2}, {1, 2})}));
        QVERIFY(!run(makeNode("MaxPool"), {x}));
    }

    void poolsByHand() {
        const Tensor x = floats({1, 1, 1, 5}, {1, 5, 2, 4, 3});
        const auto pool = [&](const char* type, std::vector<std::pair<std::string, AttributeValue>> attributes) {
            attributes.emplace_back("kernel_shape", list({1, 2}));
            attributes.emplace_back("strides", list({1, 2}));
            return run1(makeNode(type, std::move(attributes)), {x});
        };
        COMPARE_TENSORS(pool("MaxPool", {}), floats({1, 1, 1, 2}, {5, 4}), 0);
        COMPARE_TENSORS(pool("MaxPool", {{"ceil_mode", std::int64_t{1}}}), floats({1, 1, 1, 3}, {5, 4, 3}), 0);
        COMPARE_TENSORS(pool("AveragePool", {{"ceil_mode", std::int64_t{1}}}), floats({1, 1, 1, 3}, {3, 3, 3}), 0);
        const auto pads = list({0, 1, 0, 0});
        COMPARE_TENSORS(pool("AveragePool", {{"pads", pads}}), floats({1, 1, 1, 3}, {1, 3.5F, 3.5F}), 0);
        COMPARE_TENSORS(pool("AveragePool", {{"pads", pads}, {"count_include_pad", std::int64_t{1}}}),
                        floats({1, 1, 1, 3}, {0.5F, 3.5F, 3.5F}), 0);
        COMPARE_TENSORS(pool("MaxPool", {{"dilations", list({1, 3})}}), floats({1, 1, 1, 1}, {4}), 0);
        COMPARE_TENSORS(run1(makeNode("GlobalAveragePool"), {x}), floats({1, 1, 1, 1}, {3}), 0);
        COMPARE_TENSORS(run1(makeNode("GlobalMaxPool"), {x}), floats({1, 1, 1, 1}, {5}), 0);
    }

    void unpoolPutsMaximaBack() {
        const Tensor x = floats({1, 1, 2, 2}, {4, 1, 2, 3});
        const Node pool = makeNode("MaxPool", {{"kernel_shape", list({2, 2})}}, 2);
        const auto pooled = run(pool, {x});
        QVERIFY(pooled.has_value());
        const Node unpool = makeNode("MaxUnpool", {{"kernel_shape", list({2, 2})}});
        COMPARE_TENSORS(run1(unpool, *pooled), floats({1, 1, 2, 2}, {4, 0, 0, 0}), 0);
        QVERIFY(!run(unpool, {pooled->front(), of<std::int64_t>(Shape{1, 1, 1, 1}, {4})}));
    }
};

EQUANT_TEST(TestKernelsConvolution)
}  // namespace test_kernels_convolution

#include "test_kernels_convolution.moc"
