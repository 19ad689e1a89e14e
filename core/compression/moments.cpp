// SPDX-License-Identifier: Apache-2.0
#include "core/compression/moments.h"

#include <algorithm>
#include <fmt/format.h>
#include <memory>
#include <numeric>

#include "core/base/parallel.h"
#include "core/compression/unfold.h"
#include "core/runtime/executor.h"

namespace equant {

namespace {

using Rows = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

constexpr Eigen::Index kTile = 128;  ///< columns of a Gram matrix that one task adds up

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

/// Values of one model asked for by name: outputs of a restricted executor, or the inputs fed themselves.
class ValueReader {
public:
    static Result<ValueReader> create(const Model& model, const std::vector<std::string>& names) {
        ValueReader reader;
        const auto inputs = model.graph.requiredInputs();
        CompileOptions options;
        for (const auto& name : names) {
            const auto input = std::ranges::find_if(inputs, [&](const ValueInfo* info) { return info->name == name; });
            if (input != inputs.end()) {
                reader.m_inputs.emplace(name, static_cast<std::size_t>(input - inputs.begin()));
            } else if (!reader.m_outputs.contains(name)) {
                reader.m_outputs.emplace(name, options.outputs.size());
                options.outputs.push_back(name);
            }
        }
        if (options.outputs.empty()) return reader;
        auto executor = Executor::create(model, std::move(options));
        if (!executor) return fail(executor.error());
        reader.m_executor = std::move(*executor);
        return reader;
    }

    using Values = std::vector<Tensor>;
    Result<Values> run(const std::vector<Tensor>& fed, unsigned worker) const {
        return m_executor ? m_executor->run(fed, worker) : Result<Values>(Values{});
    }
    [[nodiscard]] const Tensor& value(const std::string& name, const std::vector<Tensor>& fed,
                                      const Values& values) const {
        const auto input = m_inputs.find(name);
        return input != m_inputs.end() ? fed[input->second] : values[m_outputs.at(name)];
    }

private:
    std::shared_ptr<Executor> m_executor;
    std::unordered_map<std::string, std::size_t> m_inputs;
    std::unordered_map<std::string, std::size_t> m_outputs;
};

/// One request with what does not change from batch to batch.
struct Source {
    const MomentRequest* request = nullptr;
    Unfolding unfolding;
    std::string input;
    std::uint64_t seed = 0;
};

struct SampledRows {
    Rows x;  ///< with the constant 1 in the last column
    Rows y;
};

Result<SampledRows> sampleRows(const Source& source, const Tensor& input, const Tensor& target, const Tensor* subtract,
                               std::size_t batch, std::size_t perSample) {
    const LayerGeometry& layer = source.request->layer;
    const auto in = ValueLayout::of(input.shape(), source.unfolding.isConv);
    const auto out = ValueLayout::of(target.shape(), source.unfolding.isConv);
    const auto& picked = source.request->targetChannels;
    const auto left = subtract ? ValueLayout::of(subtract->shape(), source.unfolding.isConv) : out;
    const bool isFit = input.dtype() == DType::Float && target.dtype() == DType::Float && in.samples == out.samples &&
                       (picked.empty() ? out.channels : std::ssize(picked)) == layer.outputs &&
                       std::ranges::all_of(picked, [&](auto channel) { return channel < out.channels; }) &&
                       in.channels == layer.inputs && left.samples == out.samples &&
                       left.positions() == out.positions() && (!subtract || left.channels == layer.outputs);
    if (!isFit)
        return fail(
            ErrorCode::InvalidArgument,
            fmt::format("The layer reads {} and should give {}.", toString(input.shape()), toString(target.shape())),
            {}, layer.name);
    const auto perRow = static_cast<Eigen::Index>(layer.inputs * layer.kernelHeight * layer.kernelWidth);
    const auto chosen = std::min<std::int64_t>(out.positions(), static_cast<std::int64_t>(perSample));
    SampledRows rows;
    rows.x.resize(out.samples * chosen, perRow + 1);
    rows.y.resize(out.samples * chosen, layer.outputs);
    std::vector<float> other(static_cast<std::size_t>(layer.outputs)), whole(static_cast<std::size_t>(out.channels));
    Eigen::Index row = 0;
    for (std::int64_t sample = 0; sample < out.samples; ++sample) {
        const auto seed = mixed(source.seed ^ mixed(batch * 0x10001ULL + static_cast<std::uint64_t>(sample)));
        for (const auto position : choosePositions(out.positions(), perSample, seed)) {
            float* x = rows.x.row(row).data();
            float* y = rows.y.row(row).data();
            unfoldPosition(source.unfolding, in, out, input.data<float>(), sample, position, 0, layer.inputs, x);
            x[perRow] = 1.0F;
            readPosition(source.unfolding.isConv, out, target.data<float>(), sample, position, whole.data());
            for (std::size_t o = 0; o < other.size(); ++o)
                y[o] = whole[picked.empty() ? o : static_cast<std::size_t>(picked[o])];
            if (subtract) {
                readPosition(source.unfolding.isConv, left, subtract->data<float>(), sample, position, other.data());
                for (std::size_t o = 0; o < other.size(); ++o) y[o] -= other[o];
            }
            ++row;
        }
    }
    return rows;
}

/// Adds the columns [first, first + width) of x^T x (on and below the diagonal) and y^T x.
void addTile(LayerMoments& moments, const SampledRows& rows, Eigen::Index first, Eigen::Index width) {
    const Eigen::Index below = rows.x.cols() - first;
    const Eigen::MatrixXf gram = rows.x.rightCols(below).transpose() * rows.x.middleCols(first, width);
    moments.gram.block(first, first, below, width) += gram.cast<double>();
    const Eigen::MatrixXf cross = rows.y.transpose() * rows.x.middleCols(first, width);
    moments.cross.middleCols(first, width) += cross.cast<double>();
}

class Collector {
public:
    Collector(const Model& model, const Model& reference, const std::vector<MomentRequest>& requests,
              const MomentOptions& options)
        : m_requests(requests), m_options(options), m_isSame(&model == &reference) {
        for (const auto& request : requests) {
            const Node& node = model.graph.nodes[request.layer.node];
            m_sources.push_back({&request, Unfolding::of(node, request.layer), node.inputs[0],
                                 mixed(options.seed ^ hashOf(request.layer.name))});
            const auto width = static_cast<Eigen::Index>(request.layer.inputs * request.layer.kernelHeight *
                                                         request.layer.kernelWidth);
            const auto outputs = static_cast<Eigen::Index>(request.layer.outputs);
            m_moments.push_back({Eigen::MatrixXd::Zero(width + 1, width + 1), Eigen::MatrixXd::Zero(outputs, width + 1),
                                 Eigen::VectorXd::Zero(outputs), 0});
        }
    }

    Status prepare(const Model& model, const Model& reference) {
        std::vector<std::string> read, wanted;
        for (std::size_t i = 0; i < m_requests.size(); ++i) {
            read.push_back(m_sources[i].input);
            if (!m_requests[i].subtract.empty()) read.push_back(m_requests[i].subtract);
            (m_isSame ? read : wanted).push_back(m_requests[i].target);
        }
        auto current = ValueReader::create(model, read);
        if (!current) return fail(current.error());
        m_current = std::move(*current);
        if (m_isSame) return {};
        auto original = ValueReader::create(reference, wanted);
        if (!original) return fail(original.error());
        m_reference = std::move(*original);
        return {};
    }

    Result<std::vector<LayerMoments>> run(const BatchSource& source, const JobContext& job) {
        const unsigned threads = resolveThreads(m_options.threads);
        for (std::size_t first = 0; first < source.batches; first += threads) {
            const std::size_t count = std::min<std::size_t>(threads, source.batches - first);
            std::vector<Result<std::vector<SampledRows>>> group(count);
            parallelFor(count, threads, job.stop, [&](unsigned worker, std::size_t i) {
                group[i] = sampleBatch(source, first + i, worker);
                job.advance();
            });
            if (job.stopped()) return cancelled();
            for (const auto& rows : group)
                if (!rows) return fail(rows.error());
            addGroup(group, threads, job);
        }
        if (job.stopped()) return cancelled();
        finish();
        return std::move(m_moments);
    }

private:
    Result<std::vector<SampledRows>> sampleBatch(const BatchSource& source, std::size_t batch, unsigned worker) const {
        const auto fed = source.load(batch);
        if (!fed) return fail(fed.error());
        const auto values = m_current.run(*fed, worker);
        if (!values) return fail(values.error());
        Result<ValueReader::Values> originals;
        if (!m_isSame) originals = m_reference.run(*fed, worker);
        if (!originals) return fail(originals.error());
        std::vector<SampledRows> result;
        for (const Source& from : m_sources) {
            const MomentRequest& request = *from.request;
            const Tensor& target = m_isSame ? m_current.value(request.target, *fed, *values)
                                            : m_reference.value(request.target, *fed, *originals);
            const Tensor* subtract =
                request.subtract.empty() ? nullptr : &m_current.value(request.subtract, *fed, *values);
            auto rows = sampleRows(from, m_current.value(from.input, *fed, *values), target, subtract, batch,
                                   m_options.positionsPerSample);
            if (!rows) return fail(rows.error());
            result.push_back(std::move(*rows));
        }
        return result;
    }

    /// Every element is added up by one thread in the order of the batches: no sum depends on the number of threads.
    void addGroup(const std::vector<Result<std::vector<SampledRows>>>& group, unsigned threads, const JobContext& job) {
        struct Tile {
            std::size_t request;
            Eigen::Index first, width;
        };
        std::vector<Tile> tiles;
        for (std::size_t i = 0; i < m_moments.size(); ++i)
            for (Eigen::Index first = 0; first < m_moments[i].gram.cols(); first += kTile)
                tiles.push_back({i, first, std::min(kTile, m_moments[i].gram.cols() - first)});
        parallelFor(tiles.size(), threads, job.stop, [&](unsigned, std::size_t index) {
            const Tile& tile = tiles[index];
            for (const auto& rows : group)
                addTile(m_moments[tile.request], (*rows)[tile.request], tile.first, tile.width);
        });
        for (const auto& rows : group)
            for (std::size_t i = 0; i < m_moments.size(); ++i) {
                m_moments[i].outputPower += (*rows)[i].y.cast<double>().colwise().squaredNorm().transpose();
                m_moments[i].count += static_cast<std::size_t>((*rows)[i].x.rows());
            }
    }

    void finish() {
        for (auto& moments : m_moments) {
            const double share = moments.count > 0 ? 1.0 / static_cast<double>(moments.count) : 0.0;
            moments.gram.triangularView<Eigen::StrictlyUpper>() = moments.gram.transpose();
            moments.gram *= share;
            moments.cross *= share;
            moments.outputPower *= share;
        }
    }

    const std::vector<MomentRequest>& m_requests;
    const MomentOptions& m_options;
    bool m_isSame;
    std::vector<Source> m_sources;
    std::vector<LayerMoments> m_moments;
    ValueReader m_current;
    ValueReader m_reference;
};

}  // namespace

double LayerMoments::error(const Eigen::MatrixXd& map) const {
    const double squared = (map * gram).cwiseProduct(map).sum();
    return std::max(outputPower.sum() - 2 * map.cwiseProduct(cross).sum() + squared, 0.0);
}

Result<std::vector<LayerMoments>> collectMoments(const Model& model, const Model& reference,
                                                 const std::vector<MomentRequest>& requests, const BatchSource& source,
                                                 const MomentOptions& options, const JobContext& job) {
    Collector collector(model, reference, requests, options);
    if (const auto ready = collector.prepare(model, reference); !ready) return fail(ready.error());
    return collector.run(source, job);
}

}  // namespace equant
