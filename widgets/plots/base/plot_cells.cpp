// SPDX-License-Identifier: GPL-3.0-or-later
// Cells of heat maps and the legend of their colours.
#include <QLinearGradient>
#include <algorithm>
#include <cmath>

#include "widgets/plots/base/plot_marks_internal.h"

namespace equant::plots {
namespace {

constexpr int kGradientWidth = 56, kGap = 5;

/// Diagonal lines only, as a sign of absence.
void drawFaintLines(QPainter* painter, const QRectF& rect, const QColor& colour) {
    painter->setPen(QPen(colour, 0.8));
    constexpr double kStep = 6.0;
    for (double sum = std::ceil((rect.left() + rect.top()) / kStep) * kStep; sum < rect.right() + rect.bottom();
         sum += kStep) {
        const double left = std::max(rect.left(), sum - rect.bottom());
        const double right = std::min(rect.right(), sum - rect.top());
        painter->drawLine(QLineF(left, sum - left, right, sum - right));
    }
}

}  // namespace

void drawCell(QPainter* painter, QRectF rect, CellStyle style, double value, const PlotTheme& theme) {
    // Whole pixels: neighbours neither overlap nor leave seams.
    rect = QRectF(QPointF(std::round(rect.left()), std::round(rect.top())),
                  QPointF(std::round(rect.right()), std::round(rect.bottom())));
    if (rect.width() < 1.0) rect.setWidth(1.0);
    if (rect.height() < 1.0) rect.setHeight(1.0);
    const bool isRoomy = std::min(rect.width(), rect.height()) >= 9.0;
    painter->setRenderHint(QPainter::Antialiasing, false);
    const QColor colour = theme.scaleColour(value);
    switch (style) {
        case CellStyle::Full:
            painter->fillRect(rect, colour);
            break;
        case CellStyle::Dotted: {
            const double share = isRoomy ? 0.26 : 0.2;
            const QRectF patch =
                rect.adjusted(isRoomy ? rect.height() * share : rect.width() * share, rect.height() * share,
                              isRoomy ? -rect.height() * share : -rect.width() * share, -rect.height() * share);
            painter->fillRect(patch.width() > 1.0 ? patch : rect, mixed(colour, theme.background, 0.3));
            if (!isRoomy) break;
            painter->setPen(QPen(mixed(theme.background, theme.text, 0.45), 1.0, Qt::DotLine));
            painter->setBrush(Qt::NoBrush);
            painter->drawRect(rect.adjusted(0, 0, -1, -1));
            break;
        }
        case CellStyle::Hatched:
            painter->setRenderHint(QPainter::Antialiasing, true);
            if (isRoomy)
                drawFaintLines(painter, rect, mixed(theme.background, theme.text, 0.22));
            else
                painter->fillRect(rect, mixed(theme.background, theme.text, 0.06));
            break;
        case CellStyle::Grey:
            painter->fillRect(rect, mixed(theme.background, theme.text, 0.12));
            break;
    }
    painter->setRenderHint(QPainter::Antialiasing, true);
}

void HeaderElement::planScale(int width, int x, int y, int rows) {
    m_scaleRect = QRect();
    const auto& scale = m_state.scene.colourScale;
    if (!scale || scale->stops.size() < 2) return;
    const QFontMetrics metrics(m_state.theme.smallFont());
    int own = metrics.horizontalAdvance(scale->title) + kGap * 2;
    for (const QString& stop : scale->stops) own += metrics.horizontalAdvance(stop) + 2 * kGap;
    own += (kGradientWidth + kGap) * static_cast<int>(scale->stops.size() - 1);
    if (own > width) return;
    const int rowHeight = metrics.height() + 2;
    if (x > 0 && x + own > width) {
        if (rows >= 3) return;
        x = 0;
        y += rowHeight;
    }
    m_scaleRect = QRect(x, y, own, rowHeight);
    m_height = y + rowHeight;
}

void HeaderElement::drawScale(QCPPainter* painter, QRectF rect) const {
    const PlotColourScale& scale = *m_state.scene.colourScale;
    const QFontMetricsF metrics(m_state.theme.smallFont());
    double x = rect.left();
    const auto write = [&](const QString& text) {
        const double width = metrics.horizontalAdvance(text);
        painter->setPen(m_state.theme.text);
        painter->drawText(QRectF(x, rect.top(), width + 2, rect.height()), Qt::AlignLeft | Qt::AlignVCenter, text);
        x += width + kGap;
    };
    painter->setFont(m_state.theme.smallFont());
    write(scale.title);
    x += kGap;
    const auto parts = static_cast<double>(scale.stops.size() - 1);
    for (qsizetype i = 0; i < scale.stops.size(); ++i) {
        write(scale.stops[i]);
        if (i + 1 == scale.stops.size()) break;
        const QRectF bar(x, rect.center().y() - 4, kGradientWidth, 9);
        QLinearGradient gradient(bar.topLeft(), bar.topRight());
        constexpr int kSteps = 8;
        for (int s = 0; s <= kSteps; ++s) {
            const double share = s / double(kSteps);
            gradient.setColorAt(share, m_state.theme.scaleColour((static_cast<double>(i) + share) / parts));
        }
        painter->fillRect(bar, gradient);
        x += kGradientWidth + kGap;
    }
}

}  // namespace equant::plots
