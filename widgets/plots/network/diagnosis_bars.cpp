// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/plots/network/diagnosis_bars.h"

#include <QLocale>
#include <algorithm>
#include <cmath>

namespace equant::plots {

DiagnosisBars::DiagnosisBars(QWidget* parent) : PlotView(parent) {
    setEmptyText(tr("Run the diagnosis to see whether weights or activations cost more quality."));
    rebuild();
}

void DiagnosisBars::setData(DiagnosisData content) {
    m_data = std::move(content);
    rebuild();
}

const DiagnosisItem* DiagnosisBars::find(QStringView key) const {
    const auto it = std::find_if(m_data.bars.begin(), m_data.bars.end(), [key](const DiagnosisItem& bar) {
        return bar.key == key && std::isfinite(bar.value);
    });
    return it == m_data.bars.end() ? nullptr : &*it;
}

QString DiagnosisBars::finding() const {
    const DiagnosisItem* weights = find(kWeights);
    const DiagnosisItem* activations = find(kActivations);
    if (!weights || !activations) return tr("Quality by what is quantized");
    const bool overlaps = std::isfinite(weights->low) && std::isfinite(activations->low) &&
                          weights->low <= activations->high && activations->low <= weights->high;
    const QString difference = QLocale().toString(std::abs(weights->value - activations->value), 'f', 1);
    if (overlaps)
        return tr("Weights and activations cost about the same: the difference of %1 is within noise").arg(difference);
    return weights->value < activations->value
               ? tr("Weights cost more than activations, by %1: cure the weights first").arg(difference)
               : tr("Activations cost more than weights, by %1: cure the activations first").arg(difference);
}

PlotScene DiagnosisBars::buildScene() const {
    PlotScene scene;
    PlotSeries bars{.name = tr("Score"), .mark = Mark::Bars, .ink = {Role::Accent}, .isInLegend = false, .width = 0.55};
    PlotSeries reference = bars;
    reference.name = tr("Float reference");
    reference.ink = {Role::Muted};
    reference.isFilled = false;
    double lowest = 0.0, highest = std::isfinite(m_data.target) ? m_data.target : 0.0;
    bool hasIntervals = false;
    for (const DiagnosisItem& bar : m_data.bars) {
        if (!std::isfinite(bar.value)) {
            ++scene.skipped;
            continue;
        }
        const bool hasInterval = std::isfinite(bar.low) && std::isfinite(bar.high);
        hasIntervals = hasIntervals || hasInterval;
        PlotPoint point{.key = bar.key,
                        .x = static_cast<double>(scene.x.names.size()),
                        .y = bar.value,
                        .low = bar.low,
                        .high = bar.high,
                        .text = numberText(bar.value, 4),
                        .hover = tr("%1\n%2: %3").arg(bar.label, m_data.metric, numberText(bar.value, 5))};
        if (hasInterval)
            point.hover += tr("\n95 % interval %1 to %2").arg(numberText(bar.low, 4), numberText(bar.high, 4));
        lowest = std::min({lowest, bar.value, hasInterval ? bar.low : bar.value});
        highest = std::max({highest, bar.value, hasInterval ? bar.high : bar.value});
        scene.x.names += bar.label;
        (bar.key == kFloat || bar.key == kPrepared ? reference : bars).points.push_back(std::move(point));
    }
    if (scene.x.names.isEmpty()) return scene;
    scene.x.title = tr("What is quantized");
    scene.x.ticks = Ticks::Names;
    scene.x.hasGrid = false;
    scene.x.lower = -0.6;
    scene.x.upper = static_cast<double>(scene.x.names.size()) - 0.4;
    const double length = std::max(highest - lowest, 1e-9);
    scene.y = {
        .title = m_data.metric, .lower = lowest < 0.0 ? lowest - 0.12 * length : 0.0, .upper = highest + 0.24 * length};
    scene.title = finding();
    scene.detail = hasIntervals ? tr("Whiskers: 95 % confidence interval") : QString();
    scene.summary = scene.title + u'.';
    scene.series = {std::move(reference), std::move(bars)};
    if (std::isfinite(m_data.target))
        scene.lines.push_back(
            {.value = m_data.target, .label = tr("target %1").arg(numberText(m_data.target, 4)), .ink = {Role::Alert}});
    return scene;
}

PlotTable DiagnosisBars::table() const {
    PlotTable table{{tr("Quantized"), m_data.metric.isEmpty() ? tr("Score") : m_data.metric, tr("Interval low"),
                     tr("Interval high")},
                    {}};
    for (const DiagnosisItem& bar : m_data.bars) table.rows.append({bar.label, bar.value, bar.low, bar.high});
    return table;
}

}  // namespace equant::plots
