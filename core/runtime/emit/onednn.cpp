// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <numeric>
#include <omp.h>

#include "core/runtime/emit/onednn_internal.h"

namespace equant::onednn {

dnnl::engine& engine() {
    static dnnl::engine cpu(dnnl::engine::kind::cpu, 0);
    return cpu;
}

void useOneThread() {
    omp_set_num_threads(1);
}

dnnl::memory::desc denseDesc(const Shape& shape) {
    const dnnl::memory::dims dims =
        shape.empty() ? dnnl::memory::dims{1} : dnnl::memory::dims(shape.begin(), shape.end());
    dnnl::memory::dims strides(dims.size(), 1);
    for (std::size_t i = dims.size() - 1; i > 0; --i) strides[i - 1] = strides[i] * dims[i];
    return {dims, dnnl::memory::data_type::f32, strides};
}

dnnl::memory::desc anyDesc(const Shape& shape) {
    return {dnnl::memory::dims(shape.begin(), shape.end()), dnnl::memory::data_type::f32,
            dnnl::memory::format_tag::any};
}

bool hasWideVectors() {
    static const bool isWide =
        static_cast<int>(dnnl::get_effective_cpu_isa()) >= static_cast<int>(dnnl::cpu_isa::avx512_core);
    return isWide;
}

dnnl::memory::desc activationDesc(const Shape& shape) {
    using Tag = dnnl::memory::format_tag;
    if (hasWideVectors() || shape.size() < 3 || shape.size() > 5) return anyDesc(shape);
    const Tag channelsLast = shape.size() == 3 ? Tag::nwc : shape.size() == 4 ? Tag::nhwc : Tag::ndhwc;
    return {anyDesc(shape).dims(), dnnl::memory::data_type::f32, channelsLast};
}

bool isRowMajor(const dnnl::memory::desc& desc) {
    return desc == denseDesc(desc.dims());
}

bool isPadded(const dnnl::memory::desc& desc) {
    dnnl_dim_t count = 1;
    for (const auto dim : desc.dims()) count *= dim;
    return desc.get_size() != static_cast<std::size_t>(count) * sizeof(float);
}

bool isDense(const dnnl::memory::desc& desc) {
    if (isRowMajor(desc)) return true;
    const dnnl_memory_desc_t& data = desc.data;
    if (data.format_kind != dnnl_blocked || data.offset0 != 0 || data.ndims < 2) return false;
    for (int i = 2; i < data.ndims; ++i) {
        if (data.dims[i] != 1 || data.padded_dims[i] != 1) return false;
    }
    const auto& blocking = data.format_desc.blocking;
    const dnnl_dim_t batch = data.dims[0];
    const dnnl_dim_t channels = data.dims[1];
    if (data.padded_dims[0] != batch) return false;
    if (batch > 1 && (blocking.strides[0] != channels || data.padded_dims[1] != channels)) return false;
    if (blocking.inner_nblks == 0) return blocking.strides[1] == 1 || channels == 1;
    if (blocking.inner_nblks != 1 || blocking.inner_idxs[0] != 1) return false;
    return channels <= blocking.inner_blks[0] || blocking.strides[1] == blocking.inner_blks[0];
}

bool hasBlocks(const dnnl::memory::desc& desc) {
    return desc.data.format_kind != dnnl_blocked || desc.data.format_desc.blocking.inner_nblks != 0;
}

std::vector<std::size_t> axisOrder(const dnnl::memory::desc& desc) {
    const dnnl_memory_desc_t& data = desc.data;
    std::vector<std::size_t> order(static_cast<std::size_t>(data.ndims));
    std::iota(order.begin(), order.end(), std::size_t{0});
    if (hasBlocks(desc)) return order;
    const auto& strides = data.format_desc.blocking.strides;
    // Axes of length 1 may have any stride: they stay before the axis that follows them in the shape.
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return strides[a] > strides[b]; });
    if (orderedDesc(desc.dims(), order) == desc) return order;
    std::iota(order.begin(), order.end(), std::size_t{0});
    return order;
}

dnnl::memory::desc orderedDesc(const Shape& shape, const std::vector<std::size_t>& order) {
    dnnl::memory::dims strides(shape.size(), 1);
    dnnl::memory::dim stride = 1;
    for (auto axis = order.rbegin(); axis != order.rend(); ++axis) {
        strides[*axis] = stride;
        stride *= shape[*axis];
    }
    return {shape, dnnl::memory::data_type::f32, strides};
}

dnnl::primitive_attr userScratchpad() {
    dnnl::primitive_attr attributes;
    attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
    return attributes;
}

std::string implementation(const dnnl::primitive_desc_base& primitive) {
    return primitive.impl_info_str();
}

bool isReference(const std::string& implementation) {
    return implementation.find("ref") != std::string::npos || implementation.find("naive") != std::string::npos;
}

}  // namespace equant::onednn
