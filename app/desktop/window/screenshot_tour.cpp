// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/desktop/window/screenshot_tour.h"

#include <QDir>
#include <QPixmap>
#include <QTabWidget>
#include <QTimer>
#include <algorithm>

#include "app/desktop/compression/compression_page.h"
#include "app/desktop/pages/plot_data.h"
#include "app/desktop/window/main_window.h"
#include "widgets/bridge/text.h"

namespace equant::ui {

using namespace Qt::StringLiterals;

namespace {
constexpr int kPollMilliseconds = 60;
/// Polls without a running job before a picture is taken: layouts and queued replots settle meanwhile.
constexpr int kQuietPolls = 4;
}  // namespace

ScreenshotTour::ScreenshotTour(MainWindow& window, TourOptions options)
    : QObject(&window), m_window(window), m_options(std::move(options)) {
    addModelSteps();
    addCompressionSteps();
}

/// From the start page to the quantization page.
void ScreenshotTour::addModelSteps() {
    Session& session = m_window.session();
    const auto showPlots = [this](int tab) {
        if (auto* tabs = m_window.findChild<QTabWidget*>(u"layerPlotTabs"_s)) tabs->setCurrentIndex(tab);
    };
    const auto step = [this](std::function<void()> action) { m_steps.push_back(std::move(action)); };
    step([] {});
    step([this, &session] {
        shoot(u"start"_s);
        if (m_options.modelPath.isEmpty())
            session.openSample();
        else
            session.openModel(m_options.modelPath, m_options.dataPath);
    });
    step([this, &session] {
        if (!session.document().hasModel()) m_isComplete = false;
        shoot(u"overview"_s);
        m_window.showStage(1);
    });
    step([this, &session] {
        shoot(u"ranges-before"_s);
        if (session.document().data()) {
            m_window.showStage(static_cast<int>(Stage::Quantization));
            session.quantize();
        }
    });
    step([this, &session] {
        if (session.document().data()) shoot(u"quantization-before"_s);
        m_window.showStage(1);
        session.applyEqualization();
    });
    step([this, &session, showPlots] {
        shoot(u"ranges"_s);
        // The layer with the most uneven channels, to show what the inspector says.
        const auto& ranges = session.document().loaded()->ranges;
        const auto worst = std::ranges::max_element(ranges, {}, [](const ChannelRanges& r) { return r.imbalance(); });
        if (worst != ranges.end()) session.selection().setOne(toQString(worst->layer));
        showPlots(1);
    });
    step([this, showPlots] {
        shoot(u"ranges-bits"_s);
        showPlots(3);
    });
    step([this, showPlots] {
        shoot(u"ranges-factors"_s);
        showPlots(0);
        m_window.session().selection().clear();
    });
    step([this, &session] {
        m_window.showStage(static_cast<int>(Stage::Quantization));
        if (session.document().data()) session.quantize();
    });
}

void ScreenshotTour::addCompressionSteps() {
    Session& session = m_window.session();
    const auto showTab = [this](const QString& plot) {
        auto* page = m_window.findChild<CompressionPage*>(u"compressionPage"_s);
        auto* shown = m_window.findChild<plots::PlotView*>(plot);
        if (page && shown) page->showPlot(shown);
    };
    const auto step = [this](std::function<void()> action) { m_steps.push_back(std::move(action)); };
    step([this, &session] {
        shoot(u"quantization"_s);
        m_window.showStage(static_cast<int>(Stage::Compression));
        if (!session.document().data()) return;
        // Small models are scored cell by cell; for others the prediction shows as much in seconds.
        if (m_options.modelPath.isEmpty())
            session.measureSensitivity();
        else
            session.predictSensitivity();
    });
    step([showTab] { showTab(u"sensitivityMap"_s); });
    step([this, &session] {
        shoot(u"compression-map"_s);
        session.suggestPlan();
    });
    step([this, &session] {
        shoot(u"compression-plan"_s);
        if (session.document().data()) session.measurePlan();
    });
    step([showTab] { showTab(u"tradeOffFrontier"_s); });
    step([this, showTab] {
        shoot(u"compression"_s);
        showTab(u"savingsWaterfall"_s);
    });
    step([this, showTab] {
        shoot(u"compression-savings"_s);
        showTab(u"ratioProfile"_s);
    });
    step([this] { shoot(u"compression-ratios"_s); });
}

void ScreenshotTour::start() {
    QDir().mkpath(m_options.folder);
    QTimer::singleShot(kPollMilliseconds, this, &ScreenshotTour::poll);
}

void ScreenshotTour::poll() {
    m_quietPolls = m_window.session().jobs().hasRunning() ? 0 : m_quietPolls + 1;
    if (m_quietPolls >= kQuietPolls) {
        m_quietPolls = 0;
        next();
        if (m_step >= m_steps.size()) return;
    }
    QTimer::singleShot(kPollMilliseconds, this, &ScreenshotTour::poll);
}

void ScreenshotTour::next() {
    m_steps[m_step++]();
    if (m_step >= m_steps.size()) emit finished(m_isComplete);
}

void ScreenshotTour::shoot(const QString& name) {
    const QString path = QDir(m_options.folder).filePath(name + u'-' + m_options.suffix + u".png"_s);
    if (m_window.grab().save(path, "PNG", 1))  // 1: best compression
        m_written.push_back(path);
    else
        m_isComplete = false;
}

}  // namespace equant::ui
