// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/desktop/window/dock_layout.h"

#include <QDockWidget>
#include <QMainWindow>
#include <QSettings>

namespace equant::ui {

using namespace Qt::StringLiterals;

namespace {
constexpr int kLayoutVersion = 1;
constexpr int kNarrowWidth = 960;
}  // namespace

bool DockLayout::isNarrow(int width) {
    return width < kNarrowWidth;
}

QDockWidget* DockLayout::dock(const QString& name) const {
    return m_window.findChild<QDockWidget*>(name);
}

void DockLayout::save() const {
    QSettings settings;
    settings.setValue(u"window/geometry"_s, m_window.saveGeometry());
    settings.setValue(u"window/layout"_s, m_isShown ? m_window.saveState(kLayoutVersion) : m_layout);
}

void DockLayout::setShown(bool on) {
    if (on == m_isShown) return;
    m_isShown = on;
    if (on) {
        m_window.restoreState(m_layout, kLayoutVersion);
        fit();
        return;
    }
    m_layout = m_window.saveState(kLayoutVersion);
    for (QDockWidget* each : m_window.findChildren<QDockWidget*>()) each->hide();
}

void DockLayout::fit() {
    static const char* const kHidden = "hiddenForRoom";
    static const char* const kOnTop = "wasOnTop";  // of the docks that share a place
    const bool isTight = isNarrow(m_window.width());
    for (QDockWidget* each : m_window.findChildren<QDockWidget*>())  // all of them before the first goes
        if (isTight && !each->isHidden()) each->setProperty(kOnTop, !each->visibleRegion().isEmpty());
    for (QDockWidget* each : m_window.findChildren<QDockWidget*>()) {
        const bool isAtSide = !each->isFloating() && m_window.dockWidgetArea(each) == Qt::RightDockWidgetArea;
        if (isTight && isAtSide && !each->isHidden()) {
            each->setProperty(kHidden, true);
            each->hide();
        } else if (!isTight && each->property(kHidden).toBool()) {
            each->setProperty(kHidden, false);
            each->show();
        }
    }
    for (QDockWidget* each : m_window.findChildren<QDockWidget*>())
        if (!isTight && each->property(kOnTop).toBool()) {
            each->setProperty(kOnTop, false);
            each->raise();
        }
    if (m_window.height() < 640) m_window.resizeDocks({dock(u"layersDock"_s)}, {130}, Qt::Vertical);
}

void DockLayout::restore() {
    QSettings settings;
    if (!m_window.restoreGeometry(settings.value(u"window/geometry"_s).toByteArray())) m_window.resize(1280, 800);
    if (!m_window.restoreState(settings.value(u"window/layout"_s).toByteArray(), kLayoutVersion)) {
        m_window.resizeDocks({dock(u"inspectorDock"_s), dock(u"jobsDock"_s)}, {260, 260}, Qt::Horizontal);
        m_window.resizeDocks({dock(u"inspectorDock"_s), dock(u"jobsDock"_s)}, {420, 220}, Qt::Vertical);
        m_window.resizeDocks({dock(u"layersDock"_s)}, {190}, Qt::Vertical);
    }
}

}  // namespace equant::ui
