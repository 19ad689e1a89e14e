// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/desktop/compression_view.h"

#include <QLocale>
#include <algorithm>
#include <cmath>

#include "app/desktop/plot_data.h"
#include "core/compression/losses.h"

namespace equant::ui {

using namespace Qt::StringLiterals;

namespace {

constexpr double kSameRatio = 1e-6;
/// More ratios than that for one layer cannot be told apart on the screen.
constexpr std::size_t kLegalRatios = 100;
constexpr double kLeastRatio = 0.02;

const SensitivityCell* cellAt(const LayerSensitivity& layer, double ratio, std::size_t* index) {
    for (std::size_t i = 0; i < layer.cells.size(); ++i)
        if (std::abs(layer.cells[i].ratio - ratio) < kSameRatio) {
            *index = i;
            return &layer.cells[i];
        }
    return nullptr;
}

double errorOf(double sqnrDb) {
    return std::isfinite(sqnrDb) ? std::pow(10.0, -sqnrDb / 10) : 0.0;
}

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

CompressionView::CompressionView(std::shared_ptr<const LoadedModel> model,
                                 std::shared_ptr<const SensitivityTable> table)
    : m_model(std::move(model)), m_table(std::move(table)) {
    const CellLosses losses = lossesOf(*m_table);
    m_losses = losses.loss;
    m_isMeasured = losses.isMeasured;
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
}

const CompressionView::Row* CompressionView::row(const QString& layer) const {
    const auto found = m_index.find(layer);
    return found == m_index.end() ? nullptr : &m_rows[found->second];
}

int CompressionView::compressibleCount() const {
    return static_cast<int>(std::ranges::count_if(m_rows, [](const Row& row) { return !row.entries.empty(); }));
}

QString CompressionView::scoreName() const {
    if (!m_isMeasured) return Document::tr("Output error of the layer");
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

double CompressionView::display(double loss) const {
    return m_isInPoints ? loss : 100 * loss;
}

double CompressionView::loss(const PlanPrediction& prediction) const {
    return display(prediction.loss);
}

std::optional<double> CompressionView::loss(const PlanMeasurement& measurement) const {
    if (m_isInPoints) {
        const bool isTop1 = m_table->metric == SensitivityMetric::Top1;
        const auto& score = isTop1 ? measurement.score.top1 : measurement.score.agreement;
        const auto before = isTop1 ? measurement.floating.top1 : std::optional(100.0);
        if (!score || !before) return std::nullopt;
        return *before - *score;
    }
    if (!measurement.score.sqnrDb) return std::nullopt;
    return 100 * errorOf(*measurement.score.sqnrDb);
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
    result.push_back({1.0, Document::tr("left alone")});
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
    const QString layer = toQString(choice.layer);
    const LayerGeometry* shape = geometry(layer);
    if (choice.ratio >= 1 || !shape) return Document::tr("left alone");
    const std::int64_t size =
        choice.size > 0 ? choice.size : sizeForRatio(choice.method, *shape, choice.ratio, CostMetric::Macs).size;
    const LayerCost after = costAtSize(choice.method, *shape, size);
    const QString what = isPruning(choice.method) ? Document::tr("%1 of %2 channels") : Document::tr("rank %1 of %2");
    return what.arg(size).arg(maxSize(choice.method, *shape)) + u", "_s + methodText(choice.method) + u": "_s +
           Document::tr("%1 MACs become %2").arg(plots::countText(shape->cost.macs), plots::countText(after.macs));
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
    if (perPercent < 0.005)
        return Document::tr("The next 1 % of %1 costs next to nothing, cheapest from layer %2.").arg(cost, layer);
    return Document::tr("The next 1 % of %1 costs about %2, cheapest from layer %3.")
        .arg(cost, lossText(perPercent), layer);
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

QString measuredLossText(const PlanMeasurement& measured) {
    const Score& score = measured.score;
    if (score.top1 && measured.floating.top1) {
        const double lost = *measured.floating.top1 - *score.top1;
        return Document::tr("%1 points").arg(QLocale().toString(std::max(0.0, lost), 'f', 1));
    }
    if (score.agreement)
        return Document::tr("%1 points of agreement").arg(QLocale().toString(100 - *score.agreement, 'f', 1));
    return Document::tr("an output SQNR of %1").arg(measuredText(score));
}

QString compressionSentence(const CompressionView* view, const Document& document) {
    if (!view) return Document::tr("How far can each layer shrink, and for how little?");
    const int all = view->compressibleCount();
    if (all == 0) return Document::tr("No layer of this model can be compressed this way.");
    const CompressionPlan plan = effectivePlan(document.state().plan);
    if (plan.choices.empty())
        return Document::tr("%n layer(s) can shrink. Suggest ratios, or click in the map.", nullptr, all);
    const bool isSize = document.state().compression.target == TargetKind::Size;
    const PlanMeasurement* measured = document.measurement();
    const PlanPrediction predicted = predictPlan(view->table(), plan);
    const double left = measured ? (isSize ? measured->sizeRatio : measured->macsRatio)
                                 : (isSize ? predicted.sizeRatio : predicted.macsRatio);
    const QString cost = isSize ? Document::tr("size") : Document::tr("MACs");
    QString text = Document::tr("%1 of the %2").arg(keptText(left), cost);
    if (measured)
        text += Document::tr(" for %1, measured").arg(measuredLossText(*measured));
    else if (view->isInPoints())
        text += Document::tr(" for about %1").arg(view->lossText(view->loss(predicted)));
    std::vector<std::string> names;
    for (const LayerChoice& choice : plan.choices) names.push_back(choice.layer);
    std::ranges::sort(names);
    const auto count = std::ranges::unique(names).begin() - names.begin();
    return text + Document::tr(": %1 of %2 layers compressed.").arg(count).arg(all);
}

plots::SensitivityCell CompressionView::cell(const Row& row, double ratio) const {
    plots::SensitivityCell result;
    const SensitivityCell* best = nullptr;
    double bestLoss = 0;
    for (const std::size_t entry : row.entries) {
        std::size_t index = 0;
        const SensitivityCell* found = cellAt(m_table->layers[entry], ratio, &index);
        if (!found || (best && m_losses[entry][index] >= bestLoss)) continue;
        best = found;
        bestLoss = m_losses[entry][index];
    }
    if (!best) return result;
    if (!best->score) {
        if (!best->predictedError && !m_isMeasured) return result;
        result.state = plots::CellState::Predicted;
        result.change = m_isInPoints ? -bestLoss : 100 * bestLoss;
        return result;
    }
    result.state = plots::CellState::Measured;
    if (!m_isInPoints) {
        result.change = 100 * errorOf(*best->score);
        return result;
    }
    const double baseline = *m_table->baseline;
    result.change = *best->score - baseline;
    if (best->interval) {
        result.low = best->interval->low - baseline;
        result.high = best->interval->high - baseline;
        result.isWithinNoise = best->interval->high >= baseline && best->interval->low <= baseline;
    }
    return result;
}

plots::SensitivityMapData CompressionView::map(const CompressionPlan& plan) const {
    plots::SensitivityMapData data;
    data.ratios = m_ratios;
    data.baseline = m_isInPoints ? *m_table->baseline : 0.0;
    data.scoreName = scoreName();
    data.unit = m_isInPoints ? Document::tr("points") : u"%"_s;
    data.isHigherBetter = m_isInPoints;
    if (m_isMeasured && m_table->rankCorrelation)
        data.note = Document::tr("rank correlation of prediction and measurement %1")
                        .arg(QLocale().toString(*m_table->rankCorrelation, 'f', 2));
    for (const Row& row : m_rows) {
        plots::SensitivityRow line{row.layer, shortName(row.layer)};
        line.skipReason = row.skipReason;
        if (!row.entries.empty())
            for (const double ratio : m_ratios) line.cells.push_back(cell(row, ratio));
        const LayerChoice* chosen = plan.find(toStdString(row.layer));
        if (!row.entries.empty()) line.chosenRatio = chosen ? chosen->ratio : 1.0;
        data.layers.push_back(std::move(line));
    }
    return data;
}

plots::LayerCurveData CompressionView::curve(const QStringList& layers, const CompressionPlan& plan,
                                             const CompressionSetup& setup) const {
    constexpr std::size_t kOverlays = 4;
    plots::LayerCurveData data;
    data.scoreName = scoreName();
    data.unit = u"%"_s;
    data.isHigherBetter = m_isInPoints;
    data.baseline = m_isInPoints ? *m_table->baseline : 0.0;
    if (m_isInPoints && setup.target == TargetKind::Drop) data.target = data.baseline - setup.maxDrop;
    const auto valueOf = [&](double loss) { return m_isInPoints ? data.baseline - loss : 100 * loss; };
    for (const QString& name : layers) {
        const Row* found = row(name);
        if (!found || found->entries.empty() || data.layers.size() > kOverlays) continue;
        const LayerChoice* chosen = plan.find(toStdString(name));
        const double ratio = chosen ? chosen->ratio : 1.0;
        const CompressionMethod method =
            chosen && ratio < 1 ? chosen->method : methodFor(name, 0.5).value_or(CompressionMethod::SpatialSvd);
        auto entry =
            std::ranges::find(found->entries, method, [&](std::size_t each) { return m_table->layers[each].method; });
        if (entry == found->entries.end()) entry = found->entries.begin();
        const LayerSensitivity& layer = m_table->layers[*entry];
        if (data.layers.empty()) {
            data.legal = legal(name, layer.method, setup.multiple);
            data.chosen = ratio;
            data.isLocked = chosen && chosen->isLocked;
        }
        plots::CurveLayer line{name, shortName(name)};
        for (std::size_t i = 0; i < layer.cells.size(); ++i) {
            const SensitivityCell& each = layer.cells[i];
            plots::CurvePoint point{each.ratio, valueOf(m_losses[*entry][i])};
            if (m_isMeasured) line.fit.push_back(point);
            if (!each.score) {
                line.predicted.push_back(point);
                continue;
            }
            point.score = m_isInPoints ? *each.score : 100 * errorOf(*each.score);
            if (m_isInPoints && each.interval) point.low = each.interval->low, point.high = each.interval->high;
            line.measured.push_back(point);
        }
        data.layers.push_back(std::move(line));
    }
    return data;
}

plots::RatioProfileData CompressionView::profile(const CompressionPlan& plan, const CompressionPlan& suggestion,
                                                 const CompressionSetup& setup) const {
    plots::RatioProfileData data;
    data.lowest = 0.05;
    data.costName = Document::tr("MACs");
    for (const Row& row : m_rows) {
        plots::RatioItem item{row.layer, shortName(row.layer)};
        item.skipReason = row.skipReason;
        if (row.entries.empty()) {
            data.layers.push_back(std::move(item));
            continue;
        }
        const std::string name = toStdString(row.layer);
        const LayerChoice* chosen = plan.find(name);
        const LayerChoice* suggested = suggestion.find(name);
        if (!suggestion.choices.empty()) item.suggested = suggested ? suggested->ratio : 1.0;
        item.chosen = chosen ? chosen->ratio : 1.0;
        item.isLocked = chosen && chosen->isLocked;
        const CompressionMethod method =
            chosen && chosen->ratio < 1 ? chosen->method : m_table->layers[row.entries.front()].method;
        for (plots::LegalRatio& each : legal(row.layer, method, setup.multiple)) {
            item.legal.push_back(each.ratio);
            item.legalTexts.push_back(std::move(each.text));
        }
        data.layers.push_back(std::move(item));
    }
    return data;
}

plots::SavingsWaterfallData CompressionView::waterfall(const CompressionPlan& plan, CostMetric metric) const {
    plots::SavingsWaterfallData data;
    data.costName = metric == CostMetric::Macs ? Document::tr("MACs") : Document::tr("Size");
    data.unit = m_isInPoints ? Document::tr("points") : u"%"_s;
    for (const Row& row : m_rows) {
        const LayerChoice* chosen = plan.find(toStdString(row.layer));
        if (!chosen || chosen->ratio >= 1) continue;
        CompressionPlan alone;
        alone.choices = {*chosen};
        const PlanPrediction prediction = predictPlan(*m_table, alone);
        const double left = metric == CostMetric::Macs ? prediction.macsRatio : prediction.sizeRatio;
        data.layers.push_back({row.layer, shortName(row.layer), 1 - left, loss(prediction), describe(*chosen)});
    }
    return data;
}

plots::FrontierPlan CompressionView::planPoint(const CompressionPlan& plan, CostMetric metric,
                                               const PlanMeasurement* measurement) const {
    const PlanPrediction prediction = predictPlan(*m_table, plan);
    plots::FrontierPlan point;
    point.costLeft = metric == CostMetric::Macs ? prediction.macsRatio : prediction.sizeRatio;
    const double baseline = m_isInPoints ? *m_table->baseline : 0.0;
    point.predicted = m_isInPoints ? std::max(0.0, baseline - loss(prediction)) : loss(prediction);
    if (!measurement) return point;
    point.costLeft = metric == CostMetric::Macs ? measurement->macsRatio : measurement->sizeRatio;
    point.text = measuredText(measurement->score);
    if (m_isInPoints) {
        const bool isTop1 = m_table->metric == SensitivityMetric::Top1;
        const auto& score = isTop1 ? measurement->score.top1 : measurement->score.agreement;
        const auto& interval = isTop1 ? measurement->score.top1Interval : measurement->score.agreementInterval;
        point.measured = score.value_or(plots::kNone);
        if (score && interval) point.low = interval->low, point.high = interval->high;
    } else {
        point.measured = loss(*measurement).value_or(plots::kNone);
    }
    return point;
}

CompressionView::Frontier CompressionView::frontier(const Document& document) const {
    const DocumentState& state = document.state();
    const CompressionSetup& setup = state.compression;
    const CostMetric metric = setup.target == TargetKind::Size ? CostMetric::Parameters : CostMetric::Macs;
    Frontier result;
    plots::TradeOffFrontierData& data = result.data;
    data.costName = metric == CostMetric::Macs ? Document::tr("MACs") : Document::tr("Size");
    data.scoreName = m_isInPoints ? scoreName() : Document::tr("Output error, layers added up");
    data.unit = u"%"_s;
    data.isHigherBetter = m_isInPoints;
    data.baseline = m_isInPoints ? *m_table->baseline : 0.0;
    if (setup.target != TargetKind::Drop) data.targetCost = setup.share;
    SolverOptions options;
    (metric == CostMetric::Macs ? options.target.macsRatio : options.target.sizeRatio) = setup.share;
    for (const LayerChoice& choice : state.plan.choices)
        if (choice.isLocked && row(toQString(choice.layer))) options.locks[choice.layer] = choice.ratio;
    if (compressibleCount() > 0) {
        for (FrontierPoint& each : solveFrontier(*m_table, options)) {
            plots::FrontierPlan point;
            point.costLeft = metric == CostMetric::Macs ? each.prediction.macsRatio : each.prediction.sizeRatio;
            point.predicted =
                m_isInPoints ? std::max(0.0, data.baseline - loss(each.prediction)) : loss(each.prediction);
            point.label =
                Document::tr("%1 % of %2").arg(QLocale().toString(100 * point.costLeft, 'f', 0), data.costName);
            data.plans.push_back(std::move(point));
            result.plans.push_back(std::move(each.plan));
        }
    }
    for (const PlanMeasurement* measured : document.measurements()) {
        plots::FrontierPlan point = planPoint(measured->step.plan, metric, measured);
        point.label = Document::tr("measured plan");
        point.isOnSweep = false;
        data.plans.push_back(std::move(point));
        result.plans.push_back(measured->step.plan);
    }
    const CompressionPlan plan = effectivePlan(state.plan);
    if (!plan.choices.empty()) data.current = planPoint(plan, metric, document.measurement());
    data.cheapestLayer = cheapestLayer(state.plan, metric);
    return result;
}

}  // namespace equant::ui
