// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/plots/base/plot_marks_internal.h"

namespace equant::plots {
namespace {

constexpr int kLeft = 10, kTop = 8, kIconWidth = 20, kEntryGap = 16;

/// At most `count` lines; the last one is elided.
QStringList wrapped(const QString& text, const QFontMetrics& metrics, int width, int count) {
    QStringList lines;
    QString line;
    const QStringList words = text.simplified().split(u' ', Qt::SkipEmptyParts);
    for (qsizetype i = 0; i < words.size(); ++i) {
        const QString longer = line.isEmpty() ? words[i] : line + u' ' + words[i];
        if (metrics.horizontalAdvance(longer) <= width || line.isEmpty()) {
            line = longer;
            continue;
        }
        if (lines.size() + 1 == count) {
            line = QStringList(words.mid(i)).join(u' ').prepend(line + u' ');
            break;
        }
        lines += line;
        line = words[i];
    }
    if (!line.isEmpty()) lines += line;
    for (QString& each : lines)
        if (metrics.horizontalAdvance(each) > width) each = metrics.elidedText(each, Qt::ElideRight, width);
    return lines;
}

}  // namespace

HeaderElement::HeaderElement(QCustomPlot* plot, const CanvasState& state) : QCPLayoutElement(plot), m_state(state) {
    setMargins(QMargins());
}

void HeaderElement::plan(int width, int level) {
    m_titleLines.clear();
    m_detail.clear();
    m_entries.clear();
    m_scaleRect = QRect();
    m_height = 0;
    if (level == 0 || m_state.title().isEmpty() || m_state.scene.isEmpty()) return;
    const int room = std::max(10, width - 2 * kLeft);
    const QFontMetrics titleMetrics(m_state.theme.titleFont());
    const QFontMetrics metrics(m_state.theme.smallFont());
    m_titleLines = wrapped(m_state.title(), titleMetrics, room, level == 1 ? 1 : 2);
    m_height = kTop + static_cast<int>(m_titleLines.size()) * titleMetrics.height();
    if (level < 2) return;
    QString detail = m_state.isOnPaper && m_state.scene.isDetailForUser ? QString() : m_state.scene.detail;
    const QString skipped = skippedText(m_state.scene.skipped);
    if (!skipped.isEmpty()) detail += (detail.isEmpty() ? QString() : QStringLiteral(" · ")) + skipped;
    if (!detail.isEmpty() && level >= 3) {
        m_detail = metrics.elidedText(detail, Qt::ElideRight, room);
        m_height += metrics.height() + 1;
    }
    planLegend(room, m_height + 4);
    m_height += 2;
}

void HeaderElement::planLegend(int width, int top) {
    const QFontMetrics metrics(m_state.theme.smallFont());
    const int rowHeight = metrics.height() + 2;
    int x = 0, y = top, rows = 1;
    for (std::size_t i = 0; i < m_state.scene.series.size(); ++i) {
        const PlotSeries& series = m_state.scene.series[i];
        if (!series.isInLegend || series.points.empty()) continue;
        const int longest = std::max(10, width - kIconWidth - 6);
        const QString text = metrics.elidedText(series.name, Qt::ElideRight, longest);
        const int entryWidth = kIconWidth + 6 + metrics.horizontalAdvance(text);
        if (x > 0 && x + entryWidth > width) {
            if (++rows > 2) break;
            x = 0;
            y += rowHeight;
        }
        m_entries.append({i, QRect(x, y, entryWidth, rowHeight), text});
        x += entryWidth + kEntryGap;
    }
    if (!m_entries.isEmpty()) m_height = y + rowHeight;
    planScale(width, x, y, rows);
}

void HeaderElement::draw(QCPPainter* painter) {
    if (m_height == 0) return;
    const PlotTheme& theme = m_state.theme;
    int y = mRect.top() + kTop;
    painter->setFont(theme.titleFont());
    painter->setPen(theme.text);
    const int lineHeight = QFontMetrics(theme.titleFont()).height();
    for (const QString& line : m_titleLines) {
        painter->drawText(QRect(mRect.left() + kLeft, y, mRect.width() - kLeft, lineHeight),
                          Qt::AlignLeft | Qt::AlignVCenter, line);
        y += lineHeight;
    }
    painter->setFont(theme.smallFont());
    painter->setPen(theme.mutedText);
    const int detailHeight = QFontMetrics(theme.smallFont()).height();
    if (!m_detail.isEmpty())
        painter->drawText(QRect(mRect.left() + kLeft, y + 1, mRect.width() - kLeft, detailHeight),
                          Qt::AlignLeft | Qt::AlignVCenter, m_detail);
    for (const Entry& entry : std::as_const(m_entries)) {
        const PlotSeries& series = m_state.scene.series[entry.series];
        const QRectF rect = QRectF(entry.rect).translated(mRect.left() + kLeft, mRect.top());
        const QPointF centre(rect.left() + kIconWidth / 2.0, rect.center().y());
        const QColor colour = theme.colour(series.ink);
        painter->setAntialiasing(true);
        if (series.mark == Mark::Cells)
            drawCell(painter, QRectF(centre.x() - 9, centre.y() - 6, 18, 12), series.cells, 0.5, theme);
        const bool isBlock = series.mark == Mark::Bars || series.mark == Mark::Intervals || series.mark == Mark::Band;
        const bool isLine = series.mark == Mark::Line || series.mark == Mark::Connectors || series.mark == Mark::Arrows;
        if (isBlock) {
            const QRectF block(centre.x() - 7, centre.y() - 4, 14, 8);
            if (series.isFilled) {
                painter->fillRect(block, colour);
            } else if (series.mark == Mark::Bars) {
                drawHatched(painter, block, colour);
            } else {
                QColor fill = colour;
                fill.setAlphaF(kHollowOpacity);
                painter->setPen(QPen(colour, 1.0));
                painter->setBrush(fill);
                painter->drawRect(block);
            }
        }
        if (isLine) {
            painter->setPen(QPen(colour, 1.8,
                                 series.isDotted   ? Qt::DotLine
                                 : series.isDashed ? Qt::DashLine
                                                   : Qt::SolidLine));
            painter->drawLine(QPointF(centre.x() - 10, centre.y()), QPointF(centre.x() + 10, centre.y()));
        }
        if (series.mark == Mark::Arrows)
            drawSymbol(painter, Symbol::TriangleDown, centre, 6, colour, true, theme.background);
        else if (!isBlock && series.mark != Mark::Connectors && series.mark != Mark::Cells && series.size > 0.0)
            drawSymbol(painter, series.symbol, centre, 7, colour, series.isFilled, theme.background);
        painter->setPen(theme.text);
        painter->drawText(rect.adjusted(kIconWidth + 6, 0, 2, 0), Qt::AlignLeft | Qt::AlignVCenter, entry.text);
    }
    if (!m_scaleRect.isNull()) drawScale(painter, QRectF(m_scaleRect).translated(mRect.left() + kLeft, mRect.top()));
}

}  // namespace equant::plots
