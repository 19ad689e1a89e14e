// SPDX-License-Identifier: Apache-2.0
#include "core/statistics/layer_rows.h"

#include <algorithm>
#include <fmt/format.h>
#include <numeric>

#include "core/base/parallel.h"
#include "core/statistics/ridge_internal.h"

namespace equant {

namespace {

using Eigen::Index;

/// Source: Steele et al., "Fast Splittable Pseudorandom Number Generators", 2014 (the finalizer).
std::uint64_t mixed(std::uint64_t value) {
    value += 0x9E3779B97F4A7C15ULL;
    value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9ULL;
    value = (value ^ (value >> 27)) * 0x94D049BB133111EBULL;
    return value ^ (value >> 31);
}

/// Source: Fowler, Noll, Vo: FNV-1a.
std::uint64_t hashOf(const std::string& text) {
    std::uint64_t hash = 0xCBF29CE484222325ULL;
    for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3ULL;
    return hash;
}

/// `wanted` different positions out of `count`, in rising order; all when there are no more.
std::vector<std::int64_t> choosePositions(std::int64_t count, std::size_t wanted, std::uint64_t seed) {
    std::vector<std::int64_t> positions(static_cast<std::size_t>(count));
    std::iota(positions.begin(), positions.end(), 0);
    if (wanted >= positions.size()) return positions;
    for (std::size_t i = 0; i < wanted; ++i) {
        seed = mixed(seed);
        std::swap(positions[i], positions[i + seed % (positions.size() - i)]);
    }
    positions.resize(wanted);
    std::ranges::sort(positions);
    return positions;
}

/// Columns of x for all groups.
Index rowWidth(const LayerGeometry& layer) {
    return static_cast<Index>(layer.groups * (rowElements(layer) + 1));
}

constexpr Index kChunk = 512;    ///< rows multiplied in single precision before they are added in double
constexpr Index kRowTile = 128;  ///< columns that one task adds up

/// Calls work(group, first, width) for tiles of the columns of every group, on all threads.
template <typename Work>
void forEachTile(const LayerRows& rows, unsigned threads, const std::stop_token& stop, Work&& work) {
    const Index tiles = (rows.inputs() + kRowTile - 1) / kRowTile;
    parallelFor(static_cast<std::size_t>(tiles * rows.groups), threads, stop, [&](unsigned, std::size_t index) {
        const Index first = static_cast<Index>(index) % tiles * kRowTile;
        work(static_cast<Index>(index) / tiles, first, std::min(kRowTile, rows.inputs() - first));
    });
}

/// Mean of a^T b.
Eigen::MatrixXd meanProduct(const Eigen::Ref<const RowMatrix>& a, const Eigen::Ref<const RowMatrix>& b) {
    Eigen::MatrixXd mean = Eigen::MatrixXd::Zero(a.cols(), b.cols());
    for (Index row = 0; row < a.rows(); row += kChunk) {
        const Index rows = std::min(kChunk, a.rows() - row);
        const Eigen::MatrixXf part = a.middleRows(row, rows).transpose() * b.middleRows(row, rows);
        mean += part.cast<double>();
    }
    return mean / static_cast<double>(std::max<Index>(a.rows(), 1));
}

/// Mean square of every column.
Eigen::VectorXd meanPower(const Eigen::Ref<const RowMatrix>& values) {
    Eigen::VectorXd power = Eigen::VectorXd::Zero(values.cols());
    for (Index row = 0; row < values.rows(); ++row) power += values.row(row).cast<double>().cwiseAbs2().transpose();
    return power / static_cast<double>(std::max<Index>(values.rows(), 1));
}

}  // namespace

Result<RowSampler::ValueReader> RowSampler::ValueReader::create(const Model& model,
                                                                const std::vector<std::string>& names) {
    ValueReader reader;
    const auto fed = model.graph.requiredInputs();
    CompileOptions options;
    for (const auto& name : names) {
        const auto input = std::ranges::find_if(fed, [&](const ValueInfo* info) { return info->name == name; });
        if (input != fed.end()) {
            reader.inputs.emplace(name, static_cast<std::size_t>(input - fed.begin()));
        } else if (!reader.outputs.contains(name)) {
            reader.outputs.emplace(name, options.outputs.size());
            options.outputs.push_back(name);
        }
    }
    if (options.outputs.empty()) return reader;
    auto executor = Executor::create(model, std::move(options));
    if (!executor) return fail(executor.error());
    reader.executor = std::move(*executor);
    return reader;
}

Result<std::vector<Tensor>> RowSampler::ValueReader::run(const std::vector<Tensor>& fed, unsigned worker) const {
    return executor ? executor->run(fed, worker) : Result<std::vector<Tensor>>(std::vector<Tensor>{});
}

const Tensor& RowSampler::ValueReader::value(const std::string& name, const std::vector<Tensor>& fed,
                                             const std::vector<Tensor>& values) const {
    const auto input = inputs.find(name);
    return input != inputs.end() ? fed[input->second] : values[outputs.at(name)];
}

Result<RowSampler> RowSampler::create(const Model& model, const Model& reference,
                                      const std::vector<MomentRequest>& requests, const MomentOptions& options) {
    RowSampler sampler;
    sampler.m_options = options;
    sampler.m_isSame = &model == &reference;
    std::vector<std::string> read, wanted;
    for (const auto& request : requests) {
        const Node& node = model.graph.nodes[request.layer.node];
        sampler.m_sources.push_back({request, Unfolding::of(model.graph, request.layer), node.inputs[0],
                                     mixed(options.seed ^ hashOf(request.layer.name))});
        read.push_back(node.inputs[0]);
        if (!request.subtract.empty()) read.push_back(request.subtract);
        (sampler.m_isSame ? read : wanted).push_back(request.target);
    }
    auto current = ValueReader::create(model, read);
    if (!current) return fail(current.error());
    sampler.m_current = std::move(*current);
    if (sampler.m_isSame) return sampler;
    auto original = ValueReader::create(reference, wanted);
    if (!original) return fail(original.error());
    sampler.m_reference = std::move(*original);
    return sampler;
}

Result<std::vector<LayerRows>> RowSampler::sample(const BatchSource& source, std::size_t batch, unsigned worker) const {
    const auto fed = source.load(batch);
    if (!fed) return fail(fed.error());
    const auto values = m_current.run(*fed, worker);
    if (!values) return fail(values.error());
    Result<std::vector<Tensor>> originals;
    if (!m_isSame) originals = m_reference.run(*fed, worker);
    if (!originals) return fail(originals.error());
    std::vector<LayerRows> result;
    for (const Source& from : m_sources) {
        const MomentRequest& request = from.request;
        const Tensor& target = m_isSame ? m_current.value(request.target, *fed, *values)
                                        : m_reference.value(request.target, *fed, *originals);
        const Tensor* subtract = request.subtract.empty() ? nullptr : &m_current.value(request.subtract, *fed, *values);
        auto rows = rowsOf(from, m_current.value(from.input, *fed, *values), target, subtract, batch);
        if (!rows) return fail(rows.error());
        result.push_back(std::move(*rows));
    }
    return result;
}

Result<LayerRows> RowSampler::rowsOf(const Source& source, const Tensor& input, const Tensor& target,
                                     const Tensor* subtract, std::size_t batch) const {
    const LayerGeometry& layer = source.request.layer;
    const bool isConv = source.unfolding.isConv;
    const auto in = ValueLayout::of(input.shape(), isConv);
    const auto out = ValueLayout::of(target.shape(), isConv);
    const auto left = subtract ? ValueLayout::of(subtract->shape(), isConv) : out;
    const auto& picked = source.request.targetChannels;
    const bool isFit = input.dtype() == DType::Float && target.dtype() == DType::Float && in.samples == out.samples &&
                       (picked.empty() ? out.channels : std::ssize(picked)) == layer.outputs &&
                       std::ranges::all_of(picked, [&](auto channel) { return channel < out.channels; }) &&
                       in.channels == layer.inputs * layer.groups && (isConv || in.positions() == out.positions()) &&
                       left.samples == out.samples && left.positions() == out.positions() &&
                       (!subtract || (left.channels == layer.outputs && subtract->dtype() == DType::Float));
    if (!isFit)
        return fail(
            ErrorCode::InvalidArgument,
            fmt::format("The layer reads {} and should give {}.", toString(input.shape()), toString(target.shape())),
            {}, layer.name);
    const auto chosen =
        std::min<std::int64_t>(out.positions(), static_cast<std::int64_t>(m_options.positionsPerSample));
    LayerRows rows;
    rows.groups = static_cast<Index>(layer.groups);
    rows.x.resize(out.samples * chosen, rowWidth(layer));
    rows.y.resize(out.samples * chosen, layer.outputs);
    if (subtract) rows.other.resize(rows.y.rows(), rows.y.cols());
    std::vector<float> whole(static_cast<std::size_t>(out.channels));
    Index row = 0;
    for (std::int64_t sample = 0; sample < out.samples; ++sample) {
        const auto seed = mixed(source.seed ^ mixed(batch * 0x10001ULL + static_cast<std::uint64_t>(sample)));
        for (const auto position : choosePositions(out.positions(), m_options.positionsPerSample, seed)) {
            unfoldPosition(source.unfolding, in, out, input.data<float>(), sample, position, rows.x.row(row).data());
            readPosition(isConv, out, target.data<float>(), sample, position, whole.data());
            for (Index o = 0; o < layer.outputs; ++o)
                rows.y(row, o) =
                    whole[static_cast<std::size_t>(picked.empty() ? o : picked[static_cast<std::size_t>(o)])];
            if (subtract)
                readPosition(isConv, left, subtract->data<float>(), sample, position, rows.other.row(row).data());
            ++row;
        }
    }
    if (subtract) rows.y -= rows.other;
    return rows;
}

Result<LayerRows> collectRows(const Model& model, const Model& reference, const MomentRequest& request,
                              const BatchSource& source, MomentOptions options, std::size_t maxBytes,
                              const JobContext& job) {
    const unsigned threads = resolveThreads(options.threads);
    if (source.batches == 0) return LayerRows{};
    const auto first = source.load(0);
    if (!first) return fail(first.error());
    const auto perBatch = first->empty() || first->front().rank() == 0 ? 1 : first->front().dim(0);
    const auto samples = source.batches * static_cast<std::size_t>(std::max<std::int64_t>(perBatch, 1));
    const auto rowBytes = sizeof(float) * static_cast<std::size_t>(rowWidth(request.layer) + 3 * request.layer.outputs);
    options.positionsPerSample = std::clamp<std::size_t>(maxBytes / rowBytes / samples, 1, options.positionsPerSample);
    const auto sampler = RowSampler::create(model, reference, {request}, options);
    if (!sampler) return fail(sampler.error());
    std::vector<Result<std::vector<LayerRows>>> parts(source.batches);
    parallelFor(source.batches, threads, job.stop,
                [&](unsigned worker, std::size_t batch) { parts[batch] = sampler->sample(source, batch, worker); });
    if (job.stopped()) return cancelled();
    Index count = 0;
    bool hasOther = false;
    for (const auto& part : parts) {
        if (!part) return fail(part.error());
        count += part->front().x.rows();
        hasOther |= part->front().other.size() > 0;
    }
    LayerRows rows;
    rows.groups = static_cast<Index>(request.layer.groups);
    rows.x.resize(count, rowWidth(request.layer));
    rows.y.resize(count, request.layer.outputs);
    if (hasOther) rows.other.resize(count, request.layer.outputs);
    Index row = 0;
    for (std::size_t i = 0; i < parts.size(); ++i) {
        // Even batches first: the halves have different samples, but of the same kinds.
        const std::size_t evens = (parts.size() + 1) / 2;
        if (i == evens) rows.half = row;
        auto& part = parts[i < evens ? 2 * i : 2 * (i - evens) + 1];
        const LayerRows& from = part->front();
        rows.x.middleRows(row, from.x.rows()) = from.x;
        rows.y.middleRows(row, from.x.rows()) = from.y;
        if (hasOther) rows.other.middleRows(row, from.x.rows()) = from.other;
        row += from.x.rows();
        part = std::vector<LayerRows>();
    }
    return rows;
}

namespace {

/// Of `count` rows from `row` on.
LayerMoments momentsOfPart(const LayerRows& rows, Index row, Index count, unsigned threads,
                           const std::stop_token& stop) {
    LayerMoments moments;
    const Index size = rows.inputs(), outputs = rows.outputs();
    moments.count = static_cast<std::size_t>(count);
    moments.gram = Eigen::MatrixXd::Zero(size, rows.x.cols());
    moments.cross = Eigen::MatrixXd::Zero(rows.y.cols(), size);
    const auto y = rows.y.middleRows(row, count);
    forEachTile(rows, threads, stop, [&](Index group, Index first, Index width) {
        const auto x = rows.x.block(row, group * size, count, size);
        moments.gram.block(first, group * size + first, size - first, width) =
            meanProduct(x.rightCols(size - first), x.middleCols(first, width));
        moments.cross.block(group * outputs, first, outputs, width) =
            meanProduct(y.middleCols(group * outputs, outputs), x.middleCols(first, width));
    });
    for (Index group = 0; group < rows.groups; ++group) {
        auto block = moments.gram.middleCols(group * size, size);
        block.triangularView<Eigen::StrictlyUpper>() = block.transpose();
    }
    moments.outputPower = meanPower(y);
    return moments;
}

}  // namespace

LayerMoments momentsOf(const LayerRows& rows, unsigned threads, const std::stop_token& stop,
                       const Eigen::MatrixXd& prior) {
    const Index all = rows.x.rows();
    if (rows.half <= 0 || rows.half >= all) return momentsOfPart(rows, 0, all, threads, stop);
    return joinedHalves(momentsOfPart(rows, 0, rows.half, threads, stop),
                        momentsOfPart(rows, rows.half, all - rows.half, threads, stop), prior, stop);
}

void setTargets(LayerMoments& moments, const LayerRows& rows, const RowMatrix& targets, unsigned threads,
                const std::stop_token& stop) {
    const Index size = rows.inputs(), outputs = rows.outputs();
    moments.cross = Eigen::MatrixXd::Zero(targets.cols(), size);
    forEachTile(rows, threads, stop, [&](Index group, Index first, Index width) {
        moments.cross.block(group * outputs, first, outputs, width) =
            meanProduct(targets.middleCols(group * outputs, outputs), rows.x.middleCols(group * size + first, width));
    });
    moments.outputPower = meanPower(targets);
}

}  // namespace equant
