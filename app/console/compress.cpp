// SPDX-License-Identifier: Apache-2.0
#include "core/compression/compress.h"

#include <fmt/format.h>
#include <memory>

#include "app/console/command.h"
#include "app/console/compression_options.h"
#include "app/console/format.h"
#include "app/console/options.h"
#include "core/base/file.h"
#include "core/compression/plan/flow.h"
#include "core/graph/onnx_io.h"
#include "core/metrics/evaluate.h"

namespace equant::console {

namespace {

struct CompressCommand {
    std::string model;
    std::string plan;
    std::string output;
    std::string planOutput;
    std::string evaluationPath;
    DataOptions data;
    CompressOptions options;
    FlowOptions flow;
    MethodOptions methods;
    LayerLimits limits;
    double macs = 0;
    bool shouldTime = true;
};

Result<OpenedDataset> openEvaluation(const CompressCommand& command, const Model& model) {
    DatasetOptions whole = command.data.dataset;
    whole.limit = whole.offset = 0;
    return openData(command.evaluationPath, model, command.model, whole);
}

Result<CommandResult> carryOut(const CompressCommand& command, const Model& model, const CommandContext& context) {
    const auto text = readFile(command.plan);
    if (!text) return fail(text.error());
    const auto plan = parsePlan(*text);
    if (!plan) return fail(plan.error());
    CommandResult result;
    std::optional<OpenedDataset> calibration;
    if (!command.data.path.empty()) {
        auto data = openData(command.data.path, model, command.model, command.data.dataset);
        if (!data) return fail(data.error());
        calibration = std::move(*data);
        result.text += describeData(*calibration);
    }
    std::optional<BatchSource> source;
    if (calibration) source = batchesOf(*calibration->dataset, 8);
    auto outcome = compress(model, *plan, source ? &*source : nullptr, command.options, context.job);
    if (!outcome) return fail(outcome.error());
    if (command.shouldTime)
        if (const auto timed = addLatency(model, *outcome, context.job); !timed) return fail(timed.error());
    result.json = asJson(outcome->report);
    result.text += asText(outcome->report);
    if (!calibration && !command.options.isPlain)
        result.text += "Without --data the weights alone decided; give data for a far better result.\n";
    result.json["evaluation"] = nullptr;
    if (!command.evaluationPath.empty()) {
        const auto data = openEvaluation(command, model);
        if (!data) return fail(data.error());
        EvaluateOptions scoring;
        scoring.threads = context.options.threads;
        const auto scores = scoreChange(model, outcome->model, *data->dataset, scoring, context.job);
        if (!scores) return fail(scores.error());
        result.json["evaluation"] = asJson(*scores);
        result.text += asText(*scores);
    }
    if (const auto written =
            writeDerived(outcome->model, command.output, command.model, command.data.dataset.preprocess);
        !written)
        return fail(written.error());
    return result;
}

std::vector<std::string> methodNames(const std::vector<CompressionMethod>& methods) {
    std::vector<std::string> names;
    for (const CompressionMethod method : methods) names.emplace_back(equant::name(method));
    return names;
}

nlohmann::json candidateJson(const FlowCandidate& candidate) {
    return {{"factorized_macs_ratio", candidate.factorizedRatio},
            {"methods", methodNames(candidate.methods)},
            {"depth_weight", candidate.depthWeight},
            {"macs_ratio", candidate.report.macsRatio},
            {"size_ratio", candidate.report.sizeRatio},
            {"latency_ratio",
             candidate.report.latency ? nlohmann::json(candidate.report.latency->ratio()) : nlohmann::json()},
            {"evaluation", asJson(candidate.score)},
            {"plan", nlohmann::json::parse(toJson(candidate.plan))},
            {"limited_by", candidate.limitedBy},
            {"seconds", candidate.seconds}};
}

std::string flowText(const FlowResult& flow) {
    const auto value = [](const std::optional<double>& number) {
        return number ? fmt::format("{:.2f}", *number) : std::string();
    };
    std::vector<std::vector<std::string>> rows;
    for (const FlowCandidate& candidate : flow.candidates) {
        const Score& score = candidate.score;
        const auto& latency = candidate.report.latency;
        rows.push_back(
            {fmt::format("{}", fmt::join(methodNames(candidate.methods), " + ")),
             fmt::format("{:.1f} %", 100 * candidate.factorizedRatio), fmt::format("{:g}", candidate.depthWeight),
             fmt::format("{:.1f} %", 100 * candidate.report.macsRatio),
             fmt::format("{:.1f} %", 100 * candidate.report.sizeRatio),
             latency ? fmt::format("{:.0f} %", 100 * latency->ratio()) : "", value(score.sqnrDb),
             value(score.agreement), value(score.top1), &candidate == &flow.candidates[flow.best] ? "best" : ""});
    }
    std::string text = table(
        {"methods", "SVD to", "depth", "MACs", "parameters", "latency", "SQNR, dB", "agreement, %", "top-1, %", ""},
        rows);
    const FlowCandidate& best = flow.candidates[flow.best];
    if (!best.limitedBy.empty()) text += "The target was not met. " + best.limitedBy + "\n";
    return text + asText(best.report);
}

/// Without a plan: the recommended flow finds one.
Result<CommandResult> findAndCarryOut(const CompressCommand& command, const Model& model,
                                      const CommandContext& context) {
    const auto calibration = openData(command.data.path, model, command.model, command.data.dataset);
    if (!calibration) return fail(calibration.error());
    std::optional<OpenedDataset> evaluation;
    if (!command.evaluationPath.empty()) {
        auto data = openEvaluation(command, model);
        if (!data) return fail(data.error());
        evaluation = std::move(*data);
    }
    FlowOptions options = command.flow;
    options.macsRatio = command.macs;
    auto methods = command.methods.parsed();
    if (!methods) return fail(methods.error());
    if (!methods->empty()) options.methods = std::move(*methods);
    auto locks = command.limits.locked();
    if (!locks) return fail(locks.error());
    options.locks = std::move(*locks);
    options.excluded = command.limits.left();
    options.compress = command.options;
    options.shouldTime = command.shouldTime;
    const Dataset& judge = evaluation ? *evaluation->dataset : *calibration->dataset;
    const auto flow = recommendedFlow(model, *calibration->dataset, judge, options, {}, context.job);
    if (!flow) return fail(flow.error());
    const FlowCandidate& best = flow->candidates[flow->best];
    CommandResult result{asJson(best.report), describeData(*calibration) + flowText(*flow)};
    result.json["evaluation"] = {{"before", asJson(flow->baseline)}, {"after", asJson(best.score)}};
    result.json["candidates"] = nlohmann::json::array();
    for (const FlowCandidate& candidate : flow->candidates)
        result.json["candidates"].push_back(candidateJson(candidate));
    result.json["best"] = flow->best;
    result.json["metric"] = equant::name(flow->metric);
    if (const auto written = writeDerived(flow->model, command.output, command.model, command.data.dataset.preprocess);
        !written)
        return fail(written.error());
    if (command.planOutput.empty()) return result;
    if (const auto written = writeFileAtomic(command.planOutput, toJson(best.plan)); !written)
        return fail(written.error());
    result.text += fmt::format("Wrote {}\n", command.planOutput);
    return result;
}

Result<CommandResult> runCompress(CompressCommand command, const CommandContext& context) {
    for (const std::string& target : {command.output, command.planOutput})
        if (const auto status = target.empty() ? Status{} : checkTarget(target); !status) return fail(status.error());
    if (command.plan.empty() == (command.macs <= 0))
        return fail(ErrorCode::InvalidArgument, "Either a plan or a target is needed.",
                    "Give --plan PLAN, or --target-macs R to have one found.", "compress");
    if (command.plan.empty() && command.data.path.empty())
        return fail(ErrorCode::InvalidArgument, "A plan cannot be found without data.",
                    "Give --data; labels are not needed.", "--target-macs");
    const auto model = readOnnx(command.model);
    if (!model) return fail(model.error());
    command.options.threads = context.options.threads;
    command.options.seed = context.options.seed;
    auto result = command.plan.empty() ? findAndCarryOut(command, *model, context) : carryOut(command, *model, context);
    if (result) result->text += fmt::format("Wrote {}\n", command.output);
    return result;
}

}  // namespace

void addCompress(CommandRegistry& registry) {
    auto options = std::make_shared<CompressCommand>();
    auto* command = registry.add("compress", "Carry out a compression plan, or find one, and refit to the data",
                                 [options](const CommandContext& context) { return runCompress(*options, context); });
    addModelOption(*command, options->model);
    command->add_option("--plan", options->plan, "Plan written by `plan`, or by hand")->type_name("PLAN");
    command->add_option("--target-macs", options->macs, "Instead: share of MACs to keep; tries several ways")
        ->check(CLI::Range(1e-3, 1.0).description(""))
        ->type_name("R");
    command->add_option("--divisions", options->flow.divisions, "How many, from SVD alone to pruning alone (4)")
        ->check(CLI::Range(2, 32).description(""))
        ->type_name("N");
    options->methods.addTo(*command, "Only this method (default: all three may compete); repeatable");
    options->limits.addTo(*command);
    command->add_option("--plan-output", options->planOutput, "Also write the plan that was found")->type_name("PLAN");
    options->data.addTo(*command, "--data", "Samples to fit the compressed layers to (no labels needed)", false);
    command->add_option("--eval-data", options->evaluationPath, "Samples to score both networks on")->type_name("PATH");
    command->add_option("-o,--output", options->output, "File to write")->required()->type_name("OUT");
    addCompressOptions(*command, options->options);
    addLatencyOption(*command, options->shouldTime);
}

}  // namespace equant::console
