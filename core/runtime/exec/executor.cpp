// SPDX-License-Identifier: Apache-2.0
#include "core/runtime/exec/executor.h"

#include <algorithm>
#include <cstring>
#include <fmt/format.h>
#include <map>
#include <mutex>
#include <set>

#include "core/runtime/exec/batching_internal.h"

namespace equant {
namespace {

using Shapes = std::vector<Shape>;

/// Activations of a part should stay in a second-level cache with the weights of a layer.
constexpr std::size_t kPartBytes = std::size_t{4} << 20;

bool hasCommonBatch(std::span<const Tensor> given) {
    return !given.empty() && std::all_of(given.begin(), given.end(), [&](const Tensor& input) {
        return input.rank() > 0 && input.dim(0) == given[0].dim(0);
    });
}

Shapes shapesOf(std::span<const Tensor> tensors) {
    Shapes shapes;
    for (const Tensor& tensor : tensors) shapes.push_back(tensor.shape());
    return shapes;
}

std::string shapeText(const ValueInfo& info) {
    if (!info.shape) return "any shape";
    std::vector<std::string> dims;
    for (const Dim& dim : *info.shape)
        dims.push_back(dim.value >= 0 ? std::to_string(dim.value) : dim.symbol.empty() ? "?" : dim.symbol);
    return dims.empty() ? "scalar" : fmt::format("{}", fmt::join(dims, "x"));
}

}  // namespace

struct Executor::State {
    /// Receives tapped values: one of the two.
    struct TapReceiver {
        TapFunction tap;
        const ElementsFunction* elements = nullptr;
    };

    Model model;
    CompileOptions options;
    std::vector<ValueInfo> inputs;
    std::vector<std::string> outputs;

    std::mutex mutex;
    std::map<Shapes, Result<std::shared_ptr<const Plan>>> plans;
    std::set<Shapes> completed;                ///< have run to the end
    std::map<Shapes, std::int64_t> partSizes;  ///< samples to run at a time, for batches seen so far
    std::map<std::pair<unsigned, const Plan*>, std::unique_ptr<Runner>> runners;

    [[nodiscard]] std::string expectation() const;
    [[nodiscard]] Status check(std::span<const Tensor> given) const;
    Result<std::shared_ptr<const Plan>> planFor(const Shapes& shapes);
    Result<std::shared_ptr<const Plan>> planLocked(const Shapes& shapes);
    [[nodiscard]] CompileOptions optionsFor(const Shapes& shapes) const;
    [[nodiscard]] std::int64_t partFor(const Shapes& shapes);
    Runner& runnerFor(unsigned worker, const std::shared_ptr<const Plan>& plan);
    Result<std::vector<Tensor>> run(std::span<const Tensor> given, unsigned worker, const TapReceiver& receiver);
    Result<std::vector<Tensor>> runWhole(std::span<const Tensor> given, unsigned worker, const TapReceiver& receiver);
    Result<std::vector<Tensor>> runInParts(std::span<const Tensor> given, std::int64_t part, unsigned worker,
                                           const TapReceiver& receiver);
    Status rehearse(std::span<const Tensor> given, unsigned worker);
    [[nodiscard]] std::int64_t fixedBatch() const;
    [[nodiscard]] std::int64_t partOf(std::span<const Tensor> given);
};

std::string Executor::State::expectation() const {
    std::vector<std::string> parts;
    for (const ValueInfo& input : inputs)
        parts.push_back(fmt::format("\"{}\" {} {}", input.name, name(input.dtype), shapeText(input)));
    return fmt::format("The model expects {}.", fmt::join(parts, ", "));
}

/// The declared first dimension that all inputs share (after options.inputShapes); 0 when it is free.
std::int64_t Executor::State::fixedBatch() const {
    std::int64_t batch = 0;
    for (const ValueInfo& input : inputs) {
        std::int64_t first = -1;
        if (const auto found = options.inputShapes.find(input.name);
            found != options.inputShapes.end() && !found->second.empty()) {
            first = input.shape && !input.shape->empty() ? (*input.shape)[0].value : found->second[0];
        } else if (input.shape && !input.shape->empty()) {
            first = (*input.shape)[0].value;
        }
        if (first <= 0 || (batch != 0 && first != batch)) return 0;
        batch = first;
    }
    return batch;
}

Status Executor::State::check(std::span<const Tensor> given) const {
    if (given.size() != inputs.size()) {
        return fail(ErrorCode::InvalidArgument,
                    fmt::format("{} inputs were given instead of {}.", given.size(), inputs.size()), expectation());
    }
    const std::int64_t batch = fixedBatch();
    for (std::size_t i = 0; i < given.size(); ++i) {
        const ValueInfo& input = inputs[i];
        bool fits = given[i].dtype() == input.dtype;
        if (input.shape && fits) {
            fits = given[i].shape().size() == input.shape->size();
            for (std::size_t d = 0; fits && d < input.shape->size(); ++d) {
                const std::int64_t declared = (*input.shape)[d].value;
                const std::int64_t actual = given[i].shape()[d];
                if (declared < 0) continue;
                // A fixed batch takes any multiple of itself: it is run in parts.
                fits = d == 0 && batch > 0
                           ? actual > 0 && actual % batch == 0 && actual / batch == given[0].dim(0) / batch
                           : actual == declared;
            }
        }
        if (fits) continue;
        return fail(ErrorCode::InvalidArgument,
                    fmt::format("Input \"{}\" is {} of shape {}, which does not fit.", input.name,
                                name(given[i].dtype()), toString(given[i].shape())),
                    expectation(), input.name);
    }
    return {};
}

CompileOptions Executor::State::optionsFor(const Shapes& shapes) const {
    CompileOptions concrete = options;
    for (std::size_t i = 0; i < inputs.size(); ++i) concrete.inputShapes[inputs[i].name] = shapes[i];
    return concrete;
}

Result<std::shared_ptr<const Plan>> Executor::State::planFor(const Shapes& shapes) {
    const std::scoped_lock lock(mutex);
    return planLocked(shapes);
}

Result<std::shared_ptr<const Plan>> Executor::State::planLocked(const Shapes& shapes) {
    if (const auto found = plans.find(shapes); found != plans.end()) return found->second;
    return plans.emplace(shapes, compile(model, optionsFor(shapes))).first->second;
}

/// How many samples of such a batch to run at a time: all, unless they are known to be independent and many of them
/// would only push each other out of the caches.
std::int64_t Executor::State::partFor(const Shapes& shapes) {
    const std::scoped_lock lock(mutex);
    if (const auto found = partSizes.find(shapes); found != partSizes.end()) return found->second;
    const std::int64_t batch = shapes[0][0];
    std::int64_t part = batch;
    Shapes single = shapes;
    for (Shape& shape : single) shape[0] = 1;
    if (const auto plan = planLocked(single)) {
        const auto fitting = static_cast<std::int64_t>(kPartBytes / std::max<std::size_t>(arenaBytes(**plan), 1));
        const std::int64_t wanted = std::clamp<std::int64_t>(fitting, 1, batch);
        if (wanted < batch && areSamplesIndependent(model, optionsFor(single), optionsFor(shapes))) part = wanted;
    }
    partSizes[shapes] = part;
    return part;
}

Runner& Executor::State::runnerFor(unsigned worker, const std::shared_ptr<const Plan>& plan) {
    const std::scoped_lock lock(mutex);
    auto& runner = runners[{worker, plan.get()}];
    if (!runner) runner = std::make_unique<Runner>(plan);
    return *runner;
}

Result<std::vector<Tensor>> Executor::State::runWhole(std::span<const Tensor> given, unsigned worker,
                                                      const TapReceiver& receiver) {
    const auto plan = planFor(shapesOf(given));
    if (!plan) return fail(plan.error());
    Runner& runner = runnerFor(worker, *plan);
    return receiver.elements ? runner.observe(given, *receiver.elements) : runner.run(given, receiver.tap);
}

/// Elements that were shown cannot be taken back: before the first time, whether these shapes run at all.
Status Executor::State::rehearse(std::span<const Tensor> given, unsigned worker) {
    Shapes shapes = shapesOf(given);
    const auto plan = planFor(shapes);
    if (!plan) return fail(plan.error());
    {
        const std::scoped_lock lock(mutex);
        if (!mayFailWhileRunning(**plan) || completed.contains(shapes)) return {};
    }
    const auto result = runnerFor(worker, *plan).run(given);
    if (!result) return fail(result.error());
    const std::scoped_lock lock(mutex);
    completed.insert(std::move(shapes));
    return {};
}

Result<std::vector<Tensor>> Executor::State::runInParts(std::span<const Tensor> given, std::int64_t part,
                                                        unsigned worker, const TapReceiver& receiver) {
    const std::int64_t batch = given[0].dim(0);
    std::vector<std::vector<Tensor>> results(outputs.size());
    std::vector<std::vector<Tensor>> tapped;
    TapReceiver collector{{}, receiver.elements};
    if (receiver.tap) {
        tapped.resize(options.taps.size());
        collector.tap = [&](std::size_t index, const Tensor& value) { tapped[index].push_back(value); };
    }
    for (std::int64_t first = 0; first < batch; first += part) {
        std::vector<Tensor> samples;
        for (const Tensor& tensor : given) samples.push_back(samplesOf(tensor, first, std::min(part, batch - first)));
        auto result = runWhole(samples, worker, collector);
        if (!result) return result;
        for (std::size_t i = 0; i < result->size(); ++i) results[i].push_back(std::move((*result)[i]));
    }
    for (std::size_t i = 0; i < tapped.size(); ++i) {
        if (tapped[i].empty()) continue;
        auto joined = concatenated(tapped[i], options.taps[i]);
        if (!joined) return fail(joined.error());
        receiver.tap(i, *joined);
    }
    std::vector<Tensor> joined;
    for (std::size_t i = 0; i < results.size(); ++i) {
        auto one = concatenated(results[i], outputs[i]);
        if (!one) return fail(one.error());
        joined.push_back(std::move(*one));
    }
    return joined;
}

/// How many samples of the batch to run at a time; 0: the inputs as they are.
std::int64_t Executor::State::partOf(std::span<const Tensor> given) {
    if (!hasCommonBatch(given)) return 0;
    const std::int64_t batch = given[0].dim(0);
    const std::int64_t fixed = fixedBatch();
    std::int64_t part = batch;
    if (fixed > 0) {
        part = fixed;
    } else if (batch > 1) {
        part = partFor(shapesOf(given));
    }
    return part < batch ? part : 0;
}

Result<std::vector<Tensor>> Executor::State::run(std::span<const Tensor> given, unsigned worker,
                                                 const TapReceiver& receiver) {
    if (auto status = check(given); !status) return fail(status.error());
    if (const std::int64_t part = partOf(given); part > 0) return runInParts(given, part, worker, receiver);
    const bool isDivisible = hasCommonBatch(given) && given[0].dim(0) > 1;
    const auto rehearsal = isDivisible && receiver.elements ? rehearse(given, worker) : Status{};
    auto result = rehearsal ? runWhole(given, worker, receiver) : Result<std::vector<Tensor>>(fail(rehearsal.error()));
    // A batch of one baked into the graph (Reshape to 1x...): sample by sample it still works.
    if (result || !isDivisible || result.error().code == ErrorCode::Unsupported) return result;
    auto parts = runInParts(given, 1, worker, receiver);
    return parts ? std::move(parts) : std::move(result);
}

Executor::Executor() : m_state(std::make_unique<State>()) {}
Executor::~Executor() = default;

Result<std::shared_ptr<Executor>> Executor::create(const Model& model, CompileOptions options) {
    std::shared_ptr<Executor> executor(new Executor());
    State& state = *executor->m_state;
    state.model = model;
    for (const ValueInfo* input : model.graph.requiredInputs()) state.inputs.push_back(*input);
    state.outputs = options.outputs;
    if (state.outputs.empty()) {
        for (const ValueInfo& output : model.graph.outputs) state.outputs.push_back(output.name);
    }
    state.options = std::move(options);
    Shapes shapes;
    for (const ValueInfo& input : state.inputs) {
        Shape shape;
        if (const auto found = state.options.inputShapes.find(input.name); found != state.options.inputShapes.end()) {
            shape = found->second;
        } else {
            bool isKnown = input.shape.has_value();
            for (std::size_t i = 0; isKnown && i < input.shape->size(); ++i) {
                const std::int64_t dim = (*input.shape)[i].value;
                isKnown = dim >= 0 || i == 0;
                shape.push_back(dim >= 0 ? dim : 1);
            }
            // Spatial sizes that are only known with the data: the first run compiles.
            if (!isKnown) return executor;
        }
        shapes.push_back(std::move(shape));
    }
    if (auto plan = state.planFor(shapes); !plan) return fail(plan.error());
    return executor;
}

Result<std::vector<Tensor>> Executor::run(std::span<const Tensor> inputs, unsigned worker, const TapFunction& tap) {
    return m_state->run(inputs, worker, {tap, nullptr});
}

Result<std::vector<Tensor>> Executor::observe(std::span<const Tensor> inputs, unsigned worker,
                                              const ElementsFunction& elements) {
    return m_state->run(inputs, worker, {{}, &elements});
}

Result<std::int64_t> Executor::partOf(std::span<const Tensor> inputs) {
    if (auto status = m_state->check(inputs); !status) return fail(status.error());
    return m_state->partOf(inputs);
}

bool Executor::hasFixedBatch() const {
    return m_state->fixedBatch() > 0;
}

Result<std::shared_ptr<const Plan>> Executor::planFor(const std::vector<Shape>& shapes) {
    return m_state->planFor(shapes);
}

const std::vector<ValueInfo>& Executor::inputs() const {
    return m_state->inputs;
}
const std::vector<std::string>& Executor::outputs() const {
    return m_state->outputs;
}

}  // namespace equant
