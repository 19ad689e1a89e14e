// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/desktop/report/report_command.h"

#include <QCommandLineParser>
#include <QCoreApplication>
#include <QFileInfo>
#include <QTextStream>

#include "app/desktop/jobs/engine_calls.h"
#include "app/desktop/report/report_content.h"
#include "app/desktop/report/report_run.h"
#include "app/desktop/report/report_sections_internal.h"
#include "core/base/check_target.h"
#include "core/base/interrupt.h"
#include "core/recipe/workspace.h"
#include "widgets/bridge/text.h"

namespace equant::ui {

using namespace Qt::StringLiterals;

namespace {

constexpr int kDone = 0;
constexpr int kFailed = 1;
constexpr int kUsage = 2;
constexpr int kInterrupted = 130;

struct Command {
    QString recipePath;
    QString output;
    QString pictures;
    bool isLetter = false;
    bool isQuiet = false;
    WorkspaceInputs inputs;
    ReportRequest request;
};

void printLine(const QString& text) {
    QTextStream(stderr) << u"equant: "_s << text << u'\n';
}

int usage(const QString& problem) {
    printLine(problem + u' ' + tr("See equant report --help."));
    return kUsage;
}

int failure(const Error& error) {
    const bool isCancelled = error.code == ErrorCode::Cancelled;
    printLine(isCancelled ? tr("interrupted.") : toQString(describe(error)));
    return isCancelled ? kInterrupted : kFailed;
}

/// All options; they are read again by name.
void addOptions(QCommandLineParser& parser) {
    const auto add = [&parser](const QStringList& names, const QString& help, const QString& value = {},
                               const QString& fallback = {}) {
        parser.addOption(QCommandLineOption(names, help, value, fallback));
    };
    parser.setApplicationDescription(
        tr("Carries out a recipe or workspace and writes what it did as a PDF, without a window or a display."));
    parser.addPositionalArgument(u"report"_s, tr("This command."), u"report"_s);
    parser.addPositionalArgument(u"RECIPE"_s, tr("The recipe (JSON) or workspace (*.equant)."), u"RECIPE"_s);
    parser.addHelpOption();
    const DataChoice defaults;
    add({u"model"_s}, tr("The ONNX model; a workspace names it."), u"file"_s);
    add({u"data"_s}, tr("Data to calibrate on."), u"path"_s);
    add({u"eval-data"_s}, tr("Data to score on (default: the calibration data)."), u"path"_s);
    add({u"preprocess"_s}, tr("imagenet, unit, signed, none, or a JSON file."), u"P"_s);
    add({u"limit"_s}, tr("At most N calibration samples, 0: all."), u"N"_s,
        QString::number(defaults.calibrationSamples));
    add({u"eval-limit"_s}, tr("At most N samples to score on, 0: all."), u"N"_s,
        QString::number(defaults.evaluationSamples));
    add({u"sensitivity"_s}, tr("Sensitivity table to show (default: predicted when the recipe compresses)."),
        u"file"_s);
    add({u"o"_s, u"output"_s}, tr("The PDF to write."), u"file"_s);
    add({u"png"_s}, tr("Also write every page and every plot as PNG into this folder."), u"folder"_s);
    add({u"paper"_s}, tr("a4 or letter."), u"size"_s, u"a4"_s);
    add({u"no-comparison"_s}, tr("Do not quantize without the recipe's equalization as well."));
    add({u"no-latency"_s}, tr("Do not time the compressed network: the same input then gives the same bytes."));
    add({u"quiet"_s}, tr("Print nothing but errors."));
}

/// The command, or what is wrong with the command line.
tl::expected<Command, QString> read(const QCommandLineParser& parser) {
    Command command;
    const QStringList places = parser.positionalArguments().mid(1);
    if (places.isEmpty()) return tl::unexpected(tr("A recipe is missing."));
    if (places.size() > 1) return tl::unexpected(tr("“%1” is one argument too many.").arg(places[1]));
    command.recipePath = places.front();
    command.output = parser.value(u"output"_s);
    if (command.output.isEmpty()) return tl::unexpected(tr("-o with the PDF to write is missing."));
    WorkspaceInputs& inputs = command.inputs;
    inputs.model = toStdString(parser.value(u"model"_s));
    if (inputs.model.empty() && QFileInfo(command.recipePath).suffix() != "equant"_L1)
        return tl::unexpected(tr("--model is missing: a recipe names none."));
    command.pictures = parser.value(u"png"_s);
    command.request.sensitivityPath = parser.value(u"sensitivity"_s);
    command.isQuiet = parser.isSet(u"quiet"_s);
    command.request.shouldTime = !parser.isSet(u"no-latency"_s);
    command.request.shouldCompare = !parser.isSet(u"no-comparison"_s);
    const QString paper = parser.value(u"paper"_s).toLower();
    if (paper != "a4"_L1 && paper != "letter"_L1)
        return tl::unexpected(tr("Unknown paper size “%1”. Use a4 or letter.").arg(paper));
    command.isLetter = paper == "letter"_L1;
    const auto absolute = [&parser](const QString& option) {
        const QString path = parser.value(option);
        return toStdString(path.isEmpty() ? path : QFileInfo(path).absoluteFilePath());
    };
    inputs.data = absolute(u"data"_s);
    inputs.evaluationData = absolute(u"eval-data"_s);
    inputs.preprocess = toStdString(parser.value(u"preprocess"_s));
    for (const auto& [option, samples] :
         {std::pair(u"limit"_s, &inputs.calibrationSamples), std::pair(u"eval-limit"_s, &inputs.evaluationSamples)}) {
        if (!parser.isSet(option)) continue;
        bool isNumber = false;
        const int count = parser.value(option).toInt(&isNumber);
        if (!isNumber || count < 0)
            return tl::unexpected(tr("--%1 takes a number of samples, not “%2”.").arg(option, parser.value(option)));
        *samples = static_cast<std::size_t>(count);
    }
    return command;
}

Result<QStringList> run(const Command& command, const JobContext& job) {
    if (const auto target = checkTarget(toStdString(command.output)); !target) return fail(target.error());
    if (QFileInfo(command.pictures).isFile())
        return fail(ErrorCode::Io, "There is a file of that name: the pictures need a folder.",
                    "Choose another folder.", toStdString(command.pictures));
    const auto saved = readWorkspaceOrRecipe(toPath(command.recipePath));
    if (!saved) return fail(saved.error());
    const auto workspace = withInputs(*saved, command.inputs);
    if (!workspace) return fail(workspace.error());
    const auto say = [&](const QString& step) {
        if (!command.isQuiet) printLine(step);
    };
    ReportRequest request = command.request;
    request.modelPath = toQString(workspace->model);
    request.recipe = workspace->whole();
    request.data = dataChoice(workspace->data);
    request.replacesNamedData = workspace->data.replacesNamed;
    if (request.data.path.isEmpty() && !request.data.evaluationPath.isEmpty())
        return fail(ErrorCode::InvalidArgument, "--eval-data needs samples to calibrate on.", "Add --data.", {});
    Document document;
    if (const auto status = runRecipe(request, document, say, job); !status) return fail(status.error());
    say(tr("Hashing the data"));
    const auto facts =
        gatherReportFacts(*document.loaded(), document.state().data, job, document.state().recipe.compressStep());
    if (!facts) return fail(facts.error());
    say(tr("Writing %1").arg(command.output));
    return saveReport(makeReport(document, *facts, reportDate()), command.output, command.isLetter, command.pictures);
}

}  // namespace

int runReportCommand(const QStringList& arguments) {
    QCommandLineParser parser;
    addOptions(parser);
    if (!parser.parse(QStringList{u"equant"_s} + arguments)) return usage(parser.errorText() + u'.');
    if (parser.isSet(u"help"_s)) {
        QTextStream(stdout) << parser.helpText();
        return kDone;
    }
    const auto command = read(parser);
    if (!command) return usage(command.error());
    std::stop_source stop;
    const auto written = [&] {
        const InterruptWatcher watcher(stop);
        return run(*command, {stop.get_token(), nullptr});
    }();
    if (!written) return failure(written.error());
    if (!command->isQuiet)
        for (const QString& path : *written) QTextStream(stdout) << path << u'\n';
    return kDone;
}

}  // namespace equant::ui
