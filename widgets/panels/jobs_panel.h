// SPDX-License-Identifier: GPL-3.0-or-later
// The list of running, finished and failed jobs, each with its progress and a button to cancel it.
#pragma once

#include <QWidget>

class QLabel;
class QPushButton;
class QVBoxLayout;

namespace equant::ui {

class Job;
class JobRunner;

class JobsPanel : public QWidget {
    Q_OBJECT

public:
    explicit JobsPanel(JobRunner* runner, QWidget* parent = nullptr);

private:
    void addJob(Job* job);
    void updateEmpty();

    JobRunner* m_runner;
    QVBoxLayout* m_list;
    QLabel* m_empty;
    QPushButton* m_clear;
};

}  // namespace equant::ui
