// SPDX-License-Identifier: GPL-3.0-or-later
// Tickers: names thinned to what fits, whole numbers, counts with SI prefixes, log axes with useful labels below two
// decades, and signed-log axes. Shared with the axes by QSharedPointer; GUI thread only.
#pragma once

#include <qcustomplot.h>

#include "widgets/plots/base/plot_scene.h"

namespace equant::plots {

/// Numbers for people: "−0.25", "1.2 M". Whole numbers only when asked for.
class NumberTicker : public QCPAxisTicker {
public:
    NumberTicker(bool areWhole, bool areCounts) : m_areWhole(areWhole), m_areCounts(areCounts) {}

protected:
    double getTickStep(const QCPRange& range) override;
    int getSubTickCount(double) override { return 0; }
    QString getTickLabel(double tick, const QLocale& locale, QChar formatChar, int precision) override;

private:
    bool m_areWhole, m_areCounts;
};

/// One tick every `step` names; the canvas plans step and width from the room there is.
class NameTicker : public QCPAxisTicker {
public:
    explicit NameTicker(QStringList names) : m_names(std::move(names)) {}
    const QStringList& names() const { return m_names; }
    void plan(int step, QStringList labels);
    int step() const { return m_step; }
    void generate(const QCPRange& range, const QLocale& locale, QChar formatChar, int precision, QVector<double>& ticks,
                  QVector<double>* subTicks, QVector<QString>* tickLabels) override;

private:
    QStringList m_names, m_labels;
    int m_step = 1;
};

/// 1-2-5 labels below two decades, whole decades above.
class DecadeTicker : public QCPAxisTicker {
public:
    explicit DecadeTicker(bool areCounts) : m_areCounts(areCounts) {}
    void generate(const QCPRange& range, const QLocale& locale, QChar formatChar, int precision, QVector<double>& ticks,
                  QVector<double>* subTicks, QVector<QString>* tickLabels) override;

private:
    bool m_areCounts;
};

/// 0 and +-threshold x 10^k in the coordinates of toAxis().
class SignedLogTicker : public QCPAxisTicker {
public:
    explicit SignedLogTicker(PlotAxis axis) : m_axis(std::move(axis)) {}
    void generate(const QCPRange& range, const QLocale& locale, QChar formatChar, int precision, QVector<double>& ticks,
                  QVector<double>* subTicks, QVector<QString>* tickLabels) override;

private:
    PlotAxis m_axis;
};

}  // namespace equant::plots
