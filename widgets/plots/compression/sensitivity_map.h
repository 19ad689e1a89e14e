// SPDX-License-Identifier: GPL-3.0-or-later
// Sensitivity of the network to each layer: rows are layers from top to bottom, columns are ratios of cost left, the
// colour is how much score is lost when only this layer is compressed that far. Measured cells are full, predicted ones
// small, pale and dotted, missing ones hatched; a dot says that the change is within noise. Fills while a sweep runs.
// A click or Enter on a cell chooses the ratio; the arrow keys walk in both directions. GUI thread only.
#pragma once

#include <QHash>

#include "widgets/plots/base/plot_view.h"

namespace equant::plots {

enum class CellState { Unmeasured, Predicted, Measured };

/// One layer at one ratio.
struct SensitivityCell {
    CellState state = CellState::Unmeasured;
    double change = kNone;             ///< score minus baseline, in the unit of the score
    double low = kNone, high = kNone;  ///< confidence interval of the change
    bool isWithinNoise = false;
    QString text = {};  ///< more for the read-out, such as the method
};

struct SensitivityRow {
    QString key = {}, label = {};
    std::vector<SensitivityCell> cells = {};  ///< one for each ratio; missing ones at the end are not measured
    double chosenRatio = kNone;               ///< ratio of the present plan, 0..1
    QString skipReason = {};                  ///< not empty: the layer cannot be compressed, and why
};

struct SensitivityMapData {
    std::vector<double> ratios;          ///< cost left, 0..1, ascending
    std::vector<SensitivityRow> layers;  ///< in execution order
    double baseline = kNone;             ///< score of the network as it is
    QString scoreName = {};              ///< such as "Top-1 accuracy"
    QString unit = {};                   ///< of changes, such as "points"
    bool isHigherBetter = true;
    QString note = {};           ///< added to the detail line, such as a rank correlation
    double largestLoss = kNone;  ///< what the darkest colour means; kNone: the largest loss of these layers
};

class SensitivityMap : public PlotView {
    Q_OBJECT

public:
    explicit SensitivityMap(QWidget* parent = nullptr);
    void setData(SensitivityMapData content);
    /// Cheap: the picture follows soon, once for many cells. Unknown rows and columns are ignored.
    void setCell(int row, int column, const SensitivityCell& cell);
    void setCell(const QString& layerKey, double ratio, const SensitivityCell& cell);
    void setChosenRatio(const QString& layerKey, double ratio);
    void setNote(const QString& text);
    PlotTable table() const override;
    QMenu* createContextMenu() override;

signals:
    void ratioChosen(const QString& layerKey, double ratio);
    /// "Measure again with more samples" on a cell.
    void remeasureRequested(const QString& layerKey, double ratio);

protected:
    PlotScene buildScene() const override;
    void pointActivated(const QString& series, const PlotPoint& point) override;

private:
    double lossOf(const SensitivityCell& cell) const;
    double largestLoss() const;
    double columnOf(double ratio) const;
    QString hoverOf(const SensitivityRow& row, std::size_t column) const;
    void addRow(std::size_t index, double largest, std::vector<PlotSeries>& series, int& skipped) const;
    QString finding() const;
    SensitivityMapData m_data;
    QHash<QString, int> m_rows;
};

}  // namespace equant::plots
