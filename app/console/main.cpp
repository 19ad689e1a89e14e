// SPDX-License-Identifier: Apache-2.0
// equant-cli: parses the command line, runs one command, prints its result. Exit codes: 0 done, 1 failed, 2 usage,
// 3 a quality gate was not met, 130 interrupted.
#include <filesystem>
#include <fmt/format.h>

#include "app/console/command.h"
#include "app/console/options.h"
#include "app/console/progress_printer.h"
#include "core/base/file.h"
#include "core/base/interrupt.h"

namespace equant::console {

namespace {

constexpr int kFailed = 1;
constexpr int kUsage = 2;
constexpr int kInterrupted = 130;

int report(const Result<CommandResult>& result, const GlobalOptions& options) {
    if (!result) {
        const bool isCancelled = result.error().code == ErrorCode::Cancelled;
        fmt::print(stderr, "equant-cli: {}\n", isCancelled ? std::string("interrupted.") : describe(result.error()));
        return isCancelled ? kInterrupted : kFailed;
    }
    if (options.json == "-") {
        fmt::print("{}\n", result->json.dump(1));
        return result->exitCode;
    }
    if (!options.json.empty())
        if (const auto written = writeFileAtomic(options.json, result->json.dump(1) + "\n"); !written) {
            fmt::print(stderr, "equant-cli: {}\n", describe(written.error()));
            return kFailed;
        }
    if (!options.isQuiet) fmt::print("{}", result->text);
    return result->exitCode;
}

int runCommand(const CommandFunction& command, const GlobalOptions& options) {
    if (options.json != "-")
        if (const auto status = checkTarget(options.json); !status) {
            fmt::print(stderr, "equant-cli: {}\n", describe(status.error()));
            return kFailed;
        }
    ResultStore store(options.isCacheOff ? std::filesystem::path() : ResultStore::defaultPath());
    Progress progress;
    std::stop_source stop;
    const auto result = [&] {
        const InterruptWatcher watcher(stop);
        const ProgressPrinter printer(progress, options.isQuiet);
        return command({options, {stop.get_token(), &progress}, store});
    }();
    if (!options.isQuiet)
        for (const Error& notice : store.takeNotices()) fmt::print(stderr, "equant-cli: {}\n", describe(notice));
    return report(result, options);
}

/// Help and version are no errors; a wrong command line is one sentence.
int reportUsage(const CLI::App& app, const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);
    const auto unknown = app.remaining();
    const auto chosen = app.get_subcommands();
    const bool isUnknownCommand = chosen.empty() && !unknown.empty();
    fmt::print(
        stderr, "equant-cli: {}. See equant-cli {}--help.\n",
        isUnknownCommand ? fmt::format("There is no command \"{}\"", unknown.front()) : std::string(error.what()),
        chosen.empty() ? std::string() : chosen.front()->get_name() + " ");
    return kUsage;
}

int runMain(int argc, char** argv) {
    GlobalOptions options;
    CLI::App app("Makes trained neural networks ready for fixed-point hardware.", "equant-cli");
    app.set_version_flag("--version", "equant-cli " EQUANT_VERSION)->group("");  // the footer speaks of it
    app.add_option("--threads", options.threads, "Threads to use (default: all cores)");
    app.add_option("--seed", options.seed, "Seed of everything random (default: 0)");
    app.add_option("--json", options.json, "Write the result as JSON to FILE, or to stdout with -")->type_name("FILE");
    app.add_flag("--quiet", options.isQuiet, "Print neither text nor progress");
    app.add_flag("--no-cache", options.isCacheOff, "Neither use nor keep results of earlier runs")->group("");
    app.require_subcommand(1);
    app.formatter(std::make_shared<HelpFormatter>());
    app.footer("Also: encoding, cache, --no-cache, --version. Each command has --help. See docs/console.md");

    app.get_help_ptr()->group("");  // the footer speaks of it
    CommandRegistry registry{app, {}};
    addInspect(registry);
    addRanges(registry);
    addEqualize(registry);
    addSensitivity(registry);
    addPlan(registry);
    addCompress(registry);
    addApply(registry);
    addEvaluate(registry);
    addQuantize(registry);
    addEncoding(registry);
    addRun(registry);
    addBench(registry);
    addGate(registry);
    addCache(registry);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return reportUsage(app, error);
    }
    return runCommand(registry.chosen, options);
}

}  // namespace

}  // namespace equant::console

int main(int argc, char** argv) {
    try {
        return equant::console::runMain(argc, argv);
    } catch (const std::bad_alloc&) {
        fmt::print(stderr, "equant-cli: Not enough memory. Use --limit or fewer --threads.\n");
    } catch (const std::exception& error) {
        fmt::print(stderr, "equant-cli: Something unexpected happened: {}\n", error.what());
    }
    return 1;
}
