// SPDX-License-Identifier: Apache-2.0
// Least squares behind Relu and Clip: what is measured is what passes the activation, and rounds of fitting to it lower
// it.
#include <QtTest>
#include <cmath>

#include "core/compression/factorization/layer_split_internal.h"
#include "core/statistics/activation_fit.h"
#include "tests/support/registry.h"
#include "tests/unit/support/model_builder.h"

namespace test_activation_fit {

using namespace equant;
using namespace equant::test;

namespace {

RowMatrix randomRows(Eigen::Index rows, Eigen::Index columns, unsigned seed) {
    const Tensor tensor = randomTensor({rows, columns}, seed);
    return Eigen::Map<const RowMatrix>(tensor.data<float>().data(), rows, columns);
}

/// Outputs of a map that are driven far beyond the bounds, by random amounts, wherever the clamp cuts them off: what no
/// map explains, and no activation lets through.
LayerRows rowsWithResidue(bool hasOther, const Clamp& clamp) {
    LayerRows rows;
    rows.x = randomRows(2000, 5, 1);
    rows.x.rightCols<1>().setOnes();
    rows.y = rows.x * randomRows(5, 3, 2);
    if (hasOther) rows.other = randomRows(2000, 3, 4);
    const RowMatrix drive = randomRows(2000, 3, 3).cwiseAbs2() * 8.0F;
    for (Eigen::Index i = 0; i < rows.y.size(); ++i) {
        const float other = hasOther ? rows.other.data()[i] : 0.0F, value = rows.y.data()[i] + other;
        if (value < clamp.low) rows.y.data()[i] -= drive.data()[i];
        if (value > clamp.high) rows.y.data()[i] += drive.data()[i];
    }
    return rows;
}

double naiveError(const LayerRows& rows, const Clamp& clamp, const Eigen::MatrixXd& map) {
    double error = 0, power = 0;
    for (Eigen::Index i = 0; i < rows.x.rows(); ++i)
        for (Eigen::Index o = 0; o < rows.y.cols(); ++o) {
            const double other = rows.other.size() > 0 ? double(rows.other(i, o)) : 0;
            const double got = map.row(o).dot(rows.x.row(i).cast<double>()) + other,
                         wanted = double(rows.y(i, o)) + other;
            const auto cut = [&](double v) { return std::min(std::max(v, double(clamp.low)), double(clamp.high)); };
            error += std::pow(cut(got) - cut(wanted), 2);
            power += std::pow(cut(wanted), 2);
        }
    return error / power;
}

}  // namespace

class TestActivationFit : public QObject {
    Q_OBJECT

private slots:
    void theClampIsThatOfTheOnlyReader() {
        ModelBuilder builder;
        builder.input("x", {1, 4}).output("d").output("c");
        builder.constant("lo", Tensor(Shape{}, {-1.0F})).constant("hi", Tensor(Shape{}, {6.0F}));
        builder.node("Relu", {"x"}, {"a"}).node("Clip", {"a", "lo", "hi"}, {"b"});
        builder.node("Sigmoid", {"b"}, {"c"}).node("Relu", {"c"}, {"d"});
        const Model model = builder.build();
        const auto topology = Topology::of(model.graph);
        QVERIFY(topology.has_value());
        const Clamp relu = Clamp::behind(model.graph, *topology, "x"),
                    clip = Clamp::behind(model.graph, *topology, "a");
        QVERIFY(relu.low == 0.0F && relu.isUnbounded() && !relu.isOpen());
        QVERIFY(clip.low == -1.0F && clip.high == 6.0F);
        QVERIFY(Clamp::behind(model.graph, *topology, "b").isOpen());  // Sigmoid is no clamp
        QVERIFY(Clamp::behind(model.graph, *topology, "c").isOpen());  // an output of the model is read elsewhere too
    }

    void theErrorIsMeasuredBehindTheActivation() {
        for (const bool hasOther : {false, true}) {
            const LayerRows rows = rowsWithResidue(hasOther, Clamp{0.0F});
            const Eigen::MatrixXd map = randomRows(3, 5, 9).cast<double>();
            for (const Clamp clamp : {Clamp{0.0F}, Clamp{-0.2F, 0.5F}, Clamp{}}) {
                const double wanted = naiveError(rows, clamp, map);
                QVERIFY(std::fabs(errorBehind({&rows, clamp, 2}, map) - wanted) < 1e-5 * wanted);
            }
        }
    }

    void roundsLowerTheError() {
        for (const bool hasOther : {false, true})
            for (const Clamp clamp : {Clamp{0.0F}, Clamp{-0.2F, 0.5F}}) {
                const LayerRows rows = rowsWithResidue(hasOther, clamp);
                const ActivationView view{&rows, clamp, 2};
                LayerMoments moments = momentsOf(rows, 1);
                moments.ridge = 1e-9;
                Eigen::MatrixXd map = Eigen::MatrixXd::Zero(3, 5);
                double last = 1e30, first = 0;
                for (int round = 0; round < 60; ++round) {
                    const auto behind = round == 0 ? moments : momentsBehind(view, moments, map);
                    const FitProblem problem = fitProblem(Eigen::MatrixXd::Zero(3, 4), behind);
                    map.leftCols<4>() = solveFull(problem);
                    map.rightCols<1>() = problem.bias(map.leftCols<4>());
                    const double error = errorBehind(view, map);
                    QVERIFY2(error <= last * (1 + 1e-2), qPrintable(QString("%1 after %2").arg(error).arg(last)));
                    last = error;
                    if (round == 0) first = error;
                }
                QVERIFY2(last < 0.8 * first, qPrintable(QString("%1 of %2").arg(last).arg(first)));
            }
    }

    void momentsOfRowsDoNotDependOnThreads() {
        const LayerRows rows = rowsWithResidue(true, Clamp{0.0F});
        const LayerMoments one = momentsOf(rows, 1), four = momentsOf(rows, 4);
        QVERIFY(one.gram == four.gram && one.cross == four.cross);
        const Eigen::MatrixXd gram = rows.x.cast<double>().transpose() * rows.x.cast<double>() / 2000.0;
        const Eigen::MatrixXd cross = rows.y.cast<double>().transpose() * rows.x.cast<double>() / 2000.0;
        QVERIFY((one.gram - gram).norm() < 1e-6 * gram.norm() && (one.cross - cross).norm() < 1e-5 * cross.norm());
    }
};

EQUANT_TEST(TestActivationFit)
}  // namespace test_activation_fit

#include "test_activation_fit.moc"
