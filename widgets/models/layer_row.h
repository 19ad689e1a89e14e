// SPDX-License-Identifier: GPL-3.0-or-later
// One line of the layer table: what is known of a layer so far. Plain values; what was not measured is absent.
#pragma once

#include <QString>
#include <cstdint>
#include <optional>

namespace equant::ui {

struct LayerRow {
    int position = 0;  ///< in execution order, from 1
    QString name;
    QString type;
    QString outputShape;
    QString weightShape;
    std::int64_t parameters = 0;
    std::int64_t macs = 0;
    std::int64_t activationBytes = 0;
    double parameterShare = 0;  ///< of the model, 0..1
    double macShare = 0;
    std::optional<double> imbalanceBefore;  ///< largest over median channel range
    std::optional<double> imbalanceAfter;
    std::optional<double> typicalBitsBefore;  ///< effective bits of the median channel
    std::optional<double> typicalBitsAfter;
    QString planMethod;               ///< in words; empty: has no weights to compress
    QString planReason;               ///< not empty: cannot be compressed, and why
    std::optional<double> planRatio;  ///< cost left in the layer, 0..1; absent: left alone
    std::int64_t planSize = 0;        ///< rank or channels kept; 0: left alone
    std::int64_t planFullSize = 0;    ///< of how many
    std::optional<double> macsSaved;  ///< share of the model's MACs that the plan saves here
    bool isPlanLocked = false;
    std::optional<double> localSqnrDb;
    std::optional<double> accumulatedSqnrDb;
    QString bits;  ///< "W8 A8", "float"
};

}  // namespace equant::ui
