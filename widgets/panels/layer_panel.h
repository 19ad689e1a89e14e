// SPDX-License-Identifier: GPL-3.0-or-later
// The layer table with its filter box and column sets. It shows and reports the selection; it does not own it.
#pragma once

#include <QWidget>
#include <functional>

#include "widgets/models/layer_model.h"

class QLabel;
class QLineEdit;
class QTableView;
class QToolButton;

namespace equant::ui {

class LayerFilter;

class LayerPanel : public QWidget {
    Q_OBJECT

public:
    explicit LayerPanel(LayerModel* model, QWidget* parent = nullptr);

    QTableView* view() const { return m_view; }
    QLineEdit* filterEdit() const { return m_filterEdit; }
    void setSelectedLayers(const QStringList& names);  ///< selects and scrolls; emits nothing
    QStringList selectedLayers() const;
    void setColumnSetShown(ColumnSet set, bool on);
    bool isColumnSetShown(ColumnSet set) const;

public slots:
    void focusFilter();
    void selectNext(int step);

signals:
    void selectionChanged(const QStringList& names);
    /// A right click or the menu key on the selected layers.
    void menuRequested(const QStringList& names, const QPoint& globalPosition);

protected:
    void changeEvent(QEvent* event) override;
    bool eventFilter(QObject* watched, QEvent* event) override;

private:
    void setUpTable();
    QLayout* createBar();
    void connectTable();
    QToolButton* addSetButton(const QString& text, ColumnSet set);
    void updateColumns();
    void styleToggles();
    void keepingSelection(const std::function<void()>& change);
    void updateCount();

    LayerModel* m_model;
    LayerFilter* m_filter;
    QTableView* m_view;
    QLineEdit* m_filterEdit;
    QLabel* m_count;
    QList<QToolButton*> m_setButtons;
    QToolButton* m_weighted = nullptr;
    QStringList m_wanted;  ///< selected layers, those that the filter hides included
    bool m_isSyncing = false;
};

}  // namespace equant::ui
