// SPDX-License-Identifier: Apache-2.0
// If, Loop and Scan over interpreted bodies.
#include "core/runtime/kernels/control_internal.h"

namespace equant::kernels {
namespace {

/// A Loop can be endless, and cannot be cancelled: it fails after so many.
constexpr std::int64_t kMostIterations = 1'000'000;

using SharedBody = std::shared_ptr<const Body>;

Result<SharedBody> bodyOf(const Node& node, std::string_view key, std::int64_t opset) {
    const Attribute* attribute = node.attribute(key);
    const auto* graph = attribute ? std::get_if<std::shared_ptr<const Graph>>(&attribute->value) : nullptr;
    if (graph == nullptr || !*graph) return unsupported("{} has no {}.", node.opType, key);
    const auto names = argumentNames(node);
    const auto first = names.begin() + static_cast<std::ptrdiff_t>(node.inputs.size());
    return Body::make(**graph, {first, names.end()}, opset);
}

Tensor copyOf(const TensorView& view) {
    Tensor tensor(view.dtype, shapeOf(view));
    if (tensor.sizeBytes() > 0) std::memcpy(tensor.mutableBytes().data(), view.data, tensor.sizeBytes());
    return tensor;
}

Status writeTensor(const Tensor& tensor, std::size_t index, KernelOutputs& outputs) {
    return copyAs({tensor.dtype(), tensor.shape(), tensor.bytes().data()}, tensor.shape(), outputs, index);
}

Result<bool> readCondition(const TensorView& view) {
    if (view.dtype != DType::Bool || view.count() != 1)
        return invalid("A condition must be one boolean, not {} of shape {}.", name(view.dtype), show(view.shape));
    return *view.as<bool>();
}

Result<bool> readCondition(const Tensor& tensor) {
    return readCondition(TensorView{tensor.dtype(), tensor.shape(), tensor.bytes().data()});
}

/// A tensor of one element for a body input declared as a scalar, or as a vector of one.
template <typename T>
Tensor oneElement(T value, const ValueInfo& declared) {
    return Tensor(declared.shape && declared.shape->size() == 1 ? Shape{1} : Shape{}, {value});
}

/// Tensors of one shape along a new axis.
Status writeStacked(const std::vector<Tensor>& parts, const ValueInfo& declared, std::int64_t axis, bool isReversed,
                    std::size_t index, KernelOutputs& outputs) {
    Shape shape;
    DType type = declared.dtype;
    if (!parts.empty()) {
        shape = parts.front().shape();
        type = parts.front().dtype();
    } else if (declared.shape) {
        for (const Dim& dim : *declared.shape) shape.push_back(std::max<std::int64_t>(dim.value, 0));
    }
    for (const Tensor& part : parts) {
        if (part.shape() != shape || part.dtype() != type)
            return invalid("A body gives {} in one step and {} in another.", toString(shape), toString(part.shape()));
    }
    const auto normal = normalizeAxis(axis, static_cast<std::int64_t>(shape.size()) + 1);
    if (!normal) return fail(normal.error());
    const Dims dims(shape);
    const std::int64_t outer = product(dims.first(static_cast<std::size_t>(*normal)));
    shape.insert(shape.begin() + *normal, static_cast<std::int64_t>(parts.size()));
    if (bitWidth(type) < 8) return unsupported("A body's output of type {} is not supported.", name(type));
    auto memory = makeOutput(outputs, index, type, shape);
    if (!memory) return fail(std::move(memory.error()));
    if (*memory == nullptr || product(shape) == 0) return {};
    const std::size_t run = parts.front().sizeBytes() / static_cast<std::size_t>(outer);
    std::byte* out = *memory;
    for (std::int64_t o = 0; o < outer; ++o) {
        for (std::size_t i = 0; i < parts.size(); ++i) {
            const Tensor& part = parts[isReversed ? parts.size() - 1 - i : i];
            std::memcpy(out, part.bytes().data() + static_cast<std::size_t>(o) * run, run);
            out += run;
        }
    }
    return {};
}

Result<Kernel> makeIf(const Node& node, std::int64_t opset) {
    auto then = bodyOf(node, "then_branch", opset);
    if (!then) return fail(then.error());
    auto otherwise = bodyOf(node, "else_branch", opset);
    if (!otherwise) return fail(otherwise.error());
    return makeChecked(1,
                       [then = *then, otherwise = *otherwise](const Inputs& inputs, KernelOutputs& outputs) -> Status {
                           const auto condition = readCondition(inputs[0]);
                           if (!condition) return fail(condition.error());
                           auto results = (*condition ? then : otherwise)->run({}, inputs.all().subspan(1));
                           if (!results) return fail(results.error());
                           for (std::size_t i = 0; i < results->size(); ++i) {
                               if (auto status = writeTensor((*results)[i], i, outputs); !status) return status;
                           }
                           return {};
                       });
}

/// Inputs: largest number of iterations (optional), condition (optional), carried values. The body maps (iteration,
/// condition, carried values) to (condition, carried values, values to stack).
Result<Kernel> makeLoop(const Node& node, std::int64_t opset) {
    auto made = bodyOf(node, "body", opset);
    if (!made) return fail(made.error());
    const std::size_t formal = std::max<std::size_t>(node.inputs.size(), 2);
    const std::size_t carried = formal - 2;
    const SharedBody body = *made;
    if (body->inputs().size() != carried + 2 || body->outputs().size() < carried + 1 || node.inputs.size() < 2)
        return unsupported("The body of a Loop does not fit its {} carried values.", carried);
    return makeChecked(0, [=](const Inputs& inputs, KernelOutputs& outputs) -> Status {
        if (inputs.size() < formal) return invalid("Loop needs {} inputs.", formal);
        const auto limit = integersFrom(inputs, 0, {std::numeric_limits<std::int64_t>::max()});
        if (!limit) return fail(limit.error());
        if (limit->size() != 1) return invalid("The number of iterations of a Loop must be one integer.");
        Result<bool> isGoingOn = inputs.has(1) ? readCondition(inputs[1]) : Result<bool>(true);
        std::vector<Tensor> values;
        for (std::size_t i = 0; i < carried; ++i) values.push_back(copyOf(inputs[i + 2]));
        const std::size_t stacked = body->outputs().size() - carried - 1;
        std::vector<std::vector<Tensor>> stacks(stacked);
        for (std::int64_t iteration = 0; isGoingOn && *isGoingOn && iteration < limit->front(); ++iteration) {
            std::vector<Tensor> arguments{oneElement(iteration, body->inputs()[0]),
                                          oneElement(true, body->inputs()[1])};
            for (Tensor& value : values) arguments.push_back(std::move(value));
            if (iteration == kMostIterations)
                return fail(ErrorCode::OutOfRange,
                            fmt::format("A Loop has not ended after {} iterations.", kMostIterations),
                            "Its condition may never become false: check the model and its inputs.");
            auto results = body->run(std::move(arguments), inputs.all().subspan(formal));
            if (!results) return fail(results.error());
            isGoingOn = readCondition((*results)[0]);
            for (std::size_t i = 0; i < carried; ++i) values[i] = std::move((*results)[i + 1]);
            for (std::size_t i = 0; i < stacked; ++i) stacks[i].push_back(std::move((*results)[carried + 1 + i]));
        }
        if (!isGoingOn) return fail(isGoingOn.error());
        for (std::size_t i = 0; i < carried; ++i) {
            if (auto status = writeTensor(values[i], i, outputs); !status) return status;
        }
        for (std::size_t i = 0; i < stacked; ++i) {
            const ValueInfo& declared = body->outputs()[carried + 1 + i];
            if (auto status = writeStacked(stacks[i], declared, 0, false, carried + i, outputs); !status) return status;
        }
        return {};
    });
}

struct ScanPlan {
    SharedBody body;
    std::size_t states = 0;
    std::size_t scanned = 0;  ///< inputs that are cut into slices
    std::vector<std::int64_t> inputAxes;
    std::vector<std::int64_t> inputDirections;
    std::vector<std::int64_t> outputAxes;
    std::vector<std::int64_t> outputDirections;

    [[nodiscard]] std::size_t stackedCount() const { return body->outputs().size() - states; }
};

std::int64_t entryOf(const std::vector<std::int64_t>& list, std::size_t i, std::int64_t fallback) {
    return i < list.size() ? list[i] : fallback;
}

/// Slice `index` along `axis`, without that axis.
Tensor sliceOf(const TensorView& view, std::int64_t axis, std::int64_t index) {
    const AxisSplit split = splitAt(view.shape, axis);
    Shape shape = shapeOf(view);
    shape.erase(shape.begin() + axis);
    Tensor slice(view.dtype, shape);
    const std::size_t run = static_cast<std::size_t>(split.inner) * bytesPerElement(view.dtype);
    if (slice.sizeBytes() == 0) return slice;
    std::byte* out = slice.mutableBytes().data();
    for (std::int64_t o = 0; o < split.outer; ++o, out += run)
        std::memcpy(out, view.data + static_cast<std::size_t>(o * split.extent + index) * run, run);
    return slice;
}

/// Runs the sequence; `states` become the final ones, `stacks` receive one tensor per step.
Status scanSequence(const ScanPlan& plan, std::vector<Tensor>& states, std::span<const TensorView> sequences,
                    std::span<const TensorView> captured, std::vector<std::vector<Tensor>>& stacks) {
    std::int64_t length = -1;
    std::vector<std::int64_t> axes;
    for (std::size_t i = 0; i < sequences.size(); ++i) {
        if (bitWidth(sequences[i].dtype) < 8)
            return unsupported("Scan over {} is not supported.", name(sequences[i].dtype));
        const auto axis = normalizeAxis(entryOf(plan.inputAxes, i, 0), rankOf(sequences[i]));
        if (!axis) return fail(axis.error());
        axes.push_back(*axis);
        const std::int64_t extent = sequences[i].shape[static_cast<std::size_t>(*axis)];
        if (length >= 0 && extent != length) return invalid("Scan over sequences of {} and {} steps.", length, extent);
        length = extent;
    }
    for (std::int64_t step = 0; step < length; ++step) {
        std::vector<Tensor> arguments = std::move(states);
        for (std::size_t i = 0; i < sequences.size(); ++i) {
            const bool isBackward = entryOf(plan.inputDirections, i, 0) != 0;
            arguments.push_back(sliceOf(sequences[i], axes[i], isBackward ? length - 1 - step : step));
        }
        auto results = plan.body->run(std::move(arguments), captured);
        if (!results) return fail(results.error());
        const auto middle = results->begin() + static_cast<std::ptrdiff_t>(plan.states);
        for (std::size_t i = 0; i < stacks.size(); ++i)
            stacks[i].push_back(std::move(middle[static_cast<std::ptrdiff_t>(i)]));
        results->resize(plan.states);
        states = std::move(*results);
    }
    return {};
}

Status runScan(const ScanPlan& plan, const Inputs& inputs, KernelOutputs& outputs) {
    std::vector<Tensor> states;
    for (std::size_t i = 0; i < plan.states; ++i) states.push_back(copyOf(inputs[i]));
    std::vector<std::vector<Tensor>> stacks(plan.stackedCount());
    const auto all = inputs.all();
    const auto sequences = all.subspan(plan.states, plan.scanned);
    const auto captured = all.subspan(plan.states + plan.scanned);
    if (auto status = scanSequence(plan, states, sequences, captured, stacks); !status) return status;
    for (std::size_t i = 0; i < plan.states; ++i) {
        if (auto status = writeTensor(states[i], i, outputs); !status) return status;
    }
    for (std::size_t i = 0; i < stacks.size(); ++i) {
        const ValueInfo& declared = plan.body->outputs()[plan.states + i];
        const bool isReversed = entryOf(plan.outputDirections, i, 0) != 0;
        const std::int64_t axis = entryOf(plan.outputAxes, i, 0);
        const std::size_t index = plan.states + i;
        if (auto status = writeStacked(stacks[i], declared, axis, isReversed, index, outputs); !status) return status;
    }
    return {};
}

/// Opset 8: all inputs have the batch as their first axis, before the sequence; input 0 (lengths) must be omitted.
Status runBatchedScan(const ScanPlan& plan, const Inputs& inputs, KernelOutputs& outputs) {
    if (inputs.has(0)) return unsupported("Scan with lengths of its own for every sequence is not supported.");
    const auto all = inputs.all().subspan(1);
    const std::size_t batched = plan.states + plan.scanned;
    const std::int64_t batch = all[0].shape.empty() ? 0 : all[0].shape[0];
    std::vector<std::vector<Tensor>> finals(plan.states + plan.stackedCount());
    for (std::int64_t sample = 0; sample < batch; ++sample) {
        std::vector<Tensor> slices;
        for (const TensorView& view : all.first(batched)) {
            if (view.shape.empty() || view.shape[0] != batch || bitWidth(view.dtype) < 8)
                return invalid("An input of shape {} does not fit a batch of {}.", show(view.shape), batch);
            slices.push_back(sliceOf(view, 0, sample));
        }
        std::vector<TensorView> sequences;
        for (std::size_t i = plan.states; i < batched; ++i)
            sequences.push_back({slices[i].dtype(), slices[i].shape(), slices[i].bytes().data()});
        std::vector<Tensor> states(slices.begin(), slices.begin() + static_cast<std::ptrdiff_t>(plan.states));
        std::vector<std::vector<Tensor>> stacks(plan.stackedCount());
        if (auto status = scanSequence(plan, states, sequences, all.subspan(batched), stacks); !status) return status;
        for (std::size_t i = 0; i < plan.states; ++i) finals[i].push_back(std::move(states[i]));
        for (std::size_t i = 0; i < stacks.size(); ++i) {
            Shape shape{static_cast<std::int64_t>(stacks[i].size())};
            if (stacks[i].empty()) return unsupported("Scan over empty sequences is not supported.");
            shape.insert(shape.end(), stacks[i][0].shape().begin(), stacks[i][0].shape().end());
            Tensor joined(stacks[i][0].dtype(), shape);
            std::byte* out = joined.mutableBytes().data();
            for (const Tensor& part : stacks[i]) {
                if (part.sizeBytes() * stacks[i].size() != joined.sizeBytes())
                    return invalid("A body gives outputs of several shapes.");
                if (part.sizeBytes() > 0) std::memcpy(out, part.bytes().data(), part.sizeBytes());
                out += part.sizeBytes();
            }
            finals[plan.states + i].push_back(std::move(joined));
        }
    }
    for (std::size_t i = 0; i < finals.size(); ++i) {
        if (auto status = writeStacked(finals[i], plan.body->outputs()[i], 0, false, i, outputs); !status)
            return status;
    }
    return {};
}

Result<Kernel> makeScan(const Node& node, std::int64_t opset) {
    auto body = bodyOf(node, "body", opset);
    if (!body) return fail(body.error());
    const bool isBatched = opset < 9;
    const std::size_t formal = node.inputs.size() - (isBatched && !node.inputs.empty() ? 1 : 0);
    ScanPlan plan;
    plan.body = *body;
    plan.scanned = static_cast<std::size_t>(std::max<std::int64_t>(node.intAttribute("num_scan_inputs", 0), 0));
    if (plan.scanned == 0 || plan.scanned > formal || plan.body->inputs().size() != formal)
        return unsupported("The body of a Scan does not fit its {} inputs.", formal);
    plan.states = formal - plan.scanned;
    if (plan.body->outputs().size() < plan.states)
        return unsupported("The body of a Scan does not give its {} states.", plan.states);
    plan.inputAxes = node.intsAttribute("scan_input_axes");
    plan.inputDirections = node.intsAttribute(isBatched ? "directions" : "scan_input_directions");
    plan.outputAxes = node.intsAttribute("scan_output_axes");
    plan.outputDirections = node.intsAttribute("scan_output_directions");
    return makeChecked(
        0, [plan, isBatched, required = node.inputs.size()](const Inputs& inputs, KernelOutputs& outputs) -> Status {
            if (inputs.size() < required) return invalid("Scan needs {} inputs.", required);
            return isBatched ? runBatchedScan(plan, inputs, outputs) : runScan(plan, inputs, outputs);
        });
}

constexpr KernelEntry kControlKernels[] = {{"If", makeIf}, {"Loop", makeLoop}, {"Scan", makeScan}};

}  // namespace
}  // namespace equant::kernels

namespace equant {

std::span<const KernelEntry> controlKernels() {
    return kernels::kControlKernels;
}

}  // namespace equant
