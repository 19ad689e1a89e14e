// SPDX-License-Identifier: Apache-2.0
// Einsum, explicit and implicit output, with ellipsis. One loop over all labels: general rather than fast.
#include "core/runtime/kernels/matrix_internal.h"

namespace equant::kernels {
namespace {

/// Labels of one operand. Axes behind an ellipsis get labels counted from the right, so that they broadcast.
constexpr char kEllipsis = '.';

struct Equation {
    std::vector<std::string> terms;  ///< letters, and one kEllipsis where "..." stands
    std::string output;
    bool hasOutput = false;
};

Result<Equation> parseEquation(const std::string& text) {
    Equation equation;
    std::string term;
    const auto finish = [&] {
        (equation.hasOutput ? equation.output : equation.terms.emplace_back()) = term;
        term.clear();
    };
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (std::isspace(static_cast<unsigned char>(c)) != 0) continue;
        const std::string_view rest = std::string_view(text).substr(i);
        if (rest.starts_with("...")) {
            if (term.find(kEllipsis) != std::string::npos) return unsupported("Einsum has two ellipses in one term.");
            term += kEllipsis;
            i += 2;
        } else if (rest.starts_with("->") && !equation.hasOutput) {
            finish();
            equation.hasOutput = true;
            ++i;
        } else if (c == ',' && !equation.hasOutput) {
            finish();
        } else if (std::isalpha(static_cast<unsigned char>(c)) != 0) {
            term += c;
        } else {
            return unsupported("Einsum does not understand \"{}\".", text);
        }
    }
    finish();
    return equation;
}

/// Every label with its extent: letters as their code, ellipsis axes as -1 (last), -2, ...
struct Labels {
    std::vector<int> order;
    std::vector<std::int64_t> extents;

    Status add(int label, std::int64_t extent) {
        const auto found = std::find(order.begin(), order.end(), label);
        if (found == order.end()) {
            order.push_back(label);
            extents.push_back(extent);
            return {};
        }
        auto& known = extents[static_cast<std::size_t>(found - order.begin())];
        if (known != extent && known != 1 && extent != 1) {
            return invalid("Einsum gives one label the extents {} and {}.", known, extent);
        }
        known = known == 1 ? extent : known;
        return {};
    }
    [[nodiscard]] std::size_t indexOf(int label) const {
        return static_cast<std::size_t>(std::find(order.begin(), order.end(), label) - order.begin());
    }
};

/// Labels of a term's axes for a tensor of `rank`; `rank` below the number of letters is refused.
Result<std::vector<int>> axisLabels(const std::string& term, std::int64_t rank) {
    const bool hasEllipsis = term.find(kEllipsis) != std::string::npos;
    const std::int64_t letters = static_cast<std::int64_t>(term.size()) - (hasEllipsis ? 1 : 0);
    if (hasEllipsis ? rank < letters : rank != letters) {
        return invalid("An input of {} axes does not fit the term \"{}\" of Einsum.", rank, term);
    }
    std::vector<int> labels;
    for (const char c : term) {
        if (c != kEllipsis) {
            labels.push_back(c);
            continue;
        }
        for (std::int64_t i = letters - rank; i < 0; ++i) labels.push_back(static_cast<int>(i));
    }
    return labels;
}

/// Output labels: as written, or in alphabetical order those that occur once, behind the ellipsis.
std::vector<int> outputLabels(const Equation& equation, const Labels& labels) {
    std::vector<int> ellipsis;
    for (const int label : labels.order) {
        if (label < 0) ellipsis.push_back(label);
    }
    std::sort(ellipsis.begin(), ellipsis.end());
    std::vector<int> result;
    if (equation.hasOutput) {
        for (const char c : equation.output) {
            if (c == kEllipsis) {
                result.insert(result.end(), ellipsis.begin(), ellipsis.end());
            } else {
                result.push_back(c);
            }
        }
        return result;
    }
    std::string all;
    for (const auto& term : equation.terms) all += term;
    std::vector<int> letters;
    for (const int label : labels.order) {
        if (label > 0 && std::count(all.begin(), all.end(), static_cast<char>(label)) == 1) letters.push_back(label);
    }
    std::sort(letters.begin(), letters.end());
    result = ellipsis;
    result.insert(result.end(), letters.begin(), letters.end());
    return result;
}

/// Strides of an operand over all labels; a repeated label walks the diagonal.
Shape labelStrides(Dims dims, const std::vector<int>& axes, const Labels& labels) {
    const Shape own = stridesOf(dims);
    Shape strides(labels.order.size(), 0);
    for (std::size_t axis = 0; axis < axes.size(); ++axis) {
        if (dims[axis] != 1) strides[labels.indexOf(axes[axis])] += own[axis];
    }
    return strides;
}

/// One contraction: the output's labels come first in `dims`, so that each result is finished before the next.
template <typename T>
void contract(const Shape& dims, const std::vector<Shape>& strides, const std::vector<const T*>& data,
              std::int64_t outer, T* out) {
    const std::int64_t inner = outer == 0 ? 0 : product(dims) / outer;
    Shape index(dims.size(), 0);
    std::vector<std::int64_t> at(data.size(), 0);
    for (std::int64_t o = 0; o < outer; ++o) {
        Wrapping<std::conditional_t<std::is_integral_v<T>, T, int>> integral{};
        double real = 0;
        for (std::int64_t i = 0; i < inner; ++i) {
            T value{1};
            for (std::size_t k = 0; k < data.size(); ++k) value = wrapMultiply(value, data[k][at[k]]);
            if constexpr (std::is_integral_v<T>) {
                integral += static_cast<decltype(integral)>(value);
            } else {
                real += static_cast<double>(value);
            }
            for (std::size_t axis = dims.size(); axis-- > 0;) {
                for (std::size_t k = 0; k < data.size(); ++k) at[k] += strides[k][axis];
                if (++index[axis] < dims[axis]) break;
                for (std::size_t k = 0; k < data.size(); ++k) at[k] -= strides[k][axis] * dims[axis];
                index[axis] = 0;
            }
        }
        if constexpr (std::is_integral_v<T>) {
            out[o] = static_cast<T>(integral);
        } else {
            out[o] = static_cast<T>(real);
        }
    }
}

Status einsum(const Equation& equation, const Inputs& inputs, KernelOutputs& outputs) {
    if (equation.terms.size() != inputs.size()) {
        return invalid("Einsum has {} terms for {} inputs.", equation.terms.size(), inputs.size());
    }
    Labels labels;
    std::vector<std::vector<int>> axes;
    for (std::size_t k = 0; k < inputs.size(); ++k) {
        if (inputs[k].dtype != inputs[0].dtype) return invalid("The inputs of Einsum have different types.");
        auto own = axisLabels(equation.terms[k], rankOf(inputs[k]));
        if (!own) return fail(std::move(own.error()));
        for (std::size_t axis = 0; axis < own->size(); ++axis) {
            if (auto status = labels.add((*own)[axis], inputs[k].shape[axis]); !status) return status;
        }
        axes.push_back(std::move(*own));
    }
    Labels ordered;  // the output's labels first
    for (const int label : outputLabels(equation, labels)) {
        const std::size_t at = labels.indexOf(label);
        if (at == labels.order.size() || ordered.indexOf(label) != ordered.order.size()) {
            return invalid("The output of Einsum names a label that no input has, or one twice.");
        }
        ordered.order.push_back(label);
        ordered.extents.push_back(labels.extents[at]);
    }
    const Shape shape = ordered.extents;
    for (std::size_t i = 0; i < labels.order.size(); ++i) {
        if (auto status = ordered.add(labels.order[i], labels.extents[i]); !status) return status;
    }
    std::vector<Shape> strides;
    for (std::size_t k = 0; k < inputs.size(); ++k) strides.push_back(labelStrides(inputs[k].shape, axes[k], ordered));
    using EinsumTypes = Types<float, double, std::int32_t, std::int64_t>;
    return dispatch(EinsumTypes{}, inputs[0].dtype, [&]<typename T>() -> Status {
        auto out = makeOutputAs<T>(outputs, 0, shape);
        if (!out) return fail(std::move(out.error()));
        if (*out == nullptr) return {};
        std::vector<const T*> data;
        for (std::size_t k = 0; k < inputs.size(); ++k) data.push_back(inputs[k].as<T>());
        contract(ordered.extents, strides, data, product(shape), *out);
        return {};
    });
}

Result<Kernel> makeEinsum(const Node& node, std::int64_t) {
    const auto equation = parseEquation(node.stringAttribute("equation", ""));
    if (!equation) return fail(equation.error());
    return makeChecked(1, [equation = *equation](const Inputs& inputs, KernelOutputs& outputs) {
        return einsum(equation, inputs, outputs);
    });
}

constexpr KernelEntry kMatrixEinsumKernels[] = {{"Einsum", halfToo<&makeEinsum>}};

}  // namespace

std::span<const KernelEntry> einsumKernels() {
    return kMatrixEinsumKernels;
}

}  // namespace equant::kernels
