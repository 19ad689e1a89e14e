// SPDX-License-Identifier: GPL-3.0-or-later
// The controls of cross-layer equalization: options, preview and apply, and the list of pairs with their reasons.
// Every change is an undo command.
#pragma once

#include <QWidget>

class QCheckBox;
class QComboBox;
class QLabel;
class QPushButton;
class QSpinBox;
class QTableView;

namespace equant::ui {

class PairModel;
class Session;

class EqualizePanel : public QWidget {
    Q_OBJECT

public:
    explicit EqualizePanel(Session& session, QWidget* parent = nullptr);

private:
    void setUpControls();
    void setUpPairTable();
    void connectControls();
    void refresh();
    void refreshPairs();
    void selectPairOf(const QString& layer);

    Session& m_session;
    QComboBox* m_relu6;
    QCheckBox* m_absorb;
    QCheckBox* m_constants;
    QSpinBox* m_iterations;
    QPushButton* m_preview;
    QPushButton* m_apply;
    QLabel* m_state;
    PairModel* m_pairs;
    QTableView* m_view;
    bool m_isRefreshing = false;
};

}  // namespace equant::ui
