// SPDX-License-Identifier: GPL-3.0-or-later
// Usual combinations of quantization settings by name.
#pragma once

#include <QCoreApplication>
#include <QString>
#include <vector>

#include "core/quantization/settings.h"

namespace equant::ui {

struct QuantizationPreset {
    QString title;
    QuantizationSettings settings;
};

inline const std::vector<QuantizationPreset>& quantizationPresets() {
    static const std::vector<QuantizationPreset> presets = [] {
        const auto translate = [](const char* text) { return QCoreApplication::translate("QuantizationPreset", text); };
        std::vector<QuantizationPreset> list(4);
        list[0].title = translate("W8 A8, per tensor");
        list[1].title = translate("W8 A8, per channel");
        list[1].settings.isPerChannel = true;
        list[2].title = translate("W8 A16, per tensor");
        list[2].settings.activationBits = 16;
        list[3].title = translate("W4 A8, per channel");
        list[3].settings.weightBits = 4;
        list[3].settings.isPerChannel = true;
        return list;
    }();
    return presets;
}

/// Index of the preset with these settings, or the number of presets ("custom").
inline int presetOf(const QuantizationSettings& settings) {
    const auto& presets = quantizationPresets();
    std::size_t index = 0;
    while (index < presets.size() && !(presets[index].settings == settings)) ++index;
    return static_cast<int>(index);
}

}  // namespace equant::ui
