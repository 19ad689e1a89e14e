// SPDX-License-Identifier: Apache-2.0
// What the emitting functions share of oneDNN: the engine, single-threaded execution, and layouts (memory descriptors
// of float tensors). Pure functions but for useOneThread(); any thread.
#pragma once

#include <dnnl.hpp>
#include <string>
#include <vector>

#include "core/graph/tensor.h"

namespace equant::onednn {

/// The CPU engine of the process.
dnnl::engine& engine();

/// Makes oneDNN create and execute single-threaded kernels on the calling thread, from now on.
void useOneThread();

/// Row-major layout; a scalar is one element of rank 1.
dnnl::memory::desc denseDesc(const Shape& shape);
/// Any layout: the primitive chooses.
dnnl::memory::desc anyDesc(const Shape& shape);

/// AVX-512 or newer: where layouts and fusions of several kinds were verified together.
bool hasWideVectors();
/// The layout to request of primitives for activations: any with AVX-512, where they choose channels last. With older
/// instruction sets they would choose channel blocks, whose padding the plan does not follow through all its steps:
/// channels last for them.
dnnl::memory::desc activationDesc(const Shape& shape);

/// Whether the layout is that of denseDesc(): row-major, without gaps.
bool isRowMajor(const dnnl::memory::desc& desc);
/// Whether the first elementCount(shape) floats in memory are the row-major tensor. True for row-major layouts, and for
/// others where the order makes no difference, for example channel blocks of a 1x1 image.
bool isDense(const dnnl::memory::desc& desc);
/// Whether the memory has more elements than the tensor (channels rounded up to a block).
bool isPadded(const dnnl::memory::desc& desc);
/// Whether axes are split into blocks (nChw16c), so that the layout is not a permutation of the axes with strides.
bool hasBlocks(const dnnl::memory::desc& desc);
/// The axes from the outermost to the innermost in memory; row-major for layouts with blocks or gaps.
std::vector<std::size_t> axisOrder(const dnnl::memory::desc& desc);
/// Without gaps, with the axes in that order from the outermost to the innermost.
dnnl::memory::desc orderedDesc(const Shape& shape, const std::vector<std::size_t>& order);

/// Attributes of a primitive whose scratchpad is an argument, so that it can live in the arena.
dnnl::primitive_attr userScratchpad();
/// The name oneDNN gives to the code it has chosen, such as "brgconv:avx512_core".
std::string implementation(const dnnl::primitive_desc_base& primitive);
/// Whether that is code without vector instructions, slower than our own loops.
bool isReference(const std::string& implementation);

}  // namespace equant::onednn
