// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/models/share_bar_delegate.h"

#include <QPainter>

#include "widgets/models/layer_model.h"
#include "widgets/plots/base/plot_theme.h"

namespace equant::ui {

void ShareBarDelegate::paint(QPainter* painter, const QStyleOptionViewItem& option, const QModelIndex& index) const {
    QStyledItemDelegate::paint(painter, option, index);
    const auto theme = plots::PlotTheme::fromPalette(option.palette, option.font);
    const QVariant share = index.data(LayerModel::ShareRole);
    painter->save();
    painter->setRenderHint(QPainter::Antialiasing);
    painter->setPen(Qt::NoPen);
    if (share.isValid()) {
        // Under the number, along the bottom edge: the text keeps its contrast.
        const QRectF cell = QRectF(option.rect).adjusted(4, 0, -4, 0);
        const double length = cell.width() * qBound(0.0, share.toDouble(), 1.0);
        painter->setBrush(theme.accent);
        painter->drawRoundedRect(QRectF(cell.right() - length, cell.bottom() - 3.5, length, 2.5), 1, 1);
    }
    if (index.data(LayerModel::FlagRole).toBool()) {
        const QPointF tip(option.rect.left() + 8, option.rect.center().y() - 3.5);
        painter->setBrush(theme.alert);
        painter->drawPolygon(QPolygonF({tip, tip + QPointF(4, 7), tip + QPointF(-4, 7)}));
    }
    painter->restore();
}

QSize ShareBarDelegate::sizeHint(const QStyleOptionViewItem& option, const QModelIndex& index) const {
    QSize size = QStyledItemDelegate::sizeHint(option, index);
    if (index.column() >= LayerModel::ImbalanceBefore) size.rwidth() += 12;  // room for the mark
    return size;
}

}  // namespace equant::ui
