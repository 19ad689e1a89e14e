// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/plots/savings_waterfall.h"

#include <algorithm>
#include <cmath>

namespace equant::plots {

SavingsWaterfall::SavingsWaterfall(QWidget* parent) : PlotView(parent) {
    setEmptyText(tr("Choose ratios to see which layers save and what they lose."));
    rebuild();
}

void SavingsWaterfall::setData(SavingsWaterfallData content) {
    m_data = std::move(content);
    rebuild(true);
}

void SavingsWaterfall::setOrder(Order order) {
    m_order = order;
    rebuild();
}

std::vector<std::size_t> SavingsWaterfall::sorted(int* skipped) const {
    std::vector<std::size_t> order;
    for (std::size_t i = 0; i < m_data.layers.size(); ++i) {
        const SavingsItem& item = m_data.layers[i];
        if (!std::isfinite(item.saved))
            ++*skipped;
        else if (item.saved != 0.0)
            order.push_back(i);
    }
    const auto price = [this](std::size_t i) {
        const SavingsItem& item = m_data.layers[i];
        if (!std::isfinite(item.predictedLoss)) return std::numeric_limits<double>::max();
        return item.saved > 0.0 ? item.predictedLoss / item.saved : std::numeric_limits<double>::max();
    };
    if (m_order == Order::Saved)
        std::stable_sort(order.begin(), order.end(), [this](std::size_t a, std::size_t b) {
            return m_data.layers[a].saved > m_data.layers[b].saved;
        });
    if (m_order == Order::LossPerSaving)
        std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return price(a) < price(b); });
    return order;
}

PlotScene SavingsWaterfall::buildScene() const {
    PlotScene scene;
    const std::vector<std::size_t> order = sorted(&scene.skipped);
    if (order.empty()) return scene;
    PlotSeries bars{.name = tr("Cost left after this layer"), .mark = Mark::Bars, .ink = {Role::Accent}};
    PlotSeries losses{.name = tr("Predicted loss (right axis)"),
                      .mark = order.size() > 40 ? Mark::Points : Mark::Lollipops,  // stems would cover the steps
                      .ink = {Role::Before},
                      .isFilled = false,
                      .isOnRightAxis = true};
    double left = 100.0, lowest = 100.0, highest = 100.0, mostLoss = 0.0, leastLoss = 0.0, total = 0.0;
    std::size_t largest = order.front();
    for (std::size_t position = 0; position < order.size(); ++position) {
        const SavingsItem& item = m_data.layers[order[position]];
        const auto x = static_cast<double>(position);
        const double next = left - 100.0 * item.saved;
        QString hover = tr("%1\nsaves %2 of all %3").arg(item.label, percentText(100.0 * item.saved), m_data.costName) +
                        u'\n' + tr("%1 left with the layers before it").arg(percentText(next));
        const bool hasLoss = std::isfinite(item.predictedLoss);
        if (hasLoss) hover += u'\n' + tr("predicted loss %1 %2").arg(numberText(item.predictedLoss), m_data.unit);
        if (!item.text.isEmpty()) hover += u'\n' + item.text;
        bars.points.push_back({.key = item.key, .x = x, .y = left, .y2 = next, .hover = hover});
        if (hasLoss) {
            losses.points.push_back({.key = item.key, .x = x, .y = item.predictedLoss, .hover = hover});
            mostLoss = std::max(mostLoss, item.predictedLoss);
            leastLoss = std::min(leastLoss, item.predictedLoss);
            total += item.predictedLoss;
        }
        left = next;
        lowest = std::min(lowest, left);
        highest = std::max(highest, left);
        if (item.saved > m_data.layers[largest].saved) largest = order[position];
        scene.x.names += item.label;
    }
    scene.x.title = m_order == Order::Saved           ? tr("Layer, largest saving first")
                    : m_order == Order::LossPerSaving ? tr("Layer, cheapest saving first")
                                                      : tr("Layer, in execution order");
    scene.x.ticks = Ticks::Names;
    scene.x.hasGrid = false;
    scene.x.lower = -0.7;
    scene.x.upper = static_cast<double>(order.size()) - 0.3;
    std::tie(scene.y.lower, scene.y.upper) = padded(lowest, highest, 0.08);
    scene.y.title = tr("%1 left (%)").arg(m_data.costName);
    if (!losses.points.empty()) {
        scene.right = PlotAxis{.title = tr("Predicted loss (%1)").arg(m_data.unit)};
        // The losses keep to the lower half, so that they stay apart from the first, large steps.
        scene.right->lower = leastLoss < 0.0 ? leastLoss * 1.2 : 0.0;
        scene.right->upper = std::max(mostLoss * 1.9, 1e-9);
    }
    const SavingsItem& item = m_data.layers[largest];
    scene.title = tr("%n layers save %1 of %2, most of it %3 (%4)", nullptr, static_cast<int>(order.size()))
                      .arg(percentText(100.0 - left), m_data.costName, item.label, percentText(100.0 * item.saved));
    scene.detail = losses.points.empty() ? tr("Click a layer to go there")
                                         : tr("Predicted losses add up to %1 %2").arg(numberText(total), m_data.unit);
    scene.summary = scene.title + QStringLiteral(". ") + scene.detail + u'.';
    scene.series = {std::move(bars), std::move(losses)};
    return scene;
}

void SavingsWaterfall::pointActivated(const QString&, const PlotPoint& point) {
    emit layerActivated(point.key);
}

PlotTable SavingsWaterfall::table() const {
    PlotTable table{{tr("Layer"), tr("%1 saved (% of the network)").arg(m_data.costName),
                     tr("Predicted loss (%1)").arg(m_data.unit), tr("Remark")},
                    {}};
    for (const SavingsItem& item : m_data.layers)
        table.rows.append({item.label, 100.0 * item.saved, item.predictedLoss, item.text});
    return table;
}

}  // namespace equant::plots
