// SPDX-License-Identifier: Apache-2.0
#include "core/layers/padding.h"

#include <algorithm>

namespace equant {

bool hasPadding(const Node& node) {
    const std::string autoPad = node.stringAttribute("auto_pad", "NOTSET");
    if (autoPad == "SAME_UPPER" || autoPad == "SAME_LOWER") return true;
    return std::ranges::any_of(node.intsAttribute("pads"), [](std::int64_t pad) { return pad != 0; });
}

}  // namespace equant
