// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/desktop/pages/page_parts.h"

#include <QComboBox>
#include <QFormLayout>
#include <QScrollArea>
#include <QScrollBar>
#include <QVBoxLayout>

#include "app/desktop/document/selection.h"
#include "widgets/plots/base/plot_view.h"

namespace equant::ui {

namespace {

class ColumnScroll : public QScrollArea {
public:
    using QScrollArea::QScrollArea;
    QSize sizeHint() const override { return {300 + verticalScrollBar()->sizeHint().width(), 400}; }
    QSize minimumSizeHint() const override { return {236, 120}; }
};

}  // namespace

QScrollArea* controlColumn(QWidget* content, QWidget* parent) {
    auto* scroll = new ColumnScroll(parent);
    scroll->setWidget(content);
    scroll->setWidgetResizable(true);
    scroll->setFrameShape(QFrame::NoFrame);
    scroll->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    content->setContentsMargins(0, 0, 8, 0);
    return scroll;
}

QFormLayout* plainForm() {
    auto* form = new QFormLayout;
    form->setContentsMargins(0, 0, 0, 0);
    form->setSpacing(8);
    form->setFieldGrowthPolicy(QFormLayout::AllNonFixedFieldsGrow);
    form->setRowWrapPolicy(QFormLayout::DontWrapRows);
    return form;
}

void makeShrinkable(QComboBox* box) {
    box->setSizeAdjustPolicy(QComboBox::AdjustToMinimumContentsLengthWithIcon);
    box->setMinimumContentsLength(8);
}

QLabel* headline(QWidget* parent) {
    auto* label = new QLabel(parent);
    QFont font = label->font();
    font.setPointSizeF(font.pointSizeF() * 1.25);
    font.setWeight(QFont::DemiBold);
    label->setFont(font);
    label->setWordWrap(true);
    label->setTextFormat(Qt::PlainText);
    label->setTextInteractionFlags(Qt::TextSelectableByMouse);
    return label;
}

QLabel* mutedText(QWidget* parent) {
    auto* label = new QLabel(parent);
    label->setWordWrap(true);
    label->setTextFormat(Qt::PlainText);
    label->setForegroundRole(QPalette::PlaceholderText);
    label->setTextInteractionFlags(Qt::TextSelectableByMouse);
    return label;
}

QWidget* titled(const QString& title, QWidget* content, QWidget* parent) {
    auto* box = new QWidget(parent);
    auto* heading = new QLabel(title, box);
    QFont font = heading->font();
    font.setWeight(QFont::DemiBold);
    heading->setFont(font);
    heading->setBuddy(content);
    auto* layout = new QVBoxLayout(box);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->setSpacing(4);
    layout->addWidget(heading);
    layout->addWidget(content, 1);
    return box;
}

void wrapInScrollArea(QWidget* page, PageContent* content, QSize minimum) {
    content->setMinimumSize(minimum);
    auto* scroll = new QScrollArea(page);
    scroll->setWidget(content);
    scroll->setWidgetResizable(true);
    scroll->setFrameShape(QFrame::NoFrame);
    auto* layout = new QVBoxLayout(page);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->addWidget(scroll);
}

void linkSelection(plots::PlotView* plot, Selection& selection) {
    QObject::connect(plot, &plots::PlotView::selectionChanged, &selection, &Selection::set);
    QObject::connect(&selection, &Selection::changed, plot, [plot](const QStringList& layers) {
        if (plot->selection() != layers) plot->setSelection(layers);
    });
}

}  // namespace equant::ui
