// SPDX-License-Identifier: Apache-2.0
#include "core/compression/compress.h"

#include <fmt/format.h>
#include <memory>

#include "app/console/command.h"
#include "app/console/compression_options.h"
#include "app/console/format.h"
#include "app/console/options.h"
#include "app/console/step_options.h"
#include "app/console/step_report.h"
#include "core/base/file.h"
#include "core/compression/plan/flow.h"
#include "core/graph/onnx_io.h"

namespace equant::console {

namespace {

struct CompressCommand {
    std::string model;
    std::string plan;
    std::string output;
    std::string planOutput;
    DataOptions data;
    Step step = CompressStep{};
    FlowOptions flow;
    MethodOptions methods;
    LayerLimits limits;
    double macs = 0;
    bool shouldTime = true;
};

/// A recipe of one step.
Result<CommandResult> carryOutPlan(const CompressCommand& command, const Model& model, const CommandContext& context) {
    const auto text = readFile(command.plan);
    if (!text) return fail(text.error());
    auto plan = parsePlan(*text);
    if (!plan) return fail(plan.error());
    auto step = std::get<CompressStep>(command.step);
    step.plan = std::move(*plan);
    step.data = command.data.path;
    step.preprocess = command.data.preprocess;
    step.samples = static_cast<int>(command.data.calibrationSamples);
    const auto done = carryOut({{step}}, model, command.model, command.data, command.shouldTime, context);
    if (!done) return fail(done.error());
    CommandResult result;
    if (!command.data.path.empty()) {
        const auto data = openData(command.data.calibration(), model, command.model);
        if (!data) return fail(data.error());
        result.text += describeData(*data);
    }
    CommandResult report = describeStep(done->run.steps.front(), Detail::Full);
    result.json = std::move(report.json);
    result.text += report.text;
    addScores(done->scores, result);
    if (const auto written = writeDerived(done->run.model, command.output, command.model, command.data.preprocess);
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
            {"plan", toJsonValue(candidate.plan)},
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
    const auto calibration = openData(command.data.calibration(), model, command.model);
    if (!calibration) return fail(calibration.error());
    std::optional<OpenedDataset> evaluation;
    if (!command.data.evaluationPath.empty()) {
        auto data = openData(command.data.evaluation(), model, command.model);
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
    options.compress = std::get<CompressStep>(command.step).options;
    options.compress.threads = context.options.threads;
    options.shouldTime = command.shouldTime;
    const Dataset& scored = evaluation ? *evaluation->dataset : *calibration->dataset;
    const auto flow = recommendedFlow(model, *calibration->dataset, scored, options, {}, context.job);
    if (!flow) return fail(flow.error());
    const FlowCandidate& best = flow->candidates[flow->best];
    CommandResult result{asJson(best.report), describeData(*calibration) + flowText(*flow)};
    result.json["evaluation"] = {{"before", asJson(flow->baseline)}, {"after", asJson(best.score)}};
    result.json["candidates"] = nlohmann::json::array();
    for (const FlowCandidate& candidate : flow->candidates)
        result.json["candidates"].push_back(candidateJson(candidate));
    result.json["best"] = flow->best;
    result.json["metric"] = equant::name(flow->metric);
    if (const auto written = writeDerived(flow->model, command.output, command.model, command.data.preprocess);
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
    std::get<CompressStep>(command.step).options.seed = context.options.seed;
    auto result =
        command.plan.empty() ? findAndCarryOut(command, *model, context) : carryOutPlan(command, *model, context);
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
    addDataOptions(*command, options->data, "Samples to fit the compressed layers to (no labels needed)");
    addEvaluationOptions(*command, options->data);
    command->add_option("-o,--output", options->output, "File to write")->required()->type_name("OUT");
    addStepOptions(*command, compressKind(), options->step);
    addLatencyOption(*command, options->shouldTime);
}

}  // namespace equant::console
