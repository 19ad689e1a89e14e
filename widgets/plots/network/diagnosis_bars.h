// SPDX-License-Identifier: GPL-3.0-or-later
// Which part of quantization costs quality: float, weights only, activations only, both; one bar each with its
// confidence interval. The finding compares the two single losses and says when they are within noise.
#pragma once

#include "widgets/plots/base/plot_view.h"

namespace equant::plots {

struct DiagnosisItem {
    QString key = {}, label = {};
    double value = kNone;
    double low = kNone, high = kNone;  ///< confidence interval, both kNone when unknown
};

struct DiagnosisData {
    std::vector<DiagnosisItem> bars;  ///< float, weights only, activations only, both; missing ones may be left out
    QString metric;                   ///< axis title with unit, such as "Top-1 accuracy (%)" or "Output SQNR (dB)"
    double target = kNone;            ///< optional goal line
};

class DiagnosisBars : public PlotView {
    Q_OBJECT

public:
    /// Keys with a meaning for the finding.
    static constexpr QStringView kFloat = u"float", kWeights = u"weights", kActivations = u"activations",
                                 kBoth = u"both", kPrepared = u"prepared";

    explicit DiagnosisBars(QWidget* parent = nullptr);
    void setData(DiagnosisData content);
    PlotTable table() const override;

protected:
    PlotScene buildScene() const override;

private:
    const DiagnosisItem* find(QStringView key) const;
    QString finding() const;
    DiagnosisData m_data;
};

}  // namespace equant::plots
