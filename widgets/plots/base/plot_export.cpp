// SPDX-License-Identifier: GPL-3.0-or-later
#include <QApplication>
#include <QBuffer>
#include <QClipboard>
#include <QDialog>
#include <QFileDialog>
#include <QFileInfo>
#include <QMessageBox>
#include <QPdfWriter>
#include <QSaveFile>
#include <QSvgGenerator>
#include <cmath>

#include "widgets/plots/base/plot_view_internal.h"

namespace equant::plots {
namespace {

constexpr int kScreenDpi = 96;
constexpr int kPdfDpi = 1200;

QByteArray pdfOf(PlotCanvas* canvas, QSize size, const QString& title) {
    QBuffer buffer;
    buffer.open(QIODevice::WriteOnly);
    QPdfWriter writer(&buffer);
    writer.setResolution(kPdfDpi);
    writer.setTitle(title);
    writer.setCreator(QStringLiteral("Equant"));
    const QSizeF points(size.width() * 72.0 / kScreenDpi, size.height() * 72.0 / kScreenDpi);
    writer.setPageSize(QPageSize(points, QPageSize::Point, QString(), QPageSize::ExactMatch));
    writer.setPageMargins(QMarginsF());
    canvas->render(&writer, size, double(kPdfDpi) / kScreenDpi);
    return buffer.data();
}

QByteArray svgOf(PlotCanvas* canvas, QSize size, const QString& title) {
    QBuffer buffer;
    buffer.open(QIODevice::WriteOnly);
    QSvgGenerator generator;
    generator.setOutputDevice(&buffer);
    generator.setResolution(kScreenDpi);
    generator.setSize(size);
    generator.setViewBox(QRect(QPoint(), size));
    generator.setTitle(title);
    canvas->render(&generator, size);
    return buffer.data();
}

}  // namespace

QImage PlotView::toImage(QSize size, double scale) {
    m_impl->flush(this);
    QImage image((QSizeF(size) * scale).toSize(), QImage::Format_ARGB32_Premultiplied);
    if (image.isNull()) return image;
    image.fill(Qt::white);
    m_impl->canvas->render(&image, size, scale);
    image.setDotsPerMeterX(qRound(kScreenDpi * scale / 0.0254));
    image.setDotsPerMeterY(qRound(kScreenDpi * scale / 0.0254));
    return image;
}

void PlotView::paintTo(QPainter* painter, const QRectF& rect) {
    const double dpi = painter->device() ? painter->device()->logicalDpiX() : kScreenDpi;
    const double perUnit = std::abs(painter->transform().m11()) * kScreenDpi / dpi;  // plot pixels per painter unit
    const QSize size = (rect.size() * perUnit).toSize();
    if (size.width() < 1 || size.height() < 1) return;
    m_impl->flush(this);
    QPicture picture;
    m_impl->canvas->render(&picture, size);
    painter->save();
    painter->setClipRect(rect, Qt::IntersectClip);
    painter->translate(rect.topLeft());
    // drawPicture() itself scales from the picture's resolution to the device's.
    const double own = dpi / picture.logicalDpiX();
    painter->scale(1.0 / perUnit / own, 1.0 / perUnit / own);
    painter->drawPicture(0, 0, picture);
    painter->restore();
}

bool PlotView::exportPlot(const QString& path, QString* error, QSize size) {
    const auto fail = [error](const QString& message) {
        if (error) *error = message;
        return false;
    };
    m_impl->flush(this);
    const QString suffix = QFileInfo(path).suffix().toLower();
    QByteArray bytes;
    if (suffix == QStringLiteral("csv")) {
        bytes = table().toCsv().toUtf8();
    } else if (suffix == QStringLiteral("svg")) {
        bytes = svgOf(m_impl->canvas, size, title());
    } else if (suffix == QStringLiteral("pdf")) {
        bytes = pdfOf(m_impl->canvas, size, title());
    } else if (suffix == QStringLiteral("png")) {
        QBuffer buffer(&bytes);
        buffer.open(QIODevice::WriteOnly);
        if (!toImage(size, 2.0).save(&buffer, "PNG"))
            return fail(tr("The plot could not be drawn at %1 × %2 pixels.").arg(size.width()).arg(size.height()));
    } else {
        return fail(
            tr("A plot cannot be saved as “.%1”. Choose a name that ends in .png, .svg, .pdf or .csv.").arg(suffix));
    }
    QSaveFile file(path);
    if (!file.open(QIODevice::WriteOnly) || file.write(bytes) != bytes.size() || !file.commit())
        return fail(tr("“%1” could not be written: %2. Choose another folder or free some space.")
                        .arg(path, file.errorString()));
    return true;
}

void PlotView::copyImage() {
    QApplication::clipboard()->setImage(toImage(size().expandedTo(QSize(320, 200)), 2.0));
}

void PlotView::copyData() {
    QApplication::clipboard()->setText(table().toTsv());
}

void PlotView::saveAs() {
    const QString filters = tr("PNG image (*.png);;SVG drawing (*.svg);;PDF document (*.pdf);;CSV table (*.csv)");
    QString chosen;
    QString path = QFileDialog::getSaveFileName(this, tr("Save plot"), QString(), filters, &chosen);
    if (path.isEmpty()) return;
    if (QFileInfo(path).suffix().isEmpty()) path += chosen.mid(chosen.indexOf(QStringLiteral("(*.")) + 2).chopped(1);
    QString error;
    if (!exportPlot(path, &error, size().expandedTo(QSize(640, 360))))
        QMessageBox::warning(this, tr("Save plot"), error);
}

void PlotView::showTable() {
    createTableDialog(table(), title(), this)->show();
}

}  // namespace equant::plots
