// SPDX-License-Identifier: GPL-3.0-or-later
// Places of the docks: kept in the settings, hidden on the start page, and at the side only where there is room. Works on
// a window that owns it. GUI thread only.
#pragma once

#include <QByteArray>
#include <QString>

class QDockWidget;
class QMainWindow;

namespace equant::ui {

class DockLayout {
public:
    explicit DockLayout(QMainWindow& window) : m_window(window) {}
    void restore();
    void save() const;
    void setShown(bool on);
    /// In a narrow window the docks at the side are hidden; they come back when there is room.
    void fit();
    /// Whether a window of this width is narrow.
    static bool isNarrow(int width);
    bool isShown() const { return m_isShown; }

private:
    QDockWidget* dock(const QString& name) const;

    QMainWindow& m_window;
    QByteArray m_layout;  ///< while the docks are hidden on the start page
    bool m_isShown = true;
};

}  // namespace equant::ui
