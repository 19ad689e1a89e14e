// SPDX-License-Identifier: GPL-3.0-or-later
// Bounds what a document remembers of earlier results.
#pragma once

#include <cstddef>
#include <vector>

namespace equant::ui {

template <typename T>
void keepNewest(std::vector<T>& values, std::size_t count) {
    if (values.size() > count) values.erase(values.begin(), values.end() - static_cast<std::ptrdiff_t>(count));
}

}  // namespace equant::ui
