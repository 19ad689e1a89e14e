// SPDX-License-Identifier: GPL-3.0-or-later
// One layer on the compression page: its curve with the handle, method, lock, way back to the suggestion, and why not.
#pragma once

#include <QWidget>

#include "app/desktop/document/compression_state.h"

class QComboBox;
class QLabel;
class QToolButton;

namespace equant::plots {
class LayerCurve;
}

namespace equant::ui {

class CompressionView;
class Session;

class CompressionLayerPanel : public QWidget {
    Q_OBJECT

public:
    explicit CompressionLayerPanel(Session& session, QWidget* parent = nullptr);
    plots::LayerCurve* curve() const { return m_curve; }
    /// Shows these layers, the first with the handle. `view` may be null; it is not kept.
    void show(const CompressionView* view, const QStringList& layers, const CompressionPlan& plan);
    /// While a ratio is dragged: no curve is made anew.
    void showDragged(const CompressionView& view, const CompressionPlan& plan);
    QString layer() const { return m_layer; }

signals:
    void methodChosen(const QString& layer, int method);  ///< CompressionMethod; -1: leave the layer alone
    void methodWanted(CompressionMethod method);          ///< one that the sensitivities do not know yet
    void lockToggled(const QString& layer);
    void resetRequested(const QString& layer);

private:
    void showText(const CompressionView& view, const CompressionPlan& plan);
    void fillMethods(const CompressionView& view, const LayerChoice* choice);

    Session& m_session;
    QString m_layer;
    QLabel* m_text;
    QLabel* m_whyNot;
    QComboBox* m_method;
    QToolButton* m_lock;
    QToolButton* m_reset;
    plots::LayerCurve* m_curve;
};

}  // namespace equant::ui
