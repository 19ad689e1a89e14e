// SPDX-License-Identifier: GPL-3.0-or-later
// Models opened lately, newest first, kept in the settings. Files that are missing stay listed (a drive may come back).
#pragma once

#include <QObject>
#include <QStringList>

namespace equant::ui {

class RecentFiles : public QObject {
    Q_OBJECT

public:
    explicit RecentFiles(QObject* parent = nullptr);
    const QStringList& paths() const { return m_paths; }
    void add(const QString& path);
    void remove(const QString& path);

signals:
    void changed();

private:
    void save();
    QStringList m_paths;
};

}  // namespace equant::ui
