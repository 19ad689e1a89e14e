// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cctype>
#include <charconv>
#include <fmt/format.h>
#include <optional>

#include "core/base/file.h"
#include "core/data/labels_file_internal.h"

namespace equant {

namespace fs = std::filesystem;

namespace {

struct Row {
    int line = 0;
    std::vector<std::string> fields;
};

std::string trimmed(const std::string& text) {
    const auto first = text.find_first_not_of(" \t");
    return first == std::string::npos ? std::string() : text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

/// RFC 4180 with LF or CRLF; empty lines are left out. InvalidArgument (text = line) for an unclosed quote.
Result<std::vector<Row>> parseRows(std::string_view text, const std::string& subject) {
    if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);  // byte order mark
    std::vector<Row> rows;
    int line = 1;
    std::size_t at = 0;
    while (at < text.size()) {
        Row row{line, {}};
        std::string field;
        bool isQuoted = false;
        bool isInside = false;
        for (; at < text.size(); ++at) {
            const char c = text[at];
            if (c == '\n') ++line;
            if (isInside) {
                if (c != '"') {
                    field += c;
                } else if (at + 1 < text.size() && text[at + 1] == '"') {
                    field += text[at++];
                } else {
                    isInside = false;
                }
            } else if (c == '"' && trimmed(field).empty()) {
                field.clear();
                isInside = isQuoted = true;
            } else if (c == ',') {
                row.fields.push_back(isQuoted ? field : trimmed(field));
                field.clear();
                isQuoted = false;
            } else if (c == '\n') {
                break;
            } else if (c != '\r') {
                field += c;
            }
        }
        ++at;
        if (isInside)
            return fail(ErrorCode::InvalidArgument, "A quoted field is not closed.", "Add the missing quote.",
                        fmt::format("{}:{}", subject, row.line));
        row.fields.push_back(isQuoted ? field : trimmed(field));
        if (row.fields.size() > 1 || !row.fields.front().empty()) rows.push_back(std::move(row));
    }
    return rows;
}

std::optional<std::int64_t> toInteger(const std::string& text) {
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return value;
}

struct Columns {
    std::size_t file = 0;
    std::size_t label = 1;
    std::size_t className = 2;
    bool isNamed = false;  ///< the first row holds the names
};

Columns findColumns(const Row& first) {
    constexpr std::size_t kNone = static_cast<std::size_t>(-1);
    Columns columns{kNone, kNone, kNone, true};
    for (std::size_t i = 0; i < first.fields.size(); ++i) {
        std::string field = first.fields[i];
        std::transform(field.begin(), field.end(), field.begin(),
                       [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
        if (columns.file == kNone && (field == "filename" || field == "file" || field == "path" || field == "image"))
            columns.file = i;
        else if (columns.label == kNone && field == "label")
            columns.label = i;
        else if (columns.className == kNone && (field == "class_name" || field == "class"))
            columns.className = i;
    }
    if (columns.file != kNone && columns.label != kNone) return columns;
    return {};
}

}  // namespace

Result<std::vector<LabelledFile>> readLabelsFile(const fs::path& path) {
    const auto text = readFile(path);
    if (!text) return fail(text.error());
    const auto rows = parseRows(*text, path.string());
    if (!rows) return fail(rows.error());
    const auto nothing = [&] {
        return fail(ErrorCode::InvalidArgument, "The list of labels is empty.", "Write rows of filename,label.",
                    path.string());
    };
    if (rows->empty()) return nothing();

    const Columns columns = findColumns(rows->front());
    const std::size_t needed = std::max(columns.file, columns.label);
    std::vector<LabelledFile> files;
    for (std::size_t i = columns.isNamed ? 1 : 0; i < rows->size(); ++i) {
        const Row& row = (*rows)[i];
        const std::string subject = fmt::format("{}:{}", path.string(), row.line);
        if (row.fields.size() <= needed || row.fields[columns.file].empty())
            return fail(ErrorCode::InvalidArgument, "The row has no file name or no label.",
                        "Each row is filename,label[,class_name].", subject);
        const auto label = toInteger(row.fields[columns.label]);
        if (!label)
            return fail(
                ErrorCode::InvalidArgument,
                fmt::format("The label \"{}\" is not an integer.", row.fields[columns.label]),
                "Labels are class numbers from 0. A first row of column names must have \"filename\" and \"label\".",
                subject);
        LabelledFile file{path.parent_path() / row.fields[columns.file], *label, {}, row.line};
        if (columns.className < row.fields.size()) file.className = row.fields[columns.className];
        std::error_code ignored;
        if (!fs::is_regular_file(file.path, ignored))
            return fail(ErrorCode::NotFound, fmt::format("There is no image \"{}\".", row.fields[columns.file]),
                        "File names are relative to the folder of the list.", subject);
        files.push_back(std::move(file));
    }
    if (files.empty()) return nothing();
    return files;
}

}  // namespace equant
