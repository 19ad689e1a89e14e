// SPDX-License-Identifier: GPL-3.0-or-later
#include <algorithm>
#include <cmath>

#include "widgets/plots/base/plot_ticks_internal.h"

namespace equant::plots {

double NumberTicker::getTickStep(const QCPRange& range) {
    const double step = QCPAxisTicker::getTickStep(range);
    return m_areWhole ? std::max(1.0, std::round(step)) : step;
}

QString NumberTicker::getTickLabel(double tick, const QLocale&, QChar, int) {
    if (m_areCounts) return countText(tick);
    return numberText(std::abs(tick) < 1e-12 ? 0.0 : tick, 6);
}

void NameTicker::plan(int step, QStringList labels) {
    m_step = std::max(1, step);
    m_labels = std::move(labels);
}

void NameTicker::generate(const QCPRange& range, const QLocale&, QChar, int, QVector<double>& ticks,
                          QVector<double>* subTicks, QVector<QString>* tickLabels) {
    ticks.clear();
    if (subTicks) subTicks->clear();
    if (tickLabels) tickLabels->clear();
    const auto first = static_cast<qsizetype>(std::max(0.0, std::ceil(range.lower)));
    for (qsizetype i = (first + m_step - 1) / m_step * m_step; i < m_names.size(); i += m_step) {
        if (static_cast<double>(i) > range.upper) break;
        ticks.append(static_cast<double>(i));
        if (tickLabels) tickLabels->append(i < m_labels.size() ? m_labels[i] : m_names[i]);
    }
}

void DecadeTicker::generate(const QCPRange& range, const QLocale&, QChar, int, QVector<double>& ticks,
                            QVector<double>* subTicks, QVector<QString>* tickLabels) {
    ticks.clear();
    if (subTicks) subTicks->clear();
    if (tickLabels) tickLabels->clear();
    if (range.lower <= 0.0) return;
    const double decades = std::log10(range.upper / range.lower);
    const int step = std::max(1, static_cast<int>(std::ceil(decades / 7.0)));
    const std::vector<double> mantissas = decades < 1.0   ? std::vector<double>{1, 1.5, 2, 3, 4, 5, 7}
                                          : decades < 2.5 ? std::vector<double>{1, 2, 5}
                                                          : std::vector<double>{1};
    const int lowest = static_cast<int>(std::floor(std::log10(range.lower)));
    const int highest = static_cast<int>(std::ceil(std::log10(range.upper)));
    for (int exponent = lowest; exponent <= highest; ++exponent) {
        if (exponent % step != 0) continue;
        for (const double mantissa : mantissas) {
            const double tick = mantissa * std::pow(10.0, exponent);
            if (tick < range.lower || tick > range.upper) continue;
            ticks.append(tick);
            if (tickLabels) tickLabels->append(m_areCounts ? countText(tick) : numberText(tick));
        }
    }
}

void SignedLogTicker::generate(const QCPRange& range, const QLocale&, QChar, int, QVector<double>& ticks,
                               QVector<double>* subTicks, QVector<QString>* tickLabels) {
    ticks.clear();
    if (subTicks) subTicks->clear();
    if (tickLabels) tickLabels->clear();
    const double length = range.size();
    const double step = length > 12.0 ? 2.0 : length > 2.0 ? 1.0 : length / 5.0;
    for (double tick = std::ceil(range.lower / step) * step; tick <= range.upper; tick += step) {
        const double coordinate = std::abs(tick) < step * 1e-6 ? 0.0 : tick;
        ticks.append(coordinate);
        if (tickLabels) tickLabels->append(numberText(fromAxis(m_axis, coordinate), 2));
    }
}

}  // namespace equant::plots
