// SPDX-License-Identifier: Apache-2.0
// The list of all operators that have a kernel, and the choice of the kernel of a node.
#include "core/runtime/kernels/operator_list.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>

#include "core/runtime/kernels/kernel_internal.h"

namespace equant {
namespace {

struct KernelTable {
    const char* family;
    std::span<const KernelEntry> entries;
};

std::array<KernelTable, 11> kernelTables() {
    return {{{"Elementwise", elementwiseKernels()},
             {"Reduction", reduceKernels()},
             {"Movement and shape", movementKernels()},
             {"Normalization", normalizationKernels()},
             {"Resampling", resizeKernels()},
             {"Selection", selectionKernels()},
             {"Convolution and pooling", convolutionKernels()},
             {"Matrix and recurrent", matrixKernels()},
             {"Signal", signalKernels()},
             {"Loss", lossKernels()},
             {"Control flow", controlKernels()}}};
}

}  // namespace

std::string operatorName(const Node& node) {
    return node.domain.empty() ? node.opType : node.domain + "." + node.opType;
}

std::vector<OperatorFamily> supportedOperators() {
    std::vector<OperatorFamily> families;
    for (const auto& [family, table] : kernelTables()) {
        OperatorFamily& added = families.emplace_back();
        added.name = family;
        for (const KernelEntry& entry : table) added.operators.emplace_back(entry.opType);
        std::ranges::sort(added.operators);
    }
    return families;
}

Result<Kernel> makeKernel(const Node& node, std::int64_t opset) {
    if (node.domain.empty()) {
        for (const auto& [family, table] : kernelTables()) {
            const auto found = std::find_if(table.begin(), table.end(),
                                            [&](const KernelEntry& entry) { return entry.opType == node.opType; });
            if (found != table.end()) return found->make(node, opset);
        }
    }
    return fail(ErrorCode::Unsupported, fmt::format("There is no kernel for operator {}.", operatorName(node)), {},
                node.label());
}

std::optional<std::string> reasonUnsupported(const Node& node, std::int64_t opset) {
    if (node.is("Constant")) return std::nullopt;
    const auto kernel = makeKernel(node, opset);
    if (kernel) return std::nullopt;
    return kernel.error().message;
}

}  // namespace equant
