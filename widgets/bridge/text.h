// SPDX-License-Identifier: GPL-3.0-or-later
// From the engine's words to the window's: strings, paths, errors and durations as QString.
// Plain functions; safe on any thread.
#pragma once

#include <QString>
#include <QStringList>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"

namespace equant::ui {

[[nodiscard]] QString toQString(std::string_view text);
[[nodiscard]] std::string toStdString(const QString& text);
[[nodiscard]] QStringList toQStringList(const std::vector<std::string>& texts);
[[nodiscard]] QString fromPath(const std::filesystem::path& path);
[[nodiscard]] std::filesystem::path toPath(const QString& text);

/// The last parts of a layer's name: enough to tell layers apart, short enough for a table or a title.
[[nodiscard]] QString shortName(const QString& layer);

/// What happened, one sentence or two, in the user's terms.
[[nodiscard]] QString errorText(const Error& error);
/// Everything that helps whoever is asked for help: code, subject, message, hint, version.
[[nodiscard]] QString errorDetails(const Error& error, const QString& activity);

/// "3 s", "1:05 min", "2:03 h".
[[nodiscard]] QString durationText(double seconds);
/// "12.3 %", or a dash when there is none.
[[nodiscard]] QString percentOrDash(std::optional<double> percent);
/// Resident memory of this process in bytes; 0 where the system does not tell.
[[nodiscard]] qint64 residentBytes();

}  // namespace equant::ui
