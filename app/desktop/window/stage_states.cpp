// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/desktop/window/stage_states.h"

#include "app/desktop/jobs/session.h"
#include "widgets/panels/stage_rail.h"

namespace equant::ui {

StageStates::StageStates(Session& session, StageRail* rail) : QObject(rail), m_session(session), m_rail(rail) {
    for (const auto signal :
         {&Document::modelChanged, &Document::stateChanged, &Document::equalizedChanged, &Document::quantizationChanged,
          &Document::compressedChanged, &Document::planChanged, &Document::sensitivityChanged})
        connect(&session.document(), signal, this, &StageStates::refresh);
    connect(&session, &Session::busyChanged, this, &StageStates::refresh);
    connect(&session.jobs(), &JobRunner::progressed, this, &StageStates::refresh);
    refresh();
}

void StageStates::refresh() {
    const Document& document = m_session.document();
    const bool hasModel = document.hasModel();
    for (int index = 0; index < kStages; ++index) {
        const auto stage = static_cast<Stage>(index);
        m_rail->button(index)->setEnabled(hasModel);
        const StageState state = document.stageState(stage);
        const bool isBusy = isRunning(stage);
        const Job* job = stage == Stage::Ranges         ? m_session.equalizeJob()
                         : stage == Stage::Quantization ? m_session.quantizeJob()
                         : stage != Stage::Compression  ? nullptr
                         : m_session.isSweeping()       ? m_session.sweepJob()
                                                        : m_session.compressJob();
        const bool hasShare = isBusy && job && job->isRunning() && job->fraction() >= 0;
        const QString words = hasShare                     ? tr("running, %1 %").arg(qRound(100 * job->fraction()))
                              : isBusy                     ? tr("running …")
                              : state == StageState::Empty ? tr("no model")
                              : state == StageState::Stale ? tr("out of date")
                                                           : text(stage, state);
        m_rail->setStageState(index, words, state == StageState::Done && !isBusy,
                              state == StageState::Stale && !isBusy);
    }
}

bool StageStates::isRunning(Stage stage) const {
    switch (stage) {
        case Stage::Overview:
            return m_session.isOpening();
        case Stage::Ranges:
            return m_session.isEqualizing();
        case Stage::Compression:
            return m_session.isSweeping() || m_session.isCompressing();
        case Stage::Quantization:
            return m_session.isQuantizing() || m_session.isLoadingData();
    }
    return false;
}

QString StageStates::text(Stage stage, StageState state) const {
    const bool isDone = state == StageState::Done;
    switch (stage) {
        case Stage::Overview:
            return tr("ready");
        case Stage::Ranges:
            return isDone ? tr("equalized") : tr("not applied");
        case Stage::Compression:
            return isDone ? tr("compressed") : m_session.document().sensitivity() ? tr("not applied") : tr("not run");
        case Stage::Quantization:
            return isDone ? tr("measured") : tr("not run");
    }
    return {};
}

}  // namespace equant::ui
