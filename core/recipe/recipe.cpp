// SPDX-License-Identifier: Apache-2.0
#include "core/recipe/recipe.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <optional>

namespace equant {

namespace {

using nlohmann::json;

constexpr int kRecipeVersion = 1;

// Names are part of the file format: never change them.
constexpr std::array<const char*, 3> kCapModes{"exact", "replace", "skip"};
constexpr std::array<const char*, 5> kSchemes{"minmax", "sqnr", "percentile", "mse", "entropy"};

json optionsJson(const EqualizeOptions& options) {
    return {{"relu6", kCapModes[static_cast<std::size_t>(options.relu6)]},
            {"fold_batch_norms", options.shouldFoldBatchNorms},
            {"absorb_bias", options.shouldAbsorbBias},
            {"iterations", options.iterations},
            {"silence_constant_channels", options.shouldSilenceConstantChannels},
            {"excluded", options.excluded},
            {"aimet_compatible", options.isAimetCompatible}};
}

json optionsJson(const QuantizationSettings& settings) {
    return {{"weight_bits", settings.weightBits},
            {"activation_bits", settings.activationBits},
            {"granularity", settings.isPerChannel ? "per-channel" : "per-tensor"},
            {"symmetric_weights", settings.hasSymmetricWeights},
            {"scheme", kSchemes[static_cast<std::size_t>(settings.scheme)]},
            {"percentile", settings.percentile},
            {"rules", settings.rules},
            {"aimet_compatible", settings.isAimetCompatible}};
}

json stepJson(const EqualizeStep& step) {
    json object = optionsJson(step.options);
    object["step"] = "equalize";
    return object;
}

json stepJson(const QuantizeStep& step) {
    json object = optionsJson(step.settings);
    object["step"] = "quantize";
    return object;
}

json stepJson(const CompressStep& step) {
    json object{{"step", "compress"},
                {"plan", json::parse(toJson(step.plan))},
                {"plain", step.options.isPlain},
                {"refit", step.options.shouldRefit},
                {"positions", step.options.positionsPerSample},
                {"seed", step.options.seed},
                {"preprocess", step.preprocess},
                {"samples", step.samples}};
    if (!step.takesGivenData) object["data"] = step.data;
    return object;
}

/// Reads one step's fields; remembers the first that is wrong and those that were asked for.
class Fields {
public:
    Fields(const json& object, std::string step) : m_object(object), m_step(std::move(step)) {}

    template <typename T>
    void read(const char* key, T& value) {
        m_known.emplace_back(key);
        const auto found = m_object.find(key);
        if (found == m_object.end()) return;
        try {
            value = found->get<T>();
        } catch (const json::exception&) {
            complain(key, "has the wrong type");
        }
    }
    void readNumber(const char* key, int& value, int low, int high) {
        read(key, value);
        if (value < low || value > high) complain(key, fmt::format("must be {} to {}", low, high));
    }
    /// The index of the text among `names`.
    template <std::size_t N>
    std::size_t readChoice(const char* key, const std::array<const char*, N>& names, std::size_t fallback) {
        std::string text = names[fallback];
        read(key, text);
        const auto found = std::ranges::find(names, text);
        if (found != names.end()) return static_cast<std::size_t>(found - names.begin());
        complain(key, fmt::format("must be one of {}", fmt::join(names, ", ")));
        return fallback;
    }
    [[nodiscard]] Status finish() {
        for (const auto& [key, value] : m_object.items())
            if (key != "step" && std::ranges::find(m_known, key) == m_known.end()) complain(key, "is not known");
        if (!m_problem) return {};
        return fail(ErrorCode::InvalidArgument, *m_problem, "Correct the recipe, or write it anew with this version.");
    }

private:
    void complain(const std::string& key, const std::string& what) {
        if (!m_problem) m_problem = fmt::format("Field \"{}\" of step \"{}\" {}.", key, m_step, what);
    }
    const json& m_object;
    std::string m_step;
    std::vector<std::string> m_known;
    std::optional<std::string> m_problem;
};

Result<Step> parseCompress(const json& object) {
    CompressStep step;
    Fields fields(object, "compress");
    json plan;
    fields.read("plan", plan);
    fields.read("plain", step.options.isPlain);
    fields.read("refit", step.options.shouldRefit);
    int positions = static_cast<int>(step.options.positionsPerSample);
    fields.readNumber("positions", positions, 1, 1'000'000);
    step.options.positionsPerSample = static_cast<std::size_t>(positions);
    fields.read("seed", step.options.seed);
    fields.read("data", step.data);
    step.takesGivenData = !object.contains("data");
    fields.read("preprocess", step.preprocess);
    fields.readNumber("samples", step.samples, 0, 1'000'000'000);
    if (auto status = fields.finish(); !status) return fail(status.error());
    auto parsed = parsePlan(plan.dump());
    if (!parsed) {
        Error error = parsed.error();
        error.message = "Field \"plan\" of step \"compress\": " + error.message;
        return fail(std::move(error));
    }
    step.plan = std::move(*parsed);
    return step;
}

Result<Step> parseEqualize(const json& object) {
    EqualizeStep step;
    Fields fields(object, "equalize");
    step.options.relu6 = static_cast<CapMode>(fields.readChoice("relu6", kCapModes, 0));
    fields.read("fold_batch_norms", step.options.shouldFoldBatchNorms);
    fields.read("absorb_bias", step.options.shouldAbsorbBias);
    fields.readNumber("iterations", step.options.iterations, 1, 1000);
    fields.read("silence_constant_channels", step.options.shouldSilenceConstantChannels);
    fields.read("excluded", step.options.excluded);
    fields.read("aimet_compatible", step.options.isAimetCompatible);
    if (auto status = fields.finish(); !status) return fail(status.error());
    return step;
}

Result<Step> parseQuantize(const json& object) {
    constexpr std::array<const char*, 2> granularities{"per-tensor", "per-channel"};
    QuantizeStep step;
    Fields fields(object, "quantize");
    fields.readNumber("weight_bits", step.settings.weightBits, 2, 16);
    fields.readNumber("activation_bits", step.settings.activationBits, 2, 16);
    step.settings.isPerChannel = fields.readChoice("granularity", granularities, 0) == 1;
    fields.read("symmetric_weights", step.settings.hasSymmetricWeights);
    step.settings.scheme = static_cast<RangeScheme>(fields.readChoice("scheme", kSchemes, 0));
    fields.read("percentile", step.settings.percentile);
    fields.read("rules", step.settings.rules);
    fields.read("aimet_compatible", step.settings.isAimetCompatible);
    if (auto status = fields.finish(); !status) return fail(status.error());
    return step;
}

/// For a POSIX shell.
std::string quoted(const std::string& text) {
    const bool isPlain = !text.empty() && std::ranges::all_of(text, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               std::string_view("_-./+:,=@%").find(c) != std::string_view::npos;
    });
    if (isPlain) return text;
    std::string result = "'";
    for (const char c : text) result += c == '\'' ? std::string("'\\''") : std::string(1, c);
    return result + "'";
}

std::string command(const EqualizeStep& step, const std::string& model) {
    const EqualizeOptions defaults;
    const EqualizeOptions& options = step.options;
    std::string text = fmt::format("equant-cli equalize {} -o equalized.onnx", model);
    if (options.relu6 != defaults.relu6)
        text += fmt::format(" --relu6 {}", kCapModes[static_cast<std::size_t>(options.relu6)]);
    if (!options.shouldAbsorbBias) text += " --no-bias-absorption";
    if (options.iterations != defaults.iterations) text += fmt::format(" --iterations {}", options.iterations);
    if (!options.shouldFoldBatchNorms) text += " --keep-batch-norms";
    if (!options.shouldSilenceConstantChannels) text += " --keep-constant-channels";
    for (const std::string& layer : options.excluded) text += " --exclude=" + quoted(layer);
    if (options.isAimetCompatible) text += " --aimet-compatible";
    return text;
}

std::string command(const QuantizeStep& step, const std::string& model, const std::string& data) {
    const QuantizationSettings& settings = step.settings;
    std::string text = fmt::format(
        "equant-cli quantize {} --data {} --weight-bits {} --activation-bits {} --granularity {} --scheme {}", model,
        data, settings.weightBits, settings.activationBits, settings.isPerChannel ? "per-channel" : "per-tensor",
        kSchemes[static_cast<std::size_t>(settings.scheme)]);
    if (settings.scheme == RangeScheme::Percentile) text += fmt::format(" --percentile {}", settings.percentile);
    text += settings.hasSymmetricWeights ? " --symmetric-weights" : " --asymmetric-weights";
    if (!settings.rules.empty()) text += " --config " + quoted(settings.rules);
    if (settings.isAimetCompatible) text += " --aimet-compatible";
    return text + " -o quantized.onnx --encodings encodings.json";
}

std::string command(const CompressStep& step, const std::string& model, const std::string& data) {
    std::string text = fmt::format("equant-cli compress {} --plan plan.json", model);
    const CompressOptions defaults;
    if (!step.data.empty() || step.takesGivenData) {
        text += fmt::format(" --data {}", data);
        if (step.samples > 0) text += fmt::format(" --limit {}", step.samples);
        if (!step.preprocess.empty()) text += " --preprocess " + quoted(step.preprocess);
    }
    if (step.options.isPlain) text += " --plain";
    if (!step.options.shouldRefit && !step.options.isPlain) text += " --no-refit";
    if (step.options.positionsPerSample != defaults.positionsPerSample)
        text += fmt::format(" --positions {}", step.options.positionsPerSample);
    if (step.options.seed != defaults.seed) text += fmt::format(" --seed {}", step.options.seed);
    return text + " -o compressed.onnx";
}

}  // namespace

const CompressStep* Recipe::compressStep() const {
    for (const Step& step : steps)
        if (const auto* found = std::get_if<CompressStep>(&step)) return found;
    return nullptr;
}

const EqualizeStep* Recipe::equalizeStep() const {
    for (const Step& step : steps)
        if (const auto* found = std::get_if<EqualizeStep>(&step)) return found;
    return nullptr;
}

const QuantizeStep* Recipe::quantizeStep() const {
    for (const Step& step : steps)
        if (const auto* found = std::get_if<QuantizeStep>(&step)) return found;
    return nullptr;
}

std::string toJson(const Recipe& recipe) {
    json steps = json::array();
    for (const Step& step : recipe.steps)
        steps.push_back(std::visit([](const auto& each) { return stepJson(each); }, step));
    // Layer names come from files and may be anything.
    return json{{"equant_recipe", kRecipeVersion}, {"steps", steps}}.dump(2, ' ', false, json::error_handler_t::replace);
}

Result<Recipe> parseRecipe(std::string_view text) {
    const json root = json::parse(text, nullptr, false);
    if (root.is_discarded() || !root.is_object() || !root.contains("steps") || !root["steps"].is_array())
        return fail(ErrorCode::InvalidArgument, "This is not a recipe: it is no JSON object with a list \"steps\".",
                    "Give a recipe written by Equant.");
    const auto version = root.find("equant_recipe");
    if (version != root.end() && (!version->is_number_integer() || version->get<int>() > kRecipeVersion))
        return fail(ErrorCode::Unsupported, "The recipe was written by a newer version of Equant.",
                    "Update Equant, or write the recipe anew.");
    Recipe recipe;
    for (const json& object : root["steps"]) {
        const std::string kind =
            object.is_object() && object.contains("step") && object["step"].is_string() ? object["step"] : "";
        auto step = kind == "equalize"   ? parseEqualize(object)
                    : kind == "compress" ? parseCompress(object)
                    : kind == "quantize" ? parseQuantize(object)
                                         : Result<Step>(fail(ErrorCode::InvalidArgument,
                                                             fmt::format("The recipe has a step \"{}\" that this "
                                                                         "version does not know.",
                                                                         kind),
                                                             "Known steps: compress, equalize, quantize."));
        if (!step) return fail(step.error());
        recipe.steps.push_back(std::move(*step));
    }
    return recipe;
}

std::string asCommand(const Step& step, const std::string& modelPath, const std::string& dataPath) {
    const std::string model = quoted(modelPath);
    if (const auto* equalizing = std::get_if<EqualizeStep>(&step)) return command(*equalizing, model);
    if (const auto* compressing = std::get_if<CompressStep>(&step))
        return command(*compressing, model, quoted(dataPath));
    return command(std::get<QuantizeStep>(step), model, quoted(dataPath));
}

}  // namespace equant
