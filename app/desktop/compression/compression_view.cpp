// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/desktop/compression/compression_view.h"

#include <QLocale>
#include <algorithm>
#include <cmath>

#include "app/desktop/pages/plot_data.h"
#include "core/compression/plan/losses.h"

namespace equant::ui {

using namespace Qt::StringLiterals;

namespace {

/// More ratios than that for one layer cannot be told apart on the screen.
constexpr std::size_t kLegalRatios = 100;
constexpr double kLeastRatio = 0.02;

bool isPruning(CompressionMethod method) {
    return method == CompressionMethod::ChannelPruning;
}

}  // namespace

QString methodText(CompressionMethod method) {
    switch (method) {
        case CompressionMethod::SpatialSvd:
            return Document::tr("spatial SVD");
        case CompressionMethod::WeightSvd:
            return Document::tr("weight SVD");
        case CompressionMethod::ChannelPruning:
            return Document::tr("channel pruning");
    }
    return {};
}

std::optional<PlanPrediction> savingsOf(const SensitivityTable& table, const LayerChoice& choice) {
    const auto row = std::ranges::find_if(table.layers, [&](const LayerSensitivity& each) {
        return each.name == choice.layer && each.method == choice.method && !each.cells.empty();
    });
    if (row == table.layers.end()) return std::nullopt;
    // A table of one row: the time does not depend on the length of the network.
    SensitivityTable one;
    one.metric = table.metric;
    one.total = table.total;
    one.layers = {*row};
    CompressionPlan alone;
    alone.choices = {choice};
    return predictPlan(one, alone);
}

CompressionView::CompressionView(std::shared_ptr<const LoadedModel> model,
                                 std::shared_ptr<const SensitivityTable> table)
    : m_model(std::move(model)), m_table(std::move(table)) {
    const CellLosses losses = lossesOf(*m_table);
    m_losses = losses.loss;
    m_isMeasured = losses.isMeasured;
    m_isNoise = losses.isNoise;
    m_isInPoints = m_isMeasured && m_table->metric != SensitivityMetric::SqnrDb && m_table->baseline.has_value();
    for (std::size_t i = 0; i < m_table->layers.size(); ++i) {
        const LayerSensitivity& layer = m_table->layers[i];
        const QString name = toQString(layer.name);
        const auto [place, isNew] = m_index.try_emplace(name, m_rows.size());
        if (isNew) m_rows.push_back({name, {}, {}});
        Row& row = m_rows[place->second];
        if (layer.cells.empty()) {
            if (row.entries.empty())
                row.skipReason =
                    layer.skipped.empty() ? Document::tr("no ratio makes it cheaper") : toQString(layer.skipped);
            continue;
        }
        row.entries.push_back(i);
        row.skipReason.clear();
        for (const SensitivityCell& cell : layer.cells) {
            ++m_cells;
            m_measured += cell.score ? 1 : 0;
            if (std::ranges::none_of(m_ratios, [&](double r) { return std::abs(r - cell.ratio) < kSameRatio; }))
                m_ratios.push_back(cell.ratio);
        }
    }
    std::ranges::sort(m_ratios);
    for (const LayerSensitivity& layer : m_table->layers)
        if (std::ranges::find(m_methods, layer.method) == m_methods.end()) m_methods.push_back(layer.method);
    std::ranges::sort(m_methods);
}

std::vector<CompressionView::MethodOption> CompressionView::options(const QString& layer) const {
    const std::string name = toStdString(layer);
    const auto found = std::ranges::find(m_model->compressible, name,
                                         [](const CompressibleLayer& each) { return each.geometry.name; });
    std::vector<MethodOption> result;
    for (const CompressionMethod method :
         {CompressionMethod::SpatialSvd, CompressionMethod::WeightSvd, CompressionMethod::ChannelPruning}) {
        MethodOption option{method};
        const auto entry = std::ranges::find_if(
            m_table->layers, [&](const LayerSensitivity& each) { return each.name == name && each.method == method; });
        option.isKnown = entry != m_table->layers.end() && !entry->cells.empty();
        if (!option.isKnown && found != m_model->compressible.end()) option.reason = toQString(found->reason(method));
        if (!option.isKnown && option.reason.isEmpty() && entry != m_table->layers.end())
            option.reason =
                entry->skipped.empty() ? Document::tr("no ratio makes it cheaper") : toQString(entry->skipped);
        result.push_back(std::move(option));
    }
    return result;
}

const CompressionView::Row* CompressionView::row(const QString& layer) const {
    const auto found = m_index.find(layer);
    return found == m_index.end() ? nullptr : &m_rows[found->second];
}

int CompressionView::compressibleCount() const {
    return static_cast<int>(std::ranges::count_if(m_rows, [](const Row& row) { return !row.entries.empty(); }));
}

QString CompressionView::scoreName() const {
    if (!m_isMeasured && !m_isNoise) return Document::tr("Output error of the layer");
    if (!m_isMeasured) return Document::tr("Output error of the network");
    switch (m_table->metric) {
        case SensitivityMetric::Top1:
            return Document::tr("Top-1 accuracy");
        case SensitivityMetric::Agreement:
            return Document::tr("Agreement with float");
        case SensitivityMetric::SqnrDb:
            break;
    }
    return Document::tr("Output error of the network");
}

QString CompressionView::lossText(double loss) const {
    const QString number = plots::numberText(std::max(0.0, loss), 2);
    return m_isInPoints ? Document::tr("%1 points").arg(number) : Document::tr("%1 % of output error").arg(number);
}

double CompressionView::resolution() const {
    if (!m_isInPoints) return 0;
    std::size_t samples = 0;
    for (const LayerSensitivity& layer : m_table->layers)
        for (const SensitivityCell& cell : layer.cells)
            if (cell.score && cell.samples > 0) samples = samples == 0 ? cell.samples : std::min(samples, cell.samples);
    return samples > 0 ? 100.0 / static_cast<double>(samples) : 0.0;
}

double CompressionView::display(double loss) const {
    return m_isInPoints ? loss : 100 * loss;
}

double CompressionView::loss(const PlanPrediction& prediction) const {
    return display(prediction.loss);
}

const LayerGeometry* CompressionView::geometry(const QString& layer) const {
    const std::string name = toStdString(layer);
    for (const CompressibleLayer& each : m_model->compressible)
        if (each.geometry.name == name) return &each.geometry;
    return nullptr;
}

/// Straight lines between the cells, no loss at a ratio of 1, the first cell's below it.
double CompressionView::lossAt(std::size_t entry, double ratio) const {
    const LayerSensitivity& layer = m_table->layers[entry];
    double lastRatio = layer.cells.front().ratio;
    double lastLoss = m_losses[entry].front();
    if (ratio <= lastRatio) return lastLoss;
    for (std::size_t i = 1; i <= layer.cells.size(); ++i) {
        const double nextRatio = i < layer.cells.size() ? layer.cells[i].ratio : 1.0;
        const double nextLoss = i < layer.cells.size() ? m_losses[entry][i] : 0.0;
        if (ratio <= nextRatio && nextRatio > lastRatio)
            return lastLoss + (nextLoss - lastLoss) * (ratio - lastRatio) / (nextRatio - lastRatio);
        lastRatio = nextRatio;
        lastLoss = nextLoss;
    }
    return 0;
}

std::vector<CompressionMethod> CompressionView::methods(const QString& layer) const {
    std::vector<CompressionMethod> result;
    if (const Row* found = row(layer))
        for (const std::size_t entry : found->entries) result.push_back(m_table->layers[entry].method);
    return result;
}

std::optional<CompressionMethod> CompressionView::methodFor(const QString& layer, double ratio) const {
    const Row* found = row(layer);
    if (!found || found->entries.empty()) return std::nullopt;
    const auto best =
        std::ranges::min_element(found->entries, {}, [&](std::size_t entry) { return lossAt(entry, ratio); });
    return m_table->layers[*best].method;
}

std::vector<plots::LegalRatio> CompressionView::legal(const QString& layer, CompressionMethod method,
                                                      int multiple) const {
    const LayerGeometry* shape = geometry(layer);
    if (!shape) return {};
    const double full = shape->cost.of(CostMetric::Macs);
    const std::int64_t most = maxSize(method, *shape);
    const std::int64_t step = std::max(1, multiple);
    std::vector<plots::LegalRatio> result;
    // With very many ranks, one for each percent will do.
    const double least = most / step > static_cast<std::int64_t>(kLegalRatios) ? 1.0 / double(kLegalRatios) : 0.0;
    double last = 0;
    for (std::int64_t size = step; size <= most; size += step) {
        const double ratio = full > 0 ? costAtSize(method, *shape, size).macs / full : 0;
        if (ratio >= 1) break;
        if (ratio < kLeastRatio || ratio < last + least) continue;
        last = ratio;
        result.push_back({ratio, (isPruning(method) ? Document::tr("%1 of %2 channels") : Document::tr("rank %1 of %2"))
                                     .arg(size)
                                     .arg(most)});
    }
    result.push_back({1.0, Document::tr("not compressed")});
    return result;
}

std::optional<LayerChoice> CompressionView::choice(const QString& layer, double ratio, const CompressionSetup& setup,
                                                   std::optional<CompressionMethod> method) const {
    if (!method) method = methodFor(layer, ratio);
    const LayerGeometry* shape = geometry(layer);
    if (!method || !shape) return std::nullopt;
    LayerChoice result{toStdString(layer), *method, std::min(ratio, 1.0), 0, false};
    if (ratio < 1) {
        const SizeChoice size = sizeForRatio(*method, *shape, ratio + kSameRatio, CostMetric::Macs, setup.multiple);
        result.size = size.size;
        if (size.ratio >= 1) result.ratio = 1, result.size = 0;
    }
    return result;
}

QString CompressionView::describe(const LayerChoice& choice) const {
    return choice.ratio >= 1 ? costText(choice) : methodText(choice.method) + u", "_s + costText(choice);
}

QString CompressionView::costText(const LayerChoice& choice) const {
    const LayerGeometry* shape = geometry(toQString(choice.layer));
    if (choice.ratio >= 1 || !shape) return Document::tr("not compressed");
    const std::int64_t size =
        choice.size > 0 ? choice.size : sizeForRatio(choice.method, *shape, choice.ratio, CostMetric::Macs).size;
    const LayerCost after = costAtSize(choice.method, *shape, size);
    const QString what = isPruning(choice.method) ? Document::tr("%1 of %2 channels: %3 → %4 MACs")
                                                  : Document::tr("rank %1 of %2: %3 → %4 MACs");
    return what.arg(size)
        .arg(maxSize(choice.method, *shape))
        .arg(plots::countText(shape->cost.macs), plots::countText(after.macs));
}

QString CompressionView::cheapestLayer(const CompressionPlan& plan, CostMetric metric) const {
    const auto next = marginalCost(*m_table, plan, metric);
    return next ? shortName(toQString(next->layer)) : QString();
}

QString CompressionView::marginalSentence(const CompressionPlan& plan, CostMetric metric) const {
    const auto next = marginalCost(*m_table, plan, metric);
    if (!next || next->costSaved <= 0) return Document::tr("No layer can be made smaller than this.");
    const double perPercent = display(next->lossAdded) * 0.01 / next->costSaved;
    const QString cost = metric == CostMetric::Macs ? Document::tr("MACs") : Document::tr("the size");
    const QString layer = shortName(toQString(next->layer));
    if (perPercent < 0.005) return Document::tr("The next 1 % of %1: about 0, from %2.").arg(cost, layer);
    return Document::tr("The next 1 % of %1: about %2, from %3.").arg(cost, lossText(perPercent), layer);
}

QString measuredText(const Score& score) {
    const auto decisive = decisiveScore(score);
    if (!decisive) return {};
    return decisive->isPercent ? percentOrDash(decisive->value)
                               : Document::tr("%1 dB").arg(QLocale().toString(decisive->value, 'f', 1));
}

namespace {

QString keptText(double share) {
    const double percent = 100 * share;
    if (std::abs(percent - 50) < 0.75) return Document::tr("Half");
    return Document::tr("%1 %").arg(QLocale().toString(percent, 'f', percent < 10 ? 1 : 0));
}

}  // namespace

QString latencyText(const LatencyChange& latency) {
    const auto number = [](double value) { return QLocale().toString(value, 'f', value < 10 ? 2 : 1); };
    return Document::tr("%1 → %2 ms a sample").arg(number(latency.before), number(latency.after));
}

QString latencyMethod(const LatencyChange& latency) {
    return Document::tr("median of %n interleaved run(s), one thread, batch %1", nullptr, latency.runs)
        .arg(latency.batch);
}

QString activationsText(const EngineCosts& costs) {
    if (!costs.activationsBefore || !costs.activationsAfter) return {};
    const auto change = [](std::int64_t before, std::int64_t after) {
        return plots::bytesText(double(before)) + u" → "_s + plots::bytesText(double(after));
    };
    return Document::tr("activations per sample %1, peak %2")
        .arg(change(costs.activationsBefore->writtenBytes, costs.activationsAfter->writtenBytes),
             change(costs.activationsBefore->peakBytes, costs.activationsAfter->peakBytes));
}

QString measuredLossText(const PlanMeasurement& measured) {
    const Score& score = measured.score;
    if (score.top1 && measured.floating.top1) {
        const double lost = *measured.floating.top1 - *score.top1;
        const QString points = QLocale().toString(std::abs(lost), 'f', 1);
        if (points == QLocale().toString(0.0, 'f', 1)) return Document::tr("no loss");
        return (lost > 0 ? Document::tr("%1 points") : Document::tr("a gain of %1 points")).arg(points);
    }
    if (score.agreement)
        return Document::tr("%1 points of agreement").arg(QLocale().toString(100 - *score.agreement, 'f', 1));
    return Document::tr("an output SQNR of %1").arg(measuredText(score));
}

QString flowSentence(const Document& document) {
    const FlowSummary* flow = document.flow();
    if (!flow) return {};
    const PlanMeasurement& best = *document.measurementOf(flow->step);
    const QString measure = flow->metric == SensitivityMetric::Top1        ? Document::tr("top-1 accuracy")
                            : flow->metric == SensitivityMetric::Agreement ? Document::tr("agreement with float")
                                                                           : Document::tr("output SQNR");
    QString text =
        flow->limitedBy.empty()
            ? Document::tr("%n plan(s) tried. Best %1 of those that meet the target: %2.", nullptr, flow->tried)
            : Document::tr("⚠ %n plan(s) tried, none meets the target. Best %1: %2.", nullptr, flow->tried);
    text = text.arg(measure, best.label);
    const auto number = [](double value) { return QLocale().toString(value, 'f', 1); };
    QStringList scores;
    if (best.score.top1 && best.floating.top1)
        scores
            << Document::tr("top-1 %1 %, uncompressed %2 %").arg(number(*best.score.top1), number(*best.floating.top1));
    else if (best.score.agreement)
        scores << Document::tr("agreement with the uncompressed network %1 %").arg(number(*best.score.agreement));
    if (best.score.sqnrDb) scores << Document::tr("output SQNR %1 dB").arg(number(*best.score.sqnrDb));
    return text + u' ' +
           (best.costs.latency ? Document::tr("At %1 % of the MACs and %2 % of the latency: %3.")
                                     .arg(number(100 * best.macsRatio), number(100 * best.costs.latency->ratio()))
                               : Document::tr("At %1 % of the MACs: %2.").arg(number(100 * best.macsRatio)))
               .arg(scores.join(u"; "_s));
}

QString compressionSentence(const CompressionView* view, const Document& document) {
    if (!view) return Document::tr("The sensitivity of the layers is not known yet.");
    const int all = view->compressibleCount();
    if (all == 0) return Document::tr("No layer of this model can be compressed with these methods.");
    const CompressionPlan plan = effectivePlan(document.state().plan);
    if (plan.choices.empty())
        return Document::tr("%n layer(s) can be compressed. Suggest ratios, or click in the map.", nullptr, all);
    const bool isSize = document.state().compression.target == TargetKind::Size;
    const PlanMeasurement* measured = document.measurement();
    const PlanPrediction predicted = predictPlan(view->table(), plan);
    const double left = measured ? (isSize ? measured->sizeRatio : measured->macsRatio)
                                 : (isSize ? predicted.sizeRatio : predicted.macsRatio);
    const QString cost = isSize ? Document::tr("size") : Document::tr("MACs");
    QString text = Document::tr("%1 of the %2").arg(keptText(left), cost);
    if (measured)
        text += Document::tr(" for %1, measured").arg(measuredLossText(*measured));
    else if (const double loss = view->loss(predicted); view->isInPoints() && loss < view->resolution())
        text += Document::tr(" for less than %1, predicted").arg(view->lossText(view->resolution()));
    else if (view->isInPoints())
        text += Document::tr(" for about %1, predicted").arg(view->lossText(loss));
    std::vector<std::string> names;
    for (const LayerChoice& choice : plan.choices) names.push_back(choice.layer);
    std::ranges::sort(names);
    const auto count = std::ranges::unique(names).begin() - names.begin();
    return text + Document::tr(": %1 of %2 layers compressed.").arg(count).arg(all);
}

}  // namespace equant::ui
