// SPDX-License-Identifier: GPL-3.0-or-later
// What quantization is measured with: data, preprocessing (with a picture of what the model sees), samples, bit widths.
// Every change is an undo command.
#pragma once

#include <QWidget>

class QCheckBox;
class QComboBox;
class QLabel;
class QPushButton;
class QSpinBox;

namespace equant::ui {

class PictureGrid;
class Session;

class SetupPanel : public QWidget {
    Q_OBJECT

public:
    explicit SetupPanel(Session& session, QWidget* parent = nullptr);

signals:
    void dataFolderRequested();
    void dataFileRequested();
    void preprocessFileRequested();

private:
    QWidget* createDataPart();
    QWidget* createSettingsPart();
    void connectData();
    void connectSettings();
    void refresh();
    void refreshData();
    void applyPreset(int index);

    Session& m_session;
    QComboBox* m_preprocess;
    QLabel* m_dataText;
    PictureGrid* m_pictures;
    QSpinBox* m_calibration;
    QSpinBox* m_evaluation;
    QComboBox* m_preset;
    QSpinBox* m_weightBits;
    QSpinBox* m_activationBits;
    QComboBox* m_granularity;
    QComboBox* m_scheme;
    QCheckBox* m_symmetric;
    QPushButton* m_run;
    bool m_isRefreshing = false;
};

}  // namespace equant::ui
