// SPDX-License-Identifier: GPL-3.0-or-later
// equant: reads the command line and runs one of three things: the window, the report without a window, or the tour that
// saves a picture of every page.
#include <QApplication>
#include <QCommandLineParser>
#include <QHashSeed>
#include <QLocale>
#include <QSettings>
#include <QTemporaryDir>
#include <QTextStream>
#include <algorithm>
#include <array>
#include <string_view>

#include "app/desktop/report/report_command.h"
#include "app/desktop/window/english_plurals.h"
#include "app/desktop/window/icons.h"
#include "app/desktop/window/main_window.h"
#include "app/desktop/window/screenshot_tour.h"
#include "app/desktop/window/theme.h"

using namespace equant::ui;

namespace {

/// Takes the pictures with empty settings in a temporary folder: layout and theme do not depend on the user's.
int takeScreenshots(QApplication& application, const TourOptions& options, QSize size, Theme theme) {
    const QTemporaryDir settings;
    QSettings::setDefaultFormat(QSettings::IniFormat);
    QSettings::setPath(QSettings::IniFormat, QSettings::UserScope, settings.path());
    applyTheme(theme);
    MainWindow window;
    window.resize(size);
    window.show();
    ScreenshotTour tour(window, options);
    QObject::connect(&tour, &ScreenshotTour::finished, &application, [&](bool isComplete) {
        QTextStream out(stdout);
        for (const QString& path : tour.written()) out << path << '\n';
        QApplication::exit(isComplete ? 0 : 1);
    });
    tour.start();
    return QApplication::exec();
}

/// Whether the command line only asks for text: the version or the help.
bool asksForText(int argc, char** argv) {
    constexpr std::array<std::string_view, 5> kFlags{"-v", "--version", "-h", "--help", "--help-all"};
    return std::any_of(argv + 1, argv + std::max(argc, 1),
                       [&](const char* text) { return std::find(kFlags.begin(), kFlags.end(), text) != kFlags.end(); });
}

void addOptions(QCommandLineParser& parser) {
    parser.setApplicationDescription(
        QCoreApplication::translate("main", "Makes trained networks ready for fixed-point hardware."));
    parser.addHelpOption();
    parser.addVersionOption();
    const QCommandLineOption data(QStringLiteral("data"),
                                  QCoreApplication::translate("main", "Data to calibrate and score on."),
                                  QStringLiteral("path"));
    const QCommandLineOption theme(
        QStringLiteral("theme"), QCoreApplication::translate("main", "system, light or dark."), QStringLiteral("name"));
    const QCommandLineOption sample(QStringLiteral("sample"),
                                    QCoreApplication::translate("main", "Open the bundled sample."));
    const QCommandLineOption shots(QStringLiteral("screenshots"),
                                   QCoreApplication::translate("main", "Save a picture of every page and quit."),
                                   QStringLiteral("folder"));
    const QCommandLineOption size(QStringLiteral("size"),
                                  QCoreApplication::translate("main", "Window size of the pictures, as 1280x800."),
                                  QStringLiteral("size"), QStringLiteral("1280x800"));
    parser.addOptions({data, theme, sample, shots, size});
    parser.addPositionalArgument(QStringLiteral("model"),
                                 QCoreApplication::translate("main", "The ONNX model or workspace to open."),
                                 QStringLiteral("[model]"));
}

}  // namespace

int main(int argc, char** argv) {
    const bool isReport = argc > 1 && std::string_view(argv[1]) == "report";
    if (isReport || asksForText(argc, argv)) qputenv("QT_QPA_PLATFORM", "offscreen");  // no display is needed
    if (isReport) {
        // Qt writes fonts in the order of a QHash: without a fixed seed the bytes of a report would differ.
        QHashSeed::setDeterministicGlobalSeed();
        QLocale::setDefault(QLocale(QLocale::English, QLocale::UnitedStates));
    }
    QApplication application(argc, argv);
    QApplication::setOrganizationName(QStringLiteral("Equant"));
    QApplication::setApplicationName(QStringLiteral("Equant"));
    QApplication::setApplicationVersion(QStringLiteral(EQUANT_VERSION));
    QGuiApplication::setDesktopFileName(QStringLiteral("io.github.equant.Equant"));
    QApplication::setWindowIcon(applicationIcon());

    EnglishPlurals plurals;
    QCoreApplication::installTranslator(&plurals);

    if (isReport) return runReportCommand(QApplication::arguments().mid(1));

    QCommandLineParser parser;
    addOptions(parser);
    parser.process(application);
    const auto value = [&parser](const char* option) { return parser.value(QLatin1String(option)); };
    const QString model = parser.positionalArguments().value(0);
    if (parser.isSet(QStringLiteral("screenshots"))) {
        const Theme wanted = value("theme") == QStringLiteral("dark") ? Theme::Dark : Theme::Light;
        const QStringList sides = value("size").split(QLatin1Char('x'));
        const QSize pixels(sides.value(0).toInt(), sides.value(1).toInt());
        return takeScreenshots(application, {value("screenshots"), themeName(wanted), model, value("data")},
                               pixels.isEmpty() ? QSize(1280, 800) : pixels, wanted);
    }
    applyTheme(themeFromName(parser.isSet(QStringLiteral("theme"))
                                 ? value("theme")
                                 : QSettings().value(QStringLiteral("theme")).toString()));
    MainWindow window;
    window.show();
    if (parser.isSet(QStringLiteral("sample")))
        window.session().openSample();
    else if (Session::classify(model) == Session::Source::Workspace)
        window.session().openWorkspace(model);
    else if (!model.isEmpty())
        window.session().openModel(model, value("data"));
    return QApplication::exec();
}
