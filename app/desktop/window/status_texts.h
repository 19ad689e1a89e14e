// SPDX-License-Identifier: GPL-3.0-or-later
// The texts of the status bar: the selection with its share of the cost, the running job, the memory. GUI thread only.
#pragma once

#include <QObject>

class QLabel;
class QStatusBar;

namespace equant::ui {

class LayerModel;
class Session;

class StatusTexts : public QObject {
    Q_OBJECT

public:
    StatusTexts(Session& session, const LayerModel* layers, QStatusBar* bar);

private:
    void refresh();
    QString selectionText() const;

    Session& m_session;
    const LayerModel* m_layers;
    QLabel* m_selectionText;
    QLabel* m_jobText;
    QLabel* m_memoryText;
};

}  // namespace equant::ui
