// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/desktop/pages/data_row.h"

#include <QHBoxLayout>
#include <QLineEdit>
#include <QMenu>
#include <QToolButton>

#include "app/desktop/jobs/session.h"

namespace equant::ui {

DataRow::DataRow(Session& session, const QString& pathName, const QString& buttonName, QWidget* parent)
    : QWidget(parent), m_session(session), m_path(new QLineEdit(this)) {
    m_path->setObjectName(pathName);
    m_path->setAccessibleName(tr("Data"));
    m_path->setReadOnly(true);
    m_path->setPlaceholderText(tr("Image folder, .npy or .npz"));
    auto* choose = new QToolButton(this);
    choose->setText(tr("Choose"));
    choose->setObjectName(buttonName);
    choose->setPopupMode(QToolButton::InstantPopup);
    auto* menu = new QMenu(choose);
    menu->addAction(tr("Folder of images or ONNX test data …"), this, &DataRow::folderRequested);
    menu->addAction(tr("NumPy file (.npy, .npz) …"), this, &DataRow::fileRequested);
    choose->setMenu(menu);
    auto* layout = new QHBoxLayout(this);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->setSpacing(4);
    layout->addWidget(m_path, 1);
    layout->addWidget(choose);
    for (const auto signal : {&Document::stateChanged, &Document::modelChanged})
        connect(&session.document(), signal, this, &DataRow::refresh);
    refresh();
}

void DataRow::refresh() {
    const QString& path = m_session.document().state().data.path;
    m_path->setText(path);
    m_path->setToolTip(path);
}

}  // namespace equant::ui
