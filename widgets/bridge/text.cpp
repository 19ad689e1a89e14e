// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/bridge/text.h"

#include <QCoreApplication>
#include <QFile>
#include <QLocale>
#include <algorithm>
#include <cmath>

namespace equant::ui {

using namespace Qt::StringLiterals;

QString toQString(std::string_view text) {
    return QString::fromUtf8(text.data(), static_cast<qsizetype>(text.size()));
}

std::string toStdString(const QString& text) {
    const QByteArray bytes = text.toUtf8();
    return {bytes.constData(), static_cast<std::size_t>(bytes.size())};
}

QStringList toQStringList(const std::vector<std::string>& texts) {
    QStringList result;
    result.reserve(static_cast<qsizetype>(texts.size()));
    for (const auto& text : texts) result.push_back(toQString(text));
    return result;
}

QString fromPath(const std::filesystem::path& path) {
    return QFile::decodeName(QByteArray::fromStdString(path.string()));
}

std::filesystem::path toPath(const QString& text) {
    return {QFile::encodeName(text).toStdString()};
}

QString shortName(const QString& layer) {
    QStringList parts = layer.split(u'/', Qt::SkipEmptyParts);
    // Exporters end names with the operator's type, often twice ("stem/conv/Conv"); tables say the type anyway.
    if (parts.size() > 1 && parts.back().front().isUpper()) {
        QString type = parts.takeLast();
        // The halves of a split layer are called "conv/Conv.first" and "conv/Conv.second".
        const QString half = type.endsWith(u".first"_s)    ? u".first"_s
                             : type.endsWith(u".second"_s) ? u".second"_s
                                                           : QString();
        type.chop(half.size());
        if (parts.size() > 1 && parts.back().compare(type, Qt::CaseInsensitive) == 0) parts.removeLast();
        parts.back() += half;
    }
    // PyTorch repeats a module in what it holds ("blocks/blocks.3/f/f.0"): what tells layers apart would not fit.
    for (qsizetype i = parts.size() - 2; i >= 0; --i)
        if (parts[i + 1].startsWith(parts[i] + u'.')) parts.removeAt(i);
    return parts.isEmpty() ? layer : parts.mid(std::max<qsizetype>(0, parts.size() - 2)).join(u'/');
}

namespace {

QString codeName(ErrorCode code) {
    switch (code) {
        case ErrorCode::NotFound:
            return u"not-found"_s;
        case ErrorCode::Unsupported:
            return u"unsupported"_s;
        case ErrorCode::Corrupt:
            return u"corrupt"_s;
        case ErrorCode::InvalidArgument:
            return u"invalid-argument"_s;
        case ErrorCode::OutOfRange:
            return u"out-of-range"_s;
        case ErrorCode::Cancelled:
            return u"cancelled"_s;
        case ErrorCode::OutOfMemory:
            return u"out-of-memory"_s;
        case ErrorCode::Io:
            return u"io"_s;
        case ErrorCode::Internal:
            return u"internal"_s;
    }
    return u"unknown"_s;
}

}  // namespace

QString errorText(const Error& error) {
    QString text = toQString(error.message);
    const QString subject = toQString(error.subject);
    // The subject leads unless the sentence already names it.
    if (!subject.isEmpty() && !text.contains(subject)) text = subject + u": "_s + text;
    return text;
}

QString errorDetails(const Error& error, const QString& activity) {
    QStringList lines;
    if (!activity.isEmpty()) lines << u"while: "_s + activity;
    lines << u"code: "_s + codeName(error.code);
    if (!error.subject.empty()) lines << u"subject: "_s + toQString(error.subject);
    lines << u"message: "_s + toQString(error.message);
    if (!error.hint.empty()) lines << u"hint: "_s + toQString(error.hint);
    lines << u"version: Equant "_s + QCoreApplication::applicationVersion();
    return lines.join(u'\n');
}

QString durationText(double seconds) {
    if (!std::isfinite(seconds) || seconds < 0) return {};
    const auto whole = static_cast<qint64>(std::llround(seconds));
    const auto translate = [](const char* text) { return QCoreApplication::translate("Duration", text); };
    if (seconds < 1) return translate("%1 ms").arg(std::max(1LL, std::llround(1000 * seconds)));
    if (seconds < 10) return translate("%1 s").arg(QLocale().toString(seconds, 'f', 1));
    if (whole < 60) return translate("%1 s").arg(whole);
    if (whole < 3600) return translate("%1:%2 min").arg(whole / 60).arg(whole % 60, 2, 10, QLatin1Char('0'));
    return translate("%1:%2 h").arg(whole / 3600).arg((whole / 60) % 60, 2, 10, QLatin1Char('0'));
}

QString percentOrDash(std::optional<double> percent) {
    if (!percent) return u"–"_s;
    return QCoreApplication::translate("Percent", "%1 %").arg(QLocale().toString(*percent, 'f', 1));
}

qint64 residentBytes() {
    QFile file(u"/proc/self/statm"_s);
    if (!file.open(QIODevice::ReadOnly)) return 0;
    const QList<QByteArray> fields = file.readAll().split(' ');
    return fields.size() > 1 ? fields[1].toLongLong() * 4096 : 0;
}

}  // namespace equant::ui
