// SPDX-License-Identifier: GPL-3.0-or-later
// The report's files.
#include <QBuffer>
#include <QDir>
#include <QFileInfo>

#include "app/desktop/report/report_content.h"
#include "core/base/check_target.h"
#include "core/base/file.h"
#include "widgets/bridge/text.h"
#include "widgets/report/report_renderer.h"

namespace equant::ui {

using namespace Qt::StringLiterals;

namespace {

constexpr double kFigureWidthMm = 174;  // what A4 leaves between the margins

Status writeBytes(const QString& path, const QByteArray& bytes) {
    return writeFileAtomic(toPath(path), std::string_view(bytes.constData(), static_cast<std::size_t>(bytes.size())));
}

Status writePng(const QString& path, const QImage& image) {
    QBuffer buffer;
    buffer.open(QIODevice::WriteOnly);
    if (image.isNull() || !image.save(&buffer, "PNG"))
        return fail(ErrorCode::OutOfMemory, "The picture could not be drawn.", "Close other programs and try again.",
                    toStdString(path));
    return writeBytes(path, buffer.data());
}

Status makeFolder(const QString& folder) {
    if (QDir().mkpath(folder) && QFileInfo(folder).isWritable()) return {};
    return fail(ErrorCode::Io, "The folder for the pictures could not be made or written to.",
                "Check its permissions or choose another place.", toStdString(folder));
}

}  // namespace

Result<QStringList> saveReport(const report::Report& report, const QString& path, bool isLetter,
                               const QString& pictures) {
    const auto paper = isLetter ? report::Paper::Letter : report::Paper::A4;
    if (const auto target = checkTarget(toStdString(path)); !target) return fail(target.error());
    QStringList written{path};
    if (!pictures.isEmpty()) {
        if (const auto made = makeFolder(pictures); !made) return fail(made.error());
        const QDir folder(pictures);
        const report::Layout layout = layOut(report, paper);
        for (std::size_t page = 0; page < layout.pages.size(); ++page) {
            written << folder.filePath(u"page-%1.png"_s.arg(page + 1, 2, 10, QLatin1Char('0')));
            if (const auto status = writePng(written.back(), toImage(layout, page)); !status)
                return fail(status.error());
        }
        for (const report::Section& section : report.sections)
            for (const report::Block& block : section.blocks) {
                const auto* row = std::get_if<report::FigureRow>(&block);
                if (!row) continue;
                const double width = kFigureWidthMm / double(row->figures.size());
                const QSize size = (QSizeF(width, row->heightInMm) * 96 / 25.4).toSize();
                for (const report::Figure& figure : row->figures) {
                    written << folder.filePath(figure.name + u".png"_s);
                    if (const auto status = writePng(written.back(), toImage(figure, size)); !status)
                        return fail(status.error());
                }
            }
    }
    // Last: whoever sees the PDF has everything.
    if (const auto status = writeBytes(path, toPdf(report, paper)); !status) return fail(status.error());
    return written;
}

QDateTime reportDate() {
    bool isNumber = false;
    const qint64 seconds = qEnvironmentVariable("SOURCE_DATE_EPOCH").toLongLong(&isNumber);
    return isNumber ? QDateTime::fromSecsSinceEpoch(seconds, Qt::UTC) : QDateTime::currentDateTimeUtc();
}

}  // namespace equant::ui
