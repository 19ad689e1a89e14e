// SPDX-License-Identifier: Apache-2.0
#include "core/recipe/sensitivity_reuse.h"

#include <algorithm>
#include <cmath>

namespace equant {

namespace {

constexpr double kSameRatio = 1e-6;

bool isAt(const SensitivityCell& cell, double ratio) {
    return std::abs(cell.ratio - ratio) < kSameRatio;
}

/// Null: the table has no such layer with this method.
const LayerSensitivity* findLayer(const SensitivityTable& table, const LayerSensitivity& like) {
    const auto found = std::ranges::find_if(table.layers, [&](const LayerSensitivity& layer) {
        return layer.name == like.name && layer.method == like.method;
    });
    return found == table.layers.end() ? nullptr : &*found;
}

void takeBaseline(SensitivityTable& table, const SensitivityTable& from) {
    table.metric = from.metric;
    table.metricReason = from.metricReason;
    table.baseline = from.baseline;
    table.baselineInterval = from.baselineInterval;
}

}  // namespace

bool hasScores(const SensitivityTable& table) {
    return std::ranges::any_of(table.layers, [](const LayerSensitivity& layer) {
        return std::ranges::any_of(layer.cells, [](const SensitivityCell& cell) { return cell.score.has_value(); });
    });
}

bool canContinue(const SensitivityTable& table, std::string_view model, std::string_view data) {
    return hasScores(table) && table.model == model && (table.data.empty() || table.data.starts_with(data));
}

void reuseScores(SensitivityTable& table, const SensitivityTable& from) {
    if (table.model != from.model || !hasScores(from)) return;
    bool isAnyTaken = false;
    for (LayerSensitivity& layer : table.layers) {
        const LayerSensitivity* same = findLayer(from, layer);
        if (!same) continue;
        for (SensitivityCell& cell : layer.cells)
            for (const SensitivityCell& old : same->cells) {
                if (!old.score || old.size != cell.size || !isAt(old, cell.ratio)) continue;
                cell.score = old.score;
                cell.interval = old.interval;
                cell.samples = old.samples;
                isAnyTaken = true;
            }
    }
    if (!isAnyTaken) return;
    takeBaseline(table, from);
    table.data = from.data;
    table.rankCorrelation = from.rankCorrelation;
}

SensitivityTable cellsAt(const SensitivityTable& table, std::string_view layer, double ratio) {
    SensitivityTable one = table;
    one.data.clear();
    one.baseline.reset();
    one.baselineInterval.reset();
    std::erase_if(one.layers, [&](const LayerSensitivity& each) { return each.name != layer; });
    for (LayerSensitivity& each : one.layers) {
        std::erase_if(each.cells, [&](const SensitivityCell& cell) { return !isAt(cell, ratio); });
        for (SensitivityCell& cell : each.cells) {
            cell.score.reset();
            cell.interval.reset();
        }
    }
    return one;
}

void mergeScores(SensitivityTable& table, const SensitivityTable& measured, double ratio) {
    if (!table.baseline && !hasScores(table)) takeBaseline(table, measured);
    const double shift = table.baseline && measured.baseline ? *table.baseline - *measured.baseline : 0.0;
    for (LayerSensitivity& each : table.layers) {
        const LayerSensitivity* row = findLayer(measured, each);
        const auto cell =
            std::ranges::find_if(each.cells, [&](const SensitivityCell& old) { return isAt(old, ratio); });
        if (!row || row->cells.empty() || cell == each.cells.end() || !row->cells.front().score) continue;
        const SensitivityCell& fresh = row->cells.front();
        cell->score = *fresh.score + shift;
        cell->interval = fresh.interval;
        if (cell->interval) {
            cell->interval->low += shift;
            cell->interval->high += shift;
        }
        cell->samples = fresh.samples;
    }
}

}  // namespace equant
