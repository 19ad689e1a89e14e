// SPDX-License-Identifier: GPL-3.0-or-later
// Where to begin: drop zone, the bundled sample, models opened lately.
#pragma once

#include <QWidget>

class QListWidget;
class QPushButton;

namespace equant::ui {

class RecentFiles;

class StartPage : public QWidget {
    Q_OBJECT

public:
    explicit StartPage(RecentFiles* recent, QWidget* parent = nullptr);

signals:
    void openRequested();
    void sampleRequested();
    void recentRequested(const QString& path);

private:
    QWidget* createDropZone(QWidget* parent);
    QWidget* createRecent(QWidget* parent);
    void fillRecent();

    RecentFiles* m_recent;
    QListWidget* m_list;
    QWidget* m_recentBox;
};

}  // namespace equant::ui
