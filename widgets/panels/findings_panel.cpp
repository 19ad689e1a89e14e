// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/panels/findings_panel.h"

#include <QEvent>
#include <QHeaderView>
#include <QLabel>
#include <QTableView>
#include <QTimer>
#include <QVBoxLayout>

#include "widgets/models/finding_model.h"

namespace equant::ui {

using namespace Qt::StringLiterals;

FindingsPanel::FindingsPanel(FindingModel* model, QWidget* parent)
    : QWidget(parent), m_model(model), m_view(new QTableView(this)), m_empty(new QLabel(this)) {
    setObjectName(u"findingsPanel"_s);
    m_view->setObjectName(u"findingsTable"_s);
    m_view->setAccessibleName(tr("Findings"));
    m_view->setModel(model);
    m_view->setSelectionBehavior(QAbstractItemView::SelectRows);
    m_view->setSelectionMode(QAbstractItemView::SingleSelection);
    m_view->setShowGrid(false);
    m_view->setWordWrap(true);
    m_view->setFrameShape(QFrame::NoFrame);
    m_view->setVerticalScrollMode(QAbstractItemView::ScrollPerPixel);
    m_view->verticalHeader()->hide();
    m_view->horizontalHeader()->setStretchLastSection(true);
    m_view->horizontalHeader()->setHighlightSections(false);
    m_view->setColumnHidden(FindingModel::Id, true);
    m_empty->setText(tr("No findings."));
    m_empty->setWordWrap(true);
    m_empty->setAlignment(Qt::AlignCenter);
    m_empty->setEnabled(false);
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->addWidget(m_view, 1);
    layout->addWidget(m_empty, 1);
    connect(model, &QAbstractItemModel::modelReset, this, &FindingsPanel::refresh);
    m_view->viewport()->installEventFilter(this);
    connect(m_view, &QTableView::activated, this, [this](const QModelIndex& index) {
        const QString subject = index.data(FindingModel::SubjectRole).toString();
        if (!subject.isEmpty()) emit layerActivated(subject);
    });
    refresh();
}

bool FindingsPanel::eventFilter(QObject* watched, QEvent* event) {
    // Wrapped rows follow the width, after the header has stretched its last section.
    if (event->type() == QEvent::Resize) QTimer::singleShot(0, m_view, &QTableView::resizeRowsToContents);
    return QWidget::eventFilter(watched, event);
}

void FindingsPanel::refresh() {
    const bool isEmpty = m_model->rowCount() == 0;
    m_view->setVisible(!isEmpty);
    m_empty->setVisible(isEmpty);
    m_view->resizeColumnToContents(FindingModel::SeverityColumn);
    m_view->setColumnWidth(FindingModel::Subject, 110);
    m_view->resizeRowsToContents();
}

}  // namespace equant::ui
