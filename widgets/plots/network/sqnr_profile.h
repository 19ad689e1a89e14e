// SPDX-License-Identifier: GPL-3.0-or-later
// Quantization noise along the network: SQNR of each layer alone (local) and of everything up to it (accumulated).
// Arrows mark the layers that fall farthest below the local median; the threshold line selects the culprits below it.
#pragma once

#include "widgets/plots/base/plot_view.h"

namespace equant::plots {

struct SqnrItem {
    QString key = {}, label = {};
    double localDb = kNone;        ///< only this layer quantized
    double accumulatedDb = kNone;  ///< all layers up to this one quantized
};

struct SqnrProfileData {
    std::vector<SqnrItem> layers;  ///< in execution order
    int arrowCount = 3;
    QString unit = QStringLiteral("dB");
};

class SqnrProfile : public PlotView {
    Q_OBJECT

public:
    explicit SqnrProfile(QWidget* parent = nullptr);
    void setData(SqnrProfileData content);
    /// Threshold in dB; not finite: no line.
    void setThreshold(double db);
    double threshold() const { return m_threshold; }
    /// Layers whose local SQNR is below the threshold, worst first.
    QStringList culprits() const;
    PlotTable table() const override;

signals:
    void thresholdChanged(double db);

protected:
    PlotScene buildScene() const override;
    void lineMoved(const QString& id, double value, bool isFinished) override;

private:
    std::vector<std::size_t> worstFirst() const;
    double localMedian() const;
    PlotSeries arrows() const;
    void addThreshold(PlotScene& scene) const;
    SqnrProfileData m_data;
    double m_threshold = kNone;
};

}  // namespace equant::plots
