// SPDX-License-Identifier: Apache-2.0
#include "core/runtime/kernels/strided_copy_internal.h"

namespace equant::kernels {
namespace {

/// out[r * outStride + c] = in[r + c * inStride] in square tiles, so that neither side thrashes the cache.
template <typename T>
void transposePlane(const T* in, std::int64_t inStride, T* out, std::int64_t outStride, std::int64_t rows,
                    std::int64_t columns) {
    constexpr std::int64_t kTile = 16;
    for (std::int64_t r0 = 0; r0 < rows; r0 += kTile) {
        const std::int64_t r1 = std::min(rows, r0 + kTile);
        for (std::int64_t c0 = 0; c0 < columns; c0 += kTile) {
            const std::int64_t c1 = std::min(columns, c0 + kTile);
            for (std::int64_t r = r0; r < r1; ++r) {
                for (std::int64_t c = c0; c < c1; ++c) out[r * outStride + c] = in[r + c * inStride];
            }
        }
    }
}

template <typename T>
void copyRows(const LoopNest<2>& nest, const T* in, T* out) {
    const std::int64_t n = nest.dims.back();
    const std::int64_t outStep = nest.strides[0].back();
    const std::int64_t inStep = nest.strides[1].back();
    forEachRow(nest, [&](const std::array<std::int64_t, 2>& at) {
        T* target = out + at[0];
        const T* source = in + at[1];
        if (outStep == 1 && inStep == 1) {
            std::memcpy(target, source, static_cast<std::size_t>(n) * sizeof(T));
        } else if (outStep == 1 && inStep == 0) {
            std::fill_n(target, n, *source);
        } else if (outStep == 1) {
            for (std::int64_t i = 0; i < n; ++i) target[i] = source[i * inStep];
        } else {
            for (std::int64_t i = 0; i < n; ++i) target[i * outStep] = source[i * inStep];
        }
    });
}

template <typename T>
void copyNest(LoopNest<2> nest, const T* in, T* out) {
    const std::size_t last = nest.dims.size() - 1;
    if (nest.strides[0][last] == 1 && nest.strides[1][last] != 1) {
        for (std::size_t axis = 0; axis < last; ++axis) {
            if (nest.strides[1][axis] != 1 || nest.dims[axis] < 4 || nest.dims[last] < 4) continue;
            // The input runs along `axis` and the output along the last one: a matrix transposition of these two.
            const std::int64_t rows = std::exchange(nest.dims[axis], 1);
            const std::int64_t columns = std::exchange(nest.dims[last], 1);
            const std::int64_t outStride = nest.strides[0][axis];
            const std::int64_t inStride = nest.strides[1][last];
            forEachElement(collapsed(nest), [&](const std::array<std::int64_t, 2>& at) {
                transposePlane(in + at[1], inStride, out + at[0], outStride, rows, columns);
            });
            return;
        }
    }
    copyRows(nest, in, out);
}

}  // namespace

Status copyStrided(DType type, const LoopNest<2>& nest, const std::byte* in, std::byte* out) {
    return dispatchBySize(type, [&]<typename T>() -> Status {
        if (product(nest.dims) > 0)
            copyNest(collapsed(nest), reinterpret_cast<const T*>(in), reinterpret_cast<T*>(out));
        return {};
    });
}

Status gatherStrided(DType type, const Shape& shape, const Shape& inStrides, const std::byte* in,
                     KernelOutputs& outputs, std::size_t index) {
    auto memory = makeOutput(outputs, index, type, shape);
    if (!memory) return fail(std::move(memory.error()));
    if (*memory == nullptr) return {};
    return copyStrided(type, {shape, {stridesOf(shape), inStrides}}, in, *memory);
}

}  // namespace equant::kernels
