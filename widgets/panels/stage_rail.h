// SPDX-License-Identifier: GPL-3.0-or-later
// The stages of the work as a column of buttons, each with a line that says how it stands. Not a wizard: any order.
#pragma once

#include <QIcon>
#include <QWidget>

class QButtonGroup;
class QVBoxLayout;

namespace equant::ui {

class StageButton;

class StageRail : public QWidget {
    Q_OBJECT

public:
    explicit StageRail(QWidget* parent = nullptr);

    int addStage(const QString& title, const QIcon& icon);  ///< returns its index
    /// `isStrong`: worth a look (stale, running); `isDone` puts a check mark.
    void setStageState(int stage, const QString& text, bool isDone, bool isStrong);
    void setCurrent(int stage);
    int current() const;
    void setCompact(bool on);  ///< icons only, for narrow windows
    QWidget* button(int stage) const;

signals:
    void activated(int stage);

private:
    QButtonGroup* m_group;
    QVBoxLayout* m_layout;
    QList<StageButton*> m_buttons;
    bool m_isCompact = false;
};

}  // namespace equant::ui
