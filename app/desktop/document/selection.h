// SPDX-License-Identifier: GPL-3.0-or-later
// The one selection of the window: layers by name, shared by table, plots, inspector and pages. GUI thread only.
#pragma once

#include <QObject>
#include <QStringList>

namespace equant::ui {

class Selection : public QObject {
    Q_OBJECT

public:
    using QObject::QObject;
    const QStringList& layers() const { return m_layers; }
    /// The layer that detail views show: the first selected one.
    QString current() const { return m_layers.value(0); }

public slots:
    void set(const QStringList& layers) {
        if (layers == m_layers) return;
        m_layers = layers;
        emit changed(m_layers);
    }
    void setOne(const QString& layer) { set(layer.isEmpty() ? QStringList() : QStringList{layer}); }
    void clear() { set({}); }

signals:
    void changed(const QStringList& layers);

private:
    QStringList m_layers;
};

}  // namespace equant::ui
