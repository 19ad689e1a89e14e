// SPDX-License-Identifier: GPL-3.0-or-later
// The data-table twin of a plot: what it shows, as text for CSV, the clipboard, screen readers and the table dialog.
// Plain value; safe to copy between threads.
#pragma once

#include <QStringList>
#include <QVariant>

class QDialog;
class QWidget;

namespace equant::plots {

struct PlotTable {
    QStringList header;  ///< units in the column names, such as "Size (bytes)"
    QList<QVariantList> rows;

    bool isEmpty() const { return rows.isEmpty(); }
    /// RFC 4180 with "\n" line ends; numbers in the C locale with 9 significant digits ("nan", "inf" as such).
    QString toCsv() const;
    /// Tab separated, for pasting into spreadsheets.
    QString toTsv() const;
};

/// A non-modal dialog with the sortable table; it deletes itself on close. The caller shows it.
QDialog* createTableDialog(const PlotTable& table, const QString& title, QWidget* parent);

}  // namespace equant::plots
