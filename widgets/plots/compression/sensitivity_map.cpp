// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/plots/compression/sensitivity_map.h"

#include <QLocale>
#include <QMenu>
#include <algorithm>
#include <cmath>

namespace equant::plots {
namespace {

enum Part : std::size_t { Unmeasured, Predicted, Measured, Skipped, Noise, Chosen, PartCount };

QString signedText(double value) {
    return (value > 0.0 ? QStringLiteral("+") : QString()) + numberText(value);
}

/// Even distances are easy to read, but small losses matter most: the scale grows with the root of the loss.
double colourOf(double loss, double largest) {
    return largest > 0.0 ? std::sqrt(std::clamp(loss / largest, 0.0, 1.0)) : 0.0;
}

}  // namespace

SensitivityMap::SensitivityMap(QWidget* parent) : PlotView(parent) {
    setEmptyText(tr("Predict or measure sensitivities to see how much each layer can be compressed."));
    rebuild();
}

void SensitivityMap::setData(SensitivityMapData content) {
    m_data = std::move(content);
    m_rows.clear();
    for (std::size_t i = 0; i < m_data.layers.size(); ++i) {
        m_data.layers[i].cells.resize(m_data.ratios.size());
        m_rows.insert(m_data.layers[i].key, static_cast<int>(i));
    }
    rebuild();
}

void SensitivityMap::setCell(int row, int column, const SensitivityCell& cell) {
    if (row < 0 || row >= static_cast<int>(m_data.layers.size())) return;
    auto& cells = m_data.layers[static_cast<std::size_t>(row)].cells;
    if (column < 0 || column >= static_cast<int>(cells.size())) return;
    cells[static_cast<std::size_t>(column)] = cell;
    rebuildSoon();
}

void SensitivityMap::setCell(const QString& layerKey, double ratio, const SensitivityCell& cell) {
    const auto it = std::find_if(m_data.ratios.begin(), m_data.ratios.end(),
                                 [ratio](double each) { return std::abs(each - ratio) < 1e-6; });
    if (it == m_data.ratios.end()) return;
    setCell(m_rows.value(layerKey, -1), static_cast<int>(it - m_data.ratios.begin()), cell);
}

void SensitivityMap::setChosenRatio(const QString& layerKey, double ratio) {
    const int row = m_rows.value(layerKey, -1);
    if (row < 0) return;
    m_data.layers[static_cast<std::size_t>(row)].chosenRatio = ratio;
    rebuildSoon();
}

void SensitivityMap::setNote(const QString& text) {
    m_data.note = text;
    rebuildSoon();
}

double SensitivityMap::lossOf(const SensitivityCell& cell) const {
    return m_data.isHigherBetter ? -cell.change : cell.change;
}

double SensitivityMap::largestLoss() const {
    if (std::isfinite(m_data.largestLoss)) return m_data.largestLoss;
    double largest = 0.0;
    for (const SensitivityRow& row : m_data.layers)
        for (const SensitivityCell& cell : row.cells)
            if (row.skipReason.isEmpty() && cell.state != CellState::Unmeasured && std::isfinite(cell.change))
                largest = std::max(largest, lossOf(cell));
    return largest;
}

double SensitivityMap::columnOf(double ratio) const {
    const auto& ratios = m_data.ratios;
    if (!std::isfinite(ratio) || ratios.empty()) return kNone;
    if (ratio <= ratios.front()) return ratio < ratios.front() - 1e-9 ? -0.4 : 0.0;
    if (ratio > ratios.back() + 1e-9) return static_cast<double>(ratios.size()) - 0.6;  // not compressed: at the border
    const auto upper = std::lower_bound(ratios.begin(), ratios.end(), ratio - 1e-9);
    const auto index = static_cast<double>(upper - ratios.begin());
    if (upper == ratios.begin()) return 0.0;
    return index - (*upper - ratio) / (*upper - *(upper - 1));
}

QString SensitivityMap::hoverOf(const SensitivityRow& row, std::size_t column) const {
    const QString heading = tr("%1 at %2 of its cost").arg(row.label, percentText(100.0 * m_data.ratios[column]));
    if (!row.skipReason.isEmpty()) return row.label + u'\n' + tr("cannot be compressed: %1").arg(row.skipReason);
    const SensitivityCell& cell = row.cells[column];
    QString text = heading + u'\n';
    if (cell.state == CellState::Unmeasured || !std::isfinite(cell.change)) {
        text += cell.state == CellState::Unmeasured ? tr("not measured yet") : tr("no finite score");
    } else {
        text += cell.state == CellState::Measured ? tr("measured change %1 %2")
                                                  : tr("predicted change %1 %2, not measured");
        text = text.arg(signedText(cell.change), m_data.unit);
        if (std::isfinite(cell.low) && std::isfinite(cell.high))
            text += u'\n' + tr("between %1 and %2").arg(signedText(cell.low), signedText(cell.high));
        if (cell.isWithinNoise) text += u'\n' + tr("within the confidence interval of the score");
    }
    if (!cell.text.isEmpty()) text += u'\n' + cell.text;
    if (std::isfinite(row.chosenRatio)) text += u'\n' + tr("chosen: %1").arg(percentText(100.0 * row.chosenRatio));
    return text;
}

void SensitivityMap::addRow(std::size_t index, double largest, std::vector<PlotSeries>& series, int& skipped) const {
    const SensitivityRow& row = m_data.layers[index];
    const auto y = static_cast<double>(index);
    for (std::size_t column = 0; column < m_data.ratios.size(); ++column) {
        const SensitivityCell& cell = row.cells[column];
        const bool hasValue = cell.state != CellState::Unmeasured && std::isfinite(cell.change);
        const bool isSkipped = !row.skipReason.isEmpty();
        skipped += !isSkipped && cell.state != CellState::Unmeasured && !hasValue ? 1 : 0;
        const Part part = isSkipped                           ? Skipped
                          : !hasValue                         ? Unmeasured
                          : cell.state == CellState::Measured ? Measured
                                                              : Predicted;
        const auto x = static_cast<double>(column);
        series[part].points.push_back({.key = row.key,
                                       .x = x,
                                       .y = y,
                                       .value = hasValue ? colourOf(lossOf(cell), largest) : 0.0,
                                       .hover = hoverOf(row, column)});
        if (hasValue && !isSkipped && cell.isWithinNoise)
            series[Noise].points.push_back({.key = row.key, .x = x, .y = y});
    }
    const double chosen = columnOf(row.chosenRatio);
    if (std::isfinite(chosen) && row.skipReason.isEmpty())
        series[Chosen].points.push_back({.key = row.key, .x = chosen, .y = y});
}

QString SensitivityMap::finding() const {
    const SensitivityRow* worst = nullptr;
    double worstLoss = 0.0, worstRatio = 0.0;
    for (const SensitivityRow& row : m_data.layers)
        for (std::size_t i = 0; i < row.cells.size() && row.skipReason.isEmpty(); ++i) {
            const SensitivityCell& cell = row.cells[i];
            if (cell.state == CellState::Unmeasured || cell.isWithinNoise || !(lossOf(cell) > worstLoss)) continue;
            if (!std::isfinite(cell.change)) continue;
            worst = &row;
            worstLoss = lossOf(cell);
            worstRatio = m_data.ratios[i];
        }
    if (!worst) return tr("No measured loss exceeds its confidence interval so far");
    return (m_data.isHigherBetter ? tr("%1 is the most sensitive layer: %2 %3 lost at %4")
                                  : tr("%1 is the most sensitive layer: error %2 %3 at %4"))
        .arg(worst->label, numberText(worstLoss), m_data.unit, percentText(100.0 * worstRatio));
}

PlotScene SensitivityMap::buildScene() const {
    PlotScene scene;
    if (m_data.layers.empty() || m_data.ratios.empty()) return scene;
    std::vector<PlotSeries> series(PartCount);
    series[Unmeasured] = {.name = tr("Not measured"), .mark = Mark::Cells, .ink = {Role::Muted}};
    series[Predicted] = {.name = tr("Predicted"), .mark = Mark::Cells, .ink = {Role::Muted}};
    series[Measured] = {.name = tr("Measured"), .mark = Mark::Cells, .ink = {Role::Muted}};
    series[Skipped] = {.name = tr("Cannot be compressed"), .mark = Mark::Cells, .ink = {Role::Muted}};
    series[Unmeasured].cells = CellStyle::Hatched;
    series[Predicted].cells = CellStyle::Dotted;
    series[Skipped].cells = CellStyle::Grey;
    for (std::size_t i = Unmeasured; i <= Skipped; ++i) series[i].width = 0.96;
    series[Noise] = {.name = tr("Within noise"), .ink = {Role::Text}, .isNavigable = false, .size = 4.0};
    series[Chosen] = {
        .name = tr("Chosen ratio"), .ink = {Role::Alert}, .symbol = Symbol::Diamond, .isNavigable = false, .size = 8.0};
    series[Noise].hasHalo = series[Chosen].hasHalo = true;
    const double largest = largestLoss();
    for (std::size_t i = 0; i < m_data.layers.size(); ++i) {
        addRow(i, largest, series, scene.skipped);
        scene.y.names += m_data.layers[i].label;
    }
    for (const double ratio : m_data.ratios) scene.x.names += numberText(100.0 * ratio);
    const auto rows = static_cast<double>(m_data.layers.size());
    scene.x.title = tr("Cost left in the layer (%)");
    scene.x.ticks = Ticks::Names;
    scene.x.hasGrid = false;
    scene.x.lower = -0.5;
    scene.x.upper = static_cast<double>(m_data.ratios.size()) - 0.5;
    scene.y.ticks = Ticks::Names;
    scene.y.hasGrid = false;
    scene.y.isReversed = true;
    scene.y.leastSpacing = 15.0;
    scene.y.lower = -0.5;
    scene.y.upper = rows - 0.5;
    scene.pick = Pick::Row;
    if (largest > 0.0) {
        const QString sign = m_data.isHigherBetter ? QStringLiteral("−") : QStringLiteral("+");
        scene.colourScale = PlotColourScale{tr("Change:"),
                                            {QStringLiteral("0"), sign + numberText(largest / 4.0, 2),
                                             sign + numberText(largest, 2) + u' ' + m_data.unit}};
    }
    const std::size_t measured = series[Measured].points.size();
    const std::size_t all = measured + series[Predicted].points.size() + series[Unmeasured].points.size();
    const QString progress = measured == 0 ? tr("%n cells, all predicted", nullptr, static_cast<int>(all))
                                           : tr("%1 of %n cells measured", nullptr, static_cast<int>(all))
                                                 .arg(QLocale().toString(static_cast<qulonglong>(measured)));
    scene.title = finding();
    scene.detail = progress;
    const bool isScore = m_data.isHigherBetter;  // an error begins at nothing, which needs no words
    if (!isScore && !m_data.scoreName.isEmpty()) scene.detail = m_data.scoreName + QStringLiteral(" · ") + progress;
    if (isScore && std::isfinite(m_data.baseline) && !m_data.scoreName.isEmpty())
        scene.detail = tr("%1 %2 uncompressed").arg(m_data.scoreName, numberText(m_data.baseline, 4)) +
                       QStringLiteral(" · ") + progress;
    if (!m_data.note.isEmpty()) scene.detail += QStringLiteral(" · ") + m_data.note;
    scene.summary = scene.title + QStringLiteral(". ") + progress + u'.';
    scene.series = std::move(series);
    return scene;
}

void SensitivityMap::pointActivated(const QString&, const PlotPoint& point) {
    const auto column = static_cast<std::size_t>(std::lround(point.x));
    const int row = m_rows.value(point.key, -1);
    if (row < 0 || column >= m_data.ratios.size()) return;
    if (m_data.layers[static_cast<std::size_t>(row)].skipReason.isEmpty())
        emit ratioChosen(point.key, m_data.ratios[column]);
}

QMenu* SensitivityMap::createContextMenu() {
    QMenu* menu = PlotView::createContextMenu();
    const PlotPoint* point = pointOfInterest();
    const int row = point ? m_rows.value(point->key, -1) : -1;
    const auto column = point ? static_cast<std::size_t>(std::lround(point->x)) : 0;
    const bool isCell = row >= 0 && m_data.layers[static_cast<std::size_t>(row)].skipReason.isEmpty();
    const QString key = isCell ? point->key : QString();
    const double ratio = isCell ? m_data.ratios[column] : kNone;
    auto* choose =
        new QAction(isCell ? tr("&Use %1 here").arg(percentText(100.0 * ratio)) : tr("&Use this ratio"), menu);
    auto* again = new QAction(tr("&Measure again with more samples"), menu);
    choose->setEnabled(isCell);
    again->setEnabled(isCell);
    connect(choose, &QAction::triggered, this, [this, key, ratio] { emit ratioChosen(key, ratio); });
    connect(again, &QAction::triggered, this, [this, key, ratio] { emit remeasureRequested(key, ratio); });
    QAction* first = menu->actions().value(0);
    menu->insertAction(first, choose);
    menu->insertAction(first, again);
    menu->insertSeparator(first);
    return menu;
}

PlotTable SensitivityMap::table() const {
    PlotTable table{{tr("Layer"), tr("Ratio (%)"), tr("State"), tr("Change (%1)").arg(m_data.unit), tr("Low"),
                     tr("High"), tr("Within noise"), tr("Chosen ratio (%)"), tr("Why not")},
                    {}};
    for (const SensitivityRow& row : m_data.layers)
        for (std::size_t i = 0; i < row.cells.size(); ++i) {
            const SensitivityCell& cell = row.cells[i];
            const QString state = !row.skipReason.isEmpty()            ? tr("cannot be compressed")
                                  : cell.state == CellState::Measured  ? tr("measured")
                                  : cell.state == CellState::Predicted ? tr("predicted")
                                                                       : tr("not measured");
            table.rows.append({row.label, 100.0 * m_data.ratios[i], state, cell.change, cell.low, cell.high,
                               cell.isWithinNoise ? tr("yes") : tr("no"), 100.0 * row.chosenRatio, row.skipReason});
        }
    return table;
}

}  // namespace equant::plots
