// SPDX-License-Identifier: Apache-2.0
#include "core/compression/plan/plan.h"

#include <fmt/format.h>
#include <memory>

#include "app/console/command.h"
#include "app/console/compression_options.h"
#include "app/console/format.h"
#include "app/console/options.h"
#include "core/base/file.h"
#include "core/compression/plan/plan_cost.h"
#include "core/compression/plan/sensitivity.h"
#include "core/graph/onnx_io.h"

namespace equant::console {

namespace {

struct PlanCommand {
    std::string model;
    std::string sensitivity;
    std::string output;
    double macs = 0, size = 0, drop = -1;
    LayerLimits limits;
    std::int64_t multiple = 1;
    double depthWeight = kDepthWeight;
    bool isGreedy = false;
};

Result<SolverOptions> solverOptions(const PlanCommand& command) {
    SolverOptions options;
    if (command.macs > 0) options.target.macsRatio = command.macs;
    if (command.size > 0) options.target.sizeRatio = command.size;
    if (command.drop >= 0) options.target.maxDrop = command.drop;
    auto locks = command.limits.locked();
    if (!locks) return fail(locks.error());
    options.locks = std::move(*locks);
    options.excluded = command.limits.left();
    options.depthWeight = command.depthWeight;
    options.isGreedy = command.isGreedy;
    return options;
}

std::string planText(const SensitivityTable& table, const SolvedPlan& solved, const SolverOptions& options) {
    const CompressionPlan& plan = solved.plan;
    std::vector<std::vector<std::string>> rows;
    for (const LayerChoice& choice : plan.choices) {
        rows.push_back({choice.layer, std::string(name(choice.method)), fmt::format("{:.3g}", choice.ratio),
                        choice.size > 0 ? std::to_string(choice.size) : "", choice.isLocked ? "locked" : ""});
    }
    std::string text = console::table({"layer", "method", "ratio", "rank or channels", ""}, rows);
    text +=
        fmt::format("{} of {} layers are compressed: {:.1f} % of the MACs and {:.1f} % of the parameters remain.\n",
                    rows.size(), table.layers.size(), 100 * plan.predicted->macsRatio, 100 * plan.predicted->sizeRatio);
    if (plan.predicted->score && table.metric == SensitivityMetric::SqnrDb)
        text += fmt::format("Predicted SQNR of the outputs: {:.1f} dB, before layers are refitted.",
                            *plan.predicted->score);
    else if (plan.predicted->score)
        text += fmt::format("Predicted {}: {:.2f} (now {:.2f}).", name(table.metric), *plan.predicted->score,
                            table.baseline.value_or(0));
    else
        text += "The sensitivities are errors of layers, so no score is predicted.";
    text += " `compress --eval-data` measures it.\n";
    if (!solved.isTargetMet) text += "The target cannot be met. " + solved.limitedBy + "\n";
    const CostMetric metric = plan.costMetric;
    if (const auto next = marginalCost(table, plan, metric); next && !options.target.maxDrop) {
        text += fmt::format("The next {:.1f} % of the {} come cheapest from {} (ratio {:.3g})", 100 * next->costSaved,
                            metric == CostMetric::Macs ? "MACs" : "parameters", next->layer, next->ratio);
        text += plan.predicted->score && table.metric != SensitivityMetric::SqnrDb
                    ? fmt::format(" and cost about {:.2f} points.\n", next->lossAdded)
                    : ".\n";
    }
    return text;
}

Result<CommandResult> runPlan(const PlanCommand& command, const CommandContext&) {
    if (const auto status = checkTarget(command.output); !status) return fail(status.error());
    const auto options = solverOptions(command);
    if (!options) return fail(options.error());
    const auto model = readOnnx(command.model);
    if (!model) return fail(model.error());
    const auto text = readFile(command.sensitivity);
    if (!text) return fail(text.error());
    auto table = parseSensitivity(*text);
    if (table) table = fitToModel(std::move(*table), *model, command.multiple);
    if (!table) {
        Error error = table.error();
        error.subject = command.sensitivity;
        return fail(std::move(error));
    }
    auto solved = solvePlanFor(*model, *table, *options);
    if (!solved) return fail(solved.error());
    solved->plan.multiple = command.multiple;
    const std::string json = toJson(solved->plan);
    if (const auto written = writeFileAtomic(command.output, json); !written) return fail(written.error());
    CommandResult result{nlohmann::json::parse(json), planText(*table, *solved, *options)};
    result.json["target_met"] = solved->isTargetMet;
    result.json["limited_by"] = solved->limitedBy;
    result.text += fmt::format("Wrote {}\n", command.output);
    return result;
}

}  // namespace

void addPlan(CommandRegistry& registry) {
    auto options = std::make_shared<PlanCommand>();
    auto* command = registry.add("plan", "Choose a compression ratio for every layer from measured sensitivities",
                                 [options](const CommandContext& context) { return runPlan(*options, context); });
    addModelOption(*command, options->model);
    command->add_option("--sensitivity", options->sensitivity, "Table written by `sensitivity`")
        ->required()
        ->type_name("SENS");
    command->add_option("--target-macs", options->macs, "Share of the MACs that may remain, such as 0.5")
        ->type_name("R");
    command->add_option("--target-size", options->size, "Share of the parameters that may remain")->type_name("R");
    command->add_option("--max-drop", options->drop, "Instead: the smallest cost that loses at most D points")
        ->type_name("D");
    options->limits.addTo(*command);
    command->add_option("--multiple", options->multiple, "Ranks and channels in multiples of N (default 1)")
        ->check(CLI::Range(1, 1024).description(""))
        ->type_name("N");
    command->add_option("--depth-weight", options->depthWeight, "Losses count exp(W) times as much at the end (1.5)")
        ->check(CLI::Range(-10.0, 10.0).description(""))
        ->type_name("W");
    addChoice<bool>(*command, "--solver", options->isGreedy, {{"exact", false}, {"greedy", true}},
                    "exact: least predicted loss (default); greedy: AIMET's search")
        ->type_name("NAME");
    command->add_option("-o,--output", options->output, "File to write")->required()->type_name("PLAN");
}

}  // namespace equant::console
