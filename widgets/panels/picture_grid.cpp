// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/panels/picture_grid.h"

#include <QPainter>

namespace equant::ui {

using namespace Qt::StringLiterals;

namespace {

constexpr int kSide = 56;
constexpr int kGap = 8;
constexpr int kArrow = 16;
constexpr int kCellWidth = 2 * kSide + kArrow + kGap;

void drawFitted(QPainter& painter, const QRect& cell, const QImage& image) {
    if (image.isNull()) return;
    const QSize size = image.size().scaled(cell.size(), Qt::KeepAspectRatio);
    QRect target({0, 0}, size);
    target.moveCenter(cell.center());
    painter.drawImage(target, image);
}

}  // namespace

QImage toQImage(const Image& image) {
    if (image.width <= 0 || image.height <= 0) return {};
    const auto format = image.channels == 1 ? QImage::Format_Grayscale8 : QImage::Format_RGB888;
    if (image.channels != 1 && image.channels != 3) return {};
    return QImage(image.pixels.data(), image.width, image.height, image.width * image.channels, format).copy();
}

PictureGrid::PictureGrid(QWidget* parent) : QWidget(parent) {
    setObjectName(u"pictureGrid"_s);
    setAccessibleName(tr("Samples as they are and as the model sees them"));
    QSizePolicy policy(QSizePolicy::Expanding, QSizePolicy::Minimum);
    policy.setHeightForWidth(true);
    setSizePolicy(policy);
}

void PictureGrid::setPictures(std::vector<PicturePair> pictures) {
    m_pictures = std::move(pictures);
    setVisible(!m_pictures.empty());
    updateGeometry();
    update();
}

int PictureGrid::columns(int width) const {
    return std::max(1, width / kCellWidth);
}

int PictureGrid::heightForWidth(int width) const {
    const int count = static_cast<int>(m_pictures.size());
    const int rows = (count + columns(width) - 1) / columns(width);
    return rows * (kSide + fontMetrics().height() + kGap + 4);
}

QSize PictureGrid::sizeHint() const {
    return {kCellWidth, heightForWidth(std::max(width(), kCellWidth))};
}

void PictureGrid::paintEvent(QPaintEvent*) {
    QPainter painter(this);
    painter.setRenderHint(QPainter::SmoothPixmapTransform);
    const int perRow = columns(width());
    const int rowHeight = kSide + fontMetrics().height() + kGap + 4;
    for (std::size_t i = 0; i < m_pictures.size(); ++i) {
        const int x = static_cast<int>(i) % perRow * kCellWidth;
        const int y = static_cast<int>(i) / perRow * rowHeight;
        const PicturePair& pair = m_pictures[i];
        drawFitted(painter, {x, y, kSide, kSide}, pair.original);
        drawFitted(painter, {x + kSide + kArrow, y, kSide, kSide}, pair.seen);
        painter.setPen(palette().color(QPalette::Disabled, QPalette::WindowText));
        painter.drawText(QRect(x + kSide, y, kArrow, kSide), Qt::AlignCenter, u"→"_s);
        painter.setPen(palette().color(QPalette::WindowText));
        painter.drawText(QRect(x, y + kSide + 2, 2 * kSide + kArrow, fontMetrics().height()), Qt::AlignLeft,
                         fontMetrics().elidedText(pair.caption, Qt::ElideRight, 2 * kSide + kArrow));
    }
}

}  // namespace equant::ui
