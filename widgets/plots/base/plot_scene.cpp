// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/plots/base/plot_scene.h"

#include <QCoreApplication>
#include <QLocale>
#include <algorithm>
#include <array>
#include <cmath>

namespace equant::plots {
namespace {

QString scaled(double value, double base, const std::array<QString, 5>& units) {
    std::size_t unit = 0;
    while (std::abs(value) >= base * 0.9995 && unit + 1 < units.size()) {
        value /= base;
        ++unit;
    }
    const int decimals = unit == 0 || std::abs(value) >= 100.0 ? 0 : 1;
    QString number = QLocale().toString(value, 'f', decimals);
    const QString zero = QLocale().decimalPoint() + QLocale().zeroDigit();
    if (decimals == 1 && number.endsWith(zero)) number.chop(zero.size());
    return units[unit].isEmpty() ? number : number + QChar(0x202F) + units[unit];
}

}  // namespace

bool PlotScene::isEmpty() const {
    return std::all_of(series.begin(), series.end(), [](const PlotSeries& s) { return s.points.empty(); });
}

const PlotSeries* PlotScene::find(const QString& name) const {
    const auto it = std::find_if(series.begin(), series.end(), [&](const PlotSeries& s) { return s.name == name; });
    return it == series.end() ? nullptr : &*it;
}

double toAxis(const PlotAxis& axis, double value) {
    if (axis.scale != Scale::SignedLog) return value;
    const double magnitude = std::abs(value) / axis.threshold;
    return std::copysign(magnitude <= 1.0 ? magnitude : 1.0 + std::log10(magnitude), value);
}

double fromAxis(const PlotAxis& axis, double coordinate) {
    if (axis.scale != Scale::SignedLog) return coordinate;
    const double magnitude = std::abs(coordinate);
    return std::copysign((magnitude <= 1.0 ? magnitude : std::pow(10.0, magnitude - 1.0)) * axis.threshold, coordinate);
}

std::pair<double, double> padded(double lower, double upper, double share) {
    if (!std::isfinite(lower) || !std::isfinite(upper) || lower > upper) return {0.0, 1.0};
    const double length = upper - lower;
    const double least = std::max({std::abs(lower), std::abs(upper), 1e-6}) * 1e-3;
    if (length < least)
        return {lower - std::max(least, 0.5 * std::abs(lower)), upper + std::max(least, 0.5 * std::abs(upper))};
    return {lower - share * length, upper + share * length};
}

QString numberText(double value, int significantDigits) {
    if (std::isnan(value)) return QStringLiteral("–");
    if (std::isinf(value)) return value > 0 ? QStringLiteral("∞") : QStringLiteral("−∞");
    QString text = QLocale().toString(value, 'g', significantDigits);
    // As many digits as the whole part needs, rather than an exponent.
    if (std::abs(value) >= std::pow(10.0, significantDigits) && std::abs(value) < 1e7)
        text = QLocale().toString(value, 'f', 0);
    return text.replace(u'-', QChar(0x2212));
}

QString countText(double value) {
    return scaled(value, 1000.0,
                  {QString(), QStringLiteral("k"), QStringLiteral("M"), QStringLiteral("G"), QStringLiteral("T")});
}

QString bytesText(double bytes) {
    return scaled(
        bytes, 1000.0,
        {QStringLiteral("B"), QStringLiteral("kB"), QStringLiteral("MB"), QStringLiteral("GB"), QStringLiteral("TB")});
}

QString percentText(double percent) {
    return QLocale().toString(percent, 'f', percent > 0.0 && percent < 10.0 ? 1 : 0) + QStringLiteral("\u202F%");
}

QStringList shortNames(const QStringList& names) {
    if (names.size() < 2) return names;
    const auto isBreak = [](QChar c) { return c == u'/' || c == u'.' || c == u'_' || c == u':'; };
    const QString& first = names.front();
    qsizetype prefix = first.size(), suffix = first.size();
    for (const QString& name : names) {
        qsizetype same = 0;
        while (same < std::min(prefix, name.size()) && name[same] == first[same]) ++same;
        prefix = same;
        same = 0;
        while (same < std::min(suffix, name.size()) && name[name.size() - 1 - same] == first[first.size() - 1 - same])
            ++same;
        suffix = same;
    }
    while (prefix > 0 && !isBreak(first[prefix - 1])) --prefix;
    while (suffix > 0 && !isBreak(first[first.size() - suffix])) --suffix;
    QStringList result;
    for (const QString& name : names) {
        const qsizetype length = name.size() - prefix - suffix;
        result += length > 0 ? name.mid(prefix, length) : name;
    }
    return result;
}

QString skippedText(int count) {
    if (count == 0) return {};
    return QCoreApplication::translate("equant::plots", "%n item(s) without finite values left out", nullptr, count);
}

}  // namespace equant::plots
