// SPDX-License-Identifier: Apache-2.0
// A quality gate for CI: holds the scores of a result, or those that a workspace comes to, against what is demanded.
#include <algorithm>
#include <fmt/format.h>
#include <memory>

#include "app/console/command.h"
#include "app/console/format.h"
#include "core/base/check_target.h"
#include "core/base/file.h"
#include "core/graph/onnx_io.h"
#include "core/recipe/workspace.h"

namespace equant::console {

namespace {

struct GateCommand {
    std::string file;
    std::optional<double> minTop1;
    std::optional<double> maxDrop;
    std::optional<double> minSqnr;
    std::string junit;
};

/// One demand and what was found. Percentages are 0 to 100.
struct GateCheck {
    std::string name;  ///< of the option
    double found = 0;
    double demanded = 0;
    bool hasPassed = false;
    std::string text;
};

/// The scores in the JSON of a command; null where there are none. `before`: of the network as it was.
struct GateScores {
    nlohmann::json before, after;
};

GateScores scoresIn(const nlohmann::json& result) {
    if (!result.is_object()) return {};
    if (result.contains("quantized")) return {result.value("float", nlohmann::json()), result["quantized"]};
    if (const auto evaluation = result.find("evaluation"); evaluation != result.end() && evaluation->is_object())
        return {evaluation->value("before", nlohmann::json()), evaluation->value("after", nlohmann::json())};
    if (const auto steps = result.find("steps"); steps != result.end() && steps->is_array() && !steps->empty())
        return scoresIn(steps->back());
    return {nullptr, result};  // of evaluate
}

std::optional<double> figure(const nlohmann::json& score, const char* name) {
    if (!score.is_object()) return std::nullopt;
    const auto found = score.find(name);
    return found != score.end() && found->is_number() ? std::optional(found->get<double>()) : std::nullopt;
}

Result<GateScores> scoresOfWorkspace(const Workspace& workspace, const CommandContext& context) {
    const auto model = readOnnx(workspace.model);
    if (!model) return fail(model.error());
    DataOptions data = workspace.data;
    if (data.evaluationPath.empty()) data.evaluationPath = data.path;
    const auto prepared = prepareRecipe(workspace.whole(), *model, workspace.model, data);
    if (!prepared) return fail(prepared.error());
    const RunOptions options{context.options.threads, false};
    const auto run = runRecipe(*prepared, *model, options, context.job);
    if (!run) return fail(run.error());
    if (const SimulationReport* simulated = run->simulation())
        return GateScores{asJson(simulated->floating), asJson(simulated->quantized)};
    const auto scores = scoreRun(*prepared, *model, *run, options, context.job);
    if (!scores) return fail(scores.error());
    if (!*scores) return GateScores{};
    return GateScores{asJson((*scores)->before), asJson((*scores)->after)};
}

Result<GateScores> readScores(const GateCommand& command, const CommandContext& context) {
    const auto text = readFile(command.file);
    if (!text) return fail(text.error());
    const auto json = nlohmann::json::parse(*text, nullptr, false);
    if (json.is_discarded())
        return fail(ErrorCode::Corrupt, "This is not a JSON file.",
                    "Give a workspace, or what a command wrote with --json FILE.", command.file);
    if (!json.is_object() || !json.contains("equant_workspace")) return scoresIn(json);
    auto workspace = readWorkspaceOrRecipe(command.file);
    if (!workspace) return fail(workspace.error());
    workspace = withInputs(*workspace, {});
    if (!workspace) return fail(workspace.error());
    return scoresOfWorkspace(*workspace, context);
}

tl::unexpected<Error> absent(const GateCommand& command, const char* what, const char* option, const char* hint) {
    return fail(ErrorCode::InvalidArgument, fmt::format("It has no {}: {} cannot be checked.", what, option), hint,
                command.file);
}

Result<std::vector<GateCheck>> checkScores(const GateCommand& command, const GateScores& scores) {
    std::vector<GateCheck> checks;
    const auto add = [&](const char* option, const char* what, const char* unit, double found, double demanded,
                         bool isAtLeast) {
        const bool hasPassed = isAtLeast ? found >= demanded : found <= demanded;
        checks.push_back({option, found, demanded, hasPassed,
                          fmt::format("{} {:.2f} {}, {} {:g} demanded", what, found, unit,
                                      isAtLeast ? "at least" : "at most", demanded)});
    };
    const auto top1 = figure(scores.after, "top1"), top1Before = figure(scores.before, "top1");
    if (command.minTop1) {
        if (!top1) return absent(command, "top-1", "--min-top1", "Score a classifier on samples with labels.");
        add("min-top1", "top-1", "%", *top1, *command.minTop1, true);
    }
    if (command.maxDrop) {
        if (!top1 || !top1Before)
            return absent(command, "top-1 before and after", "--max-drop",
                          "Give the result of quantize or compress, scored on samples with labels.");
        add("max-drop", "top-1 lost", "points", *top1Before - *top1, *command.maxDrop, false);
    }
    if (command.minSqnr) {
        const auto sqnr = figure(scores.after, "sqnr_db");
        if (!sqnr)
            return absent(command, "finite SQNR", "--min-sqnr",
                          "Give the result of quantize or compress, or of evaluate with --reference.");
        add("min-sqnr", "SQNR", "dB", *sqnr, *command.minSqnr, true);
    }
    return checks;
}

std::string escapedXml(const std::string& text) {
    std::string escaped;
    for (const char c : text) {
        if (c == '&')
            escaped += "&amp;";
        else if (c == '<')
            escaped += "&lt;";
        else if (c == '>')
            escaped += "&gt;";
        else if (c == '"')
            escaped += "&quot;";
        else
            escaped += c;
    }
    return escaped;
}

std::string junitText(const std::vector<GateCheck>& checks, const std::string& file) {
    const auto failures = std::ranges::count(checks, false, &GateCheck::hasPassed);
    std::string text = fmt::format(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"equant-cli gate\" tests=\"{}\" "
        "failures=\"{}\">\n",
        checks.size(), failures);
    for (const GateCheck& check : checks) {
        text += fmt::format("  <testcase classname=\"{}\" name=\"{}\"", escapedXml(file), check.name);
        text += check.hasPassed ? std::string("/>\n")
                                : fmt::format("><failure message=\"{}\"/></testcase>\n", escapedXml(check.text));
    }
    return text + "</testsuite>\n";
}

Result<CommandResult> runGate(const GateCommand& command, const CommandContext& context) {
    if (const auto status = checkTarget(command.junit); !status) return fail(status.error());
    const auto scores = readScores(command, context);
    if (!scores) return fail(scores.error());
    const auto checks = checkScores(command, *scores);
    if (!checks) return fail(checks.error());
    const bool hasPassed = std::ranges::all_of(*checks, &GateCheck::hasPassed);
    CommandResult result{{{"passed", hasPassed}, {"checks", nlohmann::json::array()}}, {}};
    for (const GateCheck& check : *checks) {
        result.json["checks"].push_back(
            {{"name", check.name}, {"passed", check.hasPassed}, {"found", check.found}, {"demanded", check.demanded}});
        result.text += fmt::format("{}: {}\n", check.hasPassed ? "passed" : "FAILED", check.text);
    }
    if (!command.junit.empty())
        if (const auto written = writeFileAtomic(command.junit, junitText(*checks, command.file)); !written)
            return fail(written.error());
    result.exitCode = hasPassed ? 0 : kGateNotMet;
    return result;
}

}  // namespace

void addGate(CommandRegistry& registry) {
    auto options = std::make_shared<GateCommand>();
    auto* command = registry.add("gate", "Fail (exit code 3) where a result is not good enough",
                                 [options](const CommandContext& context) { return runGate(*options, context); });
    command->add_option("RESULT", options->file, "Result of a command (--json FILE), or workspace (*.equant)")
        ->required()
        ->type_name("");
    command->add_option("--min-top1", options->minTop1, "Least top-1, in percent")->type_name("P");
    command->add_option("--max-drop", options->maxDrop, "Most that top-1 may lose, in percentage points")
        ->type_name("D");
    command->add_option("--min-sqnr", options->minSqnr, "Least SQNR of the outputs, in dB")->type_name("S");
    command->add_option("--junit", options->junit, "JUnit XML file to write")->type_name("FILE");
    command->parse_complete_callback([options] {
        if (!options->minTop1 && !options->maxDrop && !options->minSqnr)
            throw CLI::ValidationError("Nothing is demanded", "give --min-top1, --max-drop or --min-sqnr");
    });
}

}  // namespace equant::console
