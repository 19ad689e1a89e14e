// SPDX-License-Identifier: Apache-2.0
#include "core/base/finding.h"

namespace equant {

std::string_view name(Severity severity) {
    switch (severity) {
        case Severity::Info:
            return "info";
        case Severity::Warning:
            return "warning";
        case Severity::Error:
            return "error";
    }
    return "info";
}

}  // namespace equant
