// SPDX-License-Identifier: GPL-3.0-or-later
// What the preflight check found. A double click (or Enter) on a finding activates its layer.
#pragma once

#include <QWidget>

class QLabel;
class QTableView;

namespace equant::ui {

class FindingModel;

class FindingsPanel : public QWidget {
    Q_OBJECT

public:
    explicit FindingsPanel(FindingModel* model, QWidget* parent = nullptr);
    QTableView* view() const { return m_view; }

signals:
    void layerActivated(const QString& name);

private:
    void refresh();
    bool eventFilter(QObject* watched, QEvent* event) override;

    FindingModel* m_model;
    QTableView* m_view;
    QLabel* m_empty;
};

}  // namespace equant::ui
