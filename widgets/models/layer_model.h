// SPDX-License-Identifier: GPL-3.0-or-later
// The layers of a model as a table, in execution order; the spine that every view selects through. Columns come in
// sets, which views show or hide. GUI thread only.
#pragma once

#include <QAbstractTableModel>
#include <vector>

#include "widgets/models/layer_row.h"

namespace equant::ui {

enum class ColumnSet { Structure, Ranges, Compression, Quantization };

class LayerModel : public QAbstractTableModel {
    Q_OBJECT

public:
    enum Column {
        Position,
        Name,
        Type,
        OutputShape,
        WeightShape,
        Parameters,
        Macs,
        Activations,
        ImbalanceBefore,
        ImbalanceAfter,
        TypicalBitsBefore,
        TypicalBitsAfter,
        PlanMethod,
        PlanRatio,
        PlanSize,
        MacsSaved,
        LocalSqnr,
        AccumulatedSqnr,
        Bits,
        ColumnCount
    };
    enum Role {
        SortRole = Qt::UserRole,  ///< the number behind the text; unknown values sort last
        ShareRole,                ///< 0..1: length of the inline bar; invalid when there is none
        NameRole,                 ///< the layer's name, in every column
        FlagRole                  ///< true: the value deserves attention
    };

    explicit LayerModel(QObject* parent = nullptr);

    void setRows(std::vector<LayerRow> rows);  ///< resets the model
    /// The same layers with other figures: keeps selection and scroll position.
    void updateRows(std::vector<LayerRow> rows);
    const std::vector<LayerRow>& rows() const { return m_rows; }
    int rowOf(const QString& name) const;  ///< -1 when there is none

    static ColumnSet setOf(int column);
    static bool isAlwaysShown(int column) { return column <= Type; }

    int rowCount(const QModelIndex& parent = {}) const override;
    int columnCount(const QModelIndex& parent = {}) const override;
    QVariant data(const QModelIndex& index, int role) const override;
    QVariant headerData(int section, Qt::Orientation orientation, int role) const override;

private:
    QString text(const LayerRow& row, int column) const;
    QVariant number(const LayerRow& row, int column) const;

    std::vector<LayerRow> m_rows;
};

}  // namespace equant::ui
