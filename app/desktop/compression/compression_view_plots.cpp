// SPDX-License-Identifier: GPL-3.0-or-later
// The half of compression_view.h that makes what the plots show.
#include <QLocale>
#include <algorithm>
#include <cmath>

#include "app/desktop/compression/compression_view.h"
#include "app/desktop/compression/measured_plans.h"
#include "app/desktop/pages/plot_data.h"

namespace equant::ui {

using namespace Qt::StringLiterals;

namespace {

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

}  // namespace

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

plots::SensitivityCell CompressionView::cell(const Row& row, double ratio,
                                             std::optional<CompressionMethod> only) const {
    plots::SensitivityCell result;
    const SensitivityCell* best = nullptr;
    double bestLoss = 0;
    for (const std::size_t entry : row.entries) {
        if (only && m_table->layers[entry].method != *only) continue;
        std::size_t index = 0;
        const SensitivityCell* found = cellAt(m_table->layers[entry], ratio, &index);
        if (!found || (best && m_losses[entry][index] >= bestLoss)) continue;
        best = found;
        bestLoss = m_losses[entry][index];
        if (m_methods.size() > 1) result.text = Document::tr("by %1").arg(methodText(m_table->layers[entry].method));
    }
    if (!best) return result;
    if (!best->score) {
        if (!best->prediction() && !m_isMeasured) return result;
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

double CompressionView::markedRatio(const Row& row, const CompressionPlan& plan,
                                    std::optional<CompressionMethod> only) const {
    const bool isShown = std::ranges::any_of(
        row.entries, [&](std::size_t entry) { return !only || m_table->layers[entry].method == *only; });
    if (!isShown) return plots::kNone;
    const LayerChoice* chosen = plan.find(toStdString(row.layer));
    if (!chosen || chosen->ratio >= 1) return 1.0;
    return only && chosen->method != *only ? plots::kNone : chosen->ratio;
}

plots::SensitivityMapData CompressionView::map(const CompressionPlan& plan,
                                               std::optional<CompressionMethod> only) const {
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
        if (only && !row.entries.empty())
            for (const MethodOption& option : options(row.layer))
                if (option.method == *only) line.skipReason = option.reason;
        if (line.skipReason.isEmpty())
            for (const double ratio : m_ratios) line.cells.push_back(cell(row, ratio, only));
        line.chosenRatio = markedRatio(row, plan, only);
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
        const auto entry = std::ranges::find(row.entries, chosen->method,
                                             [&](std::size_t each) { return m_table->layers[each].method; });
        const auto savings = savingsOf(*m_table, *chosen);
        if (entry == row.entries.end() || !savings) continue;
        const double left = metric == CostMetric::Macs ? savings->macsRatio : savings->sizeRatio;
        data.layers.push_back(
            {row.layer, shortName(row.layer), 1 - left, display(lossAt(*entry, chosen->ratio)), describe(*chosen)});
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
    } else if (m_isMeasured) {
        point.measured = loss(*measurement).value_or(plots::kNone);
    } else if (const auto decisive = decisiveScore(measurement->score)) {
        // Another quantity than the predicted errors: it has an axis of its own.
        point.measured = decisive->value;
        const auto& interval =
            measurement->score.top1 ? measurement->score.top1Interval : measurement->score.agreementInterval;
        if (decisive->isPercent && interval) point.low = interval->low, point.high = interval->high;
        point.text.clear();
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
    data.lossUnit = m_isInPoints ? Document::tr("points") : Document::tr("% of output error");
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
        const auto decisive = decisiveScore(measured->score);
        if (!m_isMeasured && decisive) {
            data.measuredName = decisive->name;
            data.measuredUnit = decisive->isPercent ? u"%"_s : Document::tr("dB");
            if (decisive->isPercent)
                data.measuredBaseline = measured->score.top1 ? measured->floating.top1.value_or(plots::kNone) : 100.0;
        }
        plots::FrontierPlan point = planPoint(measured->step.plan, metric, measured);
        point.label = measured->label.isEmpty() ? Document::tr("measured plan") : measured->label;
        point.mark = QString::number(result.measured.size() + 1);
        point.text = methodCounts(*measured) + (point.text.isEmpty() ? QString() : u'\n' + point.text);
        point.isOnSweep = false;
        result.measured.push_back(measured);
        data.plans.push_back(std::move(point));
        result.plans.push_back(measured->step.plan);
    }
    const CompressionPlan plan = effectivePlan(state.plan);
    if (!plan.choices.empty()) data.current = planPoint(plan, metric, document.measurement());
    data.cheapestLayer = cheapestLayer(state.plan, metric);
    return result;
}

}  // namespace equant::ui
