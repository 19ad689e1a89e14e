// SPDX-License-Identifier: GPL-3.0-or-later
// Small things that every page is made of, so that pages look alike.
#pragma once

#include <QLabel>
#include <QSize>
#include <QWidget>

class QComboBox;
class QFormLayout;
class QScrollArea;

namespace equant::plots {
class PlotView;
}

namespace equant::ui {

class Selection;

/// A sentence in larger type, wrapped.
QLabel* headline(QWidget* parent);
/// Wrapped text in the muted colour.
QLabel* mutedText(QWidget* parent);
/// A widget below a small heading.
QWidget* titled(const QString& title, QWidget* content, QWidget* parent);
/// A form without margins whose fields fill the width.
QFormLayout* plainForm();
/// Lets a long entry be cut instead of making the column wide.
void makeShrinkable(QComboBox* box);
/// A vertical scroll area that is as wide as its content wants: the column of controls beside the plots.
QScrollArea* controlColumn(QWidget* content, QWidget* parent);
/// What pages put into their scroll area: fills the view as long as it is larger than the minimum size. (A plain widget
/// with wrapped labels would insist on its preferred height.)
class PageContent : public QWidget {
public:
    using QWidget::QWidget;
    int heightForWidth(int) const override { return minimumHeight(); }
};

/// Makes `content` the page's only child; scroll bars appear when the page gets smaller than `minimum`.
void wrapInScrollArea(QWidget* page, PageContent* content, QSize minimum);
/// Layers selected in the plot are selected everywhere, and the other way round.
void linkSelection(plots::PlotView* plot, Selection& selection);

}  // namespace equant::ui
