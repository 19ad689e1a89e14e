// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/report/report_renderer.h"

#include <QBuffer>
#include <QPageSize>
#include <QPainter>
#include <QPdfWriter>

namespace equant::report {

namespace {

void paint(QPainter& painter, const Page& page) {
    painter.setRenderHints(QPainter::Antialiasing | QPainter::TextAntialiasing);
    for (const BoxItem& box : page.boxes) painter.fillRect(box.rect, box.fill);
    for (const TextItem& item : page.texts) {
        painter.setFont(item.font);
        painter.setPen(item.colour);
        painter.drawText(item.rect, int(item.alignment) | Qt::TextSingleLine | Qt::TextDontClip, item.text);
    }
    for (const FigureItem& item : page.figures) {
        painter.save();
        item.figure->paint(painter, item.rect);
        painter.restore();
    }
}

/// The writer knows no other date than now; the report has its own. Equal lengths, so that no offset moves.
void setCreationDate(QByteArray& pdf, const QDateTime& date) {
    const QByteArray key("/CreationDate (D:");
    const QByteArray digits = date.toUTC().toString(QStringLiteral("yyyyMMddhhmmss")).toLatin1();
    for (qsizetype at = pdf.indexOf(key); at >= 0; at = pdf.indexOf(key, at + 1)) {
        const qsizetype begin = at + key.size();
        const qsizetype end = pdf.indexOf(')', begin);
        if (end < begin + digits.size()) return;
        QByteArray text = digits + 'Z';
        text = text.left(end - begin).leftJustified(end - begin, ' ');
        pdf.replace(begin, end - begin, text);
    }
}

}  // namespace

QByteArray toPdf(const Report& report, Paper paper) {
    const Layout layout = layOut(report, paper);
    QByteArray bytes;
    {
        QBuffer buffer(&bytes);
        buffer.open(QIODevice::WriteOnly);
        QPdfWriter writer(&buffer);
        writer.setResolution(kUnitsPerInch);
        writer.setPageSize(QPageSize(paper == Paper::A4 ? QPageSize::A4 : QPageSize::Letter));
        writer.setPageMargins(QMarginsF());
        writer.setTitle(report.title);
        writer.setCreator(report.creator);
        for (const Attachment& file : report.attachments)
            writer.addFileAttachment(file.name, file.bytes, file.mimeType);
        QPainter painter(&writer);
        for (std::size_t i = 0; i < layout.pages.size(); ++i) {
            if (i > 0) writer.newPage();
            paint(painter, layout.pages[i]);
        }
    }
    setCreationDate(bytes, report.date);
    return bytes;
}

QImage toImage(const Layout& layout, std::size_t page, int dotsPerInch) {
    const double scale = double(dotsPerInch) / kUnitsPerInch;
    QImage image((layout.size * scale).toSize(), QImage::Format_RGB32);
    if (image.isNull() || page >= layout.pages.size()) return {};
    image.fill(Qt::white);
    image.setDotsPerMeterX(qRound(dotsPerInch / 0.0254));
    image.setDotsPerMeterY(qRound(dotsPerInch / 0.0254));
    QPainter painter(&image);
    painter.scale(scale, scale);
    paint(painter, layout.pages[page]);
    return image;
}

QImage toImage(const Figure& figure, QSize size) {
    constexpr int kScale = 2;
    QImage image(size * kScale, QImage::Format_RGB32);
    if (image.isNull()) return image;
    image.fill(Qt::white);
    image.setDotsPerMeterX(qRound(96 * kScale / 0.0254));
    image.setDotsPerMeterY(qRound(96 * kScale / 0.0254));
    QPainter painter(&image);
    painter.setRenderHints(QPainter::Antialiasing | QPainter::TextAntialiasing);
    painter.scale(kScale, kScale);
    // Painter units are taken as 1/96 inch at scale 1, but the device has twice as many dots.
    figure.paint(painter, QRectF(QPointF(), QSizeF(size)));
    return image;
}

}  // namespace equant::report
