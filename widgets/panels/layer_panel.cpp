// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/panels/layer_panel.h"

#include <QEvent>
#include <QHBoxLayout>
#include <QHeaderView>
#include <QItemSelection>
#include <QKeyEvent>
#include <QLabel>
#include <QLineEdit>
#include <QTableView>
#include <QToolButton>
#include <QVBoxLayout>
#include <algorithm>

#include "widgets/models/layer_filter.h"
#include "widgets/models/share_bar_delegate.h"

namespace equant::ui {

using namespace Qt::StringLiterals;

LayerPanel::LayerPanel(LayerModel* model, QWidget* parent)
    : QWidget(parent),
      m_model(model),
      m_filter(new LayerFilter(this)),
      m_view(new QTableView(this)),
      m_filterEdit(new QLineEdit(this)),
      m_count(new QLabel(this)) {
    setObjectName(u"layerPanel"_s);
    m_filter->setSourceModel(model);
    setUpTable();
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->setSpacing(0);
    layout->addLayout(createBar());
    layout->addWidget(m_view, 1);
    connectTable();
    updateColumns();
    updateCount();
}

void LayerPanel::setUpTable() {
    m_view->setObjectName(u"layerTable"_s);
    m_view->setAccessibleName(tr("Layers"));
    m_view->setModel(m_filter);
    m_view->setItemDelegate(new ShareBarDelegate(m_view));
    m_view->setSortingEnabled(true);
    m_view->sortByColumn(LayerModel::Position, Qt::AscendingOrder);
    m_view->setSelectionBehavior(QAbstractItemView::SelectRows);
    m_view->setSelectionMode(QAbstractItemView::ExtendedSelection);
    m_view->setAlternatingRowColors(true);
    m_view->setShowGrid(false);
    m_view->setWordWrap(false);
    m_view->setTextElideMode(Qt::ElideMiddle);
    m_view->verticalHeader()->hide();
    m_view->verticalHeader()->setDefaultSectionSize(fontMetrics().height() + 10);
    m_view->horizontalHeader()->setHighlightSections(false);
    m_view->horizontalHeader()->setSectionsMovable(true);
    m_view->horizontalHeader()->setStretchLastSection(false);
    m_view->setFrameShape(QFrame::NoFrame);
    m_view->setContextMenuPolicy(Qt::CustomContextMenu);
}

QLayout* LayerPanel::createBar() {
    m_filterEdit->setObjectName(u"layerFilter"_s);
    m_filterEdit->setAccessibleName(tr("Filter layers"));
    m_filterEdit->setPlaceholderText(tr("Filter layers: conv macs>1M  ( / )"));
    m_filterEdit->setToolTip(LayerFilter::help());
    m_filterEdit->setClearButtonEnabled(true);
    m_filterEdit->setMaximumWidth(360);
    m_count->setObjectName(u"layerCount"_s);

    auto* bar = new QHBoxLayout;
    bar->setContentsMargins(8, 4, 8, 4);
    bar->setSpacing(4);
    bar->addWidget(m_filterEdit, 1);
    bar->addWidget(m_count);
    bar->addStretch(1);
    m_weighted = new QToolButton(this);
    auto* weighted = m_weighted;
    weighted->setText(tr("With weights"));
    weighted->setObjectName(u"onlyWeighted"_s);
    weighted->setToolTip(tr("Show only layers that have weights"));
    weighted->setCheckable(true);
    connect(weighted, &QToolButton::toggled, this,
            [this](bool on) { keepingSelection([&] { m_filter->setOnlyWeighted(on); }); });
    connect(weighted, &QToolButton::toggled, this, &LayerPanel::styleToggles);
    bar->addWidget(weighted);
    bar->addSpacing(8);
    bar->addWidget(addSetButton(tr("Structure"), ColumnSet::Structure));
    bar->addWidget(addSetButton(tr("Ranges"), ColumnSet::Ranges));
    bar->addWidget(addSetButton(tr("Compression"), ColumnSet::Compression));
    bar->addWidget(addSetButton(tr("Quantization"), ColumnSet::Quantization));
    return bar;
}

void LayerPanel::connectTable() {
    connect(m_filterEdit, &QLineEdit::textChanged, this,
            [this](const QString& text) { keepingSelection([&] { m_filter->setFilterText(text); }); });
    connect(m_view->selectionModel(), &QItemSelectionModel::selectionChanged, this, [this] {
        if (m_isSyncing) return;
        m_wanted = selectedLayers();
        emit selectionChanged(m_wanted);
    });
    for (const auto signal : {&QAbstractItemModel::rowsInserted, &QAbstractItemModel::rowsRemoved})
        connect(m_filter, signal, this, &LayerPanel::updateCount);
    connect(m_filter, &QAbstractItemModel::modelReset, this, [this] {
        updateCount();
        updateColumns();
    });
    connect(m_view, &QWidget::customContextMenuRequested, this, [this](const QPoint& position) {
        const QStringList names = selectedLayers();
        if (!names.isEmpty()) emit menuRequested(names, m_view->viewport()->mapToGlobal(position));
    });
    m_filterEdit->installEventFilter(this);
}

QToolButton* LayerPanel::addSetButton(const QString& text, ColumnSet set) {
    auto* button = new QToolButton(this);
    button->setText(text);
    button->setCheckable(true);
    button->setChecked(set == ColumnSet::Structure);
    button->setToolTip(tr("Show or hide these columns"));
    button->setObjectName(u"columnSet%1"_s.arg(static_cast<int>(set)));
    connect(button, &QToolButton::toggled, this, &LayerPanel::updateColumns);
    m_setButtons.push_back(button);
    return button;
}

void LayerPanel::setColumnSetShown(ColumnSet set, bool on) {
    m_setButtons[static_cast<int>(set)]->setChecked(on);
}

bool LayerPanel::isColumnSetShown(ColumnSet set) const {
    return m_setButtons[static_cast<int>(set)]->isChecked();
}

/// Which ones are pressed must be seen in dark themes too.
void LayerPanel::styleToggles() {
    for (QToolButton* button : m_setButtons + QList<QToolButton*>{m_weighted}) {
        QPalette colours = palette();
        if (button->isChecked()) {
            colours.setColor(QPalette::Button, colours.color(QPalette::Highlight));
            colours.setColor(QPalette::ButtonText, colours.color(QPalette::HighlightedText));
        }
        button->setPalette(colours);
    }
}

bool LayerPanel::eventFilter(QObject* watched, QEvent* event) {
    const bool isKey = event->type() == QEvent::ShortcutOverride || event->type() == QEvent::KeyPress;
    if (watched != m_filterEdit || !isKey || static_cast<QKeyEvent*>(event)->key() != Qt::Key_Escape)
        return QWidget::eventFilter(watched, event);
    // Escape belongs to the box while one types in it, not to the window.
    event->accept();
    if (event->type() == QEvent::KeyPress) {
        m_filterEdit->clear();
        m_view->setFocus();
    }
    return true;
}

/// Filtering hides rows; it does not unselect layers.
void LayerPanel::keepingSelection(const std::function<void()>& change) {
    m_isSyncing = true;
    change();
    m_isSyncing = false;
    setSelectedLayers(QStringList(m_wanted));
}

void LayerPanel::changeEvent(QEvent* event) {
    QWidget::changeEvent(event);
    if (event->type() == QEvent::PaletteChange) styleToggles();
}

void LayerPanel::updateColumns() {
    styleToggles();
    for (int column = 0; column < LayerModel::ColumnCount; ++column) {
        const bool isShown = LayerModel::isAlwaysShown(column) || isColumnSetShown(LayerModel::setOf(column)) ||
                             (column == LayerModel::Macs && isColumnSetShown(ColumnSet::Compression));
        m_view->setColumnHidden(column, !isShown);
    }
    m_view->resizeColumnsToContents();
    m_view->setColumnWidth(LayerModel::Name, qBound(140, m_view->columnWidth(LayerModel::Name), 280));
    // Plans come and go while the columns stay.
    const auto reserve = [this](int column, const QString& text) {
        const int wanted = fontMetrics().horizontalAdvance(text) + 24;
        m_view->setColumnWidth(column, std::max(m_view->columnWidth(column), wanted));
    };
    reserve(LayerModel::PlanMethod, tr("channel pruning, locked"));
    reserve(LayerModel::PlanSize, u"1024 of 2048"_s);
}

void LayerPanel::updateCount() {
    const int shown = m_filter->rowCount();
    const int all = m_model->rowCount();
    m_count->setText(all == 0       ? QString()
                     : shown == all ? tr("%n layer(s)", nullptr, all)
                                    : tr("%1 of %n layer(s)", nullptr, all).arg(shown));
}

void LayerPanel::setSelectedLayers(const QStringList& names) {
    m_wanted = names;
    if (names == selectedLayers()) return;
    m_isSyncing = true;
    QItemSelection selection;
    QModelIndex first;
    for (const QString& name : names) {
        const int row = m_model->rowOf(name);
        if (row < 0) continue;
        const QModelIndex index = m_filter->mapFromSource(m_model->index(row, 0));
        if (!index.isValid()) continue;
        if (!first.isValid()) first = index;
        selection.select(index, index);
    }
    m_view->selectionModel()->select(selection, QItemSelectionModel::ClearAndSelect | QItemSelectionModel::Rows);
    if (first.isValid()) {
        m_view->selectionModel()->setCurrentIndex(first, QItemSelectionModel::NoUpdate);
        m_view->scrollTo(first.siblingAtColumn(LayerModel::Name));
    }
    m_isSyncing = false;
}

QStringList LayerPanel::selectedLayers() const {
    QStringList names;
    for (const QModelIndex& index : m_view->selectionModel()->selectedRows())
        names.push_back(index.data(LayerModel::NameRole).toString());
    return names;
}

void LayerPanel::focusFilter() {
    m_filterEdit->setFocus(Qt::ShortcutFocusReason);
    m_filterEdit->selectAll();
}

void LayerPanel::selectNext(int step) {
    if (m_filter->rowCount() == 0) return;
    const QModelIndex current = m_view->selectionModel()->currentIndex();
    const int row = qBound(0, (current.isValid() ? current.row() + step : 0), m_filter->rowCount() - 1);
    m_view->selectRow(row);
    m_view->scrollTo(m_filter->index(row, LayerModel::Name));
}

}  // namespace equant::ui
