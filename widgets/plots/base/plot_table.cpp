// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/plots/base/plot_table.h"

#include <QApplication>
#include <QClipboard>
#include <QDialog>
#include <QDialogButtonBox>
#include <QHeaderView>
#include <QPushButton>
#include <QTableWidget>
#include <QVBoxLayout>

namespace equant::plots {
namespace {

QString cellText(const QVariant& value) {
    const int type = value.typeId();
    if (type == QMetaType::Double || type == QMetaType::Float) return QString::number(value.toDouble(), 'g', 9);
    return value.toString();
}

QString quoted(QString text) {
    const bool needsQuotes = text.contains(u',') || text.contains(u'"') || text.contains(u'\n') || text.contains(u'\r');
    if (!needsQuotes) return text;
    text.replace(QStringLiteral("\""), QStringLiteral("\"\""));
    return u'"' + text + u'"';
}

QString plainCell(QString text) {
    return text.replace(u'\t', u' ').replace(u'\n', u' ');
}

QString joined(const PlotTable& table, QChar separator, QString (*escape)(QString)) {
    QString result;
    const auto appendRow = [&](const QStringList& cells) {
        for (qsizetype i = 0; i < cells.size(); ++i) {
            if (i > 0) result += separator;
            result += escape(cells[i]);
        }
        result += u'\n';
    };
    appendRow(table.header);
    for (const QVariantList& row : table.rows) {
        QStringList cells;
        for (const QVariant& value : row) cells += cellText(value);
        appendRow(cells);
    }
    return result;
}

}  // namespace

QString PlotTable::toCsv() const {
    return joined(*this, u',', quoted);
}

QString PlotTable::toTsv() const {
    return joined(*this, u'\t', plainCell);
}

QDialog* createTableDialog(const PlotTable& table, const QString& title, QWidget* parent) {
    auto* dialog = new QDialog(parent);
    dialog->setAttribute(Qt::WA_DeleteOnClose);
    dialog->setWindowTitle(title);
    auto* view = new QTableWidget(static_cast<int>(table.rows.size()), static_cast<int>(table.header.size()), dialog);
    view->setAccessibleName(title);
    view->setHorizontalHeaderLabels(table.header);
    view->setEditTriggers(QAbstractItemView::NoEditTriggers);
    view->setAlternatingRowColors(true);
    view->verticalHeader()->setVisible(false);
    for (int row = 0; row < view->rowCount(); ++row) {
        const QVariantList& cells = table.rows[row];
        for (int column = 0; column < std::min(view->columnCount(), static_cast<int>(cells.size())); ++column) {
            auto* item = new QTableWidgetItem;
            item->setData(Qt::DisplayRole, cells[column]);
            if (cells[column].typeId() != QMetaType::QString) item->setTextAlignment(Qt::AlignRight | Qt::AlignVCenter);
            view->setItem(row, column, item);
        }
    }
    view->horizontalHeader()->setSortIndicator(-1, Qt::AscendingOrder);  // keep the plot's order until asked
    view->setSortingEnabled(true);
    view->resizeColumnsToContents();
    auto* buttons = new QDialogButtonBox(QDialogButtonBox::Close, dialog);
    QPushButton* copy = buttons->addButton(QObject::tr("Copy table"), QDialogButtonBox::ActionRole);
    QObject::connect(copy, &QPushButton::clicked, dialog,
                     [table] { QApplication::clipboard()->setText(table.toTsv()); });
    QObject::connect(buttons, &QDialogButtonBox::rejected, dialog, &QDialog::close);
    auto* layout = new QVBoxLayout(dialog);
    layout->addWidget(view);
    layout->addWidget(buttons);
    dialog->resize(720, 480);
    return dialog;
}

}  // namespace equant::plots
