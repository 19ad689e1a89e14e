// SPDX-License-Identifier: GPL-3.0-or-later
// The pairs of layers that cross-layer equalization looked at: whether to use each (a check box), what happened to it
// and why. The model does not change itself: it asks through exclusionRequested() and is told by setPairs().
#pragma once

#include <QAbstractTableModel>
#include <vector>

#include "core/passes/equalize.h"

namespace equant::ui {

class PairModel : public QAbstractTableModel {
    Q_OBJECT

public:
    enum Column { Layers, State, Reason, ColumnCount };
    enum Role { FirstLayerRole = Qt::UserRole, IndexRole };

    explicit PairModel(QObject* parent = nullptr);
    /// `excluded`: first layers of the pairs the user took out, which may differ from what `pairs` was computed with.
    void setPairs(std::vector<EqualizedPair> pairs, const std::vector<std::string>& excluded);
    const std::vector<EqualizedPair>& pairs() const { return m_pairs; }
    int rowOf(const QString& layer) const;  ///< first pair that contains the layer, -1 when there is none

    int rowCount(const QModelIndex& parent = {}) const override;
    int columnCount(const QModelIndex& parent = {}) const override;
    QVariant data(const QModelIndex& index, int role) const override;
    bool setData(const QModelIndex& index, const QVariant& value, int role) override;
    Qt::ItemFlags flags(const QModelIndex& index) const override;
    QVariant headerData(int section, Qt::Orientation orientation, int role) const override;

signals:
    void exclusionRequested(const QString& firstLayer, bool isExcluded);

private:
    bool isExcluded(const EqualizedPair& pair) const;
    bool isOptional(const EqualizedPair& pair) const;

    std::vector<EqualizedPair> m_pairs;
    std::vector<std::string> m_excluded;
};

}  // namespace equant::ui
