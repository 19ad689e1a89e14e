// SPDX-License-Identifier: Apache-2.0
// One operator without a oneDNN primitive: plain C++ on dense row-major tensors. A kernel is made once per node
// (attributes parsed, opset differences settled) and called any number of times, from any thread, with any shapes.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "core/base/result.h"
#include "core/graph/model.h"

namespace equant {

/// A tensor in memory that the view does not own. Omitted optional inputs have dtype Undefined and null data.
struct TensorView {
    DType dtype = DType::Undefined;
    std::span<const std::int64_t> shape;
    const std::byte* data = nullptr;

    [[nodiscard]] bool isOmitted() const { return dtype == DType::Undefined; }
    [[nodiscard]] std::int64_t count() const {
        std::int64_t product = 1;
        for (const auto dim : shape) product *= dim;
        return product;
    }
    template <typename T>
    [[nodiscard]] const T* as() const {
        return reinterpret_cast<const T*>(data);
    }
};

/// Where a kernel gets memory for its outputs. Called once per output that the node really has.
class KernelOutputs {
public:
    virtual ~KernelOutputs() = default;
    /// Memory for output `index`, uninitialised, 64-byte aligned; null if the output is omitted (then skip it).
    virtual std::byte* allocate(std::size_t index, DType type, const Shape& shape) = 0;

    template <typename T>
    T* allocateAs(std::size_t index, const Shape& shape) {
        return reinterpret_cast<T*>(allocate(index, kDTypeOf<T>, shape));
    }
};

/// InvalidArgument when the inputs contradict the operator; never reads or writes outside its tensors.
using Kernel = std::function<Status(std::span<const TensorView> inputs, KernelOutputs& outputs)>;

/// Unsupported names the operator, or the attribute value that is not covered.
using KernelFactory = Result<Kernel> (*)(const Node& node, std::int64_t opset);

struct KernelEntry {
    std::string_view opType;
    KernelFactory make;
};

// One table per family, in the file of that name (elementwise.cpp); makeKernel() searches them.
std::span<const KernelEntry> elementwiseKernels();
std::span<const KernelEntry> reduceKernels();
std::span<const KernelEntry> movementKernels();
std::span<const KernelEntry> normalizationKernels();
std::span<const KernelEntry> resizeKernels();
std::span<const KernelEntry> selectionKernels();
std::span<const KernelEntry> convolutionKernels();  ///< direct, slow, exact: also for what oneDNN does not cover
std::span<const KernelEntry> matrixKernels();
std::span<const KernelEntry> signalKernels();
std::span<const KernelEntry> lossKernels();
std::span<const KernelEntry> controlKernels();  ///< If, Loop, Scan: see control_internal.h for their inputs

/// "Conv", or "com.microsoft.QuickGelu" for other domains.
[[nodiscard]] std::string operatorName(const Node& node);

/// The kernel of a node. Unsupported when there is none.
Result<Kernel> makeKernel(const Node& node, std::int64_t opset);

/// Why makeKernel() has none; nullopt for nodes that can run.
[[nodiscard]] std::optional<std::string> reasonUnsupported(const Node& node, std::int64_t opset);

}  // namespace equant
