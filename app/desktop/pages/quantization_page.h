// SPDX-License-Identifier: GPL-3.0-or-later
// Where low precision hurts, why, and what to do about it: set-up, diagnosis in four bars, noise layer by layer.
#pragma once

#include <QWidget>

class QLabel;
class QPushButton;

namespace equant::plots {
class DiagnosisBars;
class PlotView;
class SqnrProfile;
}  // namespace equant::plots

namespace equant::ui {

class MessageBar;
class Session;
class SetupPanel;

class QuantizationPage : public QWidget {
    Q_OBJECT

public:
    explicit QuantizationPage(Session& session, QWidget* parent = nullptr);
    SetupPanel* setup() const { return m_setup; }
    QList<plots::PlotView*> plots() const;

signals:
    void equalizeRequested();

private:
    void refresh();

    Session& m_session;
    SetupPanel* m_setup;
    QLabel* m_headline;
    QLabel* m_details;
    QPushButton* m_action;
    plots::DiagnosisBars* m_bars;
    plots::SqnrProfile* m_profile;
};

}  // namespace equant::ui
