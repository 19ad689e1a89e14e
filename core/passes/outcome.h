// SPDX-License-Identifier: Apache-2.0
// What a pass returns: a new model (sharing all unchanged tensors with the old one) and what was done.
#pragma once

#include "core/graph/model.h"

namespace equant {

template <typename Report>
struct Outcome {
    Model model;
    Report report;
};

}  // namespace equant
