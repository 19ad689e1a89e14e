// SPDX-License-Identifier: Apache-2.0
// RNN, GRU and LSTM: one or two directions, sequence lengths, clipping, both layouts.
// Source: ONNX operator definitions (opset 7 to 14), whose gate orders these are: GRU z r h, LSTM i o f c.
#include <functional>
#include <optional>

#include "core/runtime/kernels/matrix_internal.h"
#include "core/runtime/kernels/vector_math_internal.h"

namespace equant::kernels {
namespace {

enum class Cell { Rnn, Gru, Lstm };
constexpr std::int64_t gateCount(Cell cell) {
    return cell == Cell::Rnn ? 1 : (cell == Cell::Gru ? 3 : 4);
}
/// Activations per direction.
constexpr std::size_t activationCount(Cell cell) {
    return cell == Cell::Rnn ? 1 : (cell == Cell::Gru ? 2 : 3);
}

using Activation = std::function<float(float)>;

Result<Activation> activationOf(const std::string& text, std::optional<float> alpha, std::optional<float> beta) {
    std::string key;
    for (const char c : text) key += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    if (key == "sigmoid") return Activation([](float x) { return fastSigmoid(x); });
    if (key == "tanh") return Activation([](float x) { return fastTanh(x); });
    if (key == "relu") return Activation([](float x) { return x > 0 ? x : 0; });
    if (key == "softsign") return Activation([](float x) { return x / (1 + std::fabs(x)); });
    if (key == "softplus")
        return Activation([](float x) { return std::log1p(std::exp(-std::fabs(x))) + std::max(x, 0.0F); });
    if (key == "affine")
        return Activation([a = alpha.value_or(1), b = beta.value_or(0)](float x) { return a * x + b; });
    if (key == "leakyrelu") return Activation([a = alpha.value_or(0.01F)](float x) { return x < 0 ? a * x : x; });
    if (key == "thresholdedrelu") return Activation([a = alpha.value_or(1)](float x) { return x > a ? x : 0; });
    if (key == "elu") return Activation([a = alpha.value_or(1)](float x) { return x < 0 ? a * std::expm1(x) : x; });
    if (key == "scaledtanh") {
        return Activation([a = alpha.value_or(1), b = beta.value_or(1)](float x) { return a * std::tanh(b * x); });
    }
    if (key == "hardsigmoid") {
        return Activation(
            [a = alpha.value_or(0.2F), b = beta.value_or(0.5F)](float x) { return std::clamp(a * x + b, 0.0F, 1.0F); });
    }
    return unsupported("The activation \"{}\" of a recurrent cell is not known.", text);
}

struct RecurrentAttributes {
    Cell cell = Cell::Rnn;
    std::int64_t hidden = 0;
    std::int64_t directions = 1;
    bool isReverse = false;     ///< the first direction runs backwards
    bool isBatchFirst = false;  ///< layout = 1
    bool isResetAfter = false;  ///< GRU's linear_before_reset
    bool isCoupled = false;     ///< LSTM's input_forget
    float clip = 0;             ///< 0: none
    std::vector<Activation> activations;
};

Result<RecurrentAttributes> recurrentAttributes(const Node& node, Cell cell) {
    RecurrentAttributes a;
    a.cell = cell;
    a.hidden = node.intAttribute("hidden_size", 0);
    const auto direction = node.stringAttribute("direction", "forward");
    a.directions = direction == "bidirectional" ? 2 : 1;
    a.isReverse = direction == "reverse";
    a.isBatchFirst = node.intAttribute("layout", 0) != 0;
    a.isResetAfter = node.intAttribute("linear_before_reset", 0) != 0;
    a.isCoupled = node.intAttribute("input_forget", 0) != 0;
    a.clip = node.floatAttribute("clip", 0);
    std::vector<std::string> names;
    if (const Attribute* given = node.attribute("activations")) {
        if (const auto* list = std::get_if<std::vector<std::string>>(&given->value)) names = *list;
    }
    const std::vector<std::string> usual = cell == Cell::Rnn   ? std::vector<std::string>{"Tanh"}
                                           : cell == Cell::Gru ? std::vector<std::string>{"Sigmoid", "Tanh"}
                                                               : std::vector<std::string>{"Sigmoid", "Tanh", "Tanh"};
    for (std::int64_t d = 0; names.size() < usual.size() * static_cast<std::size_t>(a.directions) && d < 2; ++d) {
        if (names.size() % usual.size() != 0) return unsupported("{} has {} activations.", node.opType, names.size());
        names.insert(names.end(), usual.begin(), usual.end());
    }
    const auto alphas = node.floatsAttribute("activation_alpha");
    const auto betas = node.floatsAttribute("activation_beta");
    const auto at = [](const std::vector<float>& list, std::size_t i) {
        return i < list.size() ? std::optional<float>(list[i]) : std::nullopt;
    };
    for (std::size_t i = 0; i < names.size(); ++i) {
        auto activation = activationOf(names[i], at(alphas, i), at(betas, i));
        if (!activation) return fail(std::move(activation.error()));
        a.activations.push_back(std::move(*activation));
    }
    return a;
}

/// What one direction of one call works on. Weights are transposed to [input, gates * hidden].
struct Direction {
    const RecurrentAttributes* attributes;
    std::int64_t steps, batch, inputs;
    std::vector<float> inputWeight, stateWeight;
    std::vector<float> inputBias, stateBias;  ///< [gates * hidden]
    const float* peepholes = nullptr;         ///< LSTM: i o f, [3 * hidden]
    std::span<const Activation> activations;
};

std::vector<float> transposed(const float* matrix, std::int64_t rows, std::int64_t columns) {
    std::vector<float> result(static_cast<std::size_t>(rows * columns));
    for (std::int64_t r = 0; r < rows; ++r) {
        for (std::int64_t c = 0; c < columns; ++c)
            result[static_cast<std::size_t>(c * rows + r)] = matrix[r * columns + c];
    }
    return result;
}

/// One sample, one step: `fromInput` and `fromState` are the gates' sums, h and c the states to update.
void step(const Direction& d, const float* fromInput, const float* fromState, float* h, float* c) {
    const RecurrentAttributes& a = *d.attributes;
    const std::int64_t n = a.hidden;
    const auto clipped = [&](float x) { return a.clip > 0 ? std::clamp(x, -a.clip, a.clip) : x; };
    const auto sum = [&](std::int64_t gate, std::int64_t i) {
        return fromInput[gate * n + i] + fromState[gate * n + i];
    };
    for (std::int64_t i = 0; i < n; ++i) {
        if (a.cell == Cell::Rnn) {
            h[i] = d.activations[0](clipped(sum(0, i)));
        } else if (a.cell == Cell::Gru) {  // only with isResetAfter; the other form needs a second product
            const float update = d.activations[0](clipped(sum(0, i)));
            const float reset = d.activations[0](clipped(sum(1, i)));
            const float candidate = d.activations[1](clipped(fromInput[2 * n + i] + reset * fromState[2 * n + i]));
            h[i] = (1 - update) * candidate + update * h[i];
        } else {
            const auto peephole = [&](std::int64_t gate, float state) {
                return d.peepholes == nullptr ? 0.0F : d.peepholes[gate * n + i] * state;
            };
            const float in = d.activations[0](clipped(sum(0, i) + peephole(0, c[i])));
            const float forget = a.isCoupled ? 1 - in : d.activations[0](clipped(sum(2, i) + peephole(2, c[i])));
            c[i] = forget * c[i] + in * d.activations[1](clipped(sum(3, i)));
            const float out = d.activations[0](clipped(sum(1, i) + peephole(1, c[i])));
            h[i] = out * d.activations[2](c[i]);
        }
    }
}

/// GRU whose reset gate acts on the state before its product with the candidate's weights.
void stepResetBefore(const Direction& d, const float* fromInput, const float* fromState, float* h) {
    const std::int64_t n = d.attributes->hidden;
    const float clip = d.attributes->clip;
    const auto clipped = [&](float x) { return clip > 0 ? std::clamp(x, -clip, clip) : x; };
    std::vector<float> kept(static_cast<std::size_t>(n)), candidate(d.stateBias.begin() + 2 * n, d.stateBias.end());
    for (std::int64_t i = 0; i < n; ++i) {
        kept[static_cast<std::size_t>(i)] = h[i] * d.activations[0](clipped(fromInput[n + i] + fromState[n + i]));
    }
    for (std::int64_t k = 0; k < n; ++k) {
        const float* row = d.stateWeight.data() + k * 3 * n + 2 * n;
        for (std::int64_t i = 0; i < n; ++i)
            candidate[static_cast<std::size_t>(i)] += kept[static_cast<std::size_t>(k)] * row[i];
    }
    for (std::int64_t i = 0; i < n; ++i) {
        const float update = d.activations[0](clipped(fromInput[i] + fromState[i]));
        const float value = d.activations[1](clipped(fromInput[2 * n + i] + candidate[static_cast<std::size_t>(i)]));
        h[i] = (1 - update) * value + update * h[i];
    }
}

/// Runs one direction of one sample. x(t) and y(t) give the addresses of a step; y may give null.
template <typename X, typename Y>
void runSample(const Direction& d, bool isBackward, std::int64_t length, X x, Y y, float* h, float* c) {
    const RecurrentAttributes& a = *d.attributes;
    const std::int64_t width = gateCount(a.cell) * a.hidden;
    std::vector<float> fromInput, fromState;
    for (std::int64_t s = 0; s < length; ++s) {
        const std::int64_t t = isBackward ? length - 1 - s : s;
        fromInput = d.inputBias;
        fromState = d.stateBias;
        multiplyAdd(x(t), d.inputWeight.data(), 1, d.inputs, width, fromInput.data());
        multiplyAdd(static_cast<const float*>(h), d.stateWeight.data(), 1, a.hidden, width, fromState.data());
        if (a.cell == Cell::Gru && !a.isResetAfter) {
            stepResetBefore(d, fromInput.data(), fromState.data(), h);
        } else {
            step(d, fromInput.data(), fromState.data(), h, c);
        }
        if (float* target = y(t)) std::copy_n(h, a.hidden, target);
    }
}

/// x, W, R, B, sequence lengths, initial h, and for LSTM initial c and peepholes, in their only legal shapes.
Status checkRecurrent(const RecurrentAttributes& a, const Inputs& inputs) {
    const auto& x = inputs[0].shape;
    if (x.size() != 3 || inputs[1].shape.size() != 3) return invalid("A recurrent cell needs inputs of three axes.");
    const std::int64_t rows = gateCount(a.cell) * a.hidden;
    const std::int64_t batch = x[a.isBatchFirst ? 0 : 1];
    const Shape state = a.isBatchFirst ? Shape{batch, a.directions, a.hidden} : Shape{a.directions, batch, a.hidden};
    const std::pair<std::size_t, Shape> expected[] = {{1, {a.directions, rows, x[2]}},
                                                      {2, {a.directions, rows, a.hidden}},
                                                      {3, {a.directions, 2 * rows}},
                                                      {4, {batch}},
                                                      {5, state},
                                                      {6, state},
                                                      {7, {a.directions, 3 * a.hidden}}};
    for (const auto& [slot, shape] : expected) {
        if (!inputs.has(slot)) continue;
        const DType type = slot == 4 ? DType::Int32 : DType::Float;
        if (shapeOf(inputs[slot]) != shape || inputs[slot].dtype != type) {
            return invalid("Input {} of a recurrent cell has shape {} where {} of type {} is expected.", slot,
                           show(inputs[slot].shape), toString(shape), name(type));
        }
    }
    return inputs[0].dtype == DType::Float ? Status{} : unsupported("Recurrent cells are supported for float.");
}

Direction makeDirection(const RecurrentAttributes& a, const Inputs& inputs, std::int64_t index) {
    const auto& x = inputs[0].shape;
    const std::int64_t rows = gateCount(a.cell) * a.hidden;
    Direction d{&a, x[a.isBatchFirst ? 1 : 0], x[a.isBatchFirst ? 0 : 1], x[2], {}, {}, {}, {}, nullptr, {}};
    d.inputWeight = transposed(inputs[1].as<float>() + index * rows * d.inputs, rows, d.inputs);
    d.stateWeight = transposed(inputs[2].as<float>() + index * rows * a.hidden, rows, a.hidden);
    d.inputBias.assign(static_cast<std::size_t>(rows), 0);
    d.stateBias = d.inputBias;
    if (inputs.has(3)) {
        const float* bias = inputs[3].as<float>() + index * 2 * rows;
        d.inputBias.assign(bias, bias + rows);
        d.stateBias.assign(bias + rows, bias + 2 * rows);
    }
    if (inputs.has(7)) d.peepholes = inputs[7].as<float>() + index * 3 * a.hidden;
    const std::size_t count = activationCount(a.cell);
    d.activations = std::span(a.activations).subspan(static_cast<std::size_t>(index) * count, count);
    return d;
}

Status runRecurrent(const RecurrentAttributes& a, const Inputs& inputs, KernelOutputs& outputs) {
    if (auto status = checkRecurrent(a, inputs); !status) return status;
    const auto& x = inputs[0].shape;
    const std::int64_t steps = x[a.isBatchFirst ? 1 : 0], batch = x[a.isBatchFirst ? 0 : 1];
    const Shape state = a.isBatchFirst ? Shape{batch, a.directions, a.hidden} : Shape{a.directions, batch, a.hidden};
    const Shape all =
        a.isBatchFirst ? Shape{batch, steps, a.directions, a.hidden} : Shape{steps, a.directions, batch, a.hidden};
    auto y = makeOutputAs<float>(outputs, 0, all);
    auto lastH = makeOutputAs<float>(outputs, 1, state);
    auto lastC = a.cell == Cell::Lstm ? makeOutputAs<float>(outputs, 2, state) : Result<float*>(nullptr);
    if (!y || !lastH || !lastC) return invalid("The outputs of a recurrent cell are too large.");
    if (*y != nullptr) std::fill_n(*y, product(all), 0.0F);
    std::vector<float> h(static_cast<std::size_t>(a.hidden)), c(h.size());
    for (std::int64_t index = 0; index < a.directions; ++index) {
        const Direction d = makeDirection(a, inputs, index);
        for (std::int64_t b = 0; b < batch; ++b) {
            const std::int64_t at = (a.isBatchFirst ? b * a.directions + index : index * batch + b) * a.hidden;
            const auto initial = [&](std::size_t slot, std::vector<float>& target) {
                std::fill(target.begin(), target.end(), 0.0F);
                if (inputs.has(slot)) std::copy_n(inputs[slot].as<float>() + at, a.hidden, target.begin());
            };
            initial(5, h);
            initial(6, c);
            const std::int64_t wanted = inputs.has(4) ? inputs[4].as<std::int32_t>()[b] : steps;
            if (wanted < 0 || wanted > steps) return invalid("A sequence of {} steps is given in {}.", wanted, steps);
            const auto input = [&](std::int64_t t) {
                return inputs[0].as<float>() + (a.isBatchFirst ? b * steps + t : t * batch + b) * d.inputs;
            };
            const auto output = [&](std::int64_t t) -> float* {
                if (*y == nullptr) return nullptr;
                const std::int64_t row =
                    a.isBatchFirst ? (b * steps + t) * a.directions + index : (t * a.directions + index) * batch + b;
                return *y + row * a.hidden;
            };
            runSample(d, a.isReverse || index == 1, wanted, input, output, h.data(), c.data());
            if (*lastH != nullptr) std::copy_n(h.begin(), a.hidden, *lastH + at);
            if (*lastC != nullptr) std::copy_n(c.begin(), a.hidden, *lastC + at);
        }
    }
    return {};
}

template <Cell cell>
Result<Kernel> makeRecurrent(const Node& node, std::int64_t) {
    auto attributes = recurrentAttributes(node, cell);
    if (!attributes) return fail(std::move(attributes.error()));
    return makeChecked(3,
                       [attributes = std::move(*attributes)](const Inputs& inputs, KernelOutputs& outputs) -> Status {
                           RecurrentAttributes resolved = attributes;
                           if (resolved.hidden == 0 && !inputs[2].shape.empty())
                               resolved.hidden = inputs[2].shape.back();
                           if (resolved.hidden < 1) return invalid("A recurrent cell needs a hidden size.");
                           return runRecurrent(resolved, inputs, outputs);
                       });
}

constexpr KernelEntry kMatrixRecurrentKernels[] = {
    {"RNN", makeRecurrent<Cell::Rnn>},
    {"GRU", makeRecurrent<Cell::Gru>},
    {"LSTM", makeRecurrent<Cell::Lstm>},
};

}  // namespace

std::span<const KernelEntry> recurrentKernels() {
    return kMatrixRecurrentKernels;
}

}  // namespace equant::kernels
