// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/desktop/document/recent_files.h"

#include <QSettings>

namespace equant::ui {

using namespace Qt::StringLiterals;

namespace {
constexpr qsizetype kKept = 10;
}

RecentFiles::RecentFiles(QObject* parent)
    : QObject(parent), m_paths(QSettings().value(u"recentModels"_s).toStringList()) {}

void RecentFiles::add(const QString& path) {
    m_paths.removeAll(path);
    m_paths.prepend(path);
    while (m_paths.size() > kKept) m_paths.removeLast();
    save();
}

void RecentFiles::remove(const QString& path) {
    if (m_paths.removeAll(path) > 0) save();
}

void RecentFiles::save() {
    QSettings().setValue(u"recentModels"_s, m_paths);
    emit changed();
}

}  // namespace equant::ui
