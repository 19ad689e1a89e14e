// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/plots/network/sqnr_profile.h"

#include <algorithm>
#include <cmath>

namespace equant::plots {

SqnrProfile::SqnrProfile(QWidget* parent) : PlotView(parent) {
    setEmptyText(tr("Simulate quantization to see the SQNR of every layer."));
    rebuild();
}

void SqnrProfile::setData(SqnrProfileData content) {
    m_data = std::move(content);
    rebuild();
}

void SqnrProfile::setThreshold(double db) {
    if (db == m_threshold || (std::isnan(db) && std::isnan(m_threshold))) return;
    m_threshold = db;
    rebuild(true);
    emit thresholdChanged(db);
}

std::vector<std::size_t> SqnrProfile::worstFirst() const {
    std::vector<std::size_t> order;
    for (std::size_t i = 0; i < m_data.layers.size(); ++i)
        if (std::isfinite(m_data.layers[i].localDb)) order.push_back(i);
    std::stable_sort(order.begin(), order.end(), [this](std::size_t a, std::size_t b) {
        return m_data.layers[a].localDb < m_data.layers[b].localDb;
    });
    return order;
}

double SqnrProfile::localMedian() const {
    const std::vector<std::size_t> order = worstFirst();
    return order.empty() ? kNone : m_data.layers[order[order.size() / 2]].localDb;
}

QStringList SqnrProfile::culprits() const {
    QStringList keys;
    for (const std::size_t i : worstFirst())
        if (m_data.layers[i].localDb < m_threshold) keys += m_data.layers[i].key;
    return keys;
}

PlotSeries SqnrProfile::arrows() const {
    PlotSeries arrows{
        .name = tr("Lowest local SQNR"), .mark = Mark::Arrows, .ink = {Role::Alert}, .isNavigable = false};
    const double median = localMedian();
    QStringList names;
    for (const SqnrItem& item : m_data.layers) names += item.label;
    names = shortNames(names);
    for (const std::size_t i : worstFirst()) {
        if (static_cast<int>(arrows.points.size()) >= m_data.arrowCount) break;
        const SqnrItem& item = m_data.layers[i];
        if (item.localDb >= median) break;
        const auto x = static_cast<double>(i);
        arrows.points.push_back({.key = item.key,
                                 .x = x,
                                 .y = item.localDb,
                                 .x2 = x,
                                 .y2 = median,
                                 .text = names[static_cast<qsizetype>(i)]});
    }
    return arrows;
}

void SqnrProfile::addThreshold(PlotScene& scene) const {
    scene.lines.push_back({.id = QStringLiteral("threshold"),
                           .value = m_threshold,
                           .label = tr("%n layers below %1 %2", nullptr, static_cast<int>(culprits().size()))
                                        .arg(numberText(m_threshold), m_data.unit),
                           .ink = {Role::Alert}});
}

PlotScene SqnrProfile::buildScene() const {
    PlotScene scene;
    PlotSeries local{.name = tr("Local"), .mark = Mark::Line, .ink = {Role::After}, .size = 6.0};
    PlotSeries accumulated{.name = tr("Accumulated"),
                           .mark = Mark::Line,
                           .ink = {Role::Before},
                           .symbol = Symbol::Square,
                           .isFilled = false,
                           .isDashed = true,
                           .size = 6.0};
    double lowest = std::numeric_limits<double>::max(), highest = std::numeric_limits<double>::lowest();
    for (std::size_t i = 0; i < m_data.layers.size(); ++i) {
        const SqnrItem& item = m_data.layers[i];
        const bool hasLocal = std::isfinite(item.localDb), hasAccumulated = std::isfinite(item.accumulatedDb);
        scene.skipped += hasLocal || hasAccumulated ? 0 : 1;
        scene.x.names += item.label;
        const QString hover =
            tr("%1\nlocal %2 %4\naccumulated %3 %4")
                .arg(item.label, numberText(item.localDb), numberText(item.accumulatedDb), m_data.unit);
        const auto add = [&](PlotSeries& series, double value) {
            const bool isCulprit = &series == &local && value < m_threshold;
            series.points.push_back(
                {.key = item.key, .x = static_cast<double>(i), .y = value, .isFlagged = isCulprit, .hover = hover});
            lowest = std::min(lowest, value);
            highest = std::max(highest, value);
        };
        if (hasLocal) add(local, item.localDb);
        if (hasAccumulated) add(accumulated, item.accumulatedDb);
    }
    if (local.points.empty() && accumulated.points.empty()) return scene;
    if (std::isfinite(m_threshold)) {
        lowest = std::min(lowest, m_threshold);
        highest = std::max(highest, m_threshold);
        addThreshold(scene);
    }
    scene.x.title = tr("Layer, in execution order");
    scene.x.ticks = Ticks::Names;
    scene.x.hasGrid = false;
    scene.x.lower = -0.7;
    scene.x.upper = static_cast<double>(m_data.layers.size()) - 0.3;
    std::tie(scene.y.lower, scene.y.upper) = padded(lowest, highest, 0.14);
    scene.y.title = tr("SQNR (%1)").arg(m_data.unit);
    const std::vector<std::size_t> worst = worstFirst();
    const QString last =
        accumulated.points.empty()
            ? QString()
            : tr("; accumulated SQNR at the end %1 %2").arg(numberText(accumulated.points.back().y), m_data.unit);
    scene.title = worst.empty() ? tr("Accumulated quantization noise")
                                : tr("%1 has the lowest local SQNR (%2 %3)")
                                      .arg(m_data.layers[worst.front()].label,
                                           numberText(m_data.layers[worst.front()].localDb), m_data.unit);
    scene.title += last;
    scene.detail = tr("Higher is better; arrows start at the median of the local SQNR");
    scene.summary = scene.title + u'.';
    scene.series = {std::move(accumulated), std::move(local), arrows()};
    return scene;
}

void SqnrProfile::lineMoved(const QString&, double value, bool isFinished) {
    setThreshold(value);
    if (isFinished) selectByUser(culprits());
}

PlotTable SqnrProfile::table() const {
    PlotTable table{{tr("Layer"), tr("Local SQNR (%1)").arg(m_data.unit), tr("Accumulated SQNR (%1)").arg(m_data.unit)},
                    {}};
    for (const SqnrItem& item : m_data.layers) table.rows.append({item.label, item.localDb, item.accumulatedDb});
    return table;
}

}  // namespace equant::plots
