// SPDX-License-Identifier: GPL-3.0-or-later
// What is left of each cost and what the network scores, on two lines: predictions are dotted outlines, measurements
// are solid, targets are marks. The two kinds are never drawn in one style. GUI thread only.
#pragma once

#include <QWidget>
#include <optional>
#include <vector>

namespace equant::ui {

struct BudgetItem {
    QString name;                     ///< "MACs"
    std::optional<double> predicted;  ///< share left, 0..1
    std::optional<double> measured;
    std::optional<double> target;
    bool isPredictable = true;  ///< otherwise it is only known once measured, and says so until then
    friend bool operator==(const BudgetItem&, const BudgetItem&) = default;
};

struct BudgetScore {
    QString name;       ///< "Top-1 accuracy"
    QString predicted;  ///< "about 86.9 %"; empty: none
    QString measured;
    bool isStale = false;  ///< the measured one is of another plan
    friend bool operator==(const BudgetScore&, const BudgetScore&) = default;
};

class BudgetStrip : public QWidget {
    Q_OBJECT

public:
    explicit BudgetStrip(QWidget* parent = nullptr);
    /// `note`: further figures for the summary.
    void setContent(std::vector<BudgetItem> items, BudgetScore score, QString note = {});
    const std::vector<BudgetItem>& items() const { return m_items; }
    const BudgetScore& score() const { return m_score; }
    /// Everything it shows, in words.
    QString summary() const;
    QSize sizeHint() const override;
    QSize minimumSizeHint() const override;

protected:
    void paintEvent(QPaintEvent* event) override;

private:
    void paintItem(QPainter& painter, const BudgetItem& item, QRectF place) const;
    void paintScore(QPainter& painter, QRectF place) const;
    std::vector<BudgetItem> m_items;
    BudgetScore m_score;
    QString m_note;
};

}  // namespace equant::ui
