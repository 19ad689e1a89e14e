// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/plots/network/cost_bars.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace equant::plots {

CostBars::CostBars(QWidget* parent) : PlotView(parent) {
    setEmptyText(tr("Open a model to see which layers hold its parameters and its work."));
    rebuild();
}

void CostBars::setData(CostBarsData content) {
    m_data = std::move(content);
    rebuild();
}

void CostBars::setMetric(Metric metric) {
    m_metric = metric;
    rebuild();
}

void CostBars::setOrder(Order order) {
    m_order = order;
    rebuild();
}

void CostBars::setCoverage(double percent) {
    percent = std::clamp(percent, 0.0, 100.0);
    if (percent == m_coverage) return;
    m_coverage = percent;
    rebuild(true);
    emit coverageChanged(percent);
}

double CostBars::valueOf(const CostItem& item) const {
    switch (m_metric) {
        case Metric::Macs:
            return item.macs;
        case Metric::ActivationBytes:
            return item.activationBytes;
        case Metric::Parameters:
            break;
    }
    return item.parameters;
}

std::vector<std::size_t> CostBars::ranking() const {
    std::vector<std::size_t> order;
    for (std::size_t i = 0; i < m_data.layers.size(); ++i)
        if (std::isfinite(valueOf(m_data.layers[i])) && valueOf(m_data.layers[i]) >= 0.0) order.push_back(i);
    std::stable_sort(order.begin(), order.end(), [this](std::size_t a, std::size_t b) {
        return valueOf(m_data.layers[a]) > valueOf(m_data.layers[b]);
    });
    return order;
}

double CostBars::total() const {
    double sum = 0.0;
    for (const std::size_t i : ranking()) sum += valueOf(m_data.layers[i]);
    return sum;
}

QStringList CostBars::coveredKeys() const {
    QStringList keys;
    const double wanted = total() * m_coverage / 100.0;
    double sum = 0.0;
    for (const std::size_t i : ranking()) {
        if (sum >= wanted * (1.0 - 1e-12)) break;
        sum += valueOf(m_data.layers[i]);
        keys += m_data.layers[i].key;
    }
    return keys;
}

QString CostBars::finding(const std::vector<std::size_t>& largest, double total) const {
    // As few layers as hold two thirds, so that the sentence names a real concentration.
    double sum = 0.0;
    int count = 0;
    for (const std::size_t i : largest) {
        if (sum >= total * 2.0 / 3.0) break;
        sum += valueOf(m_data.layers[i]);
        ++count;
    }
    const QString share = percentText(total > 0.0 ? 100.0 * sum / total : 0.0);
    const int all = static_cast<int>(largest.size());
    if (m_metric == Metric::Macs)
        return tr("%1 of %n layers do %2 of the multiply-accumulates", nullptr, all).arg(count).arg(share);
    if (m_metric == Metric::ActivationBytes)
        return tr("%1 of %n layers write %2 of the activation bytes", nullptr, all).arg(count).arg(share);
    return tr("%1 of %n layers hold %2 of the parameters", nullptr, all).arg(count).arg(share);
}

PlotScene CostBars::buildScene() const {
    PlotScene scene;
    std::vector<std::size_t> order = ranking();
    scene.skipped = static_cast<int>(m_data.layers.size() - order.size());
    if (order.empty()) return scene;
    const double sum = total();
    scene.title = finding(order, sum);
    if (m_order == Order::Execution) std::sort(order.begin(), order.end());

    const QString metricName = m_metric == Metric::Macs              ? tr("MACs")
                               : m_metric == Metric::ActivationBytes ? tr("activation bytes")
                                                                     : tr("parameters");
    PlotSeries bars{.name = tr("Layer"), .mark = Mark::Bars, .ink = {Role::Accent}};
    PlotSeries line{.name = tr("Cumulative (right axis)"),
                    .mark = Mark::Line,
                    .ink = {Role::Before},
                    .isOnRightAxis = true,
                    .isNavigable = false,
                    .size = 5.0};
    double running = 0.0, highest = 0.0;
    for (std::size_t position = 0; position < order.size(); ++position) {
        const CostItem& item = m_data.layers[order[position]];
        const double share = sum > 0.0 ? 100.0 * valueOf(item) / sum : 0.0;
        running += share;
        highest = std::max(highest, share);
        const auto x = static_cast<double>(position);
        const QString amount =
            m_metric == Metric::ActivationBytes ? bytesText(valueOf(item)) : countText(valueOf(item));
        const QString hover =
            tr("%1\n%2\n%3 %4, %5 of the total\ncumulative %6")
                .arg(item.label, item.kind, amount, metricName, percentText(share), percentText(running));
        bars.points.push_back({.key = item.key, .x = x, .y = share, .hover = hover});
        line.points.push_back({.key = item.key, .x = x, .y = running});
        scene.x.names += item.label;
    }
    const auto count = static_cast<double>(order.size());
    scene.x.title = m_order == Order::Sorted ? tr("Layer, largest first") : tr("Layer, in execution order");
    scene.x.ticks = Ticks::Names;
    scene.x.hasGrid = false;
    scene.x.lower = -0.6;
    scene.x.upper = count - 0.4;
    scene.y = {.title = tr("Share of %1 (%)").arg(metricName), .lower = 0.0, .upper = std::max(highest * 1.08, 1e-3)};
    scene.right = PlotAxis{.title = tr("Cumulative share (%)"), .lower = 0.0, .upper = 104.0};
    scene.detail =
        tr("%1 %2 in total").arg(m_metric == Metric::ActivationBytes ? bytesText(sum) : countText(sum), metricName);
    scene.summary = tr("%1. The largest is %2.").arg(scene.title, m_data.layers[ranking().front()].label);
    scene.series = {std::move(bars), std::move(line)};
    if (m_order == Order::Sorted)
        scene.lines.push_back(
            {.id = QStringLiteral("coverage"),
             .value = m_coverage,
             .label =
                 tr("%1 in %n layers", nullptr, static_cast<int>(coveredKeys().size())).arg(percentText(m_coverage)),
             .isOnRightAxis = true});
    return scene;
}

void CostBars::lineMoved(const QString&, double value, bool isFinished) {
    setCoverage(value);
    if (isFinished) selectByUser(coveredKeys());
}

PlotTable CostBars::table() const {
    PlotTable table{{tr("Layer"), tr("Operator"), tr("Parameters"), tr("MACs"), tr("Activation size (bytes)")}, {}};
    for (const CostItem& item : m_data.layers)
        table.rows.append({item.label, item.kind, item.parameters, item.macs, item.activationBytes});
    return table;
}

}  // namespace equant::plots
