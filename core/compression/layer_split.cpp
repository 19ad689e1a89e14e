// SPDX-License-Identifier: Apache-2.0
#include "core/compression/layer_split.h"

#include <algorithm>
#include <cmath>

#include "core/base/parallel.h"
#include "core/passes/layer_weights.h"

namespace equant {

namespace {

using Eigen::Index;
using Eigen::MatrixXd;
using Eigen::VectorXd;

constexpr double kRidge = 1e-4;       ///< of the mean variance of an input element
constexpr int kRounds = 4;            ///< of fitting behind the activation
constexpr int kSweeps = 12;           ///< of alternating least squares
constexpr int kRefineSweeps = 3;      ///< the same for targets that changed a little
constexpr double kSmallGain = 2e-3;   ///< relative to the error: a round that gains less is the last
constexpr int kPredictionSweeps = 2;  ///< a prediction needs the error's size, not its last per cent

/// order[k]: which column of the ONNX weight [m][kh][kw] is column k of [outer][inner].
std::vector<Index> columnOrder(SplitForm form, const LayerGeometry& layer) {
    const Index m = layer.inputs, kh = layer.kernelHeight, kw = layer.kernelWidth;
    std::vector<Index> order(static_cast<std::size_t>(m * kh * kw));
    for (Index c = 0; c < m; ++c)
        for (Index i = 0; i < kh; ++i)
            for (Index j = 0; j < kw; ++j) {
                const Index old = (c * kh + i) * kw + j;
                Index place = old;
                if (form == SplitForm::VerticalFirst) place = j * m * kh + c * kh + i;
                if (form == SplitForm::HorizontalFirst) place = i * m * kw + c * kw + j;
                if (form == SplitForm::PointwiseFirst) place = (i * kw + j) * m + c;
                order[static_cast<std::size_t>(place)] = old;
            }
    return order;
}

FitProblem ordered(const FitProblem& problem, const std::vector<Index>& order) {
    FitProblem result = problem;
    result.weight = problem.weight(Eigen::all, order);
    result.metric = problem.metric(order, order);
    result.target = problem.target(Eigen::all, order);
    result.inputMean = problem.inputMean(order);
    return result;
}

std::vector<SplitForm> formsOf(CompressionMethod method, const LayerGeometry& layer, bool isWithData) {
    if (method == CompressionMethod::SpatialSvd)
        return isWithData ? std::vector{SplitForm::VerticalFirst, SplitForm::HorizontalFirst}
                          : std::vector{SplitForm::VerticalFirst};
    // Without kernel and stride both orders are the same two matrices.
    const bool isMatrix = layer.kernelHeight * layer.kernelWidth * layer.strideHeight * layer.strideWidth == 1;
    if (!isWithData || isMatrix) return {SplitForm::PointwiseFirst};
    return {SplitForm::PointwiseFirst, SplitForm::PointwiseLast};
}

/// The rank a form may have; 0 when even 1 is too dear. The first form is AIMET's and takes the rank asked for.
std::int64_t rankOf(SplitForm form, const LayerGeometry& layer, std::int64_t size, const SplitBudget& budget) {
    const auto most = static_cast<std::int64_t>(splitShape(form, layer).maxRank(static_cast<Index>(layer.outputs)));
    if (form == SplitForm::VerticalFirst || form == SplitForm::PointwiseFirst) return std::min(size, most);
    const double one = splitCost(form, layer, 1).of(budget.metric);
    auto rank = std::min(most, static_cast<std::int64_t>(std::floor(budget.cost / one * (1 + 1e-12))));
    if (budget.multiple > 1 && rank > budget.multiple && rank < most) rank -= rank % budget.multiple;
    return rank;
}

LayerSplit fitForm(SplitForm form, std::int64_t rank, const LayerGeometry& layer, const FitProblem& problem,
                   const LayerMoments& moments, int sweeps, const std::stop_token& stop,
                   const MatrixXd* start = nullptr) {
    const auto order = columnOrder(form, layer);
    const auto shape = splitShape(form, layer);
    LayerSplit split;
    split.form = form;
    split.rank = rank;
    split.factors = fitLowRank(ordered(problem, order), shape, static_cast<Index>(rank), sweeps, stop, start);
    MatrixXd& map = split.map;
    map.resize(problem.weight.rows(), problem.weight.cols() + 1);
    map(Eigen::all, order) = split.factors.product(shape);
    split.bias = problem.bias(map.leftCols(problem.weight.cols()));
    map.rightCols<1>() = *split.bias;
    const double power = moments.outputPower.sum();
    split.error = power > 0 ? moments.error(map) / power : 0.0;
    return split;
}

LayerSplit plainSplit(SplitForm form, std::int64_t rank, const LayerGeometry& layer, const LayerMatrix& matrix) {
    const MatrixXd weight = matrix.weight(Eigen::all, columnOrder(form, layer));
    LayerSplit split;
    split.form = form;
    split.rank = rank;
    split.factors = truncateWeight(weight, splitShape(form, layer), static_cast<Index>(rank));
    split.bias = matrix.bias;
    const double power = weight.squaredNorm();
    split.error = power > 0 ? split.factors.objective / power : 0.0;
    return split;
}

}  // namespace

Result<LayerMatrix> LayerMatrix::of(const Graph& graph, std::size_t node) {
    const auto weights = LayerWeights::of(graph, node);
    if (!weights) return fail(weights.error());
    const auto kernel = static_cast<Index>(weights->weight().count() /
                                           (weights->inputChannels() / weights->groups() * weights->outputChannels()));
    LayerMatrix matrix;
    matrix.weight.resize(weights->outputChannels(), weights->inputChannels() / weights->groups() * kernel);
    weights->forEachBlock([&](std::size_t index, std::size_t output, std::size_t input) {
        const auto block = weights->block(index);
        for (Index k = 0; k < kernel; ++k)
            matrix.weight(static_cast<Index>(output), static_cast<Index>(input) * kernel + k) =
                static_cast<double>(block[static_cast<std::size_t>(k)]);
    });
    if (const auto& bias = weights->bias())
        matrix.bias = Eigen::Map<const Eigen::VectorXf>(bias->data(), static_cast<Index>(bias->size())).cast<double>();
    return matrix;
}

SplitShape splitShape(SplitForm form, const LayerGeometry& layer) {
    const Index m = layer.inputs, kh = layer.kernelHeight, kw = layer.kernelWidth;
    switch (form) {
        case SplitForm::VerticalFirst:
            return {m * kh, kw};
        case SplitForm::HorizontalFirst:
            return {m * kw, kh};
        case SplitForm::PointwiseFirst:
            return {m, kh * kw};
        case SplitForm::PointwiseLast:
            break;
    }
    return {m * kh * kw, 1};
}

LayerCost splitCost(SplitForm form, const LayerGeometry& layer, std::int64_t rank) {
    const auto real = [](std::int64_t value) { return static_cast<double>(value); };
    const double m = real(layer.inputs), n = real(layer.outputs), kh = real(layer.kernelHeight),
                 kw = real(layer.kernelWidth), r = real(rank), positions = real(layer.positions);
    switch (form) {
        case SplitForm::VerticalFirst:
            return costAtSize(CompressionMethod::SpatialSvd, layer, rank);
        case SplitForm::HorizontalFirst:
            return {r * (m * kw * real(layer.strideHeight) + n * kh) * positions, r * (m * kw + n * kh)};
        case SplitForm::PointwiseFirst:
            return costAtSize(CompressionMethod::WeightSvd, layer, rank);
        case SplitForm::PointwiseLast:
            break;
    }
    return {r * (m * kh * kw + n) * positions, r * (m * kh * kw + n)};
}

std::optional<LayerSplit> splitLayer(CompressionMethod method, const LayerGeometry& layer, const LayerMatrix& matrix,
                                     std::int64_t size, const SplitBudget& budget, const LayerMoments* moments,
                                     const ActivationView& view, const std::stop_token& stop) {
    const auto forms = formsOf(method, layer, moments != nullptr);
    if (!moments) return plainSplit(forms[0], rankOf(forms[0], layer, size, budget), layer, matrix);
    const FitProblem problem = fitProblem(matrix.weight, *moments, kRidge);
    std::vector<std::optional<LayerSplit>> splits(forms.size());
    parallelFor(forms.size(), view.threads, stop, [&](unsigned, std::size_t i) {
        if (const auto rank = rankOf(forms[i], layer, size, budget); rank > 0)
            splits[i] = fitForm(forms[i], rank, layer, problem, *moments, kSweeps, stop);
    });
    if (stop.stop_requested()) return std::nullopt;
    std::optional<LayerSplit> best;
    for (auto& split : splits)
        if (split && (!best || split->error < best->error)) best = std::move(split);
    if (!best || !view.rows || view.clamp.isOpen()) return best;
    best->error = errorBehind(view, best->map);
    for (int round = 0; round < kRounds; ++round) {
        const auto behind = momentsBehind(view, *moments, best->map, stop);
        auto next = fitForm(best->form, best->rank, layer, fitProblem(matrix.weight, behind, kRidge), behind,
                            kRefineSweeps, stop, &best->factors.first);
        next.error = errorBehind(view, next.map);
        if (stop.stop_requested()) return std::nullopt;
        if (!(next.error < best->error * (1 - kSmallGain))) break;
        best = std::move(next);
    }
    return best;
}

std::vector<double> predictedErrors(CompressionMethod method, const LayerGeometry& layer, const LayerMatrix& matrix,
                                    const LayerMoments& moments, const std::vector<std::int64_t>& sizes,
                                    const std::stop_token& stop) {
    const FitProblem problem = fitProblem(matrix.weight, moments, kRidge);
    const auto form = formsOf(method, layer, true)[0];
    std::vector<double> errors;
    for (const auto size : sizes) {
        if (stop.stop_requested()) break;
        const auto rank = rankOf(form, layer, size, {});
        errors.push_back(fitForm(form, rank, layer, problem, moments, kPredictionSweeps, stop).error);
    }
    return errors;
}

std::optional<LayerMatrix> refitLayer(const LayerMatrix& matrix, const LayerMoments& moments,
                                      const ActivationView& view, const std::stop_token& stop) {
    const Index size = matrix.weight.cols();
    const bool isBehind = view.rows && !view.clamp.isOpen();
    const auto errorOf = [&](const MatrixXd& map) { return isBehind ? errorBehind(view, map) : moments.error(map); };
    MatrixXd map(matrix.weight.rows(), size + 1);
    map.leftCols(size) = matrix.weight;
    map.rightCols<1>() = matrix.bias.value_or(VectorXd::Zero(matrix.weight.rows()));
    double best = errorOf(map);
    bool isBetter = false;
    LayerMoments targets = moments;
    for (int round = 0; round <= (isBehind ? kRounds : 0); ++round) {
        if (round > 0) targets = momentsBehind(view, moments, map, stop);
        const FitProblem problem = fitProblem(matrix.weight, targets, kRidge);
        MatrixXd next(map.rows(), map.cols());
        next.leftCols(size) = solveFull(problem);
        next.rightCols<1>() = problem.bias(next.leftCols(size));
        const double error = errorOf(next);
        if (stop.stop_requested() || !(error < best * (1 - kSmallGain))) break;
        map = next;
        best = error;
        isBetter = true;
    }
    if (!isBetter) return std::nullopt;
    return LayerMatrix{map.leftCols(size), map.rightCols<1>()};
}

}  // namespace equant
