// SPDX-License-Identifier: GPL-3.0-or-later
// The controls of the compression page: data, methods, how sensitivities are found, what is aimed at.
// Every change is an undo command.
#pragma once

#include <QWidget>

#include "app/desktop/document/compression_state.h"

class QCheckBox;
class QComboBox;
class QDoubleSpinBox;
class QFormLayout;
class QLabel;
class QPushButton;
class QSlider;
class QSpinBox;

namespace equant::ui {

class Session;

class CompressionSetupPanel : public QWidget {
    Q_OBJECT

public:
    explicit CompressionSetupPanel(Session& session, QWidget* parent = nullptr);

signals:
    void dataFolderRequested();
    void dataFileRequested();

private:
    QWidget* createMethods(QWidget* parent);
    QWidget* createSweepPart();
    QWidget* createTargetPart();
    void connectSweep();
    void connectTarget();
    void edit(const QString& text, const std::function<void(CompressionSetup&)>& change, int mergeId = -1);
    void refresh();
    void refreshButtons();
    void refreshFlow();

    Session& m_session;
    std::vector<QCheckBox*> m_methods;
    QComboBox* m_metric;
    QSpinBox* m_calibration;
    QSpinBox* m_evaluation;
    QSpinBox* m_candidates;
    QSpinBox* m_multiple;
    QCheckBox* m_plain;
    QPushButton* m_predict;
    QPushButton* m_measure;
    QLabel* m_sweepText;
    QComboBox* m_target;
    QSlider* m_slider;
    QDoubleSpinBox* m_value;
    QComboBox* m_solver;
    QPushButton* m_suggest;
    QPushButton* m_flow;
    QLabel* m_flowText;
    bool m_isRefreshing = false;
};

}  // namespace equant::ui
