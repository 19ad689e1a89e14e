// SPDX-License-Identifier: Apache-2.0
// The small part of oneDNN everybody here needs: the engine, layouts, and single-threaded execution.
#pragma once

#include <dnnl.hpp>
#include <string>
#include <vector>

#include "core/graph/tensor.h"

namespace equant::onednn {

/// The CPU engine of the process.
dnnl::engine& engine();

/// Makes oneDNN create and execute single-threaded kernels on the calling thread.
void useOneThread();

/// Row-major layout; a scalar is one element of rank 1.
dnnl::memory::desc denseDesc(const Shape& shape);
/// Any layout: the primitive chooses.
dnnl::memory::desc anyDesc(const Shape& shape);

/// AVX-512 or newer: where layouts and fusions of several kinds were verified together.
bool hasWideVectors();
/// The layout asked for activations: any with AVX-512, where primitives choose channels last. Older instruction sets
/// would choose channel blocks, whose padding the plan does not follow through all its steps: channels last for them.
dnnl::memory::desc activationDesc(const Shape& shape);

/// Whether the first count(shape) floats of this layout are the dense tensor, whatever the layout is called
/// (for example channel blocks of a 1x1 image).
bool isDense(const dnnl::memory::desc& desc);
/// Whether the memory has elements beyond the tensor's (channels rounded up to a block).
bool isPadded(const dnnl::memory::desc& desc);
/// Blocked or channels-last rather than row-major.
bool isPlain(const dnnl::memory::desc& desc);

/// Channel blocks rather than a permutation of the axes.
bool hasBlocks(const dnnl::memory::desc& desc);
/// The axes from the outermost to the innermost in memory; row-major for layouts with blocks or gaps.
std::vector<std::size_t> axisOrder(const dnnl::memory::desc& desc);
/// Dense, with the axes in that order.
dnnl::memory::desc orderedDesc(const Shape& shape, const std::vector<std::size_t>& order);

dnnl::primitive_attr userScratchpad();
/// impl_info_str of a primitive descriptor.
std::string implementation(const dnnl::primitive_desc_base& primitive);
bool isReference(const std::string& implementation);

}  // namespace equant::onednn
