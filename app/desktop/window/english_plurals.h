// SPDX-License-Identifier: GPL-3.0-or-later
// Plural forms of the source language: tr("%n layer(s)", nullptr, 1) reads "1 layer", with 2 "2 layers". Installed
// first, so that a real translation wins.
#pragma once

#include <QTranslator>

namespace equant::ui {

class EnglishPlurals : public QTranslator {
public:
    using QTranslator::QTranslator;
    bool isEmpty() const override { return false; }
    QString translate(const char*, const char* source, const char*, int count) const override {
        if (count < 0) return {};
        QString text = QString::fromUtf8(source);
        if (!text.contains(QLatin1String("(s)"))) return {};
        return text.replace(QLatin1String("(s)"), count == 1 ? QString() : QStringLiteral("s"));
    }
};

}  // namespace equant::ui
