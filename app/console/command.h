// SPDX-License-Identifier: Apache-2.0
// What all subcommands share: global options, the result they return, and how they are registered.
// A command parses into a struct that its callback owns, calls the engine, and returns a CommandResult; main prints it.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "app/console/help_formatter.h"
#include "core/base/progress.h"
#include "core/base/result.h"
#include "core/store/result_store.h"

namespace equant::console {

struct GlobalOptions {
    unsigned threads = 0;
    std::uint64_t seed = 0;
    std::string json;  ///< file, or "-" for stdout; empty: none
    bool isQuiet = false;
    bool isCacheOff = false;
};

constexpr int kGateNotMet = 3;

/// What a command found: the same facts for scripts and for people.
struct CommandResult {
    nlohmann::json json;
    std::string text;
    int exitCode = 0;  ///< kGateNotMet: found, but not good enough
};

/// Given to a running command.
struct CommandContext {
    const GlobalOptions& options;
    JobContext job;
    ResultStore& store;  ///< of earlier results; with --no-cache one that keeps nothing
};

using CommandFunction = std::function<Result<CommandResult>(const CommandContext&)>;

/// Collects the commands; the one that the command line names ends up in `chosen`.
struct CommandRegistry {
    CLI::App& app;
    CommandFunction chosen;

    /// Adds a subcommand; `run` is what it does once its options are parsed.
    CLI::App* add(const std::string& name, const std::string& summary, CommandFunction run) {
        CLI::App* command = app.add_subcommand(name, summary);
        command->fallthrough();
        command->formatter(std::make_shared<HelpFormatter>());
        command->set_help_flag("--help", "")->group("");
        command->footer("Also: --threads N, --seed N, --json FILE or -, --quiet (see equant-cli --help)");
        command->callback([this, run = std::move(run)] { chosen = run; });
        return command;
    }
};

void addInspect(CommandRegistry& registry);
void addRanges(CommandRegistry& registry);
void addEqualize(CommandRegistry& registry);
void addEvaluate(CommandRegistry& registry);
void addQuantize(CommandRegistry& registry);
void addEncoding(CommandRegistry& registry);
void addRun(CommandRegistry& registry);
void addSensitivity(CommandRegistry& registry);
void addPlan(CommandRegistry& registry);
void addCompress(CommandRegistry& registry);
void addApply(CommandRegistry& registry);
void addBench(CommandRegistry& registry);
void addGate(CommandRegistry& registry);
void addCache(CommandRegistry& registry);

}  // namespace equant::console
