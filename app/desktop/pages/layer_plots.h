// SPDX-License-Identifier: GPL-3.0-or-later
// The five plots of one layer's weights before and after equalization, in tabs. Only the visible one is filled.
#pragma once

#include <QWidget>

class QComboBox;
class QTabWidget;

namespace equant::plots {
class BiasGrowth;
class ChannelBand;
class DisplacementField;
class EffectiveBits;
class PlotView;
class ScaleFactors;
}  // namespace equant::plots

namespace equant::ui {

class Session;

class LayerPlots : public QWidget {
    Q_OBJECT

public:
    explicit LayerPlots(Session& session, QWidget* parent = nullptr);
    QTabWidget* tabs() const { return m_tabs; }
    QList<plots::PlotView*> plots() const;
    /// The layer shown: the selected one if it has weights, else the one with the most uneven channels.
    QString layer() const;
    /// Fills all plots, visible or not, for export.
    void fillAll();

private:
    void refresh();
    void fill(int tab);
    void fillFactors(const QString& name);

    Session& m_session;
    QTabWidget* m_tabs;
    QComboBox* m_order;
    plots::ChannelBand* m_band;
    plots::EffectiveBits* m_bits;
    plots::DisplacementField* m_field;
    plots::ScaleFactors* m_factors;
    plots::BiasGrowth* m_bias;
};

}  // namespace equant::ui
