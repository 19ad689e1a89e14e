// SPDX-License-Identifier: Apache-2.0
// Reductions over any set of axes, and what works along one axis: ArgMax, ArgMin, CumSum.
// Sums of real numbers are accumulated in double, in the order of the elements.
#include "core/runtime/kernels/support_internal.h"

namespace equant {
namespace kernels {
namespace {

/// What the accumulators of a T are: wide enough for sums.
template <typename T>
using Accumulator = std::conditional_t<std::is_floating_point_v<T>, double,
                                       std::conditional_t<std::is_unsigned_v<T>, std::uint64_t, std::int64_t>>;

// A reducer: initial value, one step, and how the result follows from the accumulator and the number of elements.

struct SumReducer {
    template <typename T>
    static Accumulator<T> initial() {
        return {};
    }
    template <typename A>
    static A step(A acc, A x) {
        return wrapAdd(acc, x);
    }
    template <typename A>
    static A finish(A acc, std::int64_t) {
        return acc;
    }
};
struct MeanReducer : SumReducer {
    template <typename A>
    static A finish(A acc, std::int64_t count) {
        if constexpr (std::is_integral_v<A>) {
            return count == 0 ? A{0} : static_cast<A>(acc / static_cast<A>(count));
        } else {
            return acc / static_cast<A>(count);
        }
    }
};
struct L1Reducer : SumReducer {
    template <typename A>
    static A step(A acc, A x) {
        return wrapAdd(acc, x < A{0} ? wrapSubtract(A{0}, x) : x);
    }
};
struct SumSquareReducer : SumReducer {
    template <typename A>
    static A step(A acc, A x) {
        return wrapAdd(acc, wrapMultiply(x, x));
    }
};
struct L2Reducer : SumSquareReducer {
    template <typename A>
    static A finish(A acc, std::int64_t) {
        return static_cast<A>(std::sqrt(static_cast<double>(acc)));
    }
};
struct LogSumReducer : SumReducer {
    template <typename A>
    static A finish(A acc, std::int64_t) {
        return saturated<A>(std::log(static_cast<double>(acc)));
    }
};
struct ProdReducer : SumReducer {
    template <typename T>
    static Accumulator<T> initial() {
        return 1;
    }
    template <typename A>
    static A step(A acc, A x) {
        return wrapMultiply(acc, x);
    }
};
struct MaxReducer : SumReducer {
    template <typename T>
    static Accumulator<T> initial() {
        using Limits = std::numeric_limits<T>;
        return static_cast<Accumulator<T>>(Limits::has_infinity ? -Limits::infinity() : Limits::lowest());
    }
    template <typename A>
    static A step(A acc, A x) {
        return x > acc || x != x ? x : acc;
    }
};
struct MinReducer : SumReducer {
    template <typename T>
    static Accumulator<T> initial() {
        using Limits = std::numeric_limits<T>;
        return static_cast<Accumulator<T>>(Limits::has_infinity ? Limits::infinity() : Limits::max());
    }
    template <typename A>
    static A step(A acc, A x) {
        return x < acc || x != x ? x : acc;
    }
};

/// What a reduction does to shapes: the result's shape and the strides that lead every input element to its
/// accumulator.
struct Reduction {
    Shape shape;        ///< of the result
    Shape outStrides;   ///< over the input's axes; 0 along reduced ones
    std::int64_t size;  ///< elements behind one result
};

Reduction planReduction(Dims dims, const std::vector<std::int64_t>& axes, bool keepsDims) {
    Shape kept(dims.begin(), dims.end());
    Reduction plan{{}, {}, 1};
    for (const auto axis : axes) {
        plan.size *= dims[static_cast<std::size_t>(axis)];
        kept[static_cast<std::size_t>(axis)] = 1;
    }
    plan.outStrides = stridesOf(kept);
    for (std::size_t axis = 0; axis < dims.size(); ++axis) {
        const bool isReduced = std::find(axes.begin(), axes.end(), static_cast<std::int64_t>(axis)) != axes.end();
        if (isReduced) plan.outStrides[axis] = 0;
        if (!isReduced || keepsDims) plan.shape.push_back(kept[axis]);
    }
    return plan;
}

/// acc[o] = step(acc[o], value(x[i])) for every input element i that belongs to result o.
template <typename T, typename A, typename Step>
void accumulateAll(const TensorView& x, const Reduction& plan, std::vector<A>& accumulators, Step step) {
    const auto nest = collapsed(LoopNest<2>{shapeOf(x), {plan.outStrides, stridesOf(x.shape)}});
    const std::int64_t n = nest.dims.back();
    const std::int64_t outStep = nest.strides[0].back();
    const std::int64_t inStep = nest.strides[1].back();
    forEachRow(nest, [&](const std::array<std::int64_t, 2>& at) {
        A* target = accumulators.data() + at[0];
        const T* source = x.as<T>() + at[1];
        if (outStep == 0) {
            A acc = *target;
            for (std::int64_t i = 0; i < n; ++i) acc = step(acc, static_cast<A>(source[i * inStep]));
            *target = acc;
        } else {
            for (std::int64_t i = 0; i < n; ++i) target[i] = step(target[i], static_cast<A>(source[i * inStep]));
        }
    });
}

struct ReduceAttributes {
    std::vector<std::int64_t> axes;
    bool keepsDims = true;
    bool isNoopWhenEmpty = false;
};

ReduceAttributes reduceAttributes(const Node& node) {
    return {node.intsAttribute("axes"), node.intAttribute("keepdims", 1) != 0,
            node.intAttribute("noop_with_empty_axes", 0) != 0};
}

Result<std::vector<std::int64_t>> reducedAxes(const Inputs& inputs, const ReduceAttributes& attributes) {
    const auto given = integersFrom(inputs, 1, attributes.axes);
    if (!given) return fail(given.error());
    const std::int64_t rank = rankOf(inputs[0]);
    if (!given->empty() || attributes.isNoopWhenEmpty) return normalizeAxes(*given, rank);
    std::vector<std::int64_t> all(static_cast<std::size_t>(rank));
    std::iota(all.begin(), all.end(), 0);
    return all;
}

template <typename Reducer>
Result<Kernel> reduce(const Node& node, std::int64_t) {
    return makeChecked(
        1, [attributes = reduceAttributes(node)](const Inputs& inputs, KernelOutputs& outputs) -> Status {
            const TensorView& x = inputs[0];
            const auto axes = reducedAxes(inputs, attributes);
            if (!axes) return fail(axes.error());
            const Reduction plan = planReduction(x.shape, *axes, attributes.keepsDims);
            return dispatch(NumberTypes{}, x.dtype, [&]<typename T>() -> Status {
                using A = Accumulator<T>;
                auto out = makeOutputAs<T>(outputs, 0, plan.shape);
                if (!out) return fail(std::move(out.error()));
                if (*out == nullptr) return {};
                std::vector<A> accumulators(static_cast<std::size_t>(product(plan.shape)),
                                            Reducer::template initial<T>());
                accumulateAll<T>(x, plan, accumulators, [](A acc, A value) { return Reducer::step(acc, value); });
                std::transform(accumulators.begin(), accumulators.end(), *out,
                               [&](A acc) { return static_cast<T>(Reducer::finish(acc, plan.size)); });
                return {};
            });
        });
}

/// log(sum(exp(x))), shifted by the maximum so that nothing overflows.
Result<Kernel> makeReduceLogSumExp(const Node& node, std::int64_t) {
    return makeChecked(1,
                       [attributes = reduceAttributes(node)](const Inputs& inputs, KernelOutputs& outputs) -> Status {
                           const TensorView& x = inputs[0];
                           const auto axes = reducedAxes(inputs, attributes);
                           if (!axes) return fail(axes.error());
                           const Reduction plan = planReduction(x.shape, *axes, attributes.keepsDims);
                           return dispatch(FloatTypes{}, x.dtype, [&]<typename T>() -> Status {
                               auto out = makeOutputAs<T>(outputs, 0, plan.shape);
                               if (!out) return fail(std::move(out.error()));
                               if (*out == nullptr) return {};
                               const auto count = static_cast<std::size_t>(product(plan.shape));
                               std::vector<double> highest(count, -std::numeric_limits<double>::infinity());
                               accumulateAll<T>(x, plan, highest,
                                                [](double acc, double value) { return MaxReducer::step(acc, value); });
                               std::vector<double> sums(count, 0.0);
                               const Shape xStrides = stridesOf(x.shape);
                               forEachElement(collapsed(LoopNest<2>{shapeOf(x), {plan.outStrides, xStrides}}),
                                              [&](const std::array<std::int64_t, 2>& at) {
                                                  const double shift = highest[static_cast<std::size_t>(at[0])];
                                                  const double value = static_cast<double>(x.as<T>()[at[1]]);
                                                  if (std::isfinite(shift))
                                                      sums[static_cast<std::size_t>(at[0])] += std::exp(value - shift);
                                              });
                               for (std::size_t i = 0; i < count; ++i) {
                                   const bool isOpen = !std::isfinite(highest[i]);
                                   (*out)[i] = static_cast<T>(isOpen ? highest[i] : highest[i] + std::log(sums[i]));
                               }
                               return {};
                           });
                       });
}

template <bool isMax>
Result<Kernel> makeArg(const Node& node, std::int64_t) {
    const std::int64_t axis = node.intAttribute("axis", 0);
    const bool keepsDims = node.intAttribute("keepdims", 1) != 0;
    const bool isLast = node.intAttribute("select_last_index", 0) != 0;
    return makeChecked(1, [=](const Inputs& inputs, KernelOutputs& outputs) -> Status {
        const TensorView& x = inputs[0];
        const auto normal = normalizeAxis(axis, rankOf(x));
        if (!normal) return fail(normal.error());
        const AxisSplit split = splitAt(x.shape, *normal);
        if (split.extent == 0) return invalid("The extreme of an empty axis is undefined.");
        Shape shape = shapeOf(x);
        shape[static_cast<std::size_t>(*normal)] = 1;
        if (!keepsDims) shape.erase(shape.begin() + *normal);
        return dispatch(NumberTypes{}, x.dtype, [&]<typename T>() -> Status {
            auto out = makeOutputAs<std::int64_t>(outputs, 0, shape);
            if (!out) return fail(std::move(out.error()));
            if (*out == nullptr) return {};
            for (std::int64_t row = 0; row < split.outer * split.inner; ++row) {
                const T* in = x.as<T>() + (row / split.inner) * split.extent * split.inner + row % split.inner;
                std::int64_t best = 0;
                for (std::int64_t i = 1; i < split.extent; ++i) {
                    const T candidate = in[i * split.inner];
                    const T current = in[best * split.inner];
                    const bool isBetter = isMax ? candidate > current : candidate < current;
                    if (isBetter || (isLast && candidate == current)) best = i;
                }
                (*out)[row] = best;
            }
            return {};
        });
    });
}

Result<Kernel> makeCumSum(const Node& node, std::int64_t) {
    const bool isExclusive = node.intAttribute("exclusive", 0) != 0;
    const bool isReverse = node.intAttribute("reverse", 0) != 0;
    return makeChecked(2, [=](const Inputs& inputs, KernelOutputs& outputs) -> Status {
        const TensorView& x = inputs[0];
        const auto axis = readIntegers(inputs[1]);
        if (!axis) return fail(axis.error());
        if (axis->size() != 1) return invalid("CumSum needs one axis.");
        const auto normal = normalizeAxis(axis->front(), rankOf(x));
        if (!normal) return fail(normal.error());
        const AxisSplit split = splitAt(x.shape, *normal);
        return dispatch(NumberTypes{}, x.dtype, [&]<typename T>() -> Status {
            auto out = makeOutputAs<T>(outputs, 0, shapeOf(x));
            if (!out) return fail(std::move(out.error()));
            if (*out == nullptr) return {};
            for (std::int64_t row = 0; row < split.outer * split.inner; ++row) {
                const std::int64_t base = (row / split.inner) * split.extent * split.inner + row % split.inner;
                Accumulator<T> sum{};
                for (std::int64_t i = 0; i < split.extent; ++i) {
                    const std::int64_t at = base + (isReverse ? split.extent - 1 - i : i) * split.inner;
                    const auto next = wrapAdd(sum, static_cast<Accumulator<T>>(x.as<T>()[at]));
                    (*out)[at] = static_cast<T>(isExclusive ? sum : next);
                    sum = next;
                }
            }
            return {};
        });
    });
}

constexpr KernelEntry kReduceKernels[] = {
    {"ReduceSum", halfToo<&reduce<SumReducer>>},
    {"ReduceMean", halfToo<&reduce<MeanReducer>>},
    {"ReduceProd", halfToo<&reduce<ProdReducer>>},
    {"ReduceMax", halfToo<&reduce<MaxReducer>>},
    {"ReduceMin", halfToo<&reduce<MinReducer>>},
    {"ReduceL1", halfToo<&reduce<L1Reducer>>},
    {"ReduceL2", halfToo<&reduce<L2Reducer>>},
    {"ReduceSumSquare", halfToo<&reduce<SumSquareReducer>>},
    {"ReduceLogSum", halfToo<&reduce<LogSumReducer>>},
    {"ReduceLogSumExp", halfToo<&makeReduceLogSumExp>},
    {"ArgMax", halfToo<&makeArg<true>>},
    {"ArgMin", halfToo<&makeArg<false>>},
    {"CumSum", halfToo<&makeCumSum>},
};

}  // namespace
}  // namespace kernels

std::span<const KernelEntry> reduceKernels() {
    return kernels::kReduceKernels;
}

}  // namespace equant
