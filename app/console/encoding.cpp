// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <memory>

#include "app/console/command.h"
#include "app/console/quantization_options.h"
#include "core/data/npy.h"
#include "core/quantization/range_estimator.h"

namespace equant::console {

namespace {

struct EncodingCommand {
    std::vector<std::string> files;
    RangeSettings settings;
};

Result<CommandResult> runEncoding(const EncodingCommand& command, const CommandContext& context) {
    RangeEstimator estimator(command.settings);
    std::size_t values = 0;
    for (const auto& file : command.files) {
        if (context.job.stopped()) return cancelled();
        const auto tensor = readNpy(file);
        if (!tensor) return fail(tensor.error());
        if (tensor->dtype() != DType::Float)
            return fail(ErrorCode::InvalidArgument,
                        fmt::format("The array holds {}, not float32.", name(tensor->dtype())),
                        "Convert it: array.astype('float32').", file);
        estimator.add(tensor->data<float>());
        values += tensor->data<float>().size();
    }
    const auto grid = estimator.grid();
    if (!grid)
        return fail(ErrorCode::InvalidArgument, "There is no finite value to put on a grid.",
                    "Give arrays with at least one number.", command.files.front());
    CommandResult result{asJson(*grid), {}};
    result.json["bits"] = command.settings.grid.bits;
    result.json["signed"] = grid->isSigned;
    result.json["not_finite"] = estimator.notFinite();
    result.text =
        fmt::format("{} values: min {:.7g}, max {:.7g}, scale {:.7g}, offset {} ({} bits, {})\n", values, grid->min,
                    grid->max, grid->scale, grid->offset, command.settings.grid.bits, name(command.settings.scheme));
    if (estimator.notFinite() > 0)
        result.text += fmt::format("{} values are not finite and were left out.\n", estimator.notFinite());
    return result;
}

}  // namespace

void addEncoding(CommandRegistry& registry) {
    auto options = std::make_shared<EncodingCommand>();
    auto* command = registry.add("encoding", "The grid for raw arrays: min, max, scale and offset",
                                 [options](const CommandContext& context) { return runEncoding(*options, context); });
    command->group("");  // the footer of the help speaks of it
    command->add_option("FILE", options->files, ".npy files; several are successive batches")
        ->required()
        ->type_name("");
    addSchemeOptions(*command, options->settings.scheme, options->settings.percentile);
    command->add_option("--bits", options->settings.grid.bits, "2 to 16 (default 8)")
        ->check(CLI::Range(2, 16).description(""))
        ->type_name("B");
    command->add_flag("--symmetric", options->settings.grid.isSymmetric, "Zero in the middle of the grid");
    command->add_flag("--strict", options->settings.grid.isStrict, "Symmetric without the lowest integer");
    command->add_flag("--unsigned", options->settings.grid.isUnsignedAllowed,
                      "A symmetric grid of values that are never negative starts at 0");
    command->add_flag("--aimet-compatible", options->settings.isAimetCompatible, "Exactly as AIMET computes it");
}

}  // namespace equant::console
