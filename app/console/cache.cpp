// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <memory>

#include "app/console/command.h"
#include "app/console/format.h"

namespace equant::console {

namespace {

Result<CommandResult> runCache(bool shouldClear, const CommandContext& context) {
    if (shouldClear)
        if (const auto cleared = context.store.clear(); !cleared) return fail(cleared.error());
    const auto stats = context.store.stats();
    if (!stats) return fail(stats.error());
    const bool isKept = !stats->path.empty();
    CommandResult result{{{"entries", stats->entries}, {"bytes", stats->bytes}, {"path", nullptr}}, {}};
    if (isKept) result.json["path"] = stats->path.string();
    result.text =
        isKept ? fmt::format("{} results, {}, in {}\n", stats->entries, shortBytes(stats->bytes), stats->path.string())
               : std::string("Results are not kept.\n");
    return result;
}

}  // namespace

void addCache(CommandRegistry& registry) {
    auto shouldClear = std::make_shared<bool>(false), shouldTell = std::make_shared<bool>(true);
    auto* command = registry.add(
        "cache", "What is kept of earlier results",
        [shouldClear, shouldTell](const CommandContext& context) { return runCache(*shouldClear, context); });
    command->group("");  // the footer of the help speaks of it
    auto* stats = command->add_flag("--stats", *shouldTell, "Say how much is kept, and where (the default)");
    command->add_flag("--clear", *shouldClear, "Remove all of it")->excludes(stats);
}

}  // namespace equant::console
