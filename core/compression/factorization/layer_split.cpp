// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <limits>

#include "core/base/parallel.h"
#include "core/compression/factorization/layer_split_internal.h"
#include "core/layers/layer_weights.h"

namespace equant {

namespace {

using Eigen::Index;
using Eigen::MatrixXd;
using Eigen::VectorXd;

constexpr int kActivationRounds = 12;     ///< of fitting behind the activation
constexpr int kSweeps = 12;               ///< of alternating least squares
constexpr int kRefineSweeps = 3;          ///< the same for targets that changed a little
constexpr double kSmallRoundGain = 5e-4;  ///< relative to the error: a round that gains less is the last
constexpr int kPredictionSweeps = 2;      ///< a prediction needs the error's size, not its last per cent

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

Index outputsPerGroup(const LayerGeometry& layer) {
    return static_cast<Index>(layer.outputs / layer.groups);
}

/// One problem per group: groups have nothing in common.
std::vector<FitProblem> problemsOf(const MatrixXd& weight, const LayerMoments& moments) {
    const Index groups = moments.groups(), rows = weight.rows() / groups;
    std::vector<FitProblem> problems;
    for (Index group = 0; group < groups; ++group)
        problems.push_back(fitProblem(weight.middleRows(group * rows, rows), moments.ofGroup(group)));
    return problems;
}

/// The rank a form may have; 0 when even 1 is too dear. The first form is AIMET's and takes the rank asked for.
std::int64_t rankOf(SplitForm form, const LayerGeometry& layer, std::int64_t size, const SplitBudget& budget) {
    const auto most = static_cast<std::int64_t>(splitShape(form, layer).maxRank(outputsPerGroup(layer)));
    if (form == SplitForm::VerticalFirst || form == SplitForm::PointwiseFirst) return std::min(size, most);
    const double one = pairCost(form, layer, 1, assumedExtents(layer)).of(budget.metric);
    auto rank = std::min(most, static_cast<std::int64_t>(std::floor(budget.cost / one * (1 + 1e-12))));
    if (budget.multiple > 1 && rank > budget.multiple && rank < most) rank -= rank % budget.multiple;
    return rank;
}

/// Room for the factors of all groups.
LayerSplit emptySplit(SplitForm form, std::int64_t rank, const LayerGeometry& layer) {
    LayerSplit split;
    split.form = form;
    split.rank = rank;
    const SplitShape shape = splitShape(form, layer);
    split.factors.first.resize(static_cast<Index>(rank * layer.groups), shape.inner);
    split.factors.second.resize(static_cast<Index>(layer.outputs), shape.outer * static_cast<Index>(rank));
    return split;
}

void setGroup(LayerSplit& split, Index group, const LowRank& factors) {
    const Index rank = factors.first.rows(), outputs = factors.second.rows();
    split.factors.first.middleRows(group * rank, rank) = factors.first;
    split.factors.second.middleRows(group * outputs, outputs) = factors.second;
    split.factors.objective += factors.objective;
}

/// One form of split at any rank: what the ranks have in common is computed once. `start` holds the H of all groups.
class FormFitter {
public:
    FormFitter(SplitForm form, const LayerGeometry& layer, const std::vector<FitProblem>& problems,
               const LayerMoments& moments, const MatrixXd* start = nullptr)
        : m_form(form),
          m_layer(layer),
          m_moments(moments),
          m_order(columnOrder(form, layer)),
          m_shape(splitShape(form, layer)) {
        m_problems.reserve(problems.size());
        const Index rank = start ? start->rows() / std::ssize(problems) : 0;
        for (std::size_t group = 0; group < problems.size(); ++group) {
            m_problems.push_back(ordered(problems[group], m_order));
            const MatrixXd from =
                start ? MatrixXd(start->middleRows(static_cast<Index>(group) * rank, rank)) : MatrixXd();
            m_fitters.emplace_back(m_problems.back(), m_shape, start ? &from : nullptr);
        }
    }
    FormFitter(const FormFitter&) = delete;
    FormFitter& operator=(const FormFitter&) = delete;

    [[nodiscard]] LayerSplit fit(std::int64_t rank, int sweeps, const std::stop_token& stop) const {
        const Index outputs = outputsPerGroup(m_layer), size = m_shape.inner * m_shape.outer;
        LayerSplit split = emptySplit(m_form, rank, m_layer);
        split.map.resize(static_cast<Index>(m_layer.outputs), size + 1);
        for (Index group = 0; group < std::ssize(m_fitters); ++group) {
            const auto at = static_cast<std::size_t>(group);
            const LowRank factors = m_fitters[at].fit(static_cast<Index>(rank), sweeps, stop);
            setGroup(split, group, factors);
            const MatrixXd map = factors.product(m_shape);
            split.map.block(group * outputs, size, outputs, 1) = m_problems[at].bias(map);
            split.map(Eigen::seqN(group * outputs, outputs), m_order) = map;
        }
        split.bias = split.map.rightCols<1>();
        const double power = m_moments.outputPower.sum();
        split.error = power > 0 ? m_moments.error(split.map) / power : 0.0;
        return split;
    }

private:
    SplitForm m_form;
    const LayerGeometry& m_layer;
    const LayerMoments& m_moments;
    std::vector<Index> m_order;
    SplitShape m_shape;
    std::vector<FitProblem> m_problems;  ///< of the groups, columns in the order of the form
    std::vector<LowRankFitter> m_fitters;
};

}  // namespace

Result<LayerMatrix> LayerMatrix::of(const Graph& graph, std::size_t node) {
    const auto weights = LayerWeights::of(graph, node);
    if (!weights) return fail(weights.error());
    const Index inputs = weights->inputChannels() / weights->groups();
    const Index kernel = weights->weight().count() / weights->blockCount();
    LayerMatrix matrix;
    matrix.weight.resize(weights->outputChannels(), inputs * kernel);
    weights->forEachBlock([&](std::size_t index, std::size_t output, std::size_t input) {
        const auto block = weights->block(index);
        for (Index k = 0; k < kernel; ++k)
            matrix.weight(static_cast<Index>(output), static_cast<Index>(input) % inputs * kernel + k) =
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

LayerSplit truncateLayer(SplitForm form, std::int64_t rank, const LayerGeometry& layer, const LayerMatrix& matrix) {
    const MatrixXd weight = matrix.weight(Eigen::all, columnOrder(form, layer));
    const Index outputs = outputsPerGroup(layer);
    LayerSplit split = emptySplit(form, rank, layer);
    for (Index group = 0; group < static_cast<Index>(layer.groups); ++group)
        setGroup(split, group,
                 truncateWeight(weight.middleRows(group * outputs, outputs), splitShape(form, layer),
                                static_cast<Index>(rank)));
    split.bias = matrix.bias;
    const double power = weight.squaredNorm();
    split.error = power > 0 ? split.factors.objective / power : 0.0;
    return split;
}

std::optional<LayerSplit> splitLayer(CompressionMethod method, const LayerGeometry& layer, const LayerMatrix& matrix,
                                     std::int64_t size, const SplitBudget& budget, const LayerMoments* moments,
                                     const ActivationView& view, const std::stop_token& stop) {
    const auto forms = formsOf(method, layer, moments != nullptr);
    if (!moments) return truncateLayer(forms[0], rankOf(forms[0], layer, size, budget), layer, matrix);
    const auto problems = problemsOf(matrix.weight, *moments);
    std::vector<std::optional<LayerSplit>> splits(forms.size());
    parallelFor(forms.size(), view.threads, stop, [&](unsigned, std::size_t i) {
        if (const auto rank = rankOf(forms[i], layer, size, budget); rank > 0)
            splits[i] = FormFitter(forms[i], layer, problems, *moments).fit(rank, kSweeps, stop);
    });
    if (stop.stop_requested()) return std::nullopt;
    std::optional<LayerSplit> best;
    for (auto& split : splits)
        if (split && (!best || split->error < best->error)) best = std::move(split);
    if (!best || !view.rows || view.clamp.isOpen()) return best;
    best->error = errorBehind(view, best->map);
    for (int round = 0; round < kActivationRounds; ++round) {
        const auto behind = momentsBehind(view, *moments, best->map, stop);
        auto next = FormFitter(best->form, layer, problemsOf(matrix.weight, behind), behind, &best->factors.first)
                        .fit(best->rank, kRefineSweeps, stop);
        next.error = errorBehind(view, next.map);
        if (stop.stop_requested()) return std::nullopt;
        if (!(next.error < best->error * (1 - kSmallRoundGain))) break;
        best = std::move(next);
    }
    return best;
}

std::vector<double> predictedErrors(CompressionMethod method, const LayerGeometry& layer, const LayerMatrix& matrix,
                                    const LayerMoments& moments, const std::vector<std::int64_t>& sizes,
                                    const std::stop_token& stop) {
    const auto problems = problemsOf(matrix.weight, moments);
    std::vector<double> errors(sizes.size(), std::numeric_limits<double>::infinity());
    for (const SplitForm form : formsOf(method, layer, true)) {
        const FormFitter fitter(form, layer, problems, moments);
        for (std::size_t i = 0; i < sizes.size() && !stop.stop_requested(); ++i) {
            const SplitBudget budget{CostMetric::Macs, costAtSize(method, layer, sizes[i]).macs, 1};
            const auto rank = rankOf(form, layer, sizes[i], budget);
            if (rank > 0) errors[i] = std::min(errors[i], fitter.fit(rank, kPredictionSweeps, stop).error);
        }
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
    for (int round = 0; round <= (isBehind ? kActivationRounds : 0); ++round) {
        if (round > 0) targets = momentsBehind(view, moments, map, stop);
        MatrixXd next(map.rows(), map.cols());
        Index row = 0;
        for (const FitProblem& problem : problemsOf(matrix.weight, targets)) {
            const MatrixXd solved = solveFull(problem);
            next.block(row, 0, solved.rows(), size) = solved;
            next.block(row, size, solved.rows(), 1) = problem.bias(solved);
            row += solved.rows();
        }
        const double error = errorOf(next);
        if (stop.stop_requested() || !(error < best * (1 - kSmallRoundGain))) break;
        map = next;
        best = error;
        isBetter = true;
    }
    if (!isBetter) return std::nullopt;
    return LayerMatrix{map.leftCols(size), map.rightCols<1>()};
}

}  // namespace equant
