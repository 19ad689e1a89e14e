// SPDX-License-Identifier: GPL-3.0-or-later
// Writes models, encodings, recipes and reports. GUI thread only.
#pragma once

#include <QObject>

#include "app/desktop/jobs/session_context.h"

namespace equant::ui {

enum class ExportKind { OptimizedModel, QdqModel, Encodings061, Encodings100, Encodings200 };

class ExportJobs : public QObject {
    Q_OBJECT

public:
    explicit ExportJobs(SessionContext& context) : m_context(context) {}
    void exportTo(ExportKind kind, const QString& path);
    void saveRecipe(const QString& path);
    void writeReport(const QString& path);

private:
    SessionContext& m_context;
};

}  // namespace equant::ui
