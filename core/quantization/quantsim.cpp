// SPDX-License-Identifier: Apache-2.0
#include "core/quantization/quantsim.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <fmt/format.h>
#include <mutex>

#include "core/base/load_ahead.h"
#include "core/data/batch_source.h"
#include "core/graph/constants.h"
#include "core/quantization/range_estimator.h"
#include "core/runtime/exec/executor.h"

namespace equant {

namespace {

RangeSettings rangeSettings(const QuantizerSpec& spec, const QuantizationSettings& settings) {
    RangeSettings range;
    range.scheme = settings.scheme;
    range.percentile = settings.percentile;
    range.grid = spec.grid;
    range.isAimetCompatible = settings.isAimetCompatible;
    // Cutting tails off is meant for outliers of activations; every weight is there on purpose.
    const bool cutsTails = range.scheme == RangeScheme::Percentile || range.scheme == RangeScheme::Entropy;
    if (spec.isParameter() && cutsTails && !settings.isAimetCompatible) range.scheme = RangeScheme::MinMax;
    return range;
}

CalibratedQuantizer calibrated(const QuantizerSpec& spec, std::vector<GridRange> grids, bool isAimetCompatible) {
    CalibratedQuantizer quantizer;
    quantizer.spec = spec;
    quantizer.encoding =
        toEncoding(grids, spec.grid, spec.axis, isAimetCompatible ? Rounding::HalfAwayFromZero : Rounding::HalfToEven);
    quantizer.grids = std::move(grids);
    return quantizer;
}

/// Hands what taps show to estimators; in compatible mode one batch at a time, since there a batch counts as a whole.
class TapCollector {
public:
    TapCollector(const std::vector<QuantizerSpec>& specs, const QuantizationSettings& settings)
        : m_isByBatch(settings.isAimetCompatible), m_buffers(specs.size()) {
        for (const QuantizerSpec& spec : specs) m_estimators.emplace_back(rangeSettings(spec, settings));
    }
    void take(std::size_t index, std::span<const float> values) {
        if (!m_isByBatch)
            m_estimators[index].add(values);
        else
            m_buffers[index].insert(m_buffers[index].end(), values.begin(), values.end());
    }
    /// A model may run sample by sample: only now the batch is complete. False when values in it were not finite.
    [[nodiscard]] bool endBatch() {
        for (std::size_t i = 0; m_isByBatch && i < m_buffers.size(); ++i) {
            m_estimators[i].add(m_buffers[i]);
            m_buffers[i].clear();
        }
        std::size_t notFinite = 0;
        for (const RangeEstimator& estimator : m_estimators) notFinite += estimator.notFinite();
        return std::exchange(m_notFinite, notFinite) == notFinite;
    }
    std::vector<RangeEstimator>& estimators() { return m_estimators; }

private:
    bool m_isByBatch;
    std::size_t m_notFinite = 0;
    std::vector<RangeEstimator> m_estimators;
    std::vector<std::vector<float>> m_buffers;
};

class FirstError {
public:
    void set(const Error& error) {
        const std::scoped_lock lock(m_mutex);
        if (!m_error) m_error = error;
    }
    [[nodiscard]] std::optional<Error> get() const {
        const std::scoped_lock lock(m_mutex);
        return m_error;
    }

private:
    mutable std::mutex m_mutex;
    std::optional<Error> m_error;
};

/// The first batches of their kinds, whatever the threads' order.
class NonFiniteBatches {
public:
    void setNan(std::size_t batch) { lower(m_nan, batch); }
    void setSuspect(std::size_t batch) { lower(m_suspect, batch); }
    /// With NaN in the model's outputs.
    [[nodiscard]] std::optional<std::size_t> nan() const { return get(m_nan); }
    /// With infinity in the outputs, or anything in a value that is watched: maybe a mask.
    [[nodiscard]] std::optional<std::size_t> suspect() const { return get(m_suspect); }

private:
    static constexpr std::size_t kNone = static_cast<std::size_t>(-1);
    static void lower(std::atomic<std::size_t>& first, std::size_t batch) {
        std::size_t known = first.load();
        while (batch < known && !first.compare_exchange_weak(known, batch)) {
        }
    }
    static std::optional<std::size_t> get(const std::atomic<std::size_t>& first) {
        return first == kNone ? std::nullopt : std::optional(first.load());
    }
    std::atomic<std::size_t> m_nan{kNone};
    std::atomic<std::size_t> m_suspect{kNone};
};

bool hasNan(const std::vector<Tensor>& outputs) {
    return std::ranges::any_of(outputs, [](const Tensor& output) { return countNonFinite(output).nan > 0; });
}

/// The sample of the batch, and the operator, that NaN (or infinity in the outputs) comes from.
Result<std::optional<NonFiniteSample>> explain(const Model& model, const BatchSource& source, std::size_t batch,
                                               const QuantOverlay& overlay, const JobContext& job) {
    const std::size_t first = batch * source.samplesPerBatch;
    for (std::size_t sample = first; sample < std::min(first + source.samplesPerBatch, source.samples); ++sample) {
        const auto inputs = source.loadSample(sample);
        if (!inputs) return fail(inputs.error());
        const auto origin = findNonFinite(model, *inputs, overlay, job);
        if (!origin) return fail(origin.error());
        if (*origin) return NonFiniteSample{source.sampleName(sample), **origin};
    }
    return std::optional<NonFiniteSample>();
}

/// Activations are tapped; model inputs are read from what is fed.
struct Watched {
    std::vector<QuantizerSpec> specs;     ///< taps first, then inputs
    std::vector<std::string> taps;        ///< names of the first specs
    std::vector<std::size_t> inputIndex;  ///< input slot of each further spec
};

Watched watch(const Model& model, const QuantizerPlan& plan) {
    Watched watched;
    std::vector<QuantizerSpec> inputs;
    const auto required = model.graph.requiredInputs();
    for (const QuantizerSpec& spec : plan.quantizers) {
        if (spec.isParameter() || spec.fixedRange) continue;
        const auto input = std::find_if(required.begin(), required.end(),
                                        [&](const ValueInfo* info) { return info->name == spec.value; });
        if (input != required.end()) {
            inputs.push_back(spec);
            watched.inputIndex.push_back(static_cast<std::size_t>(input - required.begin()));
        } else {
            watched.specs.push_back(spec);
            watched.taps.push_back(spec.value);
        }
    }
    watched.specs.insert(watched.specs.end(), inputs.begin(), inputs.end());
    return watched;
}

struct Observed {
    std::vector<RangeEstimator> estimators;
    double seconds = 0;
    std::optional<NonFiniteSample> notFinite;
};

/// NaN in the outputs is an error; what else is not finite is told.
Result<std::optional<NonFiniteSample>> judge(const NonFiniteBatches& batches, const Model& model,
                                             const BatchSource& source, const QuantOverlay& overlay,
                                             const JobContext& job) {
    const auto batch = batches.nan() ? batches.nan() : batches.suspect();
    if (!batch) return std::optional<NonFiniteSample>();
    auto found = explain(model, source, *batch, overlay, job);
    if (!found && found.error().code == ErrorCode::Cancelled) return found;
    if (!batches.nan()) return found ? *found : std::nullopt;
    if (!found || !*found)
        return fail(ErrorCode::InvalidArgument, "The model's outputs are NaN on the calibration data.",
                    "Check the data and their preprocessing.", source.sampleName(*batch * source.samplesPerBatch));
    return fail(ErrorCode::InvalidArgument, "The model's outputs are NaN. " + describe((*found)->origin),
                hintFor((*found)->origin), (*found)->sample);
}

Result<Observed> observe(const Model& model, const Watched& watched, const QuantOverlay& weights,
                         const BatchSource& source, const QuantizationSettings& settings,
                         const CalibrationOptions& options, const JobContext& job) {
    CompileOptions compileOptions;
    compileOptions.taps = watched.taps;
    compileOptions.areTapsUnordered = true;
    // What AIMET watches are activations of the network whose weights are quantized already.
    if (settings.isAimetCompatible) compileOptions.overlay = weights;
    const auto executor = Executor::create(model, compileOptions);
    if (!executor) return fail(executor.error());

    const unsigned threads = settings.isAimetCompatible ? 1 : resolveThreads(options.threads);
    std::vector<TapCollector> collectors(threads, TapCollector(watched.specs, settings));
    FirstError firstError;
    NonFiniteBatches notFinite;
    const auto start = std::chrono::steady_clock::now();
    std::stop_source stopAll;
    const std::stop_callback forward(job.stop, [&] { stopAll.request_stop(); });
    job.begin("Calibrating", static_cast<std::int64_t>(source.batches));
    using Fed = Result<std::vector<Tensor>>;
    const auto work = [&](unsigned worker, std::size_t batch, const Fed& fed) {
        TapCollector& collector = collectors[worker];
        const auto outputs =
            !fed ? Fed(fail(fed.error())) : (*executor)->observe(*fed, worker, [&](std::size_t tap, auto values) {
                collector.take(tap, values);
            });
        if (!outputs) {
            firstError.set(outputs.error());
            stopAll.request_stop();
            return;
        }
        for (std::size_t i = 0; i < watched.inputIndex.size(); ++i) {
            const Tensor& input = (*fed)[watched.inputIndex[i]];
            if (input.dtype() == DType::Float) collector.take(watched.taps.size() + i, input.data<float>());
        }
        const bool areOutputsFinite = std::ranges::all_of(*outputs, [](const Tensor& out) { return isAllFinite(out); });
        if (!collector.endBatch() || !areOutputsFinite) notFinite.setSuspect(batch);
        if (options.shouldRefuseNan && !areOutputsFinite && hasNan(*outputs)) notFinite.setNan(batch);
        job.advance();
    };
    // In compatible mode the order of the batches matters.
    if (settings.isAimetCompatible)
        parallelFor(source.batches, 1, stopAll.get_token(),
                    [&](unsigned worker, std::size_t batch) { work(worker, batch, source.load(batch)); });
    else
        LoadAhead<Fed>(source.batches, threads, stopAll.get_token(), source.load, work).run();
    if (job.stopped()) return cancelled();
    if (const auto error = firstError.get()) return fail(*error);

    Observed observed{std::move(collectors.front().estimators()), 0, {}};
    for (std::size_t worker = 1; worker < collectors.size(); ++worker) {
        for (std::size_t i = 0; i < observed.estimators.size(); ++i)
            observed.estimators[i].merge(collectors[worker].estimators()[i]);
    }
    observed.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    auto judged = judge(notFinite, model, source, compileOptions.overlay, job);
    if (!judged) return fail(judged.error());
    observed.notFinite = std::move(*judged);
    return observed;
}

Result<QuantizerPlan> planOf(const Model& model, const QuantizationSettings& settings) {
    const auto rules = rulesOf(settings);
    if (!rules) return fail(rules.error());
    return placeQuantizers(model, *rules, settings);
}

/// Weight quantizers of the plan; those that cannot be are added to `sim.skipped`.
void addWeights(const Model& model, const QuantizerPlan& plan, QuantSim& sim) {
    for (const QuantizerSpec& spec : plan.quantizers) {
        if (!spec.isParameter()) continue;
        const auto tensor = constantValue(model.graph, spec.value);
        const auto grids = tensor ? estimateGrids(*tensor, spec.axis, rangeSettings(spec, sim.settings))
                                  : Result<std::vector<GridRange>>(fail(ErrorCode::InvalidArgument, "not a constant"));
        if (grids) {
            sim.quantizers.push_back(calibrated(spec, *grids, sim.settings.isAimetCompatible));
        } else {
            sim.skipped.push_back({spec.value, spec.layer, grids.error().message});
        }
    }
}

Result<QuantSim> calibrateOn(const Model& model, const BatchSource& source, const QuantizationSettings& settings,
                             const CalibrationOptions& options, const JobContext& job) {
    if (source.batches == 0) {
        return fail(ErrorCode::InvalidArgument, "There are no samples to calibrate with.", "Give at least one sample.");
    }
    const auto plan = planOf(model, settings);
    if (!plan) return fail(plan.error());
    QuantSim sim;
    sim.settings = settings;
    sim.skipped = plan->skipped;
    addWeights(model, *plan, sim);

    const Watched watched = watch(model, *plan);
    const auto observed =
        observe(model, watched, overlay(sim, QuantScope::WeightsOnly), source, settings, options, job);
    if (!observed) return fail(observed.error());
    sim.passSeconds = observed->seconds;
    sim.notFinite = observed->notFinite;
    for (std::size_t i = 0; i < watched.specs.size(); ++i) {
        const QuantizerSpec& spec = watched.specs[i];
        const auto grid = observed->estimators[i].grid();
        if (!grid) {
            sim.skipped.push_back({spec.value, spec.layer, "no finite float value was seen"});
            continue;
        }
        sim.quantizers.push_back(calibrated(spec, {*grid}, settings.isAimetCompatible));
        sim.quantizers.back().observed = observed->estimators[i].observed();
    }
    for (const QuantizerSpec& spec : plan->quantizers) {
        if (!spec.fixedRange) continue;
        const RealRange range = widenRange(*spec.fixedRange, 0.0);
        sim.quantizers.push_back(
            calibrated(spec, {gridFromRange(range.min, range.max, spec.grid)}, settings.isAimetCompatible));
    }
    const auto position = [&](const CalibratedQuantizer& quantizer) {
        return std::find_if(plan->quantizers.begin(), plan->quantizers.end(),
                            [&](const QuantizerSpec& spec) { return spec.value == quantizer.spec.value; });
    };
    std::stable_sort(sim.quantizers.begin(), sim.quantizers.end(),
                     [&](const auto& a, const auto& b) { return position(a) < position(b); });
    return sim;
}

}  // namespace

const CalibratedQuantizer* QuantSim::find(std::string_view value) const {
    const auto found = std::find_if(quantizers.begin(), quantizers.end(), [&](const CalibratedQuantizer& quantizer) {
        return quantizer.spec.value == value;
    });
    return found == quantizers.end() ? nullptr : &*found;
}

QuantOverlay overlay(const QuantSim& sim, QuantScope scope) {
    QuantOverlay values;
    for (const CalibratedQuantizer& quantizer : sim.quantizers) {
        if (scope == QuantScope::WeightsOnly && !quantizer.spec.isParameter()) continue;
        if (scope == QuantScope::ActivationsOnly && quantizer.spec.isParameter()) continue;
        values.emplace(quantizer.spec.value, quantizer.encoding);
    }
    return values;
}

Result<QuantSim> calibrate(const Model& model, const Dataset& dataset, const QuantizationSettings& settings,
                           const CalibrationOptions& options, const JobContext& job) {
    auto sim = calibrateOn(model, batchesOf(dataset, options.batch), settings, options, job);
    if (sim) sim->samples = dataset.size();
    return sim;
}

Result<QuantSim> calibrate(const Model& model, std::span<const std::vector<Tensor>> batches,
                           const QuantizationSettings& settings, const CalibrationOptions& options,
                           const JobContext& job) {
    auto sim = calibrateOn(model, batchesOf(batches), settings, options, job);
    if (sim) {
        for (const auto& batch : batches) {
            if (!batch.empty() && batch.front().rank() > 0)
                sim->samples += static_cast<std::size_t>(batch.front().dim(0));
        }
    }
    return sim;
}

Result<QuantSim> calibrateWeights(const Model& model, const QuantizationSettings& settings) {
    const auto plan = planOf(model, settings);
    if (!plan) return fail(plan.error());
    QuantSim sim;
    sim.settings = settings;
    sim.skipped = plan->skipped;
    addWeights(model, *plan, sim);
    return sim;
}

}  // namespace equant
