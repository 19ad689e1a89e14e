// SPDX-License-Identifier: Apache-2.0
// Sampled rows of a layer: what it sees at some output positions, and what it should give there. Moments are made of
// them. Uses Eigen.
#pragma once

#include <Eigen/Core>
#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/base/progress.h"
#include "core/data/batch_source.h"
#include "core/graph/model.h"
#include "core/runtime/exec/executor.h"
#include "core/statistics/moments.h"
#include "core/statistics/unfold.h"

namespace equant {

using RowMatrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

struct LayerRows {
    RowMatrix x;      ///< N x (d + 1), the constant 1 in the last column; those of all groups side by side
    RowMatrix y;      ///< N x n targets, less the other branch
    RowMatrix other;  ///< N x n the other branch; empty without one
    Eigen::Index groups = 1;
    Eigen::Index half = 0;  ///< rows that begin at this one are of other samples than those before

    /// Columns of x, and of y, that one group has.
    [[nodiscard]] Eigen::Index inputs() const { return x.cols() / groups; }
    [[nodiscard]] Eigen::Index outputs() const { return y.cols() / groups; }
};

/// Runs two models (or one) on a batch and samples rows for every request. Immutable once created; sample() may be
/// called from several threads with different workers.
class RowSampler {
public:
    static Result<RowSampler> create(const Model& model, const Model& reference,
                                     const std::vector<MomentRequest>& requests, const MomentOptions& options);
    /// One per request. Rows depend on seed, layer and batch only.
    Result<std::vector<LayerRows>> sample(const BatchSource& source, std::size_t batch, unsigned worker) const;

private:
    /// Values of one model asked for by name: outputs of a restricted executor, or the inputs fed themselves.
    struct ValueReader {
        static Result<ValueReader> create(const Model& model, const std::vector<std::string>& names);
        [[nodiscard]] Result<std::vector<Tensor>> run(const std::vector<Tensor>& fed, unsigned worker) const;
        [[nodiscard]] const Tensor& value(const std::string& name, const std::vector<Tensor>& fed,
                                          const std::vector<Tensor>& values) const;

        std::shared_ptr<Executor> executor;
        std::unordered_map<std::string, std::size_t> inputs;
        std::unordered_map<std::string, std::size_t> outputs;
    };
    struct Source {
        MomentRequest request;
        Unfolding unfolding;
        std::string input;
        std::uint64_t seed = 0;
    };
    [[nodiscard]] Result<LayerRows> rowsOf(const Source& source, const Tensor& input, const Tensor& target,
                                           const Tensor* subtract, std::size_t batch) const;

    std::vector<Source> m_sources;
    MomentOptions m_options;
    bool m_isSame = true;
    ValueReader m_current;
    ValueReader m_reference;
};

/// Rows of all batches one after the other; fewer positions per sample than asked where they would exceed `maxBytes`.
Result<LayerRows> collectRows(const Model& model, const Model& reference, const MomentRequest& request,
                              const BatchSource& source, MomentOptions options, std::size_t maxBytes,
                              const JobContext& job = {});

/// Their moments; with `prior`, MomentRequest::prior.
LayerMoments momentsOf(const LayerRows& rows, unsigned threads, const std::stop_token& stop = {},
                       const Eigen::MatrixXd& prior = {});
/// Replaces what depends on the targets.
void setTargets(LayerMoments& moments, const LayerRows& rows, const RowMatrix& targets, unsigned threads,
                const std::stop_token& stop = {});

}  // namespace equant
