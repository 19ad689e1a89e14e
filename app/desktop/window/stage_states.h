// SPDX-License-Identifier: GPL-3.0-or-later
// Keeps the state of every stage in the rail: not run, running with its share, out of date, done. GUI thread only.
#pragma once

#include <QObject>

#include "app/desktop/document/document.h"

namespace equant::ui {

class Session;
class StageRail;

class StageStates : public QObject {
    Q_OBJECT

public:
    StageStates(Session& session, StageRail* rail);

private:
    void refresh();
    bool isRunning(Stage stage) const;
    QString text(Stage stage, StageState state) const;

    Session& m_session;
    StageRail* m_rail;
};

}  // namespace equant::ui
