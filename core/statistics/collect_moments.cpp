// SPDX-License-Identifier: Apache-2.0
#include "core/statistics/collect_moments.h"

#include <algorithm>
#include <array>

#include "core/base/parallel.h"
#include "core/statistics/layer_rows.h"
#include "core/statistics/ridge_internal.h"

namespace equant {

namespace {

using Eigen::Index;

constexpr Index kGramTile = 128;  ///< columns of a Gram matrix that one task adds up

/// Columns [first, first + width) of one group of one request.
struct Tile {
    std::size_t request;
    Index group, first, width;
};

/// Adds the tile's columns of x^T x (on and below the diagonal) and y^T x.
void addTile(LayerMoments& moments, const LayerRows& rows, const Tile& tile) {
    const Index size = rows.inputs(), outputs = rows.outputs(), below = size - tile.first;
    const auto x = rows.x.middleCols(tile.group * size, size);
    const Eigen::MatrixXf gram = x.rightCols(below).transpose() * x.middleCols(tile.first, tile.width);
    moments.gram.block(tile.first, tile.group * size + tile.first, below, tile.width) += gram.cast<double>();
    const Eigen::MatrixXf cross =
        rows.y.middleCols(tile.group * outputs, outputs).transpose() * x.middleCols(tile.first, tile.width);
    moments.cross.block(tile.group * outputs, tile.first, outputs, tile.width) += cross.cast<double>();
}

std::vector<Tile> tilesOf(const std::vector<LayerMoments>& all) {
    std::vector<Tile> tiles;
    for (std::size_t i = 0; i < all.size(); ++i)
        for (Index group = 0; group < all[i].groups(); ++group)
            for (Index first = 0; first < all[i].gram.rows(); first += kGramTile)
                tiles.push_back({i, group, first, std::min(kGramTile, all[i].gram.rows() - first)});
    return tiles;
}

/// Of even and of odd batches, for every request.
using Halves = std::array<std::vector<LayerMoments>, 2>;

/// Every element is added up by one thread in the order of the batches: no sum depends on the number of threads.
void addGroup(std::size_t first, const std::vector<Result<std::vector<LayerRows>>>& group, unsigned threads,
              const JobContext& job, Halves& halves) {
    const auto tiles = tilesOf(halves[0]);
    parallelFor(tiles.size(), threads, job.stop, [&](unsigned, std::size_t index) {
        const Tile& tile = tiles[index];
        for (std::size_t b = 0; b < group.size(); ++b)
            addTile(halves[(first + b) % 2][tile.request], (*group[b])[tile.request], tile);
    });
    for (std::size_t b = 0; b < group.size(); ++b) {
        auto& all = halves[(first + b) % 2];
        for (std::size_t i = 0; i < all.size(); ++i) {
            const LayerRows& added = (*group[b])[i];
            const Eigen::VectorXd power = added.y.cast<double>().colwise().squaredNorm().transpose();
            all[i].outputPower += power;
            all[i].postAddPower +=
                added.other.size() > 0 ? (added.y + added.other).cast<double>().squaredNorm() : power.sum();
            all[i].count += static_cast<std::size_t>(added.x.rows());
        }
    }
}

std::vector<LayerMoments> emptyMoments(const std::vector<MomentRequest>& requests) {
    std::vector<LayerMoments> all;
    for (const auto& request : requests) {
        const auto size = static_cast<Index>(rowElements(request.layer)) + 1;
        const auto groups = static_cast<Index>(request.layer.groups),
                   outputs = static_cast<Index>(request.layer.outputs);
        all.push_back({Eigen::MatrixXd::Zero(size, groups * size), Eigen::MatrixXd::Zero(outputs, size),
                       Eigen::VectorXd::Zero(outputs), 0});
    }
    return all;
}

void average(LayerMoments& moments) {
    const double share = moments.count > 0 ? 1.0 / static_cast<double>(moments.count) : 0.0;
    const Index size = moments.gram.rows();
    for (Index group = 0; group < moments.groups(); ++group) {
        auto block = moments.gram.middleCols(group * size, size);
        block.triangularView<Eigen::StrictlyUpper>() = block.transpose();
    }
    moments.gram *= share;
    moments.cross *= share;
    moments.outputPower *= share;
    moments.postAddPower *= share;
}

}  // namespace

Result<std::vector<LayerMoments>> collectMoments(const Model& model, const Model& reference,
                                                 const std::vector<MomentRequest>& requests, const BatchSource& source,
                                                 const MomentOptions& options, const JobContext& job) {
    const auto sampler = RowSampler::create(model, reference, requests, options);
    if (!sampler) return fail(sampler.error());
    Halves halves{emptyMoments(requests), emptyMoments(requests)};
    const unsigned threads = resolveThreads(options.threads);
    for (std::size_t first = 0; first < source.batches && !job.stopped(); first += threads) {
        const std::size_t count = std::min<std::size_t>(threads, source.batches - first);
        std::vector<Result<std::vector<LayerRows>>> group(count);
        parallelFor(count, threads, job.stop, [&](unsigned worker, std::size_t i) {
            group[i] = sampler->sample(source, first + i, worker);
            job.advance();
        });
        if (job.stopped()) return cancelled();
        for (const auto& rows : group)
            if (!rows) return fail(rows.error());
        addGroup(first, group, threads, job, halves);
    }
    if (job.stopped()) return cancelled();
    std::vector<LayerMoments> all(requests.size());
    parallelFor(all.size(), threads, job.stop, [&](unsigned, std::size_t i) {
        for (auto& half : halves) average(half[i]);
        all[i] = joinedHalves(halves[0][i], halves[1][i], requests[i].prior, job.stop);
        for (auto& half : halves) half[i] = {};
    });
    if (job.stopped()) return cancelled();
    return all;
}

}  // namespace equant
