// SPDX-License-Identifier: GPL-3.0-or-later
// Walks through the window and saves a picture of every page: the README's pictures, made by the program itself.
// Waits for jobs between steps. GUI thread only; quits the application's event loop through finished().
#pragma once

#include <QObject>
#include <QStringList>
#include <functional>
#include <vector>

namespace equant::ui {

class MainWindow;

struct TourOptions {
    QString folder;
    QString suffix;     ///< "light" or "dark": part of the file names
    QString modelPath;  ///< empty: the bundled sample
    QString dataPath;
};

class ScreenshotTour : public QObject {
    Q_OBJECT

public:
    ScreenshotTour(MainWindow& window, TourOptions options);
    void start();
    const QStringList& written() const { return m_written; }

signals:
    void finished(bool isComplete);

private:
    void addModelSteps();
    void addCompressionSteps();
    void next();
    void poll();
    void shoot(const QString& name);

    MainWindow& m_window;
    TourOptions m_options;
    std::vector<std::function<void()>> m_steps;
    std::size_t m_step = 0;
    int m_quietPolls = 0;
    bool m_isComplete = true;
    QStringList m_written;
};

}  // namespace equant::ui
