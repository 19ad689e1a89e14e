// SPDX-License-Identifier: GPL-3.0-or-later
// The plans that were measured, one row each: what they consist of, what is left and what they score. Their numbers are
// those of the stars in the trade-off beside it. GUI thread only.
#pragma once

#include <QWidget>
#include <vector>

class QLabel;
class QPushButton;
class QTreeWidget;

namespace equant::ui {

struct PlanMeasurement;

/// "spatial SVD 12, pruning 7": layers of a plan by method.
QString methodCounts(const PlanMeasurement& measured);

class MeasuredPlans : public QWidget {
    Q_OBJECT

public:
    explicit MeasuredPlans(QWidget* parent = nullptr);
    /// `plans` in the order of their numbers; `current`: the edited plan's, -1: it is not among them. Hidden when
    /// empty.
    void setPlans(const std::vector<const PlanMeasurement*>& plans, int current);

protected:
    void resizeEvent(QResizeEvent* event) override;

signals:
    /// Index in the plans given.
    void planChosen(int index);

private:
    void adopt();
    void refreshButton();

    QLabel* m_title;
    QPushButton* m_adopt;
    QTreeWidget* m_list;
    int m_current = -1;
};

}  // namespace equant::ui
