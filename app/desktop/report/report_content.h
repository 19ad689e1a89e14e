// SPDX-License-Identifier: GPL-3.0-or-later
// What the report says, from the document's results: sections with their tables and plots. What was not computed is
// left out. The same document, facts and date give the same report.
#pragma once

#include "app/desktop/document/document.h"
#include "widgets/report/report.h"

namespace equant::ui {

/// What has to be computed for the provenance.
struct ReportFacts {
    QString modelHash;
    struct Data {
        QString name;         ///< of folder or file
        QString description;  ///< one line, from the data set
        QString hash;         ///< over contents of the samples used and their preprocessing
        std::size_t samples = 0;
    };
    std::optional<Data> fitting;  ///< what a compression was fitted to
    std::optional<Data> calibration;
    std::optional<Data> evaluation;  ///< absent: the calibration data
    QString preprocessing;
    unsigned threads = 1;
};

/// Reads the samples used to hash them. Fails where data cannot be read, and Cancelled.
/// `compressing`: the compression of the recipe, null without one.
Result<ReportFacts> gatherReportFacts(const LoadedModel& loaded, const DataChoice& data, const JobContext& job,
                                      const CompressStep* compressing = nullptr);

/// GUI thread: the plots are widgets. The document may change or go afterwards.
report::Report makeReport(const Document& document, const ReportFacts& facts, const QDateTime& date);

/// Writes `path`, and with `pictures` not empty into that folder every page and every plot as PNG (it is created when
/// missing). Each file is written completely or not at all. Returns the files, the PDF first.
Result<QStringList> saveReport(const report::Report& report, const QString& path, bool isLetter,
                               const QString& pictures);

/// SOURCE_DATE_EPOCH where it is set (reproducible-builds.org), else now.
QDateTime reportDate();

}  // namespace equant::ui
