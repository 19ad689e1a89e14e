// SPDX-License-Identifier: Apache-2.0
// The measured cells of sensitivity tables in the result store: a sweep that was killed goes on from there, with the same
// scores as one that was not. The store is the caller's and outlives it; safe from any thread.
#pragma once

#include <string>

#include "core/compression/plan/sensitivity.h"
#include "core/store/result_store.h"

namespace equant {

class KeptCells {
public:
    /// `modelHash`: contentHash() of the model that the table is of. Data and options as measureSensitivity() takes them.
    KeptCells(ResultStore& store, std::string modelHash, const Dataset& calibration, const Dataset& evaluation,
              const SensitivityOptions& options);

    /// Fills in the scores of cells that were measured before; those that the table has already stay. How many it were.
    std::size_t fill(SensitivityTable& table) const;
    /// Keeps a cell; call it with each that is measured (CellMeasured).
    void keep(const SensitivityTable& table, std::size_t layer, std::size_t cell) const;

private:
    [[nodiscard]] std::string keyOf(const LayerSensitivity& layer, const SensitivityCell& cell) const;

    ResultStore& m_store;
    std::string m_model;
    std::string m_data;
    std::string m_options;
};

}  // namespace equant
