// SPDX-License-Identifier: GPL-3.0-or-later
// Paints a cell's share of the whole as a bar behind its number (LayerModel::ShareRole), and marks values that deserve
// attention (LayerModel::FlagRole) with a triangle, so that nothing rests on colour alone.
#pragma once

#include <QStyledItemDelegate>

namespace equant::ui {

class ShareBarDelegate : public QStyledItemDelegate {
    Q_OBJECT

public:
    using QStyledItemDelegate::QStyledItemDelegate;
    void paint(QPainter* painter, const QStyleOptionViewItem& option, const QModelIndex& index) const override;
    QSize sizeHint(const QStyleOptionViewItem& option, const QModelIndex& index) const override;
};

}  // namespace equant::ui
