// SPDX-License-Identifier: Apache-2.0
// Matrix products: MatMul with broadcast batches, Gemm, their integer forms, and Det.
#include "core/runtime/kernels/matrix_internal.h"

namespace equant::kernels {
namespace {

/// A batched product in the sense of numpy.matmul.
struct MatMulPlan {
    std::int64_t m = 1, k = 1, n = 1;
    Shape shape;        ///< of the result
    LoopNest<3> batch;  ///< over products: strides in matrices' elements for [out, a, b]
};

Result<MatMulPlan> planMatMul(Dims a, Dims b) {
    if (a.empty() || b.empty()) return invalid("MatMul does not multiply scalars.");
    MatMulPlan plan;
    const bool isRow = a.size() == 1;
    const bool isColumn = b.size() == 1;
    plan.m = isRow ? 1 : a[a.size() - 2];
    plan.k = a.back();
    plan.n = isColumn ? 1 : b.back();
    if ((isColumn ? b[0] : b[b.size() - 2]) != plan.k) {
        return invalid("Matrices of shapes {} and {} cannot be multiplied.", show(a), show(b));
    }
    const Dims batchA = isRow ? Dims{} : a.first(a.size() - 2);
    const Dims batchB = isColumn ? Dims{} : b.first(b.size() - 2);
    auto batch = broadcastShapes(batchA, batchB);
    if (!batch) return fail(std::move(batch.error()));
    plan.shape = *batch;
    if (!isRow) plan.shape.push_back(plan.m);
    if (!isColumn) plan.shape.push_back(plan.n);
    const auto scaled = [](Shape strides, std::int64_t by) {
        for (auto& stride : strides) stride *= by;
        return strides;
    };
    plan.batch = collapsed(LoopNest<3>{
        *batch,
        {scaled(stridesOf(*batch), plan.m * plan.n), scaled(broadcastStrides(batchA, *batch), plan.m * plan.k),
         scaled(broadcastStrides(batchB, *batch), plan.k * plan.n)}});
    return plan;
}

template <typename T>
void runMatMul(const MatMulPlan& plan, const T* a, const T* b, T* out) {
    std::fill_n(out, product(plan.shape), T{0});
    forEachElement(plan.batch, [&](const std::array<std::int64_t, 3>& at) {
        multiplyAdd(a + at[1], b + at[2], plan.m, plan.k, plan.n, out + at[0]);
    });
}

using ProductTypes = Types<float, double, std::uint32_t, std::uint64_t>;

/// Signed integers are multiplied as unsigned ones, which gives the same bits and cannot overflow.
DType productType(DType type) {
    if (type == DType::Int32) return DType::Uint32;
    return type == DType::Int64 ? DType::Uint64 : type;
}

Result<Kernel> makeMatMul(const Node&, std::int64_t) {
    return makeChecked(2, [](const Inputs& inputs, KernelOutputs& outputs) -> Status {
        const auto plan = planMatMul(inputs[0].shape, inputs[1].shape);
        if (!plan) return fail(plan.error());
        if (inputs[0].dtype != inputs[1].dtype) return invalid("The inputs of MatMul have different types.");
        return dispatch(ProductTypes{}, productType(inputs[0].dtype), [&]<typename T>() -> Status {
            auto memory = makeOutput(outputs, 0, inputs[0].dtype, plan->shape);
            if (!memory) return fail(std::move(memory.error()));
            if (*memory != nullptr) {
                runMatMul(*plan, inputs[0].as<T>(), inputs[1].as<T>(), reinterpret_cast<T*>(*memory));
            }
            return {};
        });
    });
}

/// The matrix as it enters the product: itself, or a transposed copy in `scratch`.
template <typename T>
const T* oriented(const T* matrix, std::int64_t rows, std::int64_t columns, bool isTransposed,
                  std::vector<T>& scratch) {
    if (!isTransposed) return matrix;
    scratch.resize(static_cast<std::size_t>(rows * columns));
    for (std::int64_t r = 0; r < rows; ++r) {
        for (std::int64_t c = 0; c < columns; ++c)
            scratch[static_cast<std::size_t>(r * columns + c)] = matrix[c * rows + r];
    }
    return scratch.data();
}

Result<Kernel> makeGemm(const Node& node, std::int64_t) {
    const float alpha = node.floatAttribute("alpha", 1.0F);
    const float beta = node.floatAttribute("beta", 1.0F);
    const bool transA = node.intAttribute("transA", 0) != 0;
    const bool transB = node.intAttribute("transB", 0) != 0;
    return makeChecked(2, [=](const Inputs& inputs, KernelOutputs& outputs) -> Status {
        const TensorView& a = inputs[0];
        const TensorView& b = inputs[1];
        const TensorView& c = inputs[2];
        if (a.shape.size() != 2 || b.shape.size() != 2 || a.shape[transA ? 0 : 1] != b.shape[transB ? 1 : 0]) {
            return invalid("Matrices of shapes {} and {} cannot be multiplied.", show(a.shape), show(b.shape));
        }
        const std::int64_t m = a.shape[transA ? 1 : 0], k = a.shape[transA ? 0 : 1], n = b.shape[transB ? 0 : 1];
        const Shape shape{m, n};
        const auto added = broadcastShapes(shape, c.shape);
        if (a.dtype != b.dtype || (!c.isOmitted() && (c.dtype != a.dtype || !added || *added != shape))) {
            return invalid("The third input of Gemm, of shape {}, does not fit {}.", show(c.shape), toString(shape));
        }
        return dispatch(Types<float, double, std::int32_t, std::int64_t>{}, a.dtype, [&]<typename T>() -> Status {
            auto out = makeOutputAs<T>(outputs, 0, shape);
            if (!out) return fail(std::move(out.error()));
            if (*out == nullptr) return {};
            std::vector<T> scratchA, scratchB;
            std::fill_n(*out, m * n, T{0});
            multiplyAdd(oriented(a.as<T>(), m, k, transA, scratchA), oriented(b.as<T>(), k, n, transB, scratchB), m, k,
                        n, *out);
            if (alpha != 1.0F) {
                for (std::int64_t i = 0; i < m * n; ++i) (*out)[i] = static_cast<T>(static_cast<T>(alpha) * (*out)[i]);
            }
            if (c.isOmitted()) return {};
            forEachElement(LoopNest<2>{shape, {stridesOf(shape), broadcastStrides(c.shape, shape)}},
                           [&](const std::array<std::int64_t, 2>& at) {
                               (*out)[at[0]] = static_cast<T>((*out)[at[0]] + static_cast<T>(beta) * c.as<T>()[at[1]]);
                           });
            return {};
        });
    });
}

// --- integer products --------------------------------------------------------------------------------------------

enum class Side { Left, Right };

/// Values minus their zero points: one for the tensor, one per row (left) or per column (right), or per matrix of
/// those.
Result<std::vector<std::int32_t>> centred(const TensorView& view, const TensorView& zero, Side side) {
    if (view.dtype != DType::Uint8 && view.dtype != DType::Int8) {
        return unsupported("Integer products need 8-bit inputs, not {}.", name(view.dtype));
    }
    const auto values = readIntegers(view);
    if (!values) return fail(values.error());
    std::vector<std::int32_t> result(values->begin(), values->end());
    if (zero.isOmitted()) return result;
    const auto zeros = readIntegers(zero);
    if (!zeros) return fail(zeros.error());
    const std::int64_t columns = view.shape.empty() ? 1 : view.shape.back();
    const std::int64_t rows = view.shape.size() < 2 ? 1 : view.shape[view.shape.size() - 2];
    const auto count = static_cast<std::int64_t>(zeros->size());
    const std::int64_t matrices = rows * columns == 0 ? 0 : view.count() / (rows * columns);
    const std::int64_t lines = side == Side::Left ? rows : columns;
    if (count != 1 && count != lines && count != lines * matrices) {
        return invalid("There are {} zero points for a matrix of shape {}.", count, show(view.shape));
    }
    for (std::size_t i = 0; i < result.size(); ++i) {
        const auto at = static_cast<std::int64_t>(i);
        const std::int64_t line = side == Side::Left ? at / columns % rows : at % columns;
        const std::int64_t index = count == 1 ? 0 : (count == lines ? line : at / (rows * columns) * lines + line);
        result[i] -= static_cast<std::int32_t>((*zeros)[static_cast<std::size_t>(index)]);
    }
    return result;
}

struct IntegerProduct {
    MatMulPlan plan;
    std::vector<std::int32_t> sums;
};

Result<IntegerProduct> integerProduct(const TensorView& a, const TensorView& aZero, const TensorView& b,
                                      const TensorView& bZero) {
    auto plan = planMatMul(a.shape, b.shape);
    if (!plan) return fail(std::move(plan.error()));
    const auto left = centred(a, aZero, Side::Left);
    if (!left) return fail(left.error());
    const auto right = centred(b, bZero, Side::Right);
    if (!right) return fail(right.error());
    if (auto count = checkedElementCount(plan->shape, DType::Int32); !count) return fail(std::move(count.error()));
    std::vector<std::int32_t> sums(static_cast<std::size_t>(product(plan->shape)));
    runMatMul(*plan, left->data(), right->data(), sums.data());
    return IntegerProduct{std::move(*plan), std::move(sums)};
}

Result<Kernel> makeMatMulInteger(const Node&, std::int64_t) {
    return makeChecked(2, [](const Inputs& inputs, KernelOutputs& outputs) -> Status {
        const auto result = integerProduct(inputs[0], inputs[2], inputs[1], inputs[3]);
        if (!result) return fail(result.error());
        auto out = makeOutputAs<std::int32_t>(outputs, 0, result->plan.shape);
        if (!out) return fail(std::move(out.error()));
        if (*out != nullptr) std::copy(result->sums.begin(), result->sums.end(), *out);
        return {};
    });
}

/// Inputs: a, a_scale, a_zero_point, b, b_scale, b_zero_point, y_scale, y_zero_point.
Result<Kernel> makeQLinearMatMul(const Node&, std::int64_t) {
    return makeChecked(8, [](const Inputs& inputs, KernelOutputs& outputs) -> Status {
        const auto result = integerProduct(inputs[0], inputs[2], inputs[3], inputs[5]);
        if (!result) return fail(result.error());
        const MatMulPlan& plan = result->plan;
        const TensorView& aScale = inputs[1];
        const TensorView& bScale = inputs[4];
        for (const std::size_t slot : {1, 4, 6}) {
            if (inputs[slot].dtype != DType::Float) return unsupported("Scales must be float.");
        }
        if ((aScale.count() != 1 && aScale.count() != plan.m) || (bScale.count() != 1 && bScale.count() != plan.n) ||
            inputs[6].count() != 1 || inputs[7].count() != 1) {
            return invalid("The scales of QLinearMatMul do not fit its matrices.");
        }
        return dispatch(Types<std::uint8_t, std::int8_t>{}, inputs[7].dtype, [&]<typename Q>() -> Status {
            auto out = makeOutputAs<Q>(outputs, 0, plan.shape);
            if (!out) return fail(std::move(out.error()));
            if (*out == nullptr) return {};
            for (std::size_t i = 0; i < result->sums.size(); ++i) {
                const auto at = static_cast<std::int64_t>(i);
                const float scale = aScale.as<float>()[aScale.count() == 1 ? 0 : at / plan.n % plan.m] *
                                    bScale.as<float>()[bScale.count() == 1 ? 0 : at % plan.n] / *inputs[6].as<float>();
                const double real = std::nearbyint(static_cast<double>(static_cast<float>(result->sums[i]) * scale));
                (*out)[i] = saturated<Q>(real + *inputs[7].as<Q>());
            }
            return {};
        });
    });
}

/// Determinant by elimination with partial pivoting, in double.
double determinant(std::vector<double> matrix, std::size_t n) {
    double result = 1;
    for (std::size_t column = 0; column < n; ++column) {
        std::size_t pivot = column;
        for (std::size_t row = column + 1; row < n; ++row) {
            if (std::fabs(matrix[row * n + column]) > std::fabs(matrix[pivot * n + column])) pivot = row;
        }
        if (matrix[pivot * n + column] == 0) return 0;
        if (pivot != column) {
            std::swap_ranges(matrix.begin() + static_cast<std::ptrdiff_t>(pivot * n),
                             matrix.begin() + static_cast<std::ptrdiff_t>(pivot * n + n),
                             matrix.begin() + static_cast<std::ptrdiff_t>(column * n));
            result = -result;
        }
        result *= matrix[column * n + column];
        for (std::size_t row = column + 1; row < n; ++row) {
            const double factor = matrix[row * n + column] / matrix[column * n + column];
            for (std::size_t k = column; k < n; ++k) matrix[row * n + k] -= factor * matrix[column * n + k];
        }
    }
    return result;
}

Result<Kernel> makeDet(const Node&, std::int64_t) {
    return makeChecked(1, [](const Inputs& inputs, KernelOutputs& outputs) -> Status {
        const TensorView& x = inputs[0];
        if (x.shape.size() < 2 || x.shape.back() != x.shape[x.shape.size() - 2]) {
            return invalid("Det needs square matrices, not {}.", show(x.shape));
        }
        const auto n = static_cast<std::size_t>(x.shape.back());
        const Shape shape(x.shape.begin(), x.shape.end() - 2);
        return dispatch(FloatTypes{}, x.dtype, [&]<typename T>() -> Status {
            auto out = makeOutputAs<T>(outputs, 0, shape);
            if (!out) return fail(std::move(out.error()));
            if (*out == nullptr) return {};
            for (std::int64_t i = 0; i < product(shape); ++i) {
                const T* first = x.as<T>() + static_cast<std::size_t>(i) * n * n;
                (*out)[i] = static_cast<T>(determinant(std::vector<double>(first, first + n * n), n));
            }
            return {};
        });
    });
}

constexpr KernelEntry kMatrixProductKernels[] = {
    {"MatMul", halfToo<&makeMatMul>},     {"Gemm", halfToo<&makeGemm>}, {"MatMulInteger", makeMatMulInteger},
    {"QLinearMatMul", makeQLinearMatMul}, {"Det", halfToo<&makeDet>},
};

}  // namespace

std::span<const KernelEntry> productKernels() {
    return kMatrixProductKernels;
}

}  // namespace equant::kernels
