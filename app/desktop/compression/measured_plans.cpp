// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/desktop/compression/measured_plans.h"

#include <QHBoxLayout>
#include <QHeaderView>
#include <QLabel>
#include <QLocale>
#include <QPushButton>
#include <QTreeWidget>
#include <QVBoxLayout>
#include <algorithm>
#include <map>

#include "app/desktop/compression/compression_view.h"
#include "app/desktop/document/compression_state.h"
#include "app/desktop/pages/plot_data.h"

namespace equant::ui {

using namespace Qt::StringLiterals;

namespace {

enum Column { kNumber, kPlan, kCost, kScore, kNoise, kLayers, kColumns };
constexpr int kPlanWidth = 170;
constexpr int kLow = 90;
constexpr int kSortRole = Qt::UserRole + 1;

/// Sorts numbers by value, not as text.
class PlanItem : public QTreeWidgetItem {
public:
    using QTreeWidgetItem::QTreeWidgetItem;
    bool operator<(const QTreeWidgetItem& other) const override {
        const int column = treeWidget() ? treeWidget()->sortColumn() : 0;
        const QVariant mine = data(column, kSortRole), theirs = other.data(column, kSortRole);
        if (mine.isValid() && theirs.isValid()) return mine.toDouble() < theirs.toDouble();
        return text(column) < other.text(column);
    }
};

QString number(double value) {
    return QLocale().toString(value, 'f', 1);
}

/// "84.5 % (79 to 89)"
QString scoreText(const Score& score) {
    const auto decisive = decisiveScore(score);
    if (!decisive) return u"–"_s;
    const auto& interval = score.top1 ? score.top1Interval : score.agreementInterval;
    QString text = measuredText(score);
    if (decisive->isPercent && interval)
        text += MeasuredPlans::tr(" (%1 to %2)")
                    .arg(QLocale().toString(interval->low, 'f', 0), QLocale().toString(interval->high, 'f', 0));
    return text;
}

}  // namespace

QString methodCounts(const PlanMeasurement& measured) {
    std::map<CompressionMethod, int> counts;
    for (const LayerChoice& choice : measured.step.plan.choices)
        if (choice.ratio < 1) ++counts[choice.method];
    QStringList parts;
    for (const auto& [method, count] : counts)
        parts << MeasuredPlans::tr("%1 %2", "method and how many layers").arg(methodText(method)).arg(count);
    return parts.join(u", "_s);
}

MeasuredPlans::MeasuredPlans(QWidget* parent)
    : QWidget(parent),
      m_title(new QLabel(this)),
      m_adopt(new QPushButton(tr("Adopt"), this)),
      m_list(new QTreeWidget(this)) {
    setObjectName(u"measuredPlans"_s);
    m_list->setObjectName(u"measuredPlanList"_s);
    m_list->setAccessibleName(tr("Measured plans"));
    m_list->setColumnCount(kColumns);
    m_list->setHeaderLabels({tr("#"), tr("Plan"), tr("MACs"), tr("Score"), tr("SQNR"), tr("Layers by method")});
    m_list->headerItem()->setToolTip(kScore, tr("With the 95 % confidence interval"));
    m_list->headerItem()->setToolTip(kNoise, tr("Of the outputs against the float model, in dB"));
    m_list->setRootIsDecorated(false);
    m_list->setUniformRowHeights(true);
    m_list->setAlternatingRowColors(true);
    m_list->setSortingEnabled(true);
    m_list->sortByColumn(kNumber, Qt::AscendingOrder);
    m_list->setFrameShape(QFrame::NoFrame);
    m_list->setMinimumHeight(44);
    m_list->header()->setMinimumSectionSize(24);
    m_adopt->setObjectName(u"adoptMeasuredPlan"_s);
    m_adopt->setToolTip(tr("Makes the selected plan the edited plan; undo restores the former one"));
    auto* row = new QHBoxLayout;
    row->addWidget(m_title, 1);
    row->addWidget(m_adopt);
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(0, 4, 0, 0);
    layout->setSpacing(4);
    layout->addLayout(row);
    layout->addWidget(m_list, 1);
    connect(m_adopt, &QPushButton::clicked, this, &MeasuredPlans::adopt);
    connect(m_list, &QTreeWidget::itemActivated, this, &MeasuredPlans::adopt);
    connect(m_list, &QTreeWidget::itemSelectionChanged, this, &MeasuredPlans::refreshButton);
    hide();
}

void MeasuredPlans::setPlans(const std::vector<const PlanMeasurement*>& plans, int current) {
    const int selected = m_list->currentItem() ? m_list->currentItem()->data(kNumber, kSortRole).toInt() : 0;
    m_current = current;
    m_list->setSortingEnabled(false);
    m_list->clear();
    for (std::size_t i = 0; i < plans.size(); ++i) {
        const PlanMeasurement& plan = *plans[i];
        const int index = static_cast<int>(i);
        auto* item = new PlanItem(m_list);
        const auto show = [&](Column column, const QString& text, const QVariant& value) {
            item->setText(column, text);
            item->setToolTip(column, text);
            item->setData(column, kSortRole, value);
            if (column != kPlan && column != kLayers) item->setTextAlignment(column, Qt::AlignRight | Qt::AlignVCenter);
        };
        show(kNumber, QString::number(index + 1), index + 1);
        QString name = plan.label.isEmpty() ? tr("measured plan") : plan.label;
        if (index == current) name = tr("● %1", "the edited plan").arg(name);
        show(kPlan, name, {});
        if (index == current) item->setToolTip(kPlan, tr("%1: the edited plan").arg(name.mid(2)));
        show(kCost, tr("%1 %").arg(number(100 * plan.macsRatio)), plan.macsRatio);
        const auto decisive = decisiveScore(plan.score);
        show(kScore, scoreText(plan.score), decisive ? decisive->value : -1.0);
        show(kNoise, plan.score.sqnrDb ? number(*plan.score.sqnrDb) : u"–"_s, plan.score.sqnrDb.value_or(-1000.0));
        show(kLayers, methodCounts(plan), {});
        if (index + 1 == selected) m_list->setCurrentItem(item);
    }
    m_list->setSortingEnabled(true);
    for (int column = 0; column < kColumns; ++column) m_list->resizeColumnToContents(column);
    m_list->setColumnWidth(kPlan, std::min(m_list->columnWidth(kPlan), kPlanWidth));  // the tool tip has all of it
    m_title->setText(
        tr("%n measured plan(s); the numbers are those of the stars", nullptr, static_cast<int>(plans.size())));
    setVisible(!plans.empty());
    refreshButton();
}

/// Where there is little room the rows have it: a double click adopts as well.
void MeasuredPlans::resizeEvent(QResizeEvent* event) {
    QWidget::resizeEvent(event);
    const bool isLow = height() < kLow;
    m_title->setHidden(isLow);
    m_adopt->setHidden(isLow);
}

void MeasuredPlans::adopt() {
    if (const QTreeWidgetItem* item = m_list->currentItem())
        emit planChosen(item->data(kNumber, kSortRole).toInt() - 1);
}

void MeasuredPlans::refreshButton() {
    const QTreeWidgetItem* item = m_list->currentItem();
    m_adopt->setEnabled(item && item->data(kNumber, kSortRole).toInt() - 1 != m_current);
}

}  // namespace equant::ui
