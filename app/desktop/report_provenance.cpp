// SPDX-License-Identifier: GPL-3.0-or-later
// Where the report's figures come from: versions, contents, settings, and the commands that compute them again.
#include <QCoreApplication>
#include <QFileInfo>
#include <QLocale>
#include <QSysInfo>
#include <map>

#include "app/desktop/report_sections_internal.h"
#include "core/base/file.h"
#include "core/base/hash.h"
#include "core/base/parallel.h"
#include "core/graph/onnx_io.h"
#include "core/runtime/versions.h"
#include "widgets/bridge/text.h"
#include "widgets/plots/plot_scene.h"

namespace equant::ui {

using namespace Qt::StringLiterals;
using report::Column;
using report::Section;
using report::Table;
using Style = report::Paragraph::Style;

namespace {

QString tr(const char* text, int n = -1) {
    return QCoreApplication::translate("Report", text, nullptr, n);
}

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

Result<ReportFacts::Data> describeData(const Model& model, const DataChoice& choice, const QString& path, int limit,
                                       QString& preprocessing, const JobContext& job) {
    DatasetOptions options;
    options.preprocess = toStdString(choice.preprocess);
    options.limit = static_cast<std::size_t>(std::max(0, limit));
    const auto opened = openDataset(toPath(path), model, options);
    if (!opened) return fail(opened.error());
    const Dataset& dataset = *opened->dataset;
    job.begin("hashing data", static_cast<std::int64_t>(dataset.size()));
    const auto hash = contentOf(dataset, toJson(opened->preprocessing.preprocessing), job);
    if (!hash) return fail(hash.error());
    QString reason = toQString(opened->preprocessing.reason);
    if (!choice.preprocess.isEmpty()) reason.replace(choice.preprocess, fileName(choice.preprocess));  // no folders
    preprocessing = dataset.size() > 0 && dataset.imagePath(0).empty()
                        ? tr("none: arrays go in as they are")
                        : toQString(describe(opened->preprocessing.preprocessing)) + u" ("_s + reason + u')';
    return ReportFacts::Data{fileName(path), toQString(dataset.describe()), toQString(*hash), dataset.size()};
}

QString settingsText(const QuantizationSettings& settings) {
    static const std::map<RangeScheme, const char*> schemes{{RangeScheme::MinMax, "min-max ranges"},
                                                            {RangeScheme::Sqnr, "ranges of least noise (SQNR)"},
                                                            {RangeScheme::Percentile, "percentile ranges"},
                                                            {RangeScheme::Mse, "ranges of least squared error"},
                                                            {RangeScheme::Entropy, "ranges of least divergence"}};
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
    static const std::map<CapMode, const char*> caps{{CapMode::Exact, "ReLU6 kept exactly by caps per channel"},
                                                     {CapMode::Replace, "ReLU6 replaced by ReLU"},
                                                     {CapMode::Skip, "layers around ReLU6 left alone"}};
    QStringList parts{tr(caps.at(options.relu6)), tr("at most %n sweep(s)", options.iterations)};
    if (!options.shouldFoldBatchNorms) parts << tr("batch norms kept");
    parts << (options.shouldAbsorbBias ? tr("high biases absorbed") : tr("biases not absorbed"));
    if (!options.shouldSilenceConstantChannels) parts << tr("constant channels kept");
    if (!options.excluded.empty()) parts << tr("left out: %1").arg(toQStringList(options.excluded).join(u", "_s));
    if (options.isAimetCompatible) parts << tr("AIMET compatible");
    return parts.join(u", "_s);
}

QString quotedForShell(QString text) {
    return u'\'' + text.replace(u'\'', u"'\\''"_s) + u'\'';
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
    lines << run + u" -o report.pdf"_s;
    QString model = document.modelName();
    for (const Step& step : reportedRecipe(document).steps) {
        QString line = toQString(
            asCommand(step, toStdString(model), data.path.isEmpty() ? "DATA" : toStdString(fileName(data.path))));
        if (std::holds_alternative<CompressStep>(step)) model = u"compressed.onnx"_s;
        if (std::holds_alternative<EqualizeStep>(step)) model = u"equalized.onnx"_s;
        if (std::holds_alternative<QuantizeStep>(step)) {
            const QString scored = data.evaluationPath.isEmpty() ? data.path : data.evaluationPath;
            add(line, u"--limit"_s, QString::number(data.calibrationSamples));
            add(line, u"--eval-data"_s, quotedForShell(fileName(scored)));
            add(line, u"--eval-limit"_s, QString::number(data.evaluationSamples));
            if (!data.preprocess.isEmpty()) add(line, u"--preprocess"_s, quotedForShell(fileName(data.preprocess)));
        }
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
    if (recipe.quantizeStep() == nullptr)
        if (const auto result = document.quantization()) recipe.steps.emplace_back(QuantizeStep{result->settings});
    return recipe;
}

Result<ReportFacts> gatherReportFacts(const LoadedModel& loaded, const DataChoice& data, const JobContext& job) {
    ReportFacts facts;
    facts.modelHash = toQString(contentHash(*loaded.model));
    facts.threads = resolveThreads(0);
    if (data.path.isEmpty()) return facts;
    auto calibration = describeData(*loaded.model, data, data.path, data.calibrationSamples, facts.preprocessing, job);
    if (!calibration) return fail(calibration.error());
    facts.calibration = std::move(*calibration);
    const QString& scored = data.evaluationPath.isEmpty() ? data.path : data.evaluationPath;
    auto evaluation = describeData(*loaded.model, data, scored, data.evaluationSamples, facts.preprocessing, job);
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
    addData(table, tr("Calibration"), facts.calibration);
    addData(table, tr("Evaluation"), facts.evaluation);
    row(tr("Preprocessing"), facts.preprocessing);
    const auto equalized = document.shownEqualized();
    if (equalized) {
        row(tr("Equalization"),
            settingsText(equalized->options) + tr("; %n sweep(s) done", equalized->report.iterations));
        row(tr("Proof"), equalized->equivalence && equalized->equivalence->isOnRandomInputs
                             ? tr("random inputs, uniform in −1 to 1, seed 1")
                             : tr("samples spread over the calibration data"));
    }
    if (const auto result = document.quantization()) row(tr("Quantization"), settingsText(result->settings));
    row(tr("Random numbers"), tr("none but those named here: the figures are the same with any number of threads"));
    section.blocks.emplace_back(std::move(table));
    section.blocks.emplace_back(
        paragraph(tr("This report, in a folder with the model and the data (recipe.json is attached to the PDF):")));
    const QStringList commands = commandLines(document);
    section.blocks.emplace_back(paragraph(commands.front(), Style::Command));
    if (commands.size() > 1) {
        section.blocks.emplace_back(paragraph(tr("Its steps, one by one:")));
        section.blocks.emplace_back(paragraph(commands.mid(1).join(u'\n'), Style::Command));
    }
    return section;
}

}  // namespace equant::ui
