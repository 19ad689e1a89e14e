// SPDX-License-Identifier: GPL-3.0-or-later
// Plots with one row per item: as many rows as stay legible, the rest is scrolled. Files and paper get all of them.
#include <algorithm>
#include <cmath>

#include "widgets/plots/base/plot_canvas_internal.h"
#include "widgets/plots/base/plot_ticks_internal.h"

namespace equant::plots {
namespace {

constexpr double kMostSpacing = 64.0;  ///< pixels per row a user can zoom to
constexpr double kRowLabelWidth = 170.0;

}  // namespace

void PlotCanvas::planRows() {
    if (!hasRows()) return;
    const double height = std::max(1, axisRect()->height());
    const double all = m_homeY.size();
    const double wanted = m_rowSpacing > 0.0 ? m_rowSpacing : m_state.scene.y.leastSpacing;
    const double count = m_isRendering ? all : std::min(all, height / wanted);
    const double first = std::clamp(m_isRendering ? m_homeY.lower : m_rowTop, m_homeY.lower, m_homeY.upper - count);
    if (!m_isRendering) m_rowTop = first;
    m_isSettingRange = true;
    yAxis->setRange(first, first + count);
    m_isSettingRange = false;
}

void PlotCanvas::scrollRowsTo(double first) {
    if (!hasRows()) return;
    m_rowTop = std::clamp(first, m_homeY.lower, std::max(m_homeY.lower, m_homeY.upper - yAxis->range().size()));
    replot(rpQueuedReplot);
}

void PlotCanvas::zoomRows(double factor, double pixel) {
    if (!hasRows()) return;
    const double height = std::max(1, axisRect()->height());
    const double least = height / m_homeY.size();  // everything fits
    const double row = yAxis->pixelToCoord(pixel);
    const double spacing = std::clamp(height / yAxis->range().size() * factor, least, std::max(least, kMostSpacing));
    m_rowTop = row - (row - yAxis->range().lower) * (height / yAxis->range().size()) / spacing;
    m_rowSpacing = spacing;
    replot(rpQueuedReplot);
}

void PlotCanvas::planRowNames() {
    if (!m_rowTicker) return;
    const QFontMetricsF metrics(m_state.theme.smallFont());
    const QStringList& names = m_rowTicker->names();
    const double spacing = axisRect()->height() / std::max(1.0, yAxis->range().size());
    const int step = std::max(1, static_cast<int>(std::ceil(metrics.height() * 0.95 / std::max(spacing, 1e-3))));
    const double room = std::clamp(viewport().width() * 0.28, 24.0, kRowLabelWidth);
    const auto first = static_cast<qsizetype>(std::max(0.0, std::floor(yAxis->range().lower)));
    const auto last = static_cast<qsizetype>(std::ceil(yAxis->range().upper));
    QStringList labels;
    for (qsizetype i = 0; i < names.size(); ++i) {
        const bool isShown = i >= first && i <= last && i % step == 0;
        // Names of layers are paths: what tells them apart is at their end.
        labels += isShown ? metrics.elidedText(names[i], Qt::ElideLeft, room) : QString();
    }
    m_rowTicker->plan(step, labels);
}

}  // namespace equant::plots
