// SPDX-License-Identifier: GPL-3.0-or-later
// Score of the network against the ratio of one layer (others may be overlaid): measured points with their confidence
// band and a monotone fit in solid lines, predictions dotted. The handle of the first layer is dragged, or stepped with
// [ and ], and snaps to the ratios that the layer can really have. GUI thread only.
#pragma once

#include "widgets/plots/base/plot_view.h"

namespace equant::plots {

struct CurvePoint {
    double ratio = kNone;  ///< cost left, 0..1
    double score = kNone;
    double low = kNone, high = kNone;  ///< confidence interval of the score
};

struct CurveLayer {
    QString key = {}, label = {};
    std::vector<CurvePoint> measured = {};
    std::vector<CurvePoint> predicted = {};  ///< from the instant estimate
    std::vector<CurvePoint> fit = {};        ///< monotone fit of the measured points
};

/// A ratio that the layer can have, and what it means: "rank 24 of 64".
struct LegalRatio {
    double ratio = 1.0;  ///< 0..1
    QString text = {};
};

struct LayerCurveData {
    std::vector<CurveLayer> layers = {};  ///< the first one has the handle
    std::vector<LegalRatio> legal = {};   ///< of the first layer; empty: every percent
    double chosen = kNone;                ///< ratio of the first layer now; kNone: no handle
    bool isLocked = false;                ///< the handle is shown but cannot be moved
    double baseline = kNone, target = kNone;
    QString scoreName = {};  ///< such as "Top-1 accuracy"
    QString unit = {};       ///< such as "%"
    bool isHigherBetter = true;
};

class LayerCurve : public PlotView {
    Q_OBJECT

public:
    explicit LayerCurve(QWidget* parent = nullptr);
    void setData(LayerCurveData content);
    /// Moves the handle without telling anybody.
    void setChosen(double ratio);
    double chosen() const { return m_data.chosen; }
    /// What the handle says now: "50 % · rank 24 of 64 · 91.2 % measured".
    QString handleText() const;
    PlotTable table() const override;

signals:
    /// By mouse or keyboard; `isFinished` on release and after each key.
    void ratioDragged(const QString& layerKey, double ratio, bool isFinished);

protected:
    PlotScene buildScene() const override;
    void lineMoved(const QString& id, double value, bool isFinished) override;
    void keyPressEvent(QKeyEvent* event) override;

private:
    double snapped(double ratio) const;
    void step(int direction);
    QString shortName(std::size_t index) const;
    void addLayer(std::size_t index, PlotScene& scene) const;
    LayerCurveData m_data;
};

}  // namespace equant::plots
