// SPDX-License-Identifier: GPL-3.0-or-later
// Everything known of the selected layer, in prose: shape, cost, ranges, encodings, what can be done and why not.
#pragma once

#include <QWidget>

class QTextBrowser;

namespace equant::ui {

class Session;

class InspectorPanel : public QWidget {
    Q_OBJECT

public:
    explicit InspectorPanel(Session& session, QWidget* parent = nullptr);
    QString plainText() const;

protected:
    void changeEvent(QEvent* event) override;

private:
    void refresh();
    QString modelHtml() const;
    QString layerHtml(const QString& name) const;
    QString compressionHtml(const QString& name) const;
    QString rangesHtml(const QString& name) const;
    QString quantizationHtml(const QString& name) const;
    QString whyHtml(const QString& name) const;

    Session& m_session;
    QTextBrowser* m_text;
};

}  // namespace equant::ui
