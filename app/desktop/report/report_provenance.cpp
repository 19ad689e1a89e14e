// SPDX-License-Identifier: GPL-3.0-or-later
// Where the report's figures come from: versions, contents, settings, and the commands that compute them again.
#include <QCoreApplication>
#include <QFileInfo>
#include <QLocale>
#include <QSysInfo>
#include <map>

#include "app/desktop/compression/compression_view.h"
#include "app/desktop/report/report_sections_internal.h"
#include "core/base/file.h"
#include "core/base/hash.h"
#include "core/base/parallel.h"
#include "core/graph/onnx_io.h"
#include "core/recipe/data_options.h"
#include "core/recipe/recipe_format.h"
#include "core/runtime/emit/versions.h"
#include "widgets/bridge/text.h"
#include "widgets/plots/base/plot_scene.h"

namespace equant::ui {

using namespace Qt::StringLiterals;
using report::Column;
using report::Section;
using report::Table;
using Style = report::Paragraph::Style;

namespace {

QString fileName(const QString& path) {
    return QFileInfo(path).fileName();
}

/// Contents where samples are files, else what the data set itself hashes (arrays: contents).
Result<std::string> contentOf(const Dataset& dataset, const std::string& preprocessing, const JobContext& job) {
    Hasher hasher;
    hasher.add(preprocessing);
    for (std::size_t i = 0; i < dataset.size(); ++i) {
        if (job.stopped()) return cancelled();
        const auto path = dataset.imagePath(i);
        if (path.empty()) return dataset.fingerprint();
        const auto bytes = readFile(path);
        if (!bytes) return fail(bytes.error());
        hasher.add(std::string_view(*bytes));
        hasher.add(static_cast<std::int64_t>(dataset.label(i).value_or(-1)));
        job.advance();
    }
    return hasher.hex();
}

Result<ReportFacts::Data> describeData(const Model& model, const QString& preprocess, const QString& path, int limit,
                                       QString& preprocessing, const JobContext& job) {
    DatasetOptions options;
    options.preprocess = toStdString(preprocess);
    options.limit = static_cast<std::size_t>(std::max(0, limit));
    const auto opened = openDataset(toPath(path), model, options);
    if (!opened) return fail(opened.error());
    const Dataset& dataset = *opened->dataset;
    job.begin("hashing data", static_cast<std::int64_t>(dataset.size()));
    const auto hash = contentOf(dataset, toJson(opened->preprocessing.preprocessing), job);
    if (!hash) return fail(hash.error());
    QString reason = toQString(opened->preprocessing.reason);
    if (!preprocess.isEmpty()) reason.replace(preprocess, fileName(preprocess));  // no folders
    preprocessing = dataset.size() > 0 && dataset.imagePath(0).empty()
                        ? tr("none: arrays go in as they are")
                        : toQString(describe(opened->preprocessing.preprocessing)) + u" ("_s + reason + u')';
    return ReportFacts::Data{fileName(path), toQString(dataset.describe()), toQString(*hash), dataset.size()};
}

QString settingsText(const QuantizationSettings& settings) {
    static const std::map<RangeScheme, const char*> schemes{{RangeScheme::MinMax, "min-max ranges"},
                                                            {RangeScheme::Sqnr, "SQNR ranges"},
                                                            {RangeScheme::Percentile, "percentile ranges"},
                                                            {RangeScheme::Mse, "MSE ranges"},
                                                            {RangeScheme::Entropy, "entropy (KL) ranges"}};
    QStringList parts{tr("%1-bit weights").arg(settings.weightBits),
                      settings.hasSymmetricWeights ? tr("symmetric") : tr("asymmetric"),
                      settings.isPerChannel ? tr("one scale per channel") : tr("one scale per tensor"),
                      tr("%1-bit activations").arg(settings.activationBits), tr(schemes.at(settings.scheme))};
    if (settings.scheme == RangeScheme::Percentile) parts << QLocale().toString(settings.percentile, 'g', 6) + u" %"_s;
    parts << (settings.rules.empty() ? tr("built-in rules") : tr("rules of the recipe"));
    if (settings.isAimetCompatible) parts << tr("AIMET compatible");
    return parts.join(u", "_s);
}

QString settingsText(const EqualizeOptions& options) {
    static const std::map<CapMode, const char*> caps{{CapMode::Exact, "ReLU6 kept exactly by per-channel clips"},
                                                     {CapMode::Replace, "ReLU6 replaced by ReLU"},
                                                     {CapMode::Skip, "layers around ReLU6 skipped"}};
    QStringList parts{tr(caps.at(options.relu6)), tr("at most %n iteration(s)", options.iterations)};
    if (!options.shouldFoldBatchNorms) parts << tr("batch norms kept");
    parts << (options.shouldAbsorbBias ? tr("high biases absorbed") : tr("biases not absorbed"));
    if (!options.shouldSilenceConstantChannels) parts << tr("constant channels kept");
    if (!options.excluded.empty()) parts << tr("left out: %1").arg(toQStringList(options.excluded).join(u", "_s));
    if (options.isAimetCompatible) parts << tr("AIMET compatible");
    return parts.join(u", "_s);
}

QString settingsText(const CompressStep& step, const CompressionReport* report) {
    QStringList parts;
    const std::size_t samples = report ? report->samples : 0;
    if (step.options.isPlain)
        parts << tr("plain: AIMET's methods, without data");
    else if (step.data.empty() || (report && samples == 0))
        parts << tr("no samples: weights only");
    else
        parts << (samples > 0 ? tr("fitted to %n sample(s)", static_cast<int>(samples)) : tr("fitted to samples"))
              << tr("at most %1 output positions of each").arg(step.options.positionsPerSample)
              << (step.options.shouldRefit ? tr("weights and biases refitted by least squares") : tr("no refit"));
    if (step.plan.multiple > 1) parts << tr("ranks and channels in multiples of %1").arg(step.plan.multiple);
    return parts.join(u", "_s) + u"; "_s + tr("seed %1").arg(step.options.seed);
}

QString settingsText(const SensitivityTable& table) {
    std::size_t cells = 0, measured = 0;
    for (const LayerSensitivity& layer : table.layers)
        for (const SensitivityCell& cell : layer.cells) {
            ++cells;
            measured += cell.score ? 1 : 0;
        }
    if (measured == 0) return tr("%1 cells, predicted from the layers' statistics").arg(cells);
    QStringList parts{tr("%1 of %2 cells measured").arg(measured).arg(cells),
                      tr("score: %1").arg(toQString(name(table.metric)))};
    if (table.forwardEquivalents > 0)
        parts << tr("%1 forward passes over the data").arg(plots::numberText(table.forwardEquivalents));
    if (table.rankCorrelation)
        parts << tr("rank correlation with the prediction %1").arg(QLocale().toString(*table.rankCorrelation, 'f', 2));
    return parts.join(u", "_s);
}

QString quotedForShell(QString text) {
    return u'\'' + text.replace(u'\'', u"'\\''"_s) + u'\'';
}

/// The recipe as one command of the console.
QString applyLine(const Document& document) {
    const DataChoice& data = document.state().data;
    QString line = u"equant-cli apply recipe.json --model "_s + quotedForShell(document.modelName());
    if (!data.path.isEmpty()) line += u" --data "_s + quotedForShell(fileName(data.path));
    if (!data.evaluationPath.isEmpty()) line += u" --eval-data "_s + quotedForShell(fileName(data.evaluationPath));
    if (!data.preprocess.isEmpty()) line += u" --preprocess "_s + quotedForShell(fileName(data.preprocess));
    if (!data.path.isEmpty())
        line += u" --limit %1 --eval-limit %2"_s.arg(data.calibrationSamples).arg(data.evaluationSamples);
    return line + u" -o optimized.onnx"_s;
}

/// File names only: the commands are for the folder that holds the files.
QStringList commandLines(const Document& document) {
    const DataChoice& data = document.state().data;
    QStringList lines;
    QString run = u"equant report recipe.json --model "_s + quotedForShell(document.modelName());
    const auto add = [](QString& line, const QString& option, const QString& value) {
        line += u' ' + option + u' ' + value;
    };
    if (!data.path.isEmpty()) {
        add(run, u"--data"_s, quotedForShell(fileName(data.path)));
        if (!data.evaluationPath.isEmpty()) add(run, u"--eval-data"_s, quotedForShell(fileName(data.evaluationPath)));
        if (!data.preprocess.isEmpty()) add(run, u"--preprocess"_s, quotedForShell(fileName(data.preprocess)));
        add(run, u"--limit"_s, QString::number(data.calibrationSamples));
        add(run, u"--eval-limit"_s, QString::number(data.evaluationSamples));
    }
    if (document.sensitivity()) add(run, u"--sensitivity"_s, u"sensitivity.json"_s);
    lines << run + u" -o report.pdf"_s;
    QString model = document.modelName();
    if (!reportedRecipe(document).steps.empty()) lines << applyLine(document);
    for (const Step& step : reportedRecipe(document).steps) {
        const auto* compressing = std::get_if<CompressStep>(&step);
        DataOptions samples;
        samples.path = compressing && !compressing->data.empty() ? compressing->data
                       : data.path.isEmpty()                     ? "DATA"
                                                                 : toStdString(fileName(data.path));
        const bool isQuantizing = std::holds_alternative<QuantizeStep>(step);
        if (isQuantizing) {
            samples.evaluationPath = toStdString(fileName(data.evaluationPath));
            samples.calibrationSamples = static_cast<std::size_t>(data.calibrationSamples);
            samples.evaluationSamples = static_cast<std::size_t>(data.evaluationSamples);
        }
        if (isQuantizing || std::holds_alternative<EqualizeStep>(step))
            samples.preprocess = toStdString(fileName(data.preprocess));
        const QString line = toQString(asCommand(step, toStdString(model), samples));
        if (std::holds_alternative<CompressStep>(step)) model = u"compressed.onnx"_s;
        if (std::holds_alternative<EqualizeStep>(step)) model = u"equalized.onnx"_s;
        lines << line;
    }
    return lines;
}

void addData(Table& table, const QString& label, const std::optional<ReportFacts::Data>& data) {
    if (!data) return;
    table.rows.push_back({label, tr("%1: %2").arg(data->name, data->description)});
    table.rows.push_back(
        {tr("%1, content").arg(label),
         data->hash + u' ' + tr("(XXH3-128 of the %n sample(s) used)", static_cast<int>(data->samples))});
}

}  // namespace

Recipe reportedRecipe(const Document& document) {
    Recipe recipe = document.state().recipe;
    // Without folders, so that it tells nothing about the computer and works in any folder that holds the files.
    for (Step& step : recipe.steps)
        if (auto* compressing = std::get_if<CompressStep>(&step)) {
            compressing->data = toStdString(fileName(toQString(compressing->data)));
            compressing->preprocess = toStdString(fileName(toQString(compressing->preprocess)));
        }
    if (recipe.quantizeStep() == nullptr)
        if (const auto result = document.quantization()) recipe.steps.emplace_back(QuantizeStep{result->settings});
    return recipe;
}

std::vector<report::Attachment> reportAttachments(const Document& document) {
    std::vector<report::Attachment> files;
    const auto add = [&](const QString& name, const std::string& text) {
        files.push_back({name, u"application/json"_s, QByteArray::fromStdString(text)});
    };
    const Recipe recipe = reportedRecipe(document);
    add(u"recipe.json"_s, toJson(recipe));
    if (const CompressStep* step = recipe.compressStep()) add(u"plan.json"_s, toJson(step->plan));
    if (const auto table = document.sensitivity()) add(u"sensitivity.json"_s, toJson(*table));
    return files;
}

Result<ReportFacts> gatherReportFacts(const LoadedModel& loaded, const DataChoice& data, const JobContext& job,
                                      const CompressStep* compressing) {
    ReportFacts facts;
    facts.modelHash = toQString(contentHash(*loaded.model));
    facts.threads = resolveThreads(0);
    if (compressing && !compressing->data.empty()) {
        auto fitting = describeData(*loaded.model, toQString(compressing->preprocess), toQString(compressing->data),
                                    compressing->samples, facts.preprocessing, job);
        if (!fitting) return fail(fitting.error());
        facts.fitting = std::move(*fitting);
    }
    if (data.path.isEmpty()) return facts;
    auto calibration =
        describeData(*loaded.model, data.preprocess, data.path, data.calibrationSamples, facts.preprocessing, job);
    if (!calibration) return fail(calibration.error());
    facts.calibration = std::move(*calibration);
    const QString& scored = data.evaluationPath.isEmpty() ? data.path : data.evaluationPath;
    auto evaluation =
        describeData(*loaded.model, data.preprocess, scored, data.evaluationSamples, facts.preprocessing, job);
    if (!evaluation) return fail(evaluation.error());
    facts.evaluation = std::move(*evaluation);
    return facts;
}

Section provenanceSection(const Document& document, const ReportFacts& facts, const QDateTime& date) {
    Section section{tr("Provenance"), {}};
    const LoadedModel& loaded = *document.loaded();
    const Model& model = *loaded.model;
    Table table{{}, {{QString(), Column::Kind::Text}, {QString(), Column::Kind::Text}}, {}};
    const auto row = [&](const QString& label, const QString& value) {
        if (!value.isEmpty()) table.rows.push_back({label, value});
    };
    row(tr("Date"), date.toUTC().toString(u"yyyy-MM-dd hh:mm 'UTC'"_s));
    row(tr("Programs"), tr("Equant %1, oneDNN %2 (%3), Qt %4")
                            .arg(QCoreApplication::applicationVersion(), toQString(oneDnnVersion()),
                                 toQString(oneDnnInstructions()), QLatin1String(qVersion())));
    row(tr("Machine"), tr("%1, %2, %n thread(s)", static_cast<int>(facts.threads))
                           .arg(QSysInfo::prettyProductName(), QSysInfo::currentCpuArchitecture()));
    const QString producer =
        toQString(model.producerName + (model.producerVersion.empty() ? "" : " ") + model.producerVersion);
    row(tr("Model"), tr("%1, %2, ONNX opset %3, IR %4")
                             .arg(document.modelName(), plots::bytesText(static_cast<double>(loaded.fileBytes)))
                             .arg(model.opset())
                             .arg(model.irVersion) +
                         (producer.isEmpty() ? QString() : tr(", made by %1").arg(producer)));
    row(tr("Model, content"), facts.modelHash + u' ' + tr("(XXH3-128 of graph and weights)"));
    addData(table, tr("Compression data"), facts.fitting);
    addData(table, tr("Calibration"), facts.calibration);
    addData(table, tr("Evaluation"), facts.evaluation);
    row(tr("Preprocessing"), facts.preprocessing);
    if (const auto sensitivity = document.sensitivity()) row(tr("Sensitivity"), settingsText(*sensitivity));
    if (const CompressStep* step = document.state().recipe.compressStep()) {
        const auto done = document.compressedFor(*step);
        row(tr("Compression"), settingsText(*step, done ? &done->report : nullptr));
        if (done && done->report.latency)
            row(tr("Latency"), tr("%1, random inputs of seed 1; the one figure that differs from run to run")
                                   .arg(latencyMethod(*done->report.latency)));
    }
    const auto equalized = document.shownEqualized();
    if (equalized) {
        row(tr("Equalization"),
            settingsText(equalized->options) + tr("; %n iteration(s) done", equalized->report.iterations));
        row(tr("Proof"), equalized->equivalence && equalized->equivalence->isOnRandomInputs
                             ? tr("random inputs, uniform in −1 to 1, seed 1")
                             : tr("samples spread over the calibration data"));
    }
    if (const auto result = document.quantization()) row(tr("Quantization"), settingsText(result->settings));
    row(tr("Random numbers"),
        tr("none but those of the seeds named here: the figures are the same with any number of threads"));
    section.blocks.emplace_back(std::move(table));
    section.blocks.emplace_back(
        paragraph(tr("This report, in a folder with the model and the data (%1 attached to the PDF):")
                      .arg(reportAttachments(document).size() > 1 ? tr("JSON files are") : tr("recipe.json is"))));
    const QStringList commands = commandLines(document);
    section.blocks.emplace_back(paragraph(commands.front(), Style::Command));
    if (commands.size() > 1) {
        section.blocks.emplace_back(paragraph(tr("The optimized model, in one command, then its steps one by one:")));
        section.blocks.emplace_back(paragraph(commands[1], Style::Command));
        section.blocks.emplace_back(paragraph(commands.mid(2).join(u'\n'), Style::Command));
    }
    return section;
}

}  // namespace equant::ui
