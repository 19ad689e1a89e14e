// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/panels/budget_strip.h"

#include <QLocale>
#include <QPainter>
#include <algorithm>
#include <cmath>

namespace equant::ui {

using namespace Qt::StringLiterals;

namespace {

constexpr double kBarHeight = 10;
constexpr double kPartGap = 18;

QString percent(double share) {
    return BudgetStrip::tr("%1 %").arg(QLocale().toString(100 * share, 'f', 1));
}

QString titleOf(const BudgetItem& item) {
    return item.isPredictable ? BudgetStrip::tr("%1 left").arg(item.name) : item.name;
}

}  // namespace

BudgetStrip::BudgetStrip(QWidget* parent) : QWidget(parent) {
    setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Fixed);
    setAccessibleName(tr("Budget"));
}

void BudgetStrip::setContent(std::vector<BudgetItem> items, BudgetScore score, QString note) {
    if (items == m_items && score == m_score && note == m_note) return;
    m_items = std::move(items);
    m_score = std::move(score);
    m_note = std::move(note);
    setToolTip(summary());
    setAccessibleDescription(summary());
    update();
}

QString BudgetStrip::summary() const {
    QStringList lines;
    for (const BudgetItem& item : m_items) {
        QStringList parts;
        if (item.predicted) parts << tr("%1 predicted").arg(percent(*item.predicted));
        if (item.measured) parts << tr("%1 measured").arg(percent(*item.measured));
        if (item.target) parts << tr("target %1").arg(percent(*item.target));
        if (!parts.isEmpty()) lines << titleOf(item) + u": "_s + parts.join(u", "_s);
    }
    QStringList parts;
    if (!m_score.predicted.isEmpty()) parts << tr("%1 predicted").arg(m_score.predicted);
    if (!m_score.measured.isEmpty())
        parts << (m_score.isStale ? tr("%1 measured, for another plan") : tr("%1 measured")).arg(m_score.measured);
    if (!parts.isEmpty()) lines << m_score.name + u": "_s + parts.join(u", "_s);
    if (!m_note.isEmpty()) lines << m_note;
    return lines.join(u'\n');
}

QSize BudgetStrip::sizeHint() const {
    return {480, 2 * fontMetrics().height() + 14};
}

QSize BudgetStrip::minimumSizeHint() const {
    return {260, sizeHint().height()};
}

void BudgetStrip::paintItem(QPainter& painter, const BudgetItem& item, QRectF place) const {
    const QPalette& colours = palette();
    const double line = fontMetrics().height();
    painter.setPen(colours.color(QPalette::WindowText));
    QString value;
    if (item.measured)
        value = percent(*item.measured);
    else if (item.predicted)
        value = tr("about %1").arg(percent(*item.predicted));
    else if (!item.isPredictable)
        value = tr("not measured");
    const QRectF text(place.left(), place.top(), place.width(), line);
    const auto fits = [&](const QString& name, const QString& number) {
        return fontMetrics().horizontalAdvance(name) + fontMetrics().horizontalAdvance(number) + 8 < place.width();
    };
    QString name = titleOf(item);
    if (!fits(name, value)) name = item.name;
    if (!fits(name, value) && item.predicted && !item.measured) value = percent(*item.predicted);
    if (!fits(name, value) && !item.predicted && !item.measured) value = u"–"_s;
    painter.drawText(text, Qt::AlignLeft | Qt::AlignVCenter, name);
    if (item.measured) {
        QFont bold = font();
        bold.setWeight(QFont::DemiBold);
        painter.setFont(bold);
    }
    painter.drawText(text, Qt::AlignRight | Qt::AlignVCenter, value);
    painter.setFont(font());

    const QRectF bar(place.left() + 0.5, place.top() + line + 6.5, place.width() - 1, kBarHeight);
    QColor frame = colours.color(QPalette::WindowText);
    frame.setAlphaF(0.25F);
    painter.setPen(QPen(frame, 1));
    painter.setBrush(colours.color(QPalette::Base));
    painter.drawRect(bar);
    const auto filled = [&](double share) {
        return QRectF(bar.left(), bar.top(), bar.width() * std::clamp(share, 0.0, 1.0), bar.height());
    };
    const QColor accent = colours.color(QPalette::Highlight);
    if (item.measured) painter.fillRect(filled(*item.measured), accent);
    if (item.predicted) {
        QColor pale = accent;
        pale.setAlphaF(0.16F);
        painter.setBrush(item.measured ? QBrush(Qt::NoBrush) : QBrush(pale));
        painter.setPen(QPen(item.measured ? colours.color(QPalette::WindowText) : accent, 1.4, Qt::DotLine));
        painter.drawRect(filled(*item.predicted));
    }
    if (item.target) {
        const double x = bar.left() + bar.width() * std::clamp(*item.target, 0.0, 1.0);
        const QColor ink = colours.color(QPalette::WindowText);
        painter.setPen(QPen(ink, 2));
        painter.drawLine(QPointF(x, bar.top() - 2), QPointF(x, bar.bottom() + 2));
        painter.setPen(Qt::NoPen);
        painter.setBrush(ink);
        painter.drawPolygon(QPolygonF{{x - 4, bar.top() - 6}, {x + 4, bar.top() - 6}, {x, bar.top() - 1}});
    }
}

void BudgetStrip::paintScore(QPainter& painter, QRectF place) const {
    const QPalette& colours = palette();
    const double line = fontMetrics().height();
    painter.setPen(colours.color(QPalette::WindowText));
    const QRectF first(place.left(), place.top(), place.width(), line);
    painter.drawText(first, Qt::AlignLeft | Qt::AlignVCenter,
                     fontMetrics().elidedText(m_score.name, Qt::ElideRight, int(place.width())));
    double x = place.left();
    const double top = place.top() + line + 3;
    const auto write = [&](const QString& text, bool isSolid, bool isMuted) {
        if (text.isEmpty()) return;
        QFont used = font();
        if (isSolid && !isMuted) used.setWeight(QFont::DemiBold);
        painter.setFont(used);
        painter.setPen(colours.color(isMuted ? QPalette::PlaceholderText : QPalette::WindowText));
        const double width = std::min<double>(QFontMetrics(used).horizontalAdvance(text), place.right() - x);
        if (width <= 0) return;
        painter.drawText(QRectF(x, top, width + 1, line), Qt::AlignLeft | Qt::AlignVCenter,
                         QFontMetrics(used).elidedText(text, Qt::ElideRight, int(width) + 1));
        if (!isSolid) {
            painter.setPen(QPen(colours.color(QPalette::Highlight), 1.4, Qt::DotLine));
            painter.drawLine(QPointF(x, top + line), QPointF(x + width, top + line));
        }
        x += width + 10;
    };
    if (!m_score.measured.isEmpty())
        write(m_score.isStale ? tr("★ %1 (another plan)").arg(m_score.measured) : u"★ "_s + m_score.measured, true,
              m_score.isStale);
    // Half a number tells nothing: what has no room stands in the tool tip.
    for (const QString& words : {tr("predicted %1").arg(m_score.predicted), u"≈ "_s + m_score.predicted}) {
        const bool hasRoom = fontMetrics().horizontalAdvance(words) <= place.right() - x || m_score.measured.isEmpty();
        if (m_score.predicted.isEmpty() || !hasRoom) continue;
        write(words, false, false);
        break;
    }
    if (m_score.predicted.isEmpty() && m_score.measured.isEmpty()) write(u"–"_s, true, true);
}

void BudgetStrip::paintEvent(QPaintEvent*) {
    QPainter painter(this);
    painter.setRenderHint(QPainter::Antialiasing);
    const auto parts = static_cast<double>(m_items.size()) + 1;
    const double width = (this->width() - kPartGap * (parts - 1)) / parts;
    double x = 0;
    for (const BudgetItem& item : m_items) {
        paintItem(painter, item, {x, 0, width, double(height())});
        x += width + kPartGap;
    }
    paintScore(painter, {x, 0, this->width() - x, double(height())});
}

}  // namespace equant::ui
