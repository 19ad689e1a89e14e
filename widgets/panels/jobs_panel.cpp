// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/panels/jobs_panel.h"

#include <QApplication>
#include <QFrame>
#include <QHBoxLayout>
#include <QLabel>
#include <QProgressBar>
#include <QPushButton>
#include <QScrollArea>
#include <QToolButton>
#include <QVBoxLayout>

#include "widgets/bridge/job.h"
#include "widgets/bridge/text.h"

namespace equant::ui {

using namespace Qt::StringLiterals;

namespace {

QString stateText(const Job& job) {
    switch (job.state()) {
        case Job::State::Running: {
            if (job.isCancelling()) return JobsPanel::tr("cancelling …");
            QStringList parts;
            if (!job.stage().isEmpty()) parts << job.stage();
            parts << durationText(job.elapsedSeconds());
            if (job.remainingSeconds() >= 0)
                parts << JobsPanel::tr("about %1 left in this step").arg(durationText(job.remainingSeconds()));
            return parts.join(u" · "_s);
        }
        case Job::State::Finished:
            return JobsPanel::tr("done in %1").arg(durationText(job.elapsedSeconds()));
        case Job::State::Cancelled:
            return JobsPanel::tr("cancelled");
        case Job::State::Failed:
            return JobsPanel::tr("failed: %1").arg(errorText(job.error()));
    }
    return {};
}

/// One job: title and cancel button, bar, state.
class JobRow : public QFrame {
public:
    JobRow(Job* job, QWidget* parent) : QFrame(parent), m_job(job) {
        setObjectName(u"jobRow"_s);
        auto* title = new QLabel(job->title(), this);
        title->setTextFormat(Qt::PlainText);
        title->setWordWrap(true);
        m_bar = new QProgressBar(this);
        m_bar->setTextVisible(false);
        m_bar->setFixedHeight(6);
        m_bar->setAccessibleName(job->title());
        m_state = new QLabel(this);
        m_state->setTextFormat(Qt::PlainText);
        m_state->setWordWrap(true);
        m_state->setEnabled(false);
        m_cancel = new QToolButton(this);
        m_cancel->setText(JobsPanel::tr("Cancel"));
        m_cancel->setObjectName(u"jobCancel"_s);
        m_cancel->setAccessibleName(JobsPanel::tr("Cancel %1").arg(job->title()));
        auto* top = new QHBoxLayout;
        top->addWidget(title, 1);
        top->addWidget(m_cancel, 0, Qt::AlignTop);
        auto* layout = new QVBoxLayout(this);
        layout->setContentsMargins(8, 4, 8, 4);
        layout->setSpacing(2);
        layout->addLayout(top);
        layout->addWidget(m_bar);
        layout->addWidget(m_state);
        connect(m_cancel, &QToolButton::clicked, job, &Job::cancel);
        connect(job, &Job::changed, this, &JobRow::refresh);
        connect(job, &QObject::destroyed, this, &QObject::deleteLater);
        refresh();
    }

private:
    void refresh() {
        const double share = m_job->fraction();
        m_bar->setVisible(m_job->isRunning());
        m_bar->setRange(0, share < 0 ? 0 : 1000);
        if (share >= 0) m_bar->setValue(static_cast<int>(share * 1000));
        m_cancel->setVisible(m_job->isRunning());
        m_cancel->setEnabled(!m_job->isCancelling());
        m_state->setText(stateText(*m_job));
        m_state->setEnabled(m_job->state() == Job::State::Failed || m_job->isRunning());
    }

    Job* m_job;
    QProgressBar* m_bar;
    QLabel* m_state;
    QToolButton* m_cancel;
};

}  // namespace

JobsPanel::JobsPanel(JobRunner* runner, QWidget* parent)
    : QWidget(parent),
      m_runner(runner),
      m_list(new QVBoxLayout),
      m_empty(new QLabel(this)),
      m_clear(new QPushButton(tr("Clear finished"), this)) {
    setObjectName(u"jobsPanel"_s);
    setAccessibleName(tr("Jobs"));
    m_empty->setText(tr("No jobs. Long operations appear here with their progress."));
    m_empty->setWordWrap(true);
    m_empty->setAlignment(Qt::AlignCenter);
    m_empty->setEnabled(false);
    m_clear->setObjectName(u"jobsClear"_s);
    m_clear->setFlat(true);

    auto* inner = new QWidget;
    auto* innerLayout = new QVBoxLayout(inner);
    innerLayout->setContentsMargins(0, 0, 0, 0);
    m_list->setSpacing(0);
    innerLayout->addLayout(m_list);
    innerLayout->addStretch(1);
    auto* scroll = new QScrollArea(this);
    scroll->setWidget(inner);
    scroll->setWidgetResizable(true);
    scroll->setFrameShape(QFrame::NoFrame);
    scroll->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(8, 8, 8, 8);
    layout->addWidget(m_empty, 1);
    layout->addWidget(scroll, 1);
    layout->addWidget(m_clear, 0, Qt::AlignRight);

    connect(m_clear, &QPushButton::clicked, runner, &JobRunner::clearFinished);
    connect(runner, &JobRunner::jobAdded, this, &JobsPanel::addJob);
    connect(runner, &JobRunner::jobsChanged, this, [this, scroll] {
        scroll->setVisible(!m_runner->jobs().empty());
        updateEmpty();
    });
    scroll->hide();
    for (Job* job : runner->jobs()) addJob(job);
    updateEmpty();
}

void JobsPanel::addJob(Job* job) {
    m_list->insertWidget(0, new JobRow(job, this));
}

void JobsPanel::updateEmpty() {
    m_empty->setVisible(m_runner->jobs().empty());
    m_clear->setVisible(!m_runner->jobs().empty());
}

}  // namespace equant::ui
