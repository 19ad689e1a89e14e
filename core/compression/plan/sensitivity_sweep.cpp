// SPDX-License-Identifier: Apache-2.0
// Measuring sensitivities: every cell is a run of the network with one layer compressed, from where it differs.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <set>

#include "core/compression/plan/sensitivity.h"
#include "core/compression/plan/sensitivity_study_internal.h"
#include "core/data/subset.h"
#include "core/graph/onnx_io.h"
#include "core/metrics/correlation.h"
#include "core/search/candidate_scorer.h"

namespace equant {

namespace {

class Stopwatch {
public:
    [[nodiscard]] double seconds() const {
        return std::chrono::duration<double>(std::chrono::steady_clock::now() - m_start).count();
    }

private:
    std::chrono::steady_clock::time_point m_start = std::chrono::steady_clock::now();
};

struct CellIndex {
    std::size_t layer = 0, cell = 0;
};

/// The middle ratio of all layers first, then the quarters, and so on: an interrupted sweep knows every layer roughly
/// rather than some well. Within a round from the first layer to the last, so that prefixes are reused.
std::vector<CellIndex> measuringOrder(const SensitivityTable& table, std::size_t rounds) {
    std::set<double> distinct;
    for (const auto& layer : table.layers)
        for (const auto& cell : layer.cells) distinct.insert(cell.ratio);
    const std::vector<double> ratios(distinct.begin(), distinct.end());
    std::vector<std::set<double>> byRound;
    std::vector<std::pair<std::size_t, std::size_t>> intervals{{0, ratios.size()}};
    while (!intervals.empty() && (rounds == 0 || byRound.size() < rounds)) {
        std::vector<std::pair<std::size_t, std::size_t>> halves;
        auto& round = byRound.emplace_back();
        for (const auto& [first, last] : intervals) {
            if (first >= last) continue;
            const std::size_t middle = (first + last) / 2;
            round.insert(ratios[middle]);
            halves.emplace_back(first, middle);
            halves.emplace_back(middle + 1, last);
        }
        intervals = std::move(halves);
    }
    std::vector<CellIndex> order;
    for (const auto& round : byRound)
        for (std::size_t layer = 0; layer < table.layers.size(); ++layer)
            for (std::size_t cell = 0; cell < table.layers[layer].cells.size(); ++cell)
                if (round.contains(table.layers[layer].cells[cell].ratio)) order.push_back({layer, cell});
    return order;
}

/// What a score says by the table's metric, with its interval.
void writeScore(const Score& score, SensitivityMetric metric, std::optional<double>& value,
                std::optional<Interval>& interval) {
    interval.reset();
    switch (metric) {
        case SensitivityMetric::Top1:
            value = score.top1;
            interval = score.top1Interval;
            return;
        case SensitivityMetric::Agreement:
            value = score.agreement;
            interval = score.agreementInterval;
            return;
        case SensitivityMetric::SqnrDb:
            value = score.sqnrDb;
            return;
    }
}

void chooseMetric(SensitivityTable& table, const std::optional<SensitivityMetric>& asked, const Score& baseline) {
    const bool isMeasured =
        table.baseline || std::ranges::any_of(table.layers, [](const auto& layer) {
            return std::ranges::any_of(layer.cells, [](const auto& cell) { return cell.score.has_value(); });
        });
    if (isMeasured) return;  // an interrupted sweep goes on with its own metric
    const SensitivityMetric wanted = asked.value_or(SensitivityMetric::Top1);
    if (wanted == SensitivityMetric::Top1 && baseline.top1) {
        table.metric = SensitivityMetric::Top1;
        table.metricReason = asked ? "asked for" : "the data have labels";
    } else if (wanted != SensitivityMetric::SqnrDb && baseline.agreement) {
        table.metric = SensitivityMetric::Agreement;
        table.metricReason = asked == SensitivityMetric::Agreement ? "asked for"
                                                                   : "the data have no labels: agreement with the "
                                                                     "uncompressed network";
    } else {
        table.metric = SensitivityMetric::SqnrDb;
        table.metricReason = asked == SensitivityMetric::SqnrDb ? "asked for" : "the network is no classifier";
    }
}

void updateCorrelation(SensitivityTable& table) {
    std::vector<double> predicted, measured;
    for (const auto& layer : table.layers) {
        for (const auto& cell : layer.cells) {
            if (!cell.prediction() || !cell.score) continue;
            predicted.push_back(*cell.prediction());
            measured.push_back(-*cell.score);
        }
    }
    table.rankCorrelation = rankCorrelation(predicted, measured);
}

Status checkTable(const SensitivityTable& table, const std::string& modelHash, const Dataset& samples) {
    if (samples.size() == 0)
        return fail(ErrorCode::InvalidArgument, "The data set is empty.", "Choose another folder or file.");
    if (!table.data.empty() && table.data != samples.fingerprint())
        return fail(ErrorCode::InvalidArgument, "The table was measured on other data.",
                    "Resume with the data it was begun with, or begin a new table.");
    if (!table.model.empty() && table.model != modelHash)
        return fail(ErrorCode::InvalidArgument, "The table was measured on another model.",
                    "Resume with the model it was begun with, or begin a new table.");
    return {};
}

std::size_t sampleCount(const SensitivityOptions& options, const Dataset& evaluation) {
    return options.evaluationSamples > 0 ? options.evaluationSamples : evaluation.size();
}

}  // namespace

Result<SensitivityTable> measureSensitivity(const Model& model, const Dataset& calibration, const Dataset& evaluation,
                                            SensitivityTable table, const SensitivityOptions& options,
                                            const CellMeasured& onCell, const JobContext& job) {
    // Collecting statistics takes a while: say first what cannot work.
    const SpreadSubset samples(evaluation, sampleCount(options, evaluation));
    if (const auto fits = checkTable(table, contentHash(model), samples); !fits) return fail(fits.error());
    const auto study = studyLayers(model, calibration, options, job);
    if (!study) return job.stopped() ? Result<SensitivityTable>(std::move(table)) : fail(study.error());
    return measureSensitivity(**study, evaluation, std::move(table), options, onCell, job);
}

Result<SensitivityTable> measureSensitivity(const SensitivityStudy& study, const Dataset& evaluation,
                                            SensitivityTable table, const SensitivityOptions& options,
                                            const CellMeasured& onCell, const JobContext& job) {
    const Stopwatch watch;
    const double secondsBefore = table.seconds, passesBefore = table.forwardEquivalents;
    const SpreadSubset samples(evaluation, sampleCount(options, evaluation));
    if (const auto fits = checkTable(table, study.modelHash(), samples); !fits) return fail(fits.error());
    table.data = samples.fingerprint();
    const auto order = measuringOrder(table, options.rounds);
    job.begin("measuring the uncompressed network", 0);
    const auto scorer =
        CandidateScorer::create(study.model(), samples, options.budgetBytes, options.compress.threads, job);
    if (!scorer) return job.stopped() ? Result<SensitivityTable>(std::move(table)) : fail(scorer.error());
    chooseMetric(table, options.metric, (*scorer)->baseline());
    if (table.metric != SensitivityMetric::SqnrDb)
        writeScore((*scorer)->baseline(), table.metric, table.baseline, table.baselineInterval);

    job.begin("measuring sensitivity", static_cast<std::int64_t>(order.size()));
    for (const CellIndex& at : order) {
        LayerSensitivity& layer = table.layers[at.layer];
        SensitivityCell& cell = layer.cells[at.cell];
        if (!cell.score) {
            const auto candidate = study.candidate(layer.name, layer.method, cell.size, options, job.stop);
            const auto score = candidate ? (*scorer)->score(*candidate, job) : Result<Score>(fail(candidate.error()));
            if (job.stopped()) break;
            if (!score) return fail(score.error());
            writeScore(*score, table.metric, cell.score, cell.interval);
            cell.samples = score->samples;
            table.seconds = secondsBefore + watch.seconds();
            table.forwardEquivalents = passesBefore + (*scorer)->passes();
            updateCorrelation(table);
            if (onCell) onCell(table, at.layer, at.cell);
        }
        job.advance();
    }
    updateCorrelation(table);  // the scores may all be of an earlier run
    table.seconds = secondsBefore + watch.seconds();
    table.forwardEquivalents = passesBefore + (*scorer)->passes();
    return table;
}

}  // namespace equant
