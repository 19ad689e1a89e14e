// SPDX-License-Identifier: Apache-2.0
#include "core/base/result.h"

namespace equant {

std::string describe(const Error& error) {
    std::string text = error.subject.empty() ? std::string() : error.subject + ": ";
    text += error.message;
    if (!error.hint.empty()) text += " " + error.hint;
    return text;
}

}  // namespace equant
