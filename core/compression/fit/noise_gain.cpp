// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <random>

#include "core/compression/factorization/layer_split_internal.h"
#include "core/compression/fit/noise_gain_internal.h"
#include "core/compression/model_facts_internal.h"

namespace equant {

namespace {

constexpr double kNoise = 0.1;  ///< of the power of the layer's output

/// Weights of noise, of any size.
Eigen::MatrixXd noiseFor(const Eigen::MatrixXd& weight, std::int64_t channelColumns, std::uint64_t seed) {
    std::mt19937_64 random(seed);
    std::normal_distribution<double> gaussian;
    if (channelColumns <= 0)
        return Eigen::MatrixXd::NullaryExpr(weight.rows(), weight.cols(), [&]() -> double { return gaussian(random); });
    Eigen::MatrixXd noise = weight;
    for (Eigen::Index first = 0; first < noise.cols(); first += channelColumns)
        noise.middleCols(first, std::min<Eigen::Index>(channelColumns, noise.cols() - first)) *= gaussian(random);
    return noise;
}

/// Adds noise that makes the output's error `kNoise` of its power, with mean zero as that of a fitted layer: a shift
/// common to all positions would come through averages undiminished. Returns that error; 0 for a layer without output.
double addNoise(LayerMatrix& matrix, const LayerMoments& moments, const Eigen::MatrixXd& noise) {
    const Eigen::Index groups = moments.groups(), rows = noise.rows() / groups, columns = noise.cols();
    double power = 0;
    Eigen::VectorXd shift(noise.rows());
    for (Eigen::Index group = 0; group < groups; ++group) {
        const auto gram = moments.gram.block(0, group * (columns + 1), columns, columns);
        const auto part = noise.middleRows(group * rows, rows);
        const Eigen::VectorXd mean = moments.gram.block(0, group * (columns + 1) + columns, columns, 1);
        shift.segment(group * rows, rows) = part * mean;
        power += (part * gram).cwiseProduct(part).sum() - shift.segment(group * rows, rows).squaredNorm();
    }
    const double wanted = kNoise * moments.outputPower.sum();
    if (!(power > 0) || !(wanted > 0)) return 0;
    const double scale = std::sqrt(wanted / power);
    matrix.weight += scale * noise;
    matrix.bias = matrix.bias.value_or(Eigen::VectorXd::Zero(noise.rows())) - scale * shift;
    return wanted;
}

}  // namespace

Result<std::vector<double>> noiseGains(const Model& model, const std::vector<NoiseProbe>& probes,
                                       CandidateScorer& scorer, std::uint64_t seed, const JobContext& job) {
    std::vector<double> gains;
    for (const NoiseProbe& probe : probes) {
        if (job.stopped()) return cancelled();
        job.advance();
        gains.push_back(0);
        auto matrix = LayerMatrix::of(model.graph, producerOf(model.graph, probe.output));
        if (!matrix) return fail(matrix.error());
        const double added =
            addNoise(*matrix, *probe.moments, noiseFor(matrix->weight, probe.channelColumns, seed + gains.size()));
        if (added <= 0) continue;
        Model noisy = model;
        writeMatrix(noisy.graph, probe.output, *matrix);
        const auto score = scorer.score(noisy, job);
        if (!score) return fail(score.error());
        const double landing =
            probe.moments->postAddPower > 0 ? probe.moments->postAddPower : probe.moments->outputPower.sum();
        if (score->sqnrDb && std::isfinite(*score->sqnrDb))
            gains.back() = std::pow(10, -*score->sqnrDb / 10) / (added / landing);
    }
    return gains;
}

}  // namespace equant
