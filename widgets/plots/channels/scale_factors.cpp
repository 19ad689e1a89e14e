// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/plots/channels/scale_factors.h"

#include <algorithm>
#include <cmath>

namespace equant::plots {

ScaleFactors::ScaleFactors(QWidget* parent) : PlotView(parent) {
    setEmptyText(tr("Equalize a model and select a pair of layers to see its scale factors."));
    rebuild();
}

void ScaleFactors::setData(ScaleFactorsData content) {
    m_data = std::move(content);
    rebuild();
}

PlotScene ScaleFactors::buildScene() const {
    PlotScene scene;
    PlotSeries factors{.name = tr("Scale factor"), .mark = Mark::Lollipops, .ink = {Role::After}};
    PlotSeries constant{.name = tr("Constant channel"),
                        .mark = Mark::Points,
                        .ink = {Role::Alert},
                        .symbol = Symbol::Cross,
                        .size = 8.0};
    double lowest = std::numeric_limits<double>::max(), highest = std::numeric_limits<double>::lowest();
    for (std::size_t i = 0; i < m_data.factors.size(); ++i) {
        const double factor = m_data.factors[i];
        const QString key = QString::number(i);
        const QString heading = tr("%1, channel %2").arg(m_data.pair).arg(i);
        const bool hasFactor = std::isfinite(factor) && factor > 0.0;
        if (isConstant(i)) {
            constant.points.push_back({.key = key,
                                       .x = static_cast<double>(i),
                                       .y = hasFactor ? std::log2(factor) : 0.0,
                                       .hover = tr("%1\nconstant: never changes").arg(heading)});
            lowest = std::min(lowest, constant.points.back().y);
            highest = std::max(highest, constant.points.back().y);
            continue;
        }
        if (!hasFactor) {
            ++scene.skipped;
            continue;
        }
        const double exponent = std::log2(factor);
        lowest = std::min(lowest, exponent);
        highest = std::max(highest, exponent);
        factors.points.push_back(
            {.key = key,
             .x = static_cast<double>(i),
             .y = exponent,
             .hover = tr("%1\ns = %2 (log₂ %3)").arg(heading, numberText(factor), numberText(exponent))});
    }
    if (factors.points.empty() && constant.points.empty()) return scene;
    scene.x = {.title = tr("Channel between the two layers"),
               .lower = -0.8,
               .upper = static_cast<double>(m_data.factors.size()) - 0.2,
               .ticks = Ticks::Integers,
               .hasGrid = false};
    scene.y.title = tr("log₂ of the scale factor");
    scene.title =
        tr("%1: factors from %2 to %3").arg(m_data.pair, numberText(std::exp2(lowest)), numberText(std::exp2(highest)));
    std::tie(scene.y.lower, scene.y.upper) = padded(std::min(lowest, 0.0), std::max(highest, 0.0), 0.1);
    scene.y.lower = std::min(scene.y.lower, -0.5);
    scene.y.upper = std::max(scene.y.upper, 0.5);
    const int constantCount = static_cast<int>(constant.points.size());
    if (constantCount > 0) scene.title += tr("; %n constant channels", nullptr, constantCount);
    scene.detail =
        tr("0: unchanged; +1: the range of the channel is halved in the first layer and doubled in the second");
    scene.summary = scene.title + u'.';
    factors.isInLegend = constantCount > 0;
    scene.series = {std::move(factors), std::move(constant)};
    return scene;
}

PlotTable ScaleFactors::table() const {
    PlotTable table{{tr("Channel"), tr("Scale factor"), tr("Dead")}, {}};
    for (std::size_t i = 0; i < m_data.factors.size(); ++i)
        table.rows.append({static_cast<qulonglong>(i), m_data.factors[i], isConstant(i)});
    return table;
}

}  // namespace equant::plots
