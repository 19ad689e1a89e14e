// SPDX-License-Identifier: GPL-3.0-or-later
// A report as a plain value: sections of paragraphs, tiles, tables and figures. It knows nothing of pages (see
// report_layout.h) nor of what it reports about. Figures are painted by callbacks, on the GUI thread.
#pragma once

#include <QDateTime>
#include <QString>
#include <QStringList>
#include <functional>
#include <variant>
#include <vector>

class QPainter;
class QRectF;

namespace equant::report {

struct Paragraph {
    enum class Style {
        Body,
        Lead,     ///< the finding of a section
        Bullet,   ///< one of a list
        Note,     ///< small and muted: how a number was computed
        Warning,  ///< stands out
        Command   ///< lines of a shell, wrapped with a backslash so that they can be copied; also JSON
    };
    QString text;
    Style style = Style::Body;
};

/// Large figures side by side.
struct Tile {
    QString value;
    QString label;
    QString detail;
    bool isPredicted = false;  ///< not measured: set apart from what was
};
struct Tiles {
    std::vector<Tile> tiles;
};

struct Column {
    enum class Kind {
        Name,    ///< one line, elided in the middle
        Number,  ///< one line, to the right
        Text     ///< wrapped
    };
    QString title;
    Kind kind = Kind::Number;
};

/// Breaks between rows; the header is repeated on every page. Without titles there is no header.
struct Table {
    QString title;
    std::vector<Column> columns;
    std::vector<QStringList> rows;
};

/// Something painted, never broken over pages.
struct Figure {
    QString name;     ///< of its file: letters, digits and hyphens
    QString caption;  ///< may be empty
    std::function<void(QPainter&, const QRectF&)> paint;
};

/// Figures side by side, equally high.
struct FigureRow {
    std::vector<Figure> figures;
    double heightInMm = 80;
};

using Block = std::variant<Paragraph, Tiles, Table, FigureRow>;

struct Section {
    QString title;
    std::vector<Block> blocks;
    bool startsPage = false;  ///< unless most of the page is still empty
};

/// A file inside the PDF.
struct Attachment {
    QString name;
    QString mimeType;
    QByteArray bytes;
};

struct Report {
    QString title;     ///< names what is reported about
    QString subtitle;  ///< one line below
    QString footer;    ///< on every page, left of the page number
    QString creator;   ///< program and version, for the PDF's properties
    QDateTime date;
    std::vector<Section> sections;
    std::vector<Attachment> attachments;
};

}  // namespace equant::report
