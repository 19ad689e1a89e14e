// SPDX-License-Identifier: GPL-3.0-or-later
// Which data are used, and a button to choose others: the same on every page that needs data.
#pragma once

#include <QWidget>

class QLineEdit;

namespace equant::ui {

class Session;

class DataRow : public QWidget {
    Q_OBJECT

public:
    /// `pathName` and `buttonName`: object names of its parts.
    DataRow(Session& session, const QString& pathName, const QString& buttonName, QWidget* parent = nullptr);

signals:
    void folderRequested();
    void fileRequested();

private:
    void refresh();
    Session& m_session;
    QLineEdit* m_path;
};

}  // namespace equant::ui
