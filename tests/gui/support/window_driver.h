// SPDX-License-Identifier: GPL-3.0-or-later
// How tests use the window: by object names, real clicks, and waiting for its jobs.
#pragma once

#include <QSpinBox>
#include <QTest>

#include "app/desktop/jobs/session.h"
#include "app/desktop/window/main_window.h"

namespace equant::test {

inline bool waitIdle(ui::MainWindow& window) {
    return QTest::qWaitFor([&] { return !window.session().jobs().hasRunning(); }, 60000);
}

template <typename T>
T* find(ui::MainWindow& window, const char* name) {
    return window.findChild<T*>(QLatin1String(name));
}

inline void click(QWidget* button) {
    QTest::mouseClick(button, Qt::LeftButton);
}

inline ui::Document& documentOf(ui::MainWindow& window) {
    return window.session().document();
}

/// The page's few samples, so that tests are fast.
inline void takeFewCompressionSamples(ui::MainWindow& window) {
    find<QSpinBox>(window, "compressionFitSamples")->setValue(16);
    find<QSpinBox>(window, "compressionScoreSamples")->setValue(24);
    find<QSpinBox>(window, "compressionCandidates")->setValue(3);
}

}  // namespace equant::test
