// SPDX-License-Identifier: Apache-2.0
// What an examination of a model or a result points out to the user. Plain values.
#pragma once

#include <string>
#include <string_view>

namespace equant {

enum class Severity { Info, Warning, Error };
[[nodiscard]] std::string_view name(Severity severity);  ///< "info", "warning", "error"

struct Finding {
    std::string id;  ///< stable: "unsupported-operator", "wasted-bits", "non-finite-weights" ...
    Severity severity = Severity::Info;
    std::string subject;  ///< the layer or value; empty for the whole model
    std::string message;
    std::string hint;
};

}  // namespace equant
